"""What follows for passwords when a change takes rights away.

Who is unassigned, locked, deactivated or demoted, or administers a mailbox that becomes VIP, may still know passwords
that are not for him or her any more. Such a change says whose renewal is recommended for it and, where that is
wanted, renews them in its own unit: all of it or nothing.

Administrators, who alone make such changes, are told so of VIP mailboxes too. That tells them no more than the mailboxes'
events, which say to whom a password was shown, by whom it was sent, and when it was renewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from resolvers import rates, renewals
from resolvers.mailboxes import Mailbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from models.database import Unit
    from models.mailbox_passwords import NewPassword
    from resolvers.request import Request, Viewer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Followed(Generic[T]):
    """What was changed, and what follows.

    `renewal_recommended` are the mailboxes whose renewal is recommended for the change and still to be made,
    `passwords_renewed` those that were renewed with it; `renewals_effective` is None where there are none of these.
    """

    changed: T
    renewal_recommended: list[Mailbox]
    passwords_renewed: list[Mailbox]
    renewals_effective: bool | None


class _TooFewError(Exception):
    """More passwords are wanted than were made before the unit began."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


async def change(
    request: Request,
    work: Callable[[Unit], Awaitable[tuple[T, Viewer, list[Mailbox]]]],
    *,
    renew: bool,
    expected: int,
) -> Followed[T]:
    """Run a unit that changes rights; with `renew` it renews the passwords too.

    `work` returns what it changed, who acts, and the mailboxes whose renewal is recommended for it; with `renew` it has taken
    the acting user's turn before any mailbox's row. `expected` is how many these may be: so many passwords are made before
    anything is locked. Raises what `work` does, and `RateLimitedError` by `rates.RENEWALS`: then nothing is changed.
    """
    made: list[NewPassword] = []
    wanted = expected if renew else 0

    async def whole(unit: Unit) -> tuple[T, list[Mailbox]]:
        changed, acting, recommended = await work(unit)
        # Letters of those who lost a right wait no longer than that.
        unit.after_commit(request.services.outbox.wake)
        if renew and len(recommended) > len(made):
            raise _TooFewError(len(recommended))
        if renew and recommended:
            await rates.RENEWALS.require(unit, acting.id, *(mailbox.id for mailbox in recommended))
            await renewals.renew_all(unit, request, acting, recommended, made)
        return changed, recommended

    while True:
        made += await request.services.hasher.new_mailbox_passwords(wanted - len(made))
        try:
            changed, recommended = await request.database.transact(whole)
        except _TooFewError as error:
            wanted = error.number
            continue
        if not renew:
            return Followed(changed, recommended, [], None)
        effective = None
        if recommended:
            effective = await request.services.endings.finish(
                request.database, [mailbox.id for mailbox in recommended]
            )
        return Followed(changed, [], recommended, effective)
