"""Leaks that are planted in the product, so that it is seen whether the fuzzer finds such a thing.

Each is what somebody could build by mistake: a look at a row that forgets the rule, the agency or the permission.
"""

# ruff: noqa: SLF001 (a leak is planted where somebody would make it)
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import UUID

from models import bookings, visibility
from models.kept_texts import KeptTexts
from models.visibility import asking, rule
from resolvers import activities, activity_lists, audit_events, deliveries, mailboxes, sessions, users
from resolvers.errors import NotFoundError, UnauthenticatedError
from resolvers.node_ids import NodeKind, decode_as
from schema import node
from schema.permissions import AdministersAgencyOrIsThatUser
from server.graphql import GraphQLOverHttp

if TYPE_CHECKING:
    from resolvers.request import Request

Given = Any
"""Whatever the leaky function is called with, or answers."""
Leak = Callable[[], Any]
"""A context manager: the product leaks within it."""

LEAKS: dict[str, tuple[str, Leak]] = {}
"""By name, each with the kind of viewer that it betrays something to."""

_EVERY = (
    "SELECT {columns} FROM activities a JOIN mails m ON m.id = a.mail_id JOIN users u ON u.id = $1 "
    "WHERE u.agency_id = a.agency_id AND {condition}"
)


def _leak(viewer: str) -> Callable[[Callable[[], Iterator[None]]], Callable[[], Iterator[None]]]:
    def note(make: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
        LEAKS[make.__name__] = viewer, contextmanager(make)
        return make

    return note


@contextmanager
def _permitted_by(leaky: Callable[..., str]) -> Iterator[None]:
    """Have another condition for the rule, in statements that were put together before too, and in none afterwards."""
    texts = KeptTexts()
    with mock.patch.object(rule, "permits", leaky), mock.patch.object(asking, "_texts", texts):
        yield


@_leak("administrator")
def one_hidden_entry_by_its_id() -> Iterator[None]:
    """Entries whose text has a certain word are found by id, whoever asks."""
    permits = rule.permits
    secret = "EXISTS (SELECT 1 FROM mails x WHERE x.id = a.mail_id AND x.remark LIKE '%geheimnis42%')"

    def leaky(*given: str) -> str:
        return permits(*given) if given else f"({permits()} OR (u.agency_id = a.agency_id AND {secret}))"

    with _permitted_by(leaky):
        yield


@_leak("user")
def a_count_of_everything() -> Iterator[None]:
    """A total counts what its list does not show."""
    count = visibility.count

    async def leaky(statements: Given, reader: Given, narrowed: Given, mailbox_ids: Given = None) -> Given:
        found = await count(statements, reader, narrowed, mailbox_ids)
        row = await statements.fetch_one(
            _EVERY.format(columns="count(*) AS n", condition="true"), reader.user_id
        )
        return {key: value and row["n"] for key, value in found.items()}

    with mock.patch.object(visibility, "count", leaky):
        yield


@_leak("administrator")
def a_page_that_has_more() -> Iterator[None]:
    """The ends of a page see what nobody else does."""

    async def leaky(self: Given, position: Given, *, later: bool) -> bool:
        sign = "<" if later else ">"
        condition = f"(a.occurred_at, a.id) {sign} ($2::timestamptz, $3::uuid)"
        wanted = _EVERY.format(columns="a.id", condition=condition) + " LIMIT 1"
        viewer = self._request.signed_in()
        return bool(await self._request.database.fetch(wanted, viewer.id, *position))

    with mock.patch.object(activity_lists.Entries, "_exists", leaky):
        yield


@_leak("user")
def a_search_that_looks_everywhere() -> Iterator[None]:
    """What is searched for by words is found, whoever may see it."""
    permits = rule.permits

    def leaky(*given: str) -> str:
        return "(u.agency_id = a.agency_id)" if not given else permits(*given)

    with _permitted_by(leaky):
        yield


@_leak("user")
def an_error_that_knows_other_agencies() -> Iterator[None]:
    """An error says of a mailbox that it is another agency's."""
    mailbox = activity_lists._mailbox

    async def leaky(request: Request, global_id: str) -> UUID:
        try:
            return await mailbox(request, global_id)
        except NotFoundError as error:
            found = decode_as(NodeKind.MAILBOX, global_id)
            rows = await request.database.fetch("SELECT id FROM mailboxes WHERE id = $1", found)
            raise NotFoundError("It is another agency's." if rows else error.message, error.path) from None

    with mock.patch.object(activity_lists, "_mailbox", leaky):
        yield


@_leak("stranger")
def a_header_that_counts() -> Iterator[None]:
    """Every answer tells in a header how much is stored."""
    operation = GraphQLOverHttp._operation

    async def leaky(self: Given, request: Given, origin: Given, kind: str) -> Given:
        response = await operation(self, request, origin, kind)
        (row,) = await self._runtime.database.fetch("SELECT count(*) AS n FROM mails")
        response.headers["Server-Timing"] = f"rows;desc={row['n']}"
        return response

    with mock.patch.object(GraphQLOverHttp, "_operation", leaky):
        yield


@_leak("user")
def events_for_everybody() -> Iterator[None]:
    """A booking is told to everybody of the agency who listens."""

    async def opened(statements: Given, mail_id: UUID, position: int, user_ids: Given) -> Given:  # noqa: ARG001
        rows = await statements.fetch(
            "SELECT u.id AS user_id, a.id AS activity_id FROM activities a JOIN users u ON u.id = ANY($2::uuid[]) "
            "WHERE a.mail_id = $1",
            mail_id,
            list(user_ids),
        )
        return [(row["user_id"], row["activity_id"]) for row in rows]

    async def still(request: Request, narrowed: Given, activity_ids: Given) -> Given:  # noqa: ARG001
        wanted = _EVERY.format(columns=visibility.ENTRY_COLUMNS, condition="a.id = ANY($2::uuid[])")
        rows = await request.database.fetch(wanted, request.signed_in().id, list(activity_ids))
        return [activities.read(row) for row in rows]

    with (
        mock.patch.object(visibility, "opened_by_booking", opened),
        mock.patch.object(activities, "still_visible", still),
    ):
        yield


@_leak("user")
def a_message_id_that_opens() -> Iterator[None]:
    """A booking joins whatever e-mail has the same Message-ID."""
    insert, lock = bookings._insert_mail, bookings._lock_mail

    async def known(unit: Given, agency_id: UUID, content: Given) -> UUID | None:
        rows = await unit.fetch(
            "SELECT id FROM mails WHERE agency_id = $1 AND message_id = $2 ORDER BY id",
            agency_id,
            content.message_id,
        )
        return rows[0]["id"] if rows else None

    async def inserted(unit: Given, agency_id: UUID, content: Given) -> UUID | None:
        return None if await known(unit, agency_id, content) else await insert(unit, agency_id, content)

    async def locked(unit: Given, agency_id: UUID, content: Given) -> UUID:
        return await known(unit, agency_id, content) or await lock(unit, agency_id, content)

    with (
        mock.patch.object(bookings, "_insert_mail", inserted),
        mock.patch.object(bookings, "_lock_mail", locked),
    ):
        yield


@_leak("user")
def who_is_assigned() -> Iterator[None]:
    """Everybody of the agency reads who is assigned to a mailbox."""
    with mock.patch.object(mailboxes, "reads_assigned_users", return_value=True):
        yield


@_leak("user")
def when_a_password_was_made() -> Iterator[None]:
    """Everybody of the agency reads when a mailbox's password was renewed."""
    with mock.patch.object(mailboxes, "can_reveal", return_value=True):
        yield


@_leak("administrator")
def that_mails_were_imported() -> Iterator[None]:
    """The audit tells administrators of an import of e-mails."""
    with mock.patch.object(audit_events, "_READABLE", "true"):
        yield


@_leak("user")
def users_of_other_agencies() -> Iterator[None]:
    """A node that is a user is found whatever agency it is of."""

    async def leaky(request: Request, user_id: UUID) -> Given:
        row = await request.database.fetch_one(
            f"SELECT {users.COLUMNS} FROM users u WHERE u.id = $1", user_id
        )
        return None if row is None else users.read(row)

    with mock.patch.dict(node._LOADERS, {NodeKind.USER: leaky}):
        yield


@_leak("user")
def letters_by_their_id() -> Iterator[None]:
    """A letter with credentials is found by whoever knows its id."""

    async def leaky(request: Request, delivery_id: UUID) -> Given:
        wanted = f"SELECT {deliveries.COLUMNS} FROM credential_deliveries d WHERE d.id = $1"
        row = await request.database.fetch_one(wanted, delivery_id)
        return None if row is None else deliveries.read(row)

    with mock.patch.dict(node._LOADERS, {NodeKind.CREDENTIAL_DELIVERY: leaky}):
        yield


@_leak("user")
def private_addresses() -> Iterator[None]:
    """Everybody reads what administrators and oneself do."""
    with mock.patch.object(AdministersAgencyOrIsThatUser, "allows", return_value=True):
        yield


@_leak("nobody")
def which_logins_there_are() -> Iterator[None]:
    """A sign-in that fails says whether there is such a login."""
    checked = sessions._checked

    async def leaky(request: Request, found: Given, *rest: Given) -> Given:
        try:
            return await checked(request, found, *rest)
        except UnauthenticatedError as error:
            raise UnauthenticatedError(error.message if found is None else "The password is wrong.") from None

    with mock.patch.object(sessions, "_checked", leaky):
        yield
