"""Showing a mailbox's password.

It takes three steps, each of them in an order that a crash or a client that goes away cannot turn round:

1. A unit decides whether the viewer may, counts, and writes that the password was asked for.
2. The viewer's own password is checked, in a thread, with nothing locked.
3. A second unit decides again whether the viewer may, by the rights and the passwords as they are then. It writes that the
   password was shown and who knows it from now on, and opens the seal. Only when it has committed the password is answered.

So there is no password that was shown without a row, while there may be a row for one that was not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models import audit, mailbox_passwords
from models import sessions as stored
from models.tables.mailboxes import MailboxEventKind
from resolvers import mailbox_events, mailboxes, rates
from resolvers.acting import acting_user
from resolvers.errors import ConflictError, ForbiddenError, NotFoundError, WrongPasswordError
from resolvers.node_ids import NodeKind, decode_as

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from models.database import Unit
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer


async def reveal(request: Request, mailbox_id: str, current_password: str) -> str:
    """Return a mailbox's password to a viewer who may be shown it and whose own password is right.

    Raises `NotFoundError` for what is no mailbox of the viewer's agency, `ForbiddenError` for those of the agency who may
    not, `RateLimitedError` by `rates.REVEALS` whatever the viewer's password, then `WrongPasswordError`; and
    `ConflictError` for a mailbox that has no password yet.
    """
    member = request.member()
    wanted = decode_as(NodeKind.MAILBOX, mailbox_id)
    if member is None or wanted is None:
        raise NotFoundError("There is no such mailbox.", ["mailboxId"])
    viewer, agency_id = member
    showing = _Showing(request, agency_id, wanted)
    await request.database.transact(showing.ask)
    hasher = request.services.hasher
    while True:
        verified = await stored.password_hash(request.database, viewer.id)
        if not await hasher.verify(verified, current_password):
            await request.database.transact(showing.refuse)
            raise WrongPasswordError("The current password is wrong.", ["currentPassword"])
        shown = await request.database.transact(partial(showing.show, verified=verified))
        if shown is not None:
            return shown


class _Showing:
    """The units of work of one asking."""

    def __init__(self, request: Request, agency_id: UUID, wanted: UUID) -> None:
        self._request = request
        self._agency_id = agency_id
        self._wanted = wanted

    async def ask(self, unit: Unit) -> None:
        """Write down that the password is asked for, if the viewer may ask."""
        acting, mailbox, _ = await self._hold(unit, in_turn=True)
        await rates.REVEALS.require(unit, acting.id, mailbox.id)
        await self._audit(unit, rates.REVEALS.action, acting.id)

    async def refuse(self, unit: Unit) -> None:
        """Write down that the viewer's own password was wrong."""
        await self._audit(unit, "mailbox.password_reveal_refused", self._request.signed_in().id)

    async def show(self, unit: Unit, verified: str) -> str | None:
        """Write down that the password is shown, and return it; None where the viewer's own is another one by now."""
        acting, mailbox, last_moment = await self._hold(unit)
        # The viewer's row is held: its password stays what it is now.
        if await stored.password_hash(unit, acting.id) != verified:
            return None
        current = await mailbox_passwords.of(unit, mailbox.id)
        if current is None:
            raise ConflictError("The mailbox has no password yet: make one.", ["mailboxId"])
        await self._audit(unit, "mailbox.password_reveal", acting.id, version=current.version)
        await mailbox_passwords.note_knower(
            unit,
            agency_id=self._agency_id,
            mailbox_id=mailbox.id,
            version=current.version,
            user_id=acting.id,
        )
        await mailbox_events.write_next(
            unit, mailbox, MailboxEventKind.PASSWORD_REVEALED, after=last_moment, user_id=acting.id
        )
        return mailbox_passwords.opened(
            self._request.services.seals, current.sealed, mailbox.address, current.version
        )

    async def _hold(self, unit: Unit, *, in_turn: bool = False) -> tuple[Viewer, Mailbox, datetime]:
        await unit.lock_agency(self._agency_id)
        acting = await acting_user(unit, self._request)
        if in_turn:
            await unit.lock_turn(acting.id)
        mailbox, last_moment = await mailboxes.hold(unit, acting, self._wanted)
        if not mailboxes.can_reveal(acting, mailbox):
            raise ForbiddenError(
                "The password is for those assigned to the mailbox now and, where it is not VIP, for administrators."
            )
        return acting, mailbox, last_moment

    async def _audit(self, unit: Unit, action: str, actor_id: UUID, **details: audit.Detail) -> None:
        await audit.record(
            unit,
            action,
            agency_id=self._agency_id,
            actor_id=actor_id,
            remote_address=self._request.remote_address,
            subject=("mailbox", self._wanted),
            details=details,
        )
