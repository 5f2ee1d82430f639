"""Mailboxes, as everybody of the agency reads them.

A mailbox comes with what rights at it depend on (whether it is VIP, whether the viewer is assigned now) from
the same statement, so that nothing a viewer may read hangs on a second look.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from models.lateral import Parameters, contains
from resolvers import batches, users
from resolvers.cursors import Kind
from resolvers.errors import NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode_as, encode
from resolvers.paging import Connection
from resolvers.records import maker
from resolvers.text import lookup_address
from resolvers.text import search as search_words
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from models.database import Unit
    from resolvers.request import Request, Viewer
    from resolvers.writing import Writer


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox; `is_assigned` says whether the viewer is assigned to it now."""

    id: UUID
    agency_id: UUID
    address: str
    email_name: str | None
    vip: bool
    active: bool
    receiving_stops_at: datetime | None
    automatic_booking: bool
    is_assigned: bool

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return encode(NodeKind.MAILBOX, self.id)


_STORED = (
    "id",
    "agency_id",
    "address",
    "email_name",
    "vip",
    "active",
    "receiving_stops_at",
    "automatic_booking",
)


def columns(viewer: str, mailbox: str = "m", prefix: str = "") -> str:
    """Return what is selected of a mailbox, for the viewer whose id is the parameter `viewer`."""
    stored = ", ".join(f"{mailbox}.{name} AS {prefix}{name}" for name in _STORED)
    return (
        f"{stored}, EXISTS (SELECT 1 FROM assignments own WHERE own.mailbox_id = {mailbox}.id "
        f"AND own.user_id = {viewer} AND own.until IS NULL) AS {prefix}is_assigned"
    )


_mailbox = maker(Mailbox)


def reading(prefix: str = "") -> Callable[[Mapping[str, Any]], Mailbox]:
    """Return what makes a mailbox of a row of `columns` with this prefix."""
    values = itemgetter(*(prefix + name for name in (*_STORED, "is_assigned")))
    return lambda row: _mailbox(*values(row))


read = reading()

# ---------------------------------------------------------------- rights


def can_administer(viewer: Viewer, mailbox: Mailbox) -> bool:
    """Whether the viewer may change its settings and assignments."""
    return viewer.administers and viewer.agency_id == mailbox.agency_id


def can_reveal(viewer: Viewer, mailbox: Mailbox) -> bool:
    """Whether the viewer may be shown its password: assigned now, or administering one that is not VIP.

    The same as a condition in the database is `mailbox_passwords.MAY_REVEAL`.
    """
    return mailbox.is_assigned or (can_administer(viewer, mailbox) and not mailbox.vip)


def can_renew(viewer: Viewer, mailbox: Mailbox) -> bool:
    """Whether the viewer may give it a new password: assigned now or administering, who of a VIP one don't see it."""
    return mailbox.is_assigned or can_administer(viewer, mailbox)


def reads_assigned_users(viewer: Viewer, mailbox: Mailbox) -> bool:
    """Whether the viewer may read who is assigned now: administrators and those assigned now."""
    return mailbox.is_assigned or can_administer(viewer, mailbox)


def reads_periods(viewer: Viewer, mailbox: Mailbox) -> bool:
    """Whether the viewer may read its periods and events.

    Administrators may and, where it is VIP, those assigned now.
    """
    return (mailbox.is_assigned and mailbox.vip) or can_administer(viewer, mailbox)


PERIODS_READABLE = (
    "($2::boolean OR (m.vip AND EXISTS (SELECT 1 FROM assignments own "
    "WHERE own.mailbox_id = m.id AND own.user_id = $1 AND own.until IS NULL)))"
)
"""`reads_periods` as a condition on a mailbox `m`: `$1` is the viewer, `$2` whether an administrator."""

# ---------------------------------------------------------------- reads

_ORDER = (Key("m.address", Kind.TEXT),)


async def by_address(request: Request, address: str) -> Mailbox | None:
    """Return the mailbox of the viewer's agency with this address, whatever its case.

    None where the address is malformed, absent or another agency's, and for account managers.
    """
    member = request.member()
    wanted = lookup_address(address)
    if member is None or not wanted:
        return None
    viewer, agency_id = member
    row = await request.database.fetch_one(
        f"SELECT {columns('$1')} FROM mailboxes m WHERE m.agency_id = $2 AND m.address = $3",
        viewer.id,
        agency_id,
        wanted,
    )
    return None if row is None else read(row)


async def by_id(request: Request, mailbox_id: UUID) -> Mailbox | None:
    """Return a mailbox of the viewer's agency, loaded together with the others of its level; else None."""
    return await by_id_batch(request).get(mailbox_id)


async def by_ids(request: Request, mailbox_ids: Sequence[UUID]) -> list[Mailbox | None]:
    """Return what `by_id` returns for each id, in their order."""
    return await by_id_batch(request).get_all(mailbox_ids)


def by_id_batch(request: Request) -> batches.Batch[UUID, Mailbox]:
    """Return what loads the mailboxes of `by_id`, and may be given some that came another way."""
    return batches.batch(request, "mailboxes by id", partial(_load, request))


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, Mailbox]:
    member = request.member()
    if member is None:
        return {}
    viewer, agency_id = member
    rows = await request.database.fetch(
        f"SELECT {columns('$1')} FROM mailboxes m WHERE m.agency_id = $2 AND m.id = ANY($3::uuid[])",
        viewer.id,
        agency_id,
        keys,
    )
    return {row["id"]: read(row) for row in rows}


def list_all(
    request: Request, arguments: Arguments, search: str | None, writer: Writer | None = None
) -> Connection[Any]:
    """Return the mailboxes of the viewer's agency by address; empty for an account manager.

    With `search` those in whose address and e-mail name every word of it occurs, whatever the case. With `writer` the
    database writes them. Raises `InvalidInputError` for a search of more than 200 characters.
    """
    words = search_words(search, ["search"])
    member = request.member()
    if member is None:
        return Connection.empty(request, Listing(columns("$1"), "mailboxes m", "false", _ORDER), arguments)
    viewer, agency_id = member
    parameters = Parameters([viewer.id, agency_id])
    # A writer knows a mailbox as `o`.
    one = "m" if writer is None else "o"
    where = [f"{one}.agency_id = $2"]
    where += [
        contains(f"{one}.fold_search", word, parameters, is_sqlite=request.database.is_sqlite)
        for word in words
    ]
    listing = Listing(
        columns("$1") if writer is None else writer.columns(),
        f"mailboxes {one}",
        " AND ".join(where),
        (Key(f"{one}.address", Kind.TEXT),),
    )
    return Connection(request, listing, arguments, read, values=parameters.values, writer=writer)


_OF_USER = Listing(
    columns("$1"),
    "assignments a JOIN mailboxes m ON m.id = a.mailbox_id",
    "m.agency_id = $2 AND a.until IS NULL",
    _ORDER,
    parent="a.user_id",
)


def of_user(request: Request, user_id: UUID, arguments: Arguments) -> Connection[Mailbox]:
    """Return the mailboxes that a user of the viewer's agency is assigned to now, by address.

    Whether the viewer may read them is not asked here.
    """
    member = request.member()
    if member is None:
        return Connection.empty(request, _OF_USER, arguments)
    viewer, agency_id = member
    return Connection(request, _OF_USER, arguments, read, values=(viewer.id, agency_id), parent_id=user_id)


async def effective_email_name(request: Request, mailbox: Mailbox, user_id: str | None) -> str | None:
    """Return the name that recipients see when a user, the viewer by default, writes from a mailbox.

    The mailbox's own; else that of the user's basic data; else None. Raises `NotFoundError` for an id that
    is not of a user of the viewer's agency.
    """
    if user_id is None:
        if mailbox.email_name is not None:
            return mailbox.email_name
        wanted: UUID | None = request.signed_in().id
    else:
        wanted = decode_as(NodeKind.USER, user_id)
    user = None if wanted is None else await users.by_id(request, wanted)
    if user is None:
        raise NotFoundError("There is no such user.", ["userId"])
    return user.email_name if mailbox.email_name is None else mailbox.email_name


# ---------------------------------------------------------------- within a unit of work


async def hold(
    unit: Unit, acting: Viewer, mailbox_id: UUID, path: Sequence[str] = ("mailboxId",)
) -> tuple[Mailbox, datetime]:
    """Lock a mailbox of the acting user's agency until the unit ends; return it and its newest moment.

    Raises `NotFoundError` for any other, with the `path` of its id. Users are locked before, and the clock is read after.
    """
    return await hold_as(unit, acting.id, acting.agency_id, mailbox_id, path)


async def hold_as(
    unit: Unit,
    user_id: UUID,
    agency_id: UUID | None,
    mailbox_id: UUID,
    path: Sequence[str] = ("mailboxId",),
) -> tuple[Mailbox, datetime]:
    """Do what `hold` does, for a user of an agency who need not be signed in."""
    await unit.execute(
        "SELECT id FROM mailboxes WHERE id = $1 AND agency_id = $2 FOR NO KEY UPDATE",
        mailbox_id,
        agency_id,
    )
    # A second statement: what the first one sees beside the locked row may be older than the lock.
    row = await unit.fetch_one(
        f"SELECT {columns('$1')}, m.last_moment FROM mailboxes m WHERE m.id = $2 AND m.agency_id = $3",
        user_id,
        mailbox_id,
        agency_id,
    )
    if row is None:
        raise NotFoundError("There is no such mailbox.", list(path))
    return read(row), row["last_moment"]
