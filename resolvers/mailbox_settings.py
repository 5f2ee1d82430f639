"""What administrators change at mailboxes. Each change is one unit of work with its row in the audit.

A change that changes nothing answers the mailbox as it is: no row in the audit, no event, no question. Who
may is decided within the unit, in this order: who cannot read the mailbox is told `NotFoundError`, who may
not change it `ForbiddenError`; what was sent and how things stand is looked at after that.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast
from uuid import UUID, uuid4

from models import audit, clock, guarding, mailbox_passwords
from models.derived import mailbox_search
from models.tables.agencies import ModuleName
from models.tables.mailboxes import MailboxEventKind
from resolvers import following, mailbox_events, mailboxes, modules, password_knowledge, text
from resolvers.acting import acting_user
from resolvers.errors import (
    ConfirmationRequiredError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
)
from resolvers.mailboxes import Mailbox
from resolvers.node_ids import NodeKind, decode_as

if TYPE_CHECKING:
    from datetime import datetime

    from models.audit import Detail
    from models.database import Unit
    from resolvers.following import Followed
    from resolvers.request import Request, Viewer

T = TypeVar("T")

RECEIVING_GOES_ON = timedelta(minutes=30)
"""How long a mailbox that is switched off may still take in mail."""

ASKINGS = 10
ASKINGS_WITHIN = timedelta(minutes=10)
"""How often a user may ask how many entries switching VIP off at one mailbox would open."""

_VIP_MISSING = "The agency does not have the module for VIP mailboxes."
_AUTOMATIC_BOOKING_MISSING = "The agency does not have the module for automatic booking."


@dataclass(frozen=True, slots=True)
class _Held:
    """A mailbox that the unit has locked for an administrator."""

    unit: Unit
    request: Request
    acting: Viewer
    mailbox: Mailbox
    last_moment: datetime

    async def audit(self, action: str, **details: Detail) -> None:
        await _audit(self.unit, self.request, self.acting, self.mailbox, action, details)

    async def event(self, kind: MailboxEventKind) -> None:
        """Write an event at the mailbox's next moment."""
        await mailbox_events.write_next(
            self.unit, self.mailbox, kind, after=self.last_moment, user_id=self.acting.id
        )


# ---------------------------------------------------------------- making one


async def create(request: Request, address: str, email_name: str | None, *, vip: bool) -> Mailbox:
    """Make a mailbox with nobody assigned and a password that nobody knows, at an address in one of the agency's domains.

    Raises `ForbiddenError` for those who don't administer the agency (`NotFoundError` for those of none),
    `InvalidInputError` for an address or name that can't be, `ModuleNotEnabledError` for a VIP mailbox
    without the module, `ConflictError` for an address that is taken, whatever its case.
    """
    member = request.member()
    if member is None:
        raise NotFoundError("There is no agency to add a mailbox to.")
    viewer, agency_id = member
    # Hashing takes long: nothing is locked meanwhile, and nothing is hashed for those who may not.
    passwords = await request.services.hasher.new_mailbox_passwords(1) if viewer.administers else []

    async def work(unit: Unit) -> Mailbox:
        await unit.lock_agency(agency_id)
        acting = await acting_user(unit, request)
        if not acting.administers or not passwords:
            raise ForbiddenError("Only administrators make mailboxes.")
        own = await _address_of(unit, agency_id, address)
        name = text.display_name(email_name, ["input", "emailName"], own=own)
        if vip:
            await modules.require(unit, agency_id, ModuleName.VIP_MAILBOXES, _VIP_MISSING)
        moment = clock.now()
        made = Mailbox(
            id=uuid4(),
            agency_id=agency_id,
            address=own,
            email_name=name,
            vip=vip,
            active=True,
            receiving_stops_at=None,
            automatic_booking=False,
            is_assigned=False,
        )
        if not await _insert(unit, made, moment):
            raise ConflictError("The address is taken.", ["input", "address"])
        await mailbox_passwords.store(unit, request.services.seals, made, 1, passwords[0], at=moment)
        if vip:
            await mailbox_events.write(unit, made, MailboxEventKind.VIP_ON, at=moment, user_id=acting.id)
        details: dict[str, Detail] = {"address": own, "emailName": name, "vip": vip}
        await _audit(unit, request, acting, made, "mailbox.create", details)
        return made

    return await request.database.transact(work)


async def _address_of(unit: Unit, agency_id: UUID, address: str) -> str:
    path = ["input", "address"]
    own = text.own_address(address, path)
    found = await unit.fetch(
        "SELECT 1 AS found FROM domains WHERE name = $1 AND agency_id = $2", text.domain_of(own), agency_id
    )
    if not found:
        raise InvalidInputError("The address must be in one of the agency's domains.", path)
    return own


async def _insert(unit: Unit, mailbox: Mailbox, moment: datetime) -> bool:
    """Store a new mailbox, or return False where its address is taken."""
    inserted = await unit.fetch(
        "INSERT INTO mailboxes (id, agency_id, address, email_name, fold_search, vip, active, "
        "automatic_booking, last_moment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT DO NOTHING RETURNING id",
        mailbox.id,
        mailbox.agency_id,
        mailbox.address,
        mailbox.email_name,
        mailbox_search(mailbox.address, mailbox.email_name),
        mailbox.vip,
        mailbox.active,
        mailbox.automatic_booking,
        moment,
    )
    return bool(inserted)


# ---------------------------------------------------------------- changing one


async def set_email_name(request: Request, mailbox_id: str, email_name: str | None) -> Mailbox:
    """Set the mailbox's own sender name; blank or None clears it."""

    async def work(held: _Held) -> Mailbox:
        before = held.mailbox
        name = text.display_name(email_name, ["emailName"], own=before.address)
        if name == before.email_name:
            return before
        await held.unit.execute(
            "UPDATE mailboxes SET email_name = $2, fold_search = $3 WHERE id = $1",
            before.id,
            name,
            mailbox_search(before.address, name),
        )
        await held.audit("mailbox.email_name", before=before.email_name, after=name)
        return replace(before, email_name=name)

    return await _change(request, mailbox_id, work)


async def set_automatic_booking(request: Request, mailbox_id: str, *, automatic_booking: bool) -> Mailbox:
    """Switch automatic booking. Only switching it on needs the agency's module (`ModuleNotEnabledError`)."""

    async def work(held: _Held) -> Mailbox:
        before = held.mailbox
        if automatic_booking == before.automatic_booking:
            return before
        if automatic_booking:
            await modules.require(
                held.unit, before.agency_id, ModuleName.AUTOMATIC_BOOKING, _AUTOMATIC_BOOKING_MISSING
            )
        await held.unit.execute(
            "UPDATE mailboxes SET automatic_booking = $2 WHERE id = $1", before.id, automatic_booking
        )
        await held.audit("mailbox.automatic_booking", after=automatic_booking)
        return replace(before, automatic_booking=automatic_booking)

    return await _change(request, mailbox_id, work)


async def set_active(request: Request, mailbox_id: str, *, active: bool) -> Mailbox:
    """Switch a mailbox off, which ends its receiving in 30 minutes, or on again. Its assignments stay."""

    async def work(held: _Held) -> Mailbox:
        before = held.mailbox
        if active == before.active:
            return before
        stops_at = None if active else clock.now() + RECEIVING_GOES_ON
        await held.unit.execute(
            "UPDATE mailboxes SET active = $2, receiving_stops_at = $3 WHERE id = $1",
            before.id,
            active,
            stops_at,
        )
        await held.event(MailboxEventKind.SWITCHED_ON if active else MailboxEventKind.SWITCHED_OFF)
        await held.audit("mailbox.active", after=active)
        return replace(before, active=active, receiving_stops_at=stops_at)

    return await _change(request, mailbox_id, work)


async def set_vip(
    request: Request, mailbox_id: str, *, vip: bool, confirm: bool, renew_passwords: bool = False
) -> Followed[Mailbox]:
    """Switch VIP, and with it the guard over the entries of all e-mails that have the mailbox among theirs.

    On needs the agency's module (`ModuleNotEnabledError`). Off opens entries: without `confirm` it raises
    `ConfirmationRequiredError` with their number, also when it is 0; each such asking stays in the audit, and
    after ten of them at a mailbox within ten minutes it raises `RateLimitedError`.

    Says whether the mailbox's password should be renewed because somebody knows it who may not reveal it, as administrators
    may not once it is VIP; or renews it then.
    """

    async def work(held: _Held) -> Mailbox | ConfirmationRequiredError:
        before = held.mailbox
        if vip == before.vip:
            return before
        if vip:
            await modules.require(held.unit, before.agency_id, ModuleName.VIP_MAILBOXES, _VIP_MISSING)
            await guarding.guard(held.unit, before.id)
            await held.audit("mailbox.vip_on")
        else:
            if not confirm:
                await _limit_askings(held)
            opened = await guarding.count_opened(held.unit, before.id)
            if not confirm:
                await held.audit("mailbox.vip_off_asked", entries=opened)
                return ConfirmationRequiredError("Switching VIP off opens entries: confirm it.", opened)
            await guarding.unguard(held.unit, before.id)
            await held.audit("mailbox.vip_off", entries=opened)
        await held.unit.execute("UPDATE mailboxes SET vip = $2 WHERE id = $1", before.id, vip)
        await held.event(MailboxEventKind.VIP_ON if vip else MailboxEventKind.VIP_OFF)
        return replace(before, vip=vip)

    holding = _holding(request, mailbox_id, alone=True)

    async def whole(unit: Unit) -> tuple[Mailbox | ConfirmationRequiredError, Viewer, list[Mailbox]]:
        held = await holding(unit)
        if renew_passwords:
            await unit.lock_turn(held.acting.id)
        answer = await work(held)
        if isinstance(answer, ConfirmationRequiredError):
            return answer, held.acting, []
        recommended = await password_knowledge.recommended_at(unit, held.acting, held.mailbox.id)
        return answer, held.acting, recommended

    expected = 1 if vip and request.signed_in().administers else 0
    followed = await following.change(request, whole, renew=renew_passwords, expected=expected)
    # Only now: an error within the unit would take the asking out of the audit again.
    if isinstance(followed.changed, ConfirmationRequiredError):
        raise followed.changed
    return cast("Followed[Mailbox]", followed)


async def _limit_askings(held: _Held) -> None:
    now = clock.now()
    asked = await audit.times(
        held.unit,
        "mailbox.vip_off_asked",
        actor_id=held.acting.id,
        window=clock.Window.around(now, ASKINGS_WITHIN),
        object_id=held.mailbox.id,
    )
    if len(asked) >= ASKINGS:
        wait = asked[-ASKINGS] + ASKINGS_WITHIN - now
        raise RateLimitedError("Asked too often; try again later.", max(1, math.ceil(wait.total_seconds())))


async def _change(request: Request, mailbox_id: str, work: Callable[[_Held], Awaitable[T]]) -> T:
    """Run `work` on a mailbox that the viewer administers."""
    holding = _holding(request, mailbox_id)

    async def within(unit: Unit) -> T:
        return await work(await holding(unit))

    return await request.database.transact(within)


def _holding(request: Request, mailbox_id: str, *, alone: bool = False) -> Callable[[Unit], Awaitable[_Held]]:
    """Return what locks a mailbox within a unit, for an administrator; `alone` keeps every other writer out."""
    member = request.member()
    wanted = decode_as(NodeKind.MAILBOX, mailbox_id)
    if member is None or wanted is None:
        raise NotFoundError("There is no such mailbox.", ["mailboxId"])
    _, agency_id = member

    async def hold(unit: Unit) -> _Held:
        await unit.lock_agency(agency_id, alone=alone)
        acting = await acting_user(unit, request)
        mailbox, last_moment = await mailboxes.hold(unit, acting, wanted)
        if not mailboxes.can_administer(acting, mailbox):
            raise ForbiddenError("Only administrators change mailboxes.")
        return _Held(unit, request, acting, mailbox, last_moment)

    return hold


async def _audit(
    unit: Unit, request: Request, acting: Viewer, mailbox: Mailbox, action: str, details: dict[str, Detail]
) -> None:
    await audit.record(
        unit,
        action,
        agency_id=mailbox.agency_id,
        actor_id=acting.id,
        remote_address=request.remote_address,
        subject=("mailbox", mailbox.id),
        details=details,
    )
