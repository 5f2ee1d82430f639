"""Both databases write JSON as orjson does, for every character and instant."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from uuid import UUID

import orjson
import pytest

from models.database import Database
from models.json_text import POSTGRESQL, SQLITE, WRITTEN, JsonText, Page
from resolvers.node_ids import NodeKind, encode
from schema.scalars import write_instant

FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)


async def written(database: Database, expression: str, value: object) -> str | None:
    row = await database.fetch_one(f"SELECT {expression} AS written", value)
    assert row is not None
    found = words(database).finished(row["written"])
    return found.decode() if isinstance(found, bytes) else found


def words(database: Database) -> JsonText:
    return SQLITE if database.is_sqlite else POSTGRESQL


@pytest.mark.asyncio
async def test_texts(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    every = "".join(chr(code) for code in range(1, 0x3000))
    others = [*range(0x3000, 0xD800), *range(0xE000, 0x110000)]
    higher = "".join(map(chr, drawing.sample(others, 5000)))
    for value in (every, higher, "", '"', "\\", "\\u0000", "\\n"):
        assert await written(database, write.text("$1::text"), value) == orjson.dumps(value).decode()


@pytest.mark.asyncio
async def test_texts_without_control_characters(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    every = "".join(chr(code) for code in range(32, 0x3000))
    drawn = ["".join(drawing.choices("\\\"n/u0ä,'", k=drawing.randrange(12))) for _ in range(300)]
    for value in (every, "", '"', "\\", '\\"', '"\\', "\\u0000", "\\n", *drawn):
        assert await written(database, write.line("$1::text"), value) == orjson.dumps(value).decode(), value
    assert await written(database, write.line("$1::text"), None) in {None, "null"}


@pytest.mark.asyncio
async def test_lines(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    every = "".join(chr(code) for code in range(1, 0x3000) if code != 10)
    drawn = ["".join(drawing.choices('\\"n\n\r\x01\x02u0ä,', k=drawing.randrange(12))) for _ in range(300)]
    for value in ("", "a", "a\nb", "\n", "\n\n", f"{every}\n{every}", "\\\n\\n\\\\n\n\\", *drawn):
        expected = orjson.dumps(value.split("\n") if value else []).decode()
        assert await written(database, write.lines("$1::text"), value) == expected, value


@pytest.mark.asyncio
async def test_instants(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    span = int((LAST - FIRST) / timedelta(microseconds=1))
    drawn = [FIRST + timedelta(microseconds=drawing.randrange(span)) for _ in range(300)]
    whole = [each.replace(microsecond=0) for each in drawn[:100]]
    some = [each.replace(microsecond=drawing.choice([1, 10, 100_000, 999_999])) for each in drawn[:100]]
    for value in (FIRST, LAST, *drawn, *whole, *some):
        expected = orjson.dumps(write_instant(value)).decode()
        assert await written(database, write.instant("$1::timestamptz"), value) == expected


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.asyncio
async def test_instants_whatever_time_zone_a_connection_has(database: Database) -> None:
    instant = words(database).instant("$1::timestamptz")
    zoned = f"SELECT set_config('TimeZone', 'Asia/Kolkata', true), {instant} AS written"

    async def ask(unit: Database) -> str:
        row = await unit.fetch_one(zoned, LAST)
        assert row is not None
        return str(row["written"])

    assert await database.transact(ask) == orjson.dumps(write_instant(LAST)).decode()  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_global_ids(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    for kind in NodeKind:
        for value in (
            UUID(int=0),
            UUID(int=2**128 - 1),
            *(UUID(int=drawing.getrandbits(128)) for _ in range(50)),
        ):
            expected = orjson.dumps(encode(kind, value)).decode()
            assert await written(database, write.global_id(kind, "$1::uuid"), value) == expected


@pytest.mark.asyncio
async def test_many_global_ids_in_one_text(database: Database) -> None:
    drawing, write = random.Random(7), words(database)
    for number in range(1, 20):
        expected, members = [], []
        for kind in islice(cycle(NodeKind), number):
            value = UUID(int=drawing.getrandbits(128))
            # Beside a text that holds what SQLite marks an id with, and as digits would stand behind it.
            text = f"\x01{kind:02x}{value}"
            expected.append([encode(kind, value), text])
            pair = write.global_id(kind, f"'{value}'::uuid"), write.text(f"'{text}'::text")
            members.append(f"'[' || {pair[0]} || ',' || {pair[1]} || ']'")
        listed = f"""'[' || {" || ',' || ".join(members)} || coalesce($1::text, '') || ']'"""
        assert await written(database, listed, None) == orjson.dumps(expected).decode()


@pytest.mark.parametrize("digits", ["", "06", f"06{UUID(int=1)}"[:-1] + "x", f"06{UUID(int=1)}"[:-1]])
def test_what_is_no_id_is_not_taken_for_one(digits: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|length"):
        SQLITE.finished(f'["\x01{digits}","{"more" * 20}"]')


@pytest.mark.asyncio
async def test_objects_and_what_is_not_there(database: Database) -> None:
    write = words(database)
    made = write.made([("a", write.instant("$1::timestamptz")), ("b", write.boolean("true"))])
    assert await written(database, made, LAST) == f'{{"a":"{write_instant(LAST)}","b":true}}'
    assert await written(database, made, None) is None
    assert await written(database, write.optional(made), None) == "null"
    assert await written(database, write.boolean("$1::int = 1"), 2) == "false"
    assert await written(database, write.boolean("$1::int = 1"), None) is None
    assert await written(database, write.optional(write.text("$1::text")), None) == "null"
    assert await written(database, f"coalesce($1::text, {write.made([])})", None) == "{}"


@pytest.mark.asyncio
async def test_objects_of_any_number_of_members(database: Database) -> None:
    write = words(database)
    for number in (1, 2, 3, 7, 64, 700):
        pairs = [(f"k{place}", write.text("$1::text")) for place in range(number)]
        expected = orjson.dumps({f"k{place}": "x" for place in range(number)}).decode()
        assert await written(database, write.made(pairs), "x") == expected


@pytest.mark.asyncio
async def test_lists_in_an_order(database: Database) -> None:
    write = words(database)
    rows = "(SELECT 2 AS place, 'y' AS name UNION ALL SELECT 3, 'z' UNION ALL SELECT 1, 'x') v"
    for order, expected in (("place", '["x","y"]'), ("place DESC", '["y","x"]')):
        listed = write.collected(write.word("name"), f"{rows} WHERE place < $1::int", order)
        assert await written(database, listed, 3) == expected
        assert await written(database, listed, 0) == "[]"


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.asyncio
async def test_pages(database: Database, *, backwards: bool) -> None:
    write, way = words(database), "DESC" if backwards else "ASC"
    rows = "SELECT 20 AS at, 'b' AS name UNION ALL SELECT 30, NULL UNION ALL SELECT 10, 'a' UNION ALL SELECT 15, 'ä'"

    async def page(below: int, size: int) -> Page:
        one = write.on_page(write.word("name"), f"at {way}", size)
        statement = (
            f"SELECT CAST(at AS text) AS rank, {one} AS {WRITTEN} FROM ({rows}) v "
            f"WHERE at < $1::int ORDER BY at {way} LIMIT $2::int"
        )
        text = write.page(statement, ["rank"], size, backwards=backwards)
        row = await database.fetch_one(text, below, size + 1)
        assert row is not None
        return write.read_page(row, ["rank"], size, backwards=backwards)

    # More than the page, just the page, less than the page, nothing.
    if backwards:
        assert read(await page(25, 2)) == (["ä", "b"], ["15", "20"], True)
    else:
        assert read(await page(25, 2)) == (["a", "ä"], ["10", "15"], True)
    assert read(await page(25, 3)) == (["a", "ä", "b"], ["10", "20"], False)
    assert read(await page(25, 9)) == (["a", "ä", "b"], ["10", "20"], False)
    assert read(await page(12, 9)) == (["a"], ["10", "10"], False)
    assert read(await page(1, 9)) == ([], [], False)
    # One that can't be written.
    assert read(await page(99, 9)) == (None, ["10", "30"], False)


def read(page: Page) -> tuple[object, list[object], bool]:
    found = None if page.written is None else orjson.loads(page.written)
    return found, [each["rank"] for each in page.ends], page.more


@pytest.mark.parametrize("key", ["", "a b", "a'", "1a", 'a"', "ä"])
def test_keys_are_names(key: str) -> None:
    for is_sqlite in (False, True):
        with pytest.raises(ValueError, match="no name"):
            (SQLITE if is_sqlite else POSTGRESQL).made([("a", "'null'"), (key, "'null'")])
