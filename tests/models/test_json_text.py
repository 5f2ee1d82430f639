"""PostgreSQL writes JSON as orjson does, for every character and instant."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from models import json_text
from models.database import Database
from resolvers.node_ids import NodeKind, encode
from schema.scalars import write_instant

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])

FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)


async def written(database: Database, expression: str, value: object) -> str | None:
    row = await database.fetch_one(f"SELECT {expression} AS written", value)
    assert row is not None
    found: str | None = row["written"]
    return found


@on_postgresql
@pytest.mark.asyncio
async def test_texts(database: Database) -> None:
    drawing = random.Random(7)
    every = "".join(chr(code) for code in range(1, 0x3000))
    others = [*range(0x3000, 0xD800), *range(0xE000, 0x110000)]
    higher = "".join(map(chr, drawing.sample(others, 5000)))
    for value in (every, higher, "", '"', "\\", "\\u0000", "\\n"):
        assert await written(database, json_text.text("$1::text"), value) == orjson.dumps(value).decode()
        lines = value.replace("\n", " ")
        several = f"{lines}\n{lines}"
        expected = orjson.dumps([lines, lines]).decode()
        assert await written(database, json_text.lines("$1::text"), several) == expected
    assert await written(database, json_text.lines("$1::text"), "") == "[]"


@on_postgresql
@pytest.mark.asyncio
async def test_instants(database: Database) -> None:
    drawing = random.Random(7)
    span = int((LAST - FIRST) / timedelta(microseconds=1))
    drawn = [FIRST + timedelta(microseconds=drawing.randrange(span)) for _ in range(300)]
    whole = [each.replace(microsecond=0) for each in drawn[:100]]
    some = [each.replace(microsecond=drawing.choice([1, 10, 100_000, 999_999])) for each in drawn[:100]]
    for value in (FIRST, LAST, *drawn, *whole, *some):
        expected = orjson.dumps(write_instant(value)).decode()
        assert await written(database, json_text.instant("$1::timestamptz"), value) == expected
    # Whatever time zone a connection has.
    zoned = f"SELECT set_config('TimeZone', 'Asia/Kolkata', true), {json_text.instant('$1::timestamptz')} AS written"

    async def ask(unit: Database) -> str:
        row = await unit.fetch_one(zoned, drawn[0])
        assert row is not None
        return str(row["written"])

    assert await database.transact(ask) == orjson.dumps(write_instant(drawn[0])).decode()  # type: ignore[arg-type]


@on_postgresql
@pytest.mark.asyncio
async def test_global_ids(database: Database) -> None:
    drawing = random.Random(7)
    for kind in NodeKind:
        for value in (
            UUID(int=0),
            UUID(int=2**128 - 1),
            *(UUID(int=drawing.getrandbits(128)) for _ in range(50)),
        ):
            expected = orjson.dumps(encode(kind, value)).decode()
            assert await written(database, json_text.global_id(kind, "$1::uuid"), value) == expected


@on_postgresql
@pytest.mark.asyncio
async def test_objects_and_what_is_not_there(database: Database) -> None:
    made = json_text.made([("a", json_text.text("$1::text")), ("b", json_text.boolean("true"))])
    assert await written(database, made, "x") == '{"a":"x","b":true}'
    assert await written(database, made, None) is None
    assert await written(database, json_text.optional(made), None) == "null"
    rows = "(VALUES (2, 'y'), (1, 'x')) v (place, name)"
    listed = (
        f"(SELECT {json_text.collected(json_text.word('name'), 'place')} FROM {rows} WHERE place < $1::int)"
    )
    assert await written(database, listed, 3) == '["x","y"]'
    assert await written(database, listed, 0) == "[]"
    empty = json_text.made([])
    assert await database.fetch_one(f"SELECT {empty} AS written") == {"written": "{}"} or empty == "'{}'"


@pytest.mark.parametrize("key", ["", "a b", "a'", "1a", 'a"', "ä"])
def test_keys_are_names(key: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        json_text.made([(key, "'null'")])
