"""Booking an e-mail: recording that a mailbox wrote or read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import bookings, visibility
from models.bookings import MailContent, References
from models.mails import same_address
from models.tables import MailPart
from resolvers import activities, node_ids, text
from resolvers.acting import acting_user
from resolvers.errors import ForbiddenError, InvalidInputError, NotFoundError
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.database import Unit
    from resolvers.request import Request

MESSAGE_ID_LENGTH = 998
SUBJECT_LENGTH = 2_000
TEXT_LENGTH = 500_000
RECIPIENTS = 1_000
REFERENCES = 100
ADDRESS = re.compile(
    r"[^\s<>@\x00-\x1f\x7f](?:[^<>\x00-\x1f\x7f\u2028\u2029]{0,318})@[^\s<>@\x00-\x1f\x7f]{1,255}"
)
MESSAGE_ID = re.compile(r"[^\s<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class BookMail:
    """What a client says of an e-mail, as it came."""

    mailbox_id: str
    part: MailPart
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    text: str
    mail_date: datetime | None = None
    contact_references: list[str] | None = None
    property_references: list[str] | None = None


async def book_mail(request: Request, asked: BookMail) -> list[Mapping[str, Any]]:
    """Book an e-mail at a mailbox that the viewer is assigned to, now; return its entries that the viewer may see.

    An e-mail that was booked before at this mailbox stays as it was. Raises `NotFoundError` for a mailbox that the viewer can't
    read, `ForbiddenError` where the viewer is not assigned now, `InvalidInputError` for what no e-mail has.
    """
    viewer = request.signed_in()
    mailbox_id = node_ids.decode_as(NodeKind.MAILBOX, asked.mailbox_id)
    agency_id = viewer.agency_id
    if mailbox_id is None or agency_id is None:
        raise _no_such_mailbox()

    async def work(unit: Unit) -> list[Mapping[str, Any]]:
        await unit.lock_agency(agency_id)
        acting = await acting_user(unit, request)
        mailbox = await _assigned_mailbox(unit, agency_id, mailbox_id, acting.id)
        content, references = _content(asked), _references(asked)
        if asked.part is MailPart.SENDING and same_address(content.sender) != mailbox["address"]:
            message = "A mailbox that sends is the e-mail's sender."
            raise InvalidInputError(message, ["input", "sender"])
        made = await bookings.book(unit, mailbox, asked.part, acting.id, content, references)
        if made.position is not None:
            await request.services.events.publish(
                unit,
                "booked",
                {"agency_id": str(agency_id), "mail_id": str(made.mail_id), "position": made.position},
            )
        seer = activities.reader(acting)
        return [] if seer is None else await visibility.visible_of_mail(unit, seer, made.mail_id)

    return await request.database.transact(work)


async def _assigned_mailbox(
    unit: Unit, agency_id: UUID, mailbox_id: UUID, user_id: UUID
) -> Mapping[str, Any]:
    """Return the mailbox, locked. Whether the user is assigned is asked after the lock: an assignment may just have ended."""
    mailbox = await unit.fetch_one(
        "SELECT id, agency_id, address, last_moment FROM mailboxes WHERE id = $1 AND agency_id = $2 FOR NO KEY UPDATE",
        mailbox_id,
        agency_id,
    )
    if mailbox is None:
        raise _no_such_mailbox()
    assigned = await unit.fetch_one(
        "SELECT 1 AS found FROM assignments WHERE mailbox_id = $1 AND user_id = $2 AND until IS NULL",
        mailbox_id,
        user_id,
    )
    if assigned is None:
        message = "Only who is assigned to the mailbox now books its e-mails."
        raise ForbiddenError(message, ["input", "mailboxId"])
    return mailbox


def _no_such_mailbox() -> NotFoundError:
    return NotFoundError("There is no such mailbox.", ["input", "mailboxId"])


def _content(asked: BookMail) -> MailContent:
    path = ["input"]
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
        mail_date=asked.mail_date,
    )


def _address(address: str, path: list[str]) -> str:
    """Return an address as it stands in a header. Whether it is a good one is not asked: the e-mail was sent with it."""
    trimmed = text.clean(address.strip(), path)
    if not ADDRESS.fullmatch(trimmed):
        message = "This is not an e-mail address."
        raise InvalidInputError(message, path)
    return trimmed


def _references(asked: BookMail) -> References:
    return References(
        contacts=_each_once(asked.contact_references, ["input", "contactReferences"]),
        properties=_each_once(asked.property_references, ["input", "propertyReferences"]),
    )


def _each_once(references: list[str] | None, path: list[str]) -> tuple[str, ...]:
    if references is None:
        return ()
    if len(references) > REFERENCES:
        message = f"At most {REFERENCES} references."
        raise InvalidInputError(message, path)
    most = activities.REFERENCE_LENGTH
    return tuple(
        dict.fromkeys(
            text.line(each, [*path, str(place)], most=most) for place, each in enumerate(references)
        )
    )
