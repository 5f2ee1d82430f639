"""Assignments: the periods in which users are assigned to mailboxes.

The server's clock sets both ends of a period. Moments at one mailbox are taken under its row's lock, each
later than all before, so that a period and a booking at the mailbox always have an order. A period that has
ended never changes, and none is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import audit, clock
from models.tables.users import UserState
from resolvers import batches, following, mailboxes, password_knowledge, users
from resolvers.acting import acting_user
from resolvers.cursors import Kind
from resolvers.errors import ConflictError, ForbiddenError, NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode_as, encode
from resolvers.paging import Connection
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from models.database import Unit
    from resolvers.following import Followed
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer
    from resolvers.users import User


@dataclass(frozen=True, slots=True)
class Assignment:
    """One period: `since` is in it, `until` is not; it is open without one."""

    id: UUID
    mailbox_id: UUID
    user_id: UUID
    since: datetime
    until: datetime | None

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return encode(NodeKind.MAILBOX_ASSIGNMENT, self.id)


_COLUMNS = "a.id, a.mailbox_id, a.user_id, a.since, a.until"
_OF_MAILBOX = Listing(
    _COLUMNS,
    "assignments a",
    "a.agency_id = $1",
    (Key("a.since", Kind.INSTANT), Key("a.id", Kind.ID)),
    descending=True,
    parent="a.mailbox_id",
)


def _read(row: Mapping[str, Any]) -> Assignment:
    return Assignment(row["id"], row["mailbox_id"], row["user_id"], row["since"], row["until"])


# ---------------------------------------------------------------- reads


def of_mailbox(request: Request, mailbox: Mailbox, arguments: Arguments) -> Connection[Assignment]:
    """Return every period at a mailbox, newest first. Whether the viewer may read it is not asked here."""
    return Connection(
        request, _OF_MAILBOX, arguments, _read, values=(mailbox.agency_id,), parent_id=mailbox.id
    )


_USERS_NOW = Listing(
    users.COLUMNS,
    "assignments a JOIN users u ON u.id = a.user_id",
    "a.agency_id = $1 AND a.until IS NULL",
    users.ORDER,
    parent="a.mailbox_id",
)


def users_now(request: Request, mailbox: Mailbox, arguments: Arguments) -> Connection[User]:
    """Return the users assigned to a mailbox now, by last name, first name, login.

    Whether the viewer may read them is not asked here.
    """
    return Connection(
        request, _USERS_NOW, arguments, users.read, values=(mailbox.agency_id,), parent_id=mailbox.id
    )


async def by_id(request: Request, assignment_id: UUID) -> Assignment | None:
    """Return a period, loaded with the others of its level; None where the viewer may not read it."""
    return await batches.batch(request, "assignments by id", partial(_load, request)).get(assignment_id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, Assignment]:
    member = request.member()
    if member is None:
        return {}
    viewer, agency_id = member
    rows = await request.database.fetch(
        f"SELECT {_COLUMNS} FROM assignments a JOIN mailboxes m ON m.id = a.mailbox_id "
        f"WHERE a.agency_id = $3 AND a.id = ANY($4::uuid[]) AND {mailboxes.PERIODS_READABLE}",
        viewer.id,
        viewer.administers,
        agency_id,
        keys,
    )
    return {row["id"]: _read(row) for row in rows}


# ---------------------------------------------------------------- units of work


async def assign(request: Request, mailbox_id: str, user_id: str) -> Assignment:
    """Assign a user to a mailbox from now on and return the period.

    A user who is assigned stays so: that changes nothing and returns the open period. Raises `NotFoundError`
    and `ForbiddenError` by the rights of administrators, and `ConflictError` for a user who is not assigned
    and not active.
    """

    async def work(unit: Unit, pair: _Pair) -> Assignment:
        found = await _last(unit, pair)
        if found is not None and found.until is None:
            return found
        if pair.user_state is not UserState.ACTIVE:
            raise ConflictError("Only active users are assigned.", ["userId"])
        moment = clock.next_moment(pair.last_moment)
        begun = Assignment(uuid4(), pair.mailbox_id, pair.user_id, moment, None)
        await unit.execute(
            "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since) VALUES ($1, $2, $3, $4, $5)",
            begun.id,
            pair.origin.agency_id,
            begun.mailbox_id,
            begun.user_id,
            begun.since,
        )
        await _settle(unit, begun, moment, "assignment.begin", pair.origin)
        return begun

    holding = _holding(request, mailbox_id, user_id)

    async def whole(unit: Unit) -> Assignment:
        return await work(unit, await holding(unit))

    return await request.database.transact(whole)


async def unassign(
    request: Request, mailbox_id: str, user_id: str, *, renew_passwords: bool = False
) -> Followed[Assignment]:
    """End a user's period at a mailbox now; return it, or the last one where it has ended before.

    Says whether the mailbox's password should be renewed because the user knows it, or renews it then. Raises
    `NotFoundError` and `ForbiddenError` by the rights of administrators, and `NotFoundError` for a user who was never
    assigned.
    """

    async def work(unit: Unit, pair: _Pair) -> Assignment:
        found = await _last(unit, pair)
        if found is None:
            raise NotFoundError("The user was never assigned to the mailbox.", ["userId"])
        if found.until is not None:
            return found
        return await _end(unit, found, pair.last_moment, pair.origin)

    async def whole(unit: Unit) -> tuple[Assignment, Viewer, list[Mailbox]]:
        pair = await holding(unit)
        ended = await work(unit, pair)
        known = await password_knowledge.known_by_former(unit, pair.acting, pair.user_id)
        return ended, pair.acting, [mailbox for mailbox in known if mailbox.id == pair.mailbox_id]

    holding = _holding(request, mailbox_id, user_id, in_turn=renew_passwords)
    expected = 1 if request.signed_in().administers else 0
    return await following.change(request, whole, renew=renew_passwords, expected=expected)


async def end_all(
    unit: Unit, *, agency_id: UUID, user_id: UUID, actor_id: UUID | None, remote_address: str | None
) -> None:
    """End every open period of a user, each at its own moment, mailbox by mailbox in the order of their ids.

    Called within a unit that holds the agency's lock alone: nobody else begins or ends one meanwhile.
    """
    origin = _Origin(agency_id, actor_id, remote_address)
    rows = await unit.fetch(
        f"SELECT {_COLUMNS}, m.last_moment FROM mailboxes m JOIN assignments a ON a.mailbox_id = m.id "
        "WHERE a.agency_id = $1 AND a.user_id = $2 AND a.until IS NULL ORDER BY m.id FOR NO KEY UPDATE OF m",
        agency_id,
        user_id,
    )
    for row in rows:
        await _end(unit, _read(row), row["last_moment"], origin)


# ---------------------------------------------------------------- their steps


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a change comes from, for the audit."""

    agency_id: UUID
    actor_id: UUID | None
    remote_address: str | None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A user and a mailbox of one agency, locked, and who acts."""

    origin: _Origin
    acting: Viewer
    user_id: UUID
    user_state: UserState
    mailbox_id: UUID
    last_moment: datetime


def _holding(
    request: Request, mailbox_id: str, user_id: str, *, in_turn: bool = False
) -> Callable[[Unit], Awaitable[_Pair]]:
    """Return what locks the two within a unit, for an administrator; `in_turn` takes his or her turn before."""
    member = request.member()
    wanted_mailbox = decode_as(NodeKind.MAILBOX, mailbox_id)
    wanted_user = decode_as(NodeKind.USER, user_id)
    if member is None or wanted_mailbox is None:
        raise NotFoundError("There is no such mailbox.", ["mailboxId"])
    if wanted_user is None:
        raise NotFoundError("There is no such user.", ["userId"])
    _, agency_id = member

    async def hold(unit: Unit) -> _Pair:
        await unit.lock_agency(agency_id)
        acting = await acting_user(unit, request)
        # Shared, as the acting user's row is, who may be the same: asking for more of it could deadlock.
        user = await unit.fetch_one(
            "SELECT id, state FROM users WHERE id = $1 AND agency_id = $2 FOR SHARE", wanted_user, agency_id
        )
        if in_turn:
            await unit.lock_turn(acting.id)
        mailbox, last_moment = await mailboxes.hold(unit, acting, wanted_mailbox)
        if user is None:
            raise NotFoundError("There is no such user.", ["userId"])
        if not acting.administers:
            raise ForbiddenError("Only administrators assign users.")
        state = UserState(user["state"])
        origin = _Origin(agency_id, acting.id, request.remote_address)
        return _Pair(origin, acting, user["id"], state, mailbox.id, last_moment)

    return hold


async def _last(unit: Unit, pair: _Pair) -> Assignment | None:
    """Return the user's newest period at the mailbox: the open one where there is one."""
    row = await unit.fetch_one(
        f"SELECT {_COLUMNS} FROM assignments a WHERE a.mailbox_id = $1 AND a.user_id = $2 "
        "ORDER BY a.since DESC LIMIT 1",
        pair.mailbox_id,
        pair.user_id,
    )
    return None if row is None else _read(row)


async def _end(unit: Unit, assignment: Assignment, last_moment: datetime, origin: _Origin) -> Assignment:
    moment = clock.next_moment(last_moment)
    ended = replace(assignment, until=moment)
    await unit.execute("UPDATE assignments SET until = $2 WHERE id = $1", ended.id, moment)
    await _settle(unit, ended, moment, "assignment.end", origin)
    return ended


async def _settle(unit: Unit, assignment: Assignment, moment: datetime, action: str, origin: _Origin) -> None:
    """Make every later moment at the mailbox later than this one, and write the audit."""
    await unit.execute("UPDATE mailboxes SET last_moment = $2 WHERE id = $1", assignment.mailbox_id, moment)
    await audit.record(
        unit,
        action,
        agency_id=origin.agency_id,
        actor_id=origin.actor_id,
        remote_address=origin.remote_address,
        subject=("assignment", assignment.id),
        details={"mailbox": str(assignment.mailbox_id), "user": str(assignment.user_id)},
    )
