"""What is asked for when a letter with credentials is, whether it was before, and whether it may leave now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from models import clock, folding
from resolvers import deliveries, rates, text
from resolvers.errors import ConflictError, InvalidInputError, RateLimitedError
from resolvers.renewals import REPEATABLE

if TYPE_CHECKING:
    from models.database import Unit
    from models.tables.letters import CredentialContent
    from resolvers.deliveries import CredentialDelivery
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Viewer

GERMAN = "de"
AGAIN_AFTER = timedelta(minutes=1)
"""So long after a letter the same one is not sent again: it is on its way."""
TO_ONE_ADDRESS = 10
"""So many letters an agency sends to one address within the time of `rates.LETTERS`."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a client asks for; `language` and `request_id` may be absent."""

    mailbox_id: str
    to: str
    content: CredentialContent
    language: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class LetterRequest:
    """What is asked for, in the form in which it is stored."""

    to: str
    fold_to: str
    content: CredentialContent
    language: str
    request_id: str | None


def check(asked: Sending, mailbox: Mailbox) -> LetterRequest:
    """Return what is asked for; raises `InvalidInputError` for what can't be and for an address that leads into the mailbox."""
    to = text.email(asked.to, ["input", "to"])
    if text.leads_into(to, mailbox.address):
        raise InvalidInputError(
            "That is the mailbox itself: whoever needs its password can't read the letter there.",
            ["input", "to"],
        )
    language, request_id = asked.language, asked.request_id
    return LetterRequest(
        to=to,
        fold_to=folding.fold(to),
        content=asked.content,
        language=GERMAN if language is None else text.language(language, ["input", "language"]),
        request_id=None if request_id is None else text.request_id(request_id, ["input", "requestId"]),
    )


async def answered(
    unit: Unit, acting: Viewer, mailbox: Mailbox, asked: LetterRequest
) -> CredentialDelivery | None:
    """Return the letter that the same `request_id` had sent; raises `ConflictError` where that was another."""
    if asked.request_id is None:
        return None
    row = await unit.fetch_one(
        f"SELECT {deliveries.COLUMNS}, d.language FROM credential_deliveries d "
        "WHERE d.mailbox_id = $1 AND d.requested_by_id = $2 AND d.request_id = $3 AND d.requested_at > $4",
        mailbox.id,
        acting.id,
        asked.request_id,
        clock.now() - REPEATABLE,
    )
    if row is None:
        return None
    earlier = deliveries.read(row)
    if (earlier.to, earlier.content, row["language"]) != (asked.to, asked.content, asked.language):
        raise ConflictError("Another letter was asked for by this requestId.", ["input", "requestId"])
    return earlier


async def limit(unit: Unit, acting: Viewer, mailbox: Mailbox, asked: LetterRequest) -> None:
    """Raise `RateLimitedError`, which says why, where a letter is not to leave now."""
    to = unit, mailbox, asked.fold_to
    await _limit_address(*to, 1, AGAIN_AFTER, "This letter was asked for a moment ago.", same_letter=True)
    await rates.LETTERS.require(unit, acting.id, mailbox.id)
    await _limit_address(*to, TO_ONE_ADDRESS, rates.LETTERS.within, "Too many letters to this address.")


async def _limit_address(
    unit: Unit,
    mailbox: Mailbox,
    fold_to: str,
    number: int,
    within: timedelta,
    words: str,
    *,
    same_letter: bool = False,
) -> None:
    now = clock.now()
    row = await unit.fetch_one(
        "SELECT requested_at FROM credential_deliveries WHERE agency_id = $1 AND fold_to = $2 AND requested_at > $3 "
        "AND (NOT $4::boolean OR (mailbox_id = $5 AND state <> 'FAILED')) "
        "ORDER BY requested_at DESC LIMIT 1 OFFSET $6::bigint",
        mailbox.agency_id,
        fold_to,
        now - within,
        same_letter,
        mailbox.id,
        number - 1,
    )
    if row is not None:
        wait = math.ceil((row["requested_at"] + within - now).total_seconds())
        raise RateLimitedError(f"{words} Try again later.", wait, ["input", "to"])
