"""New passwords of mailboxes.

A password is made and hashed before anything is locked. What the unit of work stores is the new password's hash and token,
the audit's row before them, the event, and that sessions opened with the older ones are to be ended: all of it or
nothing. The old password fails with the commit, since the mail servers read what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from models import audit, clock, mailbox_passwords
from models.tables.mailboxes import MailboxEventKind
from resolvers import mailbox_events, mailboxes, rates, text
from resolvers.acting import acting_user
from resolvers.errors import ConflictError, ForbiddenError, NotFoundError
from resolvers.node_ids import NodeKind, decode_as

if TYPE_CHECKING:
    from datetime import datetime

    from models.database import Unit
    from models.mailbox_passwords import NewPassword
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer

REPEATABLE = timedelta(hours=24)
"""How long a `requestId` answers what it did, instead of doing it again."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A mailbox with a new password; `effective` once nothing of the old one works on the mail servers any more."""

    mailbox: Mailbox
    effective: bool


async def generate(request: Request, mailbox_id: str, request_id: str | None) -> Renewed:
    """Give a mailbox a new password, for those assigned now and for administrators.

    The same `request_id` of the same viewer at the same mailbox within 24 hours renews once and answers well each time. Of
    several calls at once one renews, and the others raise `ConflictError`, since they asked to replace a password that is none
    any more. Raises `NotFoundError`, `ForbiddenError`, `InvalidInputError` for a `request_id` that can't be, and
    `RateLimitedError` by `rates.RENEWALS`, in this order.
    """
    member = request.member()
    wanted = decode_as(NodeKind.MAILBOX, mailbox_id)
    if member is None or wanted is None:
        raise NotFoundError("There is no such mailbox.", ["mailboxId"])
    # Before anything is waited for: what the caller wants to replace.
    replaced = await mailbox_passwords.version_of(request.database, wanted)
    renewing = _Renewing(request, member[1], wanted, request_id, replaced)
    mailbox = await request.database.transact(renewing.look)
    if mailbox is None:
        # Hashing takes long: nothing is locked meanwhile, and nothing is hashed for those who may not.
        (new,) = await request.services.hasher.new_mailbox_passwords(1)
        mailbox = await request.database.transact(lambda unit: renewing.renew(unit, new))
    effective = await request.services.endings.finish(request.database, [mailbox.id])
    return Renewed(mailbox, effective)


@dataclass(frozen=True, slots=True)
class _Renewing:
    """The units of work of one call."""

    request: Request
    agency_id: UUID
    wanted: UUID
    request_id: str | None
    replaced: int

    async def look(self, unit: Unit) -> Mailbox | None:
        """Return the mailbox where the call was made before; None where it may go on."""
        _, mailbox, _, is_repeated = await self._hold(unit)
        return mailbox if is_repeated else None

    async def renew(self, unit: Unit, new: NewPassword) -> Mailbox:
        """Renew the password, unless the same call did meanwhile."""
        acting, mailbox, last_moment, is_repeated = await self._hold(unit)
        if is_repeated:
            return mailbox
        current = await mailbox_passwords.version_of(unit, mailbox.id)
        if current != self.replaced:
            raise ConflictError("Somebody else renewed the password at the same time.")
        moment = await renew(unit, self.request, acting, mailbox, new, version=current + 1, after=last_moment)
        if self.request_id is not None:
            await _remember(unit, acting, mailbox, self.request_id, current + 1, moment)
        return mailbox

    async def _hold(self, unit: Unit) -> tuple[Viewer, Mailbox, datetime, bool]:
        await unit.lock_agency(self.agency_id)
        acting = await acting_user(unit, self.request)
        await unit.lock_turn(acting.id)
        mailbox, last_moment = await mailboxes.hold(unit, acting, self.wanted)
        if not mailboxes.can_renew(acting, mailbox):
            raise ForbiddenError("Those assigned to the mailbox now and administrators renew its password.")
        is_repeated = False
        if self.request_id is not None:
            text.request_id(self.request_id, ["requestId"])
            is_repeated = await _was_asked(unit, acting, mailbox, self.request_id)
        if not is_repeated:
            await rates.RENEWALS.require(unit, acting.id, mailbox.id)
        return acting, mailbox, last_moment, is_repeated


async def renew(
    unit: Unit,
    request: Request,
    acting: Viewer,
    mailbox: Mailbox,
    new: NewPassword,
    *,
    version: int,
    after: datetime,
) -> datetime:
    """Give a mailbox whose row the unit holds its new password; return the moment, which is later than `after`."""
    await audit.record(
        unit,
        rates.RENEWALS.action,
        agency_id=mailbox.agency_id,
        actor_id=acting.id,
        remote_address=request.remote_address,
        subject=("mailbox", mailbox.id),
        details={"version": version},
    )
    moment = await mailbox_events.write_next(
        unit, mailbox, MailboxEventKind.PASSWORD_RENEWED, after=after, user_id=acting.id
    )
    await mailbox_passwords.store(unit, request.services.seals, mailbox, version, new, at=moment)
    if version > 1:
        await request.services.endings.ask(unit, mailbox, version, moment)
        # Letters about the older one wait no longer than that.
        unit.after_commit(request.services.outbox.wake)
    return moment


async def renew_all(
    unit: Unit, request: Request, acting: Viewer, wanted: list[Mailbox], new: list[NewPassword]
) -> None:
    """Give mailboxes that have a password new ones, mailbox by mailbox in the order of their ids.

    Called within a unit that keeps all others from renewing them: it holds the agency's lock alone, or the only mailbox's row.
    """
    rows = await unit.fetch(
        "SELECT m.id, m.last_moment, p.version FROM mailboxes m JOIN mailbox_passwords p ON p.mailbox_id = m.id "
        "WHERE m.id = ANY($1::uuid[]) ORDER BY m.id FOR NO KEY UPDATE OF m",
        [mailbox.id for mailbox in wanted],
    )
    by_id = {mailbox.id: mailbox for mailbox in wanted}
    for row, password in zip(rows, new, strict=False):
        mailbox, version = by_id[row["id"]], row["version"] + 1
        await renew(unit, request, acting, mailbox, password, version=version, after=row["last_moment"])


# ---------------------------------------------------------------- repeated calls


async def _was_asked(unit: Unit, acting: Viewer, mailbox: Mailbox, request_id: str) -> bool:
    row = await unit.fetch_one(
        "SELECT id FROM mailbox_renewals WHERE mailbox_id = $1 AND user_id = $2 AND request_id = $3 AND at > $4",
        mailbox.id,
        acting.id,
        request_id,
        clock.now() - REPEATABLE,
    )
    return row is not None


async def _remember(
    unit: Unit, acting: Viewer, mailbox: Mailbox, request_id: str, version: int, moment: datetime
) -> None:
    """Keep what a call did, and let go of what is too old to be repeated."""
    await unit.execute(
        "DELETE FROM mailbox_renewals WHERE mailbox_id = $1 AND user_id = $2 AND at <= $3",
        mailbox.id,
        acting.id,
        clock.now() - REPEATABLE,
    )
    await unit.execute(
        "INSERT INTO mailbox_renewals (id, agency_id, mailbox_id, user_id, request_id, version, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        uuid4(),
        mailbox.agency_id,
        mailbox.id,
        acting.id,
        request_id,
        version,
        moment,
    )
