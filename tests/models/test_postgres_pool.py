"""Connections that are kept at hand: never more than the pool has, none of them broken, none of them lost to those that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import asyncpg
import pytest
import pytest_asyncio

from execution.lanes import STATEMENTS
from execution.metering import metered_tasks
from execution.shares import Shares
from models import postgres_pool
from models.database import Database, DatabaseUnavailableError, Unit
from models.database_url import DatabaseUrl
from models.postgres_engine import PostfachPostgresClient

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database_kind", ["postgresql"])]
SIZE = 3
WHO = "SELECT pg_backend_pid() AS pid"
SLEEP = "SELECT pg_backend_pid() AS pid, pg_sleep(0.05)"


@pytest_asyncio.fixture
async def small(migrated_database_url: str) -> AsyncIterator[Database]:
    """A database with few connections."""
    database = await Database.open(DatabaseUrl.parse(migrated_database_url), pool_size=SIZE)
    yield database
    async with asyncio.timeout(30):
        await database.close()


def client_of(database: Database) -> PostfachPostgresClient:
    return cast("PostfachPostgresClient", database.client)


def pool_of(database: Database) -> asyncpg.Pool[asyncpg.Record]:
    pool = client_of(database)._pool  # noqa: SLF001 (what is asked about)
    assert pool is not None
    return pool


async def pid(database: Database, statement: str = WHO) -> int:
    (row,) = await database.fetch(statement)
    number: int = row["pid"]
    return number


async def test_the_connection_used_last_is_used_next(small: Database) -> None:
    first = await pid(small)
    pids = await asyncio.gather(*(pid(small, SLEEP) for _ in range(SIZE)))
    assert len(set(pids)) == SIZE
    assert first in pids
    last = await pid(small)
    assert {await pid(small) for _ in range(5)} == {last}
    assert client_of(small).in_use() == 0


async def test_a_transaction_uses_them_too_and_leaves_them_as_they_were(small: Database) -> None:
    alone = await pid(small)

    async def work(unit: Unit) -> int:
        await unit.execute("CREATE TEMPORARY TABLE here ON COMMIT DROP AS SELECT 1 AS one")
        (row,) = await unit.fetch(WHO)
        assert client_of(small).in_use() == 1
        # Another one, since this one is in a transaction.
        assert await pid(small) != row["pid"]
        number: int = row["pid"]
        return number

    assert await small.transact(work) == alone
    assert client_of(small).in_use() == 0
    (row,) = await small.fetch("SELECT count(*) AS total FROM pg_class WHERE relname = 'here'")
    assert row["total"] == 0


async def test_there_are_never_more_than_the_pool_has_and_everybody_gets_one(small: Database) -> None:
    most = 0

    async def ask(number: int) -> int:
        nonlocal most
        (row,) = await small.fetch("SELECT $1::int AS number, pg_sleep(0.002)", number)
        most = max(most, client_of(small).in_use())
        found: int = row["number"]
        return found

    assert await asyncio.gather(*(ask(number) for number in range(100))) == list(range(100))
    assert pool_of(small).get_size() == SIZE
    assert most <= SIZE
    assert client_of(small).in_use() == 0


async def test_nobody_who_waits_is_overtaken(small: Database) -> None:
    client = client_of(small)
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await client.borrow()
        order.append(number)
        await client.give_back(connection, in_order=True)

    held = [await client.borrow() for _ in range(SIZE)]
    waiting = []
    for number in range(10):
        waiting.append(asyncio.ensure_future(use(number)))
        # In the pool's queue before the next one comes.
        await asyncio.sleep(0.001)
    await client.give_back(held.pop(), in_order=True)
    await use(10)
    await asyncio.gather(*waiting)
    assert order == list(range(11))
    for each in held:
        await client.give_back(each, in_order=True)
    assert client.in_use() == 0


async def test_who_waits_too_long_is_sent_away(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_pool, "ACQUIRE_SECONDS", 0.05)
    held = [await client_of(small).borrow() for _ in range(SIZE)]
    with pytest.raises(DatabaseUnavailableError):
        await small.fetch(WHO)
    for each in held:
        await client_of(small).give_back(each, in_order=True)
    assert await pid(small) == await pid(small)
    assert client_of(small).in_use() == 0


async def test_what_failed_or_was_stopped_is_not_kept_and_not_lost(small: Database) -> None:
    for _ in range(3 * SIZE):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await small.fetch("SELECT 1 / 0")
        sleeping = asyncio.ensure_future(small.fetch("SELECT pg_sleep(600)"))
        await asyncio.sleep(0.01)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
    async with asyncio.timeout(30):
        assert len(set(await asyncio.gather(*(pid(small, SLEEP) for _ in range(SIZE))))) == SIZE
    assert client_of(small).in_use() == 0


async def test_a_connection_that_was_left_in_a_transaction_is_rolled_back(small: Database) -> None:
    client = client_of(small)
    connection = await client.borrow()
    await connection.execute("BEGIN")
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    await client.give_back(connection, in_order=True)
    # asyncpg tells that it had to.
    assert len(told) == 1
    (row,) = await small.fetch("SELECT pg_current_xact_id_if_assigned() IS NULL AS is_none")
    assert row["is_none"]
    assert client.in_use() == 0


async def test_a_connection_that_broke_meanwhile_is_nobody_s(
    small: Database, migrated_database_url: str
) -> None:
    before = set(await asyncio.gather(*(pid(small, SLEEP) for _ in range(SIZE))))
    watcher = await asyncpg.connect(migrated_database_url)
    try:
        for each in before:
            await watcher.execute("SELECT pg_terminate_backend($1, 10000)", each)
        async with asyncio.timeout(30):
            while client_of(small).at_hand():  # noqa: ASYNC110 (asyncpg tells nobody)
                await asyncio.sleep(0.01)
    finally:
        await watcher.close()
    after = await asyncio.gather(*(pid(small, SLEEP) for _ in range(SIZE)))
    assert len(set(after)) == SIZE
    assert before.isdisjoint(after)
    assert client_of(small).in_use() == 0


async def test_all_go_back_to_the_pool_every_now_and_then(
    migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_pool, "KEPT_SECONDS", 0.01)
    small = await Database.open(DatabaseUrl.parse(migrated_database_url), pool_size=SIZE)
    pool = pool_of(small)
    for _ in range(2):
        assert len(set(await asyncio.gather(*(pid(small, SLEEP) for _ in range(SIZE))))) == SIZE
        async with asyncio.timeout(30):
            while pool.get_idle_size() != SIZE:  # noqa: ASYNC110 (asyncpg tells nobody)
                await asyncio.sleep(0.01)
    assert client_of(small).in_use() == 0
    await small.close()
    assert pool.is_closing()


async def test_one_viewer_leaves_connections_to_others(migrated_database_url: str) -> None:
    database = await Database.open(DatabaseUrl.parse(migrated_database_url), pool_size=2 * STATEMENTS)
    shares = Shares()
    turn = shares.turn("one")
    assert turn.begin()
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(client_of(database).in_use())
            await asyncio.sleep(0.005)

    async def many() -> list[int]:
        return await asyncio.gather(*(pid(database, SLEEP) for _ in range(5 * STATEMENTS)))

    looking = asyncio.create_task(look())
    with metered_tasks():
        pids = await turn.metered(many())
        looking.cancel()
        # Who is stopped leaves room for the next.
        stopped = asyncio.ensure_future(turn.metered(many()))
        await asyncio.sleep(0.06)
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        assert await turn.metered(pid(database)) > 0
    turn.end()
    assert len(pids) == 5 * STATEMENTS
    assert max(seen) == STATEMENTS
    # Nobody's: the server's own.
    assert len(set(await asyncio.gather(*(pid(database, SLEEP) for _ in range(2 * STATEMENTS))))) > STATEMENTS
    await database.close()
