"""Pages: every window of a list, cursors as positions, and what a connection costs."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.database import Database
from models.tables.agencies import Agency
from models.tables.mailboxes import Assignment, Mailbox
from models.tables.users import User
from resolvers import assignments, mailboxes, users
from resolvers.cursors import Kind, decode_cursor, encode_cursor
from resolvers.errors import InvalidInputError
from resolvers.paging import Connection
from resolvers.request import Request
from resolvers.windows import Arguments, Window
from tests import storage
from tests.storage import LONG_AGO, statements

KINDS = (Kind.TEXT, Kind.INSTANT, Kind.ID)
POSITION = ("petersen\x1fänna", datetime(2024, 3, 1, 9, 30, 0, 1, tzinfo=UTC), UUID(int=7))

# ---------------------------------------------------------------- cursors


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
    st.uuids(),
)
def test_a_cursor_holds_its_position(text: str, identifier: UUID) -> None:
    position = (text, POSITION[1], identifier)
    cursor = encode_cursor(position)
    assert cursor.isascii()
    assert decode_cursor(cursor, KINDS, ["after"]) == position


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_cursor_holds_every_instant(moment: datetime) -> None:
    assert decode_cursor(encode_cursor((moment,)), (Kind.INSTANT,), ["after"]) == (moment,)


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


GOOD = ["a", "2024-03-01T09:30:00.000001Z", str(UUID(int=7))]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!",
        "é",
        "\ud800",
        "\0",
        cursor_of(GOOD) + "=",
        cursor_of(GOOD) + "A",
        cursor_of(GOOD) + "\n",
        cursor_of(GOOD)[:-1],
        cursor_of({}),
        cursor_of("abc"),
        cursor_of(None),
        cursor_of([]),
        cursor_of(GOOD[:2]),
        cursor_of([*GOOD, "more"]),
        cursor_of([1, *GOOD[1:]]),
        cursor_of([None, *GOOD[1:]]),
        cursor_of(["a\0", *GOOD[1:]]),
        base64.urlsafe_b64encode(b'["\\ud800","2024-03-01T09:30:00.000001Z","x"]').decode(),
        cursor_of(["a", "2024-03-01T10:30:00.000001+01:00", GOOD[2]]),
        cursor_of(["a", "2024-03-01T09:30:00Z", GOOD[2]]),
        cursor_of(["a", "2024-03-01T09:30:00.000001", GOOD[2]]),
        cursor_of(["a", "2024-02-30T09:30:00.000001Z", GOOD[2]]),
        cursor_of(["a", "yesterday", GOOD[2]]),
        cursor_of([*GOOD[:2], "7"]),
        cursor_of([*GOOD[:2], GOOD[2].upper().replace("0", "A", 1)]),
        cursor_of([*GOOD[:2], "{" + GOOD[2] + "}"]),
        cursor_of(["x" * 5000, *GOOD[1:]]),
        base64.urlsafe_b64encode(
            b' ["a","2024-03-01T09:30:00.000001Z","00000000-0000-0000-0000-000000000007"]'
        ).decode(),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
    ],
)
def test_anything_else_is_no_cursor(cursor: str) -> None:
    assert decode_cursor(cursor_of(GOOD), KINDS, ["after"])
    with pytest.raises(InvalidInputError) as caught:
        decode_cursor(cursor, KINDS, ["before"])
    assert caught.value.path == ["before"]


# ---------------------------------------------------------------- windows


def test_windows() -> None:
    after, before = encode_cursor(POSITION), encode_cursor((*POSITION[:2], UUID(int=8)))
    assert Arguments().window(KINDS) == Window(50)
    assert Arguments(first=1).window(KINDS) == Window(1)
    assert Arguments(first=100, after=after).window(KINDS) == Window(100, after=POSITION)
    assert Arguments(last=7, before=before).window(KINDS) == Window(
        7, backwards=True, before=(*POSITION[:2], UUID(int=8))
    )
    both = Arguments(after=after, before=before).window(KINDS)
    assert (both.size, both.backwards, both.after) == (50, False, POSITION)


@pytest.mark.parametrize(
    "arguments,path",
    [
        (Arguments(first=1, last=1), ["last"]),
        (Arguments(first=0), ["first"]),
        (Arguments(first=-1), ["first"]),
        (Arguments(first=101), ["first"]),
        (Arguments(last=0), ["last"]),
        (Arguments(last=101), ["last"]),
        (Arguments(after="x"), ["after"]),
        (Arguments(before=""), ["before"]),
    ],
)
def test_windows_that_are_none(arguments: Arguments, path: list[str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        arguments.window(KINDS)
    assert caught.value.path == path


# ---------------------------------------------------------------- on a database


async def people(of: Agency, count: int) -> list[User]:
    """This many users in the order of their list; every second shares its names with the one before."""
    return [
        await storage.user(of, f"u{place:02}", last_name=f"Name {place // 2:02}") for place in range(count)
    ]


async def page(connection: Connection[users.User]) -> dict[str, Any]:
    info = await connection.page_info()
    edges = await connection.edges()
    assert (info.start_cursor, info.end_cursor) == (
        (edges[0].cursor, edges[-1].cursor) if edges else (None, None)
    )
    return {
        "logins": [node.login.partition("@")[0] for node in await connection.nodes()],
        "next": await connection.has_next_page(),
        "previous": await connection.has_previous_page(),
        "total": await connection.total_count(),
    }


@pytest.mark.asyncio
async def test_every_window_of_a_list(database: Database) -> None:
    """All windows of a list of 5 against slices of a Python list."""
    nord, sued = await storage.agency("nord"), await storage.agency("sued")
    rows = await people(nord, 5)
    await people(sued, 3)
    request = await storage.request(database, rows[0])
    whole = await users.list_all(request, Arguments(), None, None).edges()
    names = [edge.node.login.partition("@")[0] for edge in whole]
    assert names == ["u00", "u01", "u02", "u03", "u04"]
    cursors: list[tuple[int, str] | None] = [
        None,
        *((place, edge.cursor) for place, edge in enumerate(whole)),
    ]
    for after in cursors:
        for before in cursors:
            low = -1 if after is None else after[0]
            high = 5 if before is None else before[0]
            inside = names[low + 1 : high]
            for size in (1, 2, 5):
                for backwards in (False, True):
                    got = await page(
                        users.list_all(
                            request,
                            Arguments(
                                first=None if backwards else size,
                                last=size if backwards else None,
                                after=after and after[1],
                                before=before and before[1],
                            ),
                            None,
                            None,
                        )
                    )
                    more = len(inside) > size
                    assert got == {
                        "logins": inside[-size:] if backwards else inside[:size],
                        "next": (more and not backwards) or before is not None,
                        "previous": (more and backwards) or after is not None,
                        "total": 5,
                    }, (after, before, size, backwards)


@pytest.mark.asyncio
async def test_a_cursor_is_a_position_whatever_stands_there(database: Database) -> None:
    nord = await storage.agency("nord")
    rows = await people(nord, 4)
    request = await storage.request(database, rows[0])

    def ask(
        after: str | None = None, before: str | None = None, first: int | None = None, last: int | None = None
    ) -> Connection[users.User]:
        return users.list_all(request, Arguments(first, after, last, before), None, None)

    beginning = encode_cursor(("", ""))
    end = encode_cursor(("\U0010ffff", ""))
    between = encode_cursor((rows[1].fold_name, "u01@nord.example0"))
    assert await page(ask(after=beginning, first=2)) == {
        "logins": ["u00", "u01"],
        "next": True,
        "previous": False,
        "total": 4,
    }
    assert await page(ask(after=between)) == {
        "logins": ["u02", "u03"],
        "next": False,
        "previous": True,
        "total": 4,
    }
    assert await page(ask(before=end, last=2)) == {
        "logins": ["u02", "u03"],
        "next": False,
        "previous": True,
        "total": 4,
    }
    assert await page(ask(after=end)) == {"logins": [], "next": False, "previous": True, "total": 4}
    assert await page(ask(before=beginning)) == {"logins": [], "next": True, "previous": False, "total": 4}


@pytest.mark.asyncio
async def test_an_empty_connection_asks_nothing(database: Database) -> None:
    request = await storage.request(database, await storage.user(None, "manager"))
    with statements(database) as seen:
        connection = users.list_all(request, Arguments(first=1, after=encode_cursor(("", ""))), None, None)
        assert await page(connection) == {"logins": [], "next": False, "previous": False, "total": 0}
        with pytest.raises(InvalidInputError):
            users.list_all(request, Arguments(first=0), None, None)
    assert seen == []


@pytest.mark.asyncio
async def test_a_connection_costs_what_is_asked_of_it(database: Database) -> None:
    nord = await storage.agency("nord")
    rows = await people(nord, 3)
    request = await storage.request(database, rows[0])
    for wanted, cost in (
        (["total_count"], 1),
        (["edges", "nodes", "page_info", "edges"], 1),
        (["has_next_page"], 1),
        (["has_previous_page"], 0),
        (["nodes", "has_next_page", "has_previous_page", "total_count"], 2),
    ):
        request.batches.clear()
        connection = users.list_all(request, Arguments(first=2), None, None)
        with statements(database) as seen:
            for name in wanted:
                await getattr(connection, name)()
        assert len(seen) == cost, wanted


# ---------------------------------------------------------------- lists of many parents


async def shared(of: Agency) -> tuple[list[Mailbox], list[User]]:
    """Three mailboxes; the first without anybody, the second with three people, the third with one."""
    boxes = [await storage.mailbox(of, f"m{place}") for place in range(3)]
    rows = await people(of, 3)
    for who in rows:
        await storage.period(boxes[1], who)
    await storage.period(boxes[2], rows[2])
    return boxes, rows


async def periods(
    request: Request, boxes: list[Mailbox], arguments: Arguments
) -> list[Connection[assignments.Assignment]]:
    found = [await mailboxes.by_address(request, box.address) for box in boxes]
    return [assignments.of_mailbox(request, box, arguments) for box in found if box is not None]


@pytest.mark.asyncio
@pytest.mark.parametrize("backwards", [False, True])
async def test_the_lists_of_all_parents_cost_as_much_as_one(database: Database, *, backwards: bool) -> None:
    boxes, rows = await shared(await storage.agency("nord"))
    await User.filter(id=rows[0].id).update(role="ADMINISTRATOR")
    request = await storage.request(database, await User.get(id=rows[0].id))
    cursor = encode_cursor((LONG_AGO - timedelta(days=1), uuid4()))
    arguments = Arguments(last=2, after=cursor) if backwards else Arguments(first=2, before=cursor)
    connections = await periods(request, boxes, arguments)
    with statements(database) as seen:
        nodes = await asyncio.gather(*(each.nodes() for each in connections))
        totals = await asyncio.gather(*(each.total_count() for each in connections))
        following = await asyncio.gather(*(each.has_next_page() for each in connections))
        previous = await asyncio.gather(*(each.has_previous_page() for each in connections))
    assert len(seen) == 3
    stored = [await Assignment.filter(mailbox_id=box.id) for box in boxes]
    newest_first = [sorted(each, key=lambda row: row.id.hex, reverse=True) for each in stored]
    assert totals == [0, 3, 1]
    if backwards:
        # The cursor stands after everything: the list is newest first.
        assert [[node.id for node in each] for each in nodes] == [[], [], []]
        assert (following, previous) == ([False] * 3, [False, True, True])
    else:
        assert [[node.id for node in each] for each in nodes] == [
            [row.id for row in each[:2]] for each in newest_first
        ]
        assert (following, previous) == ([False, True, False], [False] * 3)


@pytest.mark.asyncio
async def test_each_parent_has_its_own_page_and_cursors(database: Database) -> None:
    boxes, rows = await shared(await storage.agency("nord"))
    request = await storage.request(database, rows[0])
    everything = await periods(request, boxes, Arguments())
    edges = await everything[1].edges()
    following = (await periods(request, boxes[1:2], Arguments(after=edges[0].cursor, first=1)))[0]
    assert [edge.cursor for edge in await following.edges()] == [edges[1].cursor]
    assert (await following.has_next_page(), await following.has_previous_page()) == (True, True)
    backwards = (await periods(request, boxes[1:2], Arguments(before=edges[2].cursor, last=1)))[0]
    assert [edge.cursor for edge in await backwards.edges()] == [edges[1].cursor]
    assert (await backwards.has_next_page(), await backwards.has_previous_page()) == (True, True)
