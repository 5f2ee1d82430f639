"""The page behind a letter's link: the password of a mailbox, shown once to whoever has the link's token.

Nobody is signed in: the token is the right, 256 random bits of which only the SHA-256 is stored. What makes a link work
is asked twice. First by reading alone, in one statement for every token, so that one that is wrong, used, expired or dead
takes the same way as any other. Then in a unit of work that holds all that it depends on: there the audit's row is written, the
link is used up, and only when that has committed the password is answered. Of several at once one is shown it.

Whoever tries tokens is limited by address, after what was tried turned out to be wrong: a link that works is never held up by
what others did, from the same address or another.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from models import attempts, audit, clock, mailbox_passwords
from models.credential_deliveries import ASKED, DEATH
from models.tables.mailboxes import MailboxEventKind
from resolvers import deliveries, mailbox_events, mailboxes
from resolvers.errors import CallerError, NotFoundError, RateLimitedError
from resolvers.sign_in_limits import WITHIN, place_of

if TYPE_CHECKING:
    from datetime import datetime

    from models.database import Statements, Unit
    from resolvers.request import Request

REFUSALS = 30
"""So many wrong tokens from one address within `WITHIN` are answered as such; those after them as too many."""
ANSWER_AFTER = timedelta(milliseconds=300)
"""No refusal is answered sooner, counted from the asking, so that none tells by its time why."""

_WORKS = f"d.opened_at IS NULL AND d.expires_at > $2 AND {DEATH} IS NULL"


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox's password and what goes with it; its representation does not show the password."""

    address: str
    email_name: str | None
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Link:
    """A delivery whose link works, and what it depends on."""

    delivery_id: UUID
    agency_id: UUID
    mailbox_id: UUID
    requested_by_id: UUID


async def show(request: Request, token: str) -> Shown:
    """Return the password that a link's token leads to, and use the link up.

    Raises `NotFoundError` where it leads to none, whatever the reason, and `RateLimitedError` instead where too many
    tokens from the address did; neither before `ANSWER_AFTER` has passed.
    """
    loop = asyncio.get_running_loop()
    latest = loop.time() + ANSWER_AFTER.total_seconds()
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    link = await _find(request.database, token_hash)
    shown = (
        None if link is None else await request.database.transact(partial(_show, request, link, token_hash))
    )
    if shown is not None:
        return shown
    refusal = await _refusal(request)
    await asyncio.sleep(latest - loop.time())
    raise refusal


async def _refusal(request: Request) -> CallerError:
    """Count a token that showed nothing, a few of one address at once; return what it is answered."""
    place = place_of(request.remote_address)
    try:
        async with request.services.lanes.turn(f"link {place}"):
            wait = await request.database.transact(partial(_count, request, place))
    except RateLimitedError as error:
        return error
    if wait is not None:
        return RateLimitedError("Too many links that show nothing; try again later.", wait)
    return NotFoundError("The link shows nothing.", ["token"])


async def _find(statements: Statements, token_hash: str) -> _Link | None:
    """Return the delivery with this token, if its link works now."""
    row = await statements.fetch_one(
        f"SELECT d.id, d.agency_id, d.mailbox_id, d.requested_by_id FROM {ASKED} WHERE d.token_hash = $1 AND {_WORKS}",
        token_hash,
        clock.now(),
    )
    return (
        None if row is None else _Link(row["id"], row["agency_id"], row["mailbox_id"], row["requested_by_id"])
    )


async def _show(request: Request, link: _Link, token_hash: str, unit: Unit) -> Shown | None:
    """Use a link up and return what it shows; None where it does not work any more."""
    await unit.lock_agency(link.agency_id)
    await unit.execute("SELECT id FROM users WHERE id = $1 FOR SHARE", link.requested_by_id)
    mailbox, last_moment = await mailboxes.hold_as(
        unit, link.requested_by_id, link.agency_id, link.mailbox_id
    )
    # Rights, passwords and newer letters of this mailbox stay now what they are.
    current = await mailbox_passwords.of(unit, mailbox.id)
    if current is None or await _find(unit, token_hash) is None:
        return None
    await audit.record(
        unit,
        "mailbox.password_link_use",
        agency_id=link.agency_id,
        actor_id=None,
        remote_address=request.remote_address,
        subject=("mailbox", mailbox.id),
        details={"delivery": str(link.delivery_id), "version": current.version},
    )
    await mailbox_passwords.note_knower(
        unit,
        agency_id=link.agency_id,
        mailbox_id=mailbox.id,
        version=current.version,
        user_id=link.requested_by_id,
    )
    moment = await mailbox_events.write_next(
        unit, mailbox, MailboxEventKind.PASSWORD_REVEALED, after=last_moment, user_id=None
    )
    await unit.execute(
        "UPDATE credential_deliveries SET opened_at = $2 WHERE id = $1", link.delivery_id, moment
    )
    await deliveries.teller(request.services.events)(unit, link.delivery_id)
    password = mailbox_passwords.opened(
        request.services.seals, current.sealed, mailbox.address, current.version
    )
    return Shown(mailbox.address, mailbox.email_name, password)


async def _count(request: Request, place: str | None, unit: Unit) -> int | None:
    """Count a token that showed nothing; return after how many seconds one is let in again where they are too many."""
    key = request.services.tokens.fingerprint(f"link {place}")
    await unit.lock_turn(UUID(key[:32]))
    now = clock.now()
    window = clock.Window.around(now, WITHIN)
    counted = await attempts.of_key(unit, key, window, REFUSALS)
    if len(counted) >= REFUSALS:
        oldest: datetime = counted[-1]["at"]
        return max(1, math.ceil((oldest + WITHIN - now).total_seconds()))
    await attempts.fail(unit, await attempts.begin(unit, key, None, now, window.after))
    return None
