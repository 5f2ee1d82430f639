"""An e-mail from outside: what is taken of one, and in which form, from a client and from an import alike.

Whether its addresses are good ones is not asked: it was sent with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from models import clock
from models.bookings import MailContent, References
from resolvers import activities, text
from resolvers.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE_ID_LENGTH = 998
SUBJECT_LENGTH = 2_000
TEXT_LENGTH = 500_000
RECIPIENTS = 1_000
REFERENCES = 100
ADDRESS = re.compile(
    r"[^\s<>@\x00-\x1f\x7f](?:[^<>\x00-\x1f\x7f\u2028\u2029]{0,318})@[^\s<>@\x00-\x1f\x7f]{1,255}"
)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""Before the last instant that there is, which asyncpg takes for infinity and gives back naive (`clock.BEGINNING`)."""
MESSAGE_ID = re.compile(r"[^\s<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class MailInput:
    """What is said of an e-mail, as it came."""

    message_id: str
    sender: str
    recipients: Sequence[str]
    subject: str
    text: str
    mail_date: datetime | None


def content(asked: MailInput, path: list[str]) -> MailContent:
    """Return the e-mail as it is stored. Raises `InvalidInputError` for what no e-mail has."""
    message_id = text.clean(asked.message_id.strip(), [*path, "messageId"], most=MESSAGE_ID_LENGTH)
    if not MESSAGE_ID.fullmatch(message_id):
        message = "A Message-ID is one word, without angle brackets."
        raise InvalidInputError(message, [*path, "messageId"])
    if len(asked.recipients) > RECIPIENTS:
        message = f"At most {RECIPIENTS} recipients."
        raise InvalidInputError(message, [*path, "recipients"])
    return MailContent(
        message_id=message_id,
        sender=_address(asked.sender, [*path, "sender"]),
        recipients=tuple(
            _address(recipient, [*path, "recipients", str(place)])
            for place, recipient in enumerate(asked.recipients)
        ),
        subject=text.clean(asked.subject, [*path, "subject"], most=SUBJECT_LENGTH),
        text=text.clean(asked.text, [*path, "text"], most=TEXT_LENGTH),
        mail_date=_mail_date(asked.mail_date, [*path, "mailDate"]),
    )


def references(
    contacts: Sequence[str], properties: Sequence[str], path: list[str], *, most: int | None = REFERENCES
) -> References:
    """Return what the entries are kept at, at `most` so many of each kind.

    Raises `InvalidInputError` for what is no reference.
    """
    for name, given in (("contactReferences", contacts), ("propertyReferences", properties)):
        if most is not None and len(given) > most:
            message = f"At most {most} references."
            raise InvalidInputError(message, [*path, name])
    return References(
        contacts=_each_once(contacts, [*path, "contactReferences"]),
        properties=_each_once(properties, [*path, "propertyReferences"]),
    )


def _mail_date(moment: datetime | None, path: list[str]) -> datetime | None:
    if moment is not None and not clock.BEGINNING <= moment < LATEST:
        message = "A date lies after the first day of the year 1 and before the last of 9999."
        raise InvalidInputError(message, path)
    return moment


def _address(address: str, path: list[str]) -> str:
    trimmed = text.clean(address.strip(), path)
    if not ADDRESS.fullmatch(trimmed):
        message = "This is not an e-mail address."
        raise InvalidInputError(message, path)
    return trimmed


def _each_once(references: Sequence[str], path: list[str]) -> tuple[str, ...]:
    most = activities.REFERENCE_LENGTH
    lines = (text.line(each, [*path, str(place)], most=most) for place, each in enumerate(references))
    return tuple(dict.fromkeys(lines))
