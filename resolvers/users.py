"""Users, as everybody of the agency reads them; and their places in units of work that change them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from models.lateral import Parameters, contains
from models.tables.users import ReadLevel, Role, UserState
from resolvers import batches
from resolvers.cursors import Kind
from resolvers.errors import NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode_as, encode
from resolvers.paging import Connection
from resolvers.records import maker
from resolvers.text import search as search_words
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from models.database import Unit
    from resolvers.request import Request, Viewer


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. Which of it a viewer may read, the schema asks."""

    id: UUID
    agency_id: UUID | None
    login: str
    first_name: str
    last_name: str
    email: str | None
    email_name: str | None
    language: str
    role: Role
    state: UserState
    activity_read_level: ReadLevel
    agents_log_read_level: ReadLevel

    @property
    def node_id(self) -> str:
        """The global id."""
        return encode(NodeKind.USER, self.id)

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


_STORED = (
    "id",
    "agency_id",
    "login",
    "first_name",
    "last_name",
    "email",
    "email_name",
    "language",
    "role",
    "state",
    "activity_read_level",
    "agents_log_read_level",
)


def columns(user: str = "u", prefix: str = "") -> str:
    """Return what is selected of a user."""
    return ", ".join(f"{user}.{name} AS {prefix}{name}" for name in _STORED)


COLUMNS = columns()
"""What is selected of a user `u`."""

ORDER = (Key("u.fold_name", Kind.TEXT), Key("u.login", Kind.TEXT))
"""By last name, first name, login."""


_user = maker(User)
_ROLES = {each.value: each for each in Role}
_STATES = {each.value: each for each in UserState}
_LEVELS = {each.value: each for each in ReadLevel}


def reading(prefix: str = "") -> Callable[[Mapping[str, Any]], User]:
    """Return what makes a user of a row of `columns` with this prefix."""
    values = itemgetter(*(prefix + name for name in _STORED))

    def read(row: Mapping[str, Any]) -> User:
        *others, role, state, activities, agents_log = values(row)
        return _user(*others, _ROLES[role], _STATES[state], _LEVELS[activities], _LEVELS[agents_log])

    return read


read = reading()


# ---------------------------------------------------------------- reads


async def viewer(request: Request) -> User | None:
    """Return who is signed in, or None."""
    return None if request.viewer is None else await by_id(request, request.viewer.id)


async def by_id(request: Request, user_id: UUID) -> User | None:
    """Return a user of the viewer's agency or the viewer, loaded with the others of its level; else None."""
    return await by_id_batch(request).get(user_id)


async def by_ids(request: Request, user_ids: Sequence[UUID | None]) -> list[User | None]:
    """Return what `by_id` returns for each id, in their order; None for None."""
    wanted = [each for each in user_ids if each is not None]
    found = iter(await by_id_batch(request).get_all(wanted))
    return [None if each is None else next(found) for each in user_ids]


def by_id_batch(request: Request) -> batches.Batch[UUID, User]:
    """Return what loads the users of `by_id`, and may be given some that came another way."""
    return batches.batch(request, "users by id", partial(_load, request))


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, User]:
    asking = request.signed_in()
    rows = await request.database.fetch(
        f"SELECT {COLUMNS} FROM users u "
        "WHERE u.id = ANY($1::uuid[]) AND (u.agency_id = $2::uuid OR u.id = $3::uuid)",
        keys,
        asking.agency_id,
        asking.id,
    )
    return {row["id"]: read(row) for row in rows}


def list_all(
    request: Request, arguments: Arguments, search: str | None, state: UserState | None
) -> Connection[User]:
    """Return the users of the viewer's agency by last name, first name, login; empty for an account manager.

    With `search` those in whose login, names and e-mail name every word of it occurs, whatever the case.
    Raises `InvalidInputError` for a search of more than 200 characters.
    """
    words = search_words(search, ["search"])
    member = request.member()
    if member is None:
        return Connection.empty(request, Listing(COLUMNS, "users u", "false", ORDER), arguments)
    parameters = Parameters([member[1]])
    where = ["u.agency_id = $1"]
    if state is not None:
        where.append(f"u.state = {parameters.add(state.value)}")
    where += [
        contains("u.fold_search", word, parameters, is_sqlite=request.database.is_sqlite) for word in words
    ]
    listing = Listing(COLUMNS, "users u", " AND ".join(where), ORDER)
    return Connection(request, listing, arguments, read, values=parameters.values)


async def office_groups(request: Request, user_id: UUID) -> list[str]:
    """Return the names of a user's office groups, sorted. Whether the viewer may read them is not asked here."""

    async def load(keys: list[UUID]) -> dict[UUID, list[str]]:
        found: dict[UUID, list[str]] = {}
        rows = await request.database.fetch(
            "SELECT m.user_id, g.name FROM office_group_members m JOIN office_groups g ON g.id = m.group_id "
            "WHERE m.user_id = ANY($1::uuid[]) ORDER BY g.name",
            keys,
        )
        for row in rows:
            found.setdefault(row["user_id"], []).append(row["name"])
        return found

    return await batches.batch(request, "office groups of users", load).get(user_id) or []


# ---------------------------------------------------------------- within a unit of work


async def hold(unit: Unit, acting: Viewer, user_id: str) -> User:
    """Lock a user whom the acting one may read until the unit ends, and return him or her as of now.

    Raises `NotFoundError` for a malformed id and for anybody else.
    """
    wanted = decode_as(NodeKind.USER, user_id)
    row = None
    if wanted is not None:
        row = await unit.fetch_one(
            f"SELECT {COLUMNS} FROM users u "
            "WHERE u.id = $1 AND (u.agency_id = $2::uuid OR u.id = $3::uuid) FOR NO KEY UPDATE OF u",
            wanted,
            acting.agency_id,
            acting.id,
        )
    if row is None:
        raise NotFoundError("There is no such user.", ["userId"])
    return read(row)
