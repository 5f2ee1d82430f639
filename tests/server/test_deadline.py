"""What takes too long, fails beside others or is left by its client stops, in the database too, and leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import strawberry
from tortoise import Tortoise

from models import audit
from models.database import Database, Unit
from resolvers import batches
from resolvers.errors import ConflictError
from schema.context import Info
from schema.root import Schema
from server import bodies
from tests.execution.test_compiled import LEFT_BEHIND
from tests.server.test_websocket import Served, served, until
from tests.stream import stream

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]
ENDLESS = {
    True: (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000000000) "
        "SELECT count(*) AS total FROM numbers"
    ),
    False: "SELECT pg_sleep(600)",
}
"""A statement that nobody waits for to its end, on SQLite and on PostgreSQL."""
STORM = 3_000
WAITING: dict[str, asyncio.Event] = {}


@strawberry.type
class Query:
    @strawberry.field
    async def slow(self, info: Info) -> int | None:
        database = info.context.request.database
        await database.fetch(ENDLESS[database.is_sqlite])
        return 1

    @strawberry.field
    async def together(self, info: Info, key: int) -> int | None:
        request = info.context.request

        async def load(keys: list[int]) -> dict[int, int]:
            await request.database.fetch(ENDLESS[request.database.is_sqlite])
            return dict.fromkeys(keys, 1)

        return await batches.batch(request, "together", load).get(key)

    @strawberry.field
    async def quick(self, info: Info) -> int:
        (row,) = await info.context.request.database.fetch("SELECT 1 AS one")
        number: int = row["one"]
        return number

    @strawberry.field
    async def bad(self, turns: int = 1) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ConflictError("No.")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: Info, held: bool = False) -> int:  # noqa: FBT001, FBT002 (GraphQL's)
        request = info.context.request

        async def work(unit: Unit) -> None:
            await unit.lock_agency(UUID(int=7), alone=True)
            await record(unit, "test.first")
            if held:
                WAITING["begun"].set()
                await WAITING["go"].wait()
            await record(unit, "test.second")

        await request.database.transact(work)
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def one(self, info: Info) -> AsyncIterator[int]:
        with info.context.request.services.events.subscribe("one") as events:
            async for payload in events:
                yield payload["number"]


SLOW = Schema(query=Query, mutation=Mutation, subscription=Subscription)


async def record(unit: Unit, action: str) -> None:
    await audit.record(unit, action, agency_id=None, actor_id=None, remote_address=None)


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Served]:
    WAITING.update(begun=asyncio.Event(), go=asyncio.Event())
    async with served(door_database, tmp_path, SLOW, OPERATION_SECONDS="1") as opened:
        yield opened


async def written(database: Database) -> dict[str, int]:
    """How many rows there are of each kind."""
    rows = await database.fetch(
        "SELECT action, count(*) AS total FROM audit_events WHERE action LIKE 'test.%' GROUP BY action"
    )
    return {row["action"]: row["total"] for row in rows}


async def is_whole(house: Served) -> None:
    """Nothing runs and nothing is held, neither here nor in the database."""
    database = house.runtime.database
    await until(lambda: not database._running)  # noqa: SLF001 (what the database still does)
    client = Tortoise.get_connection("default")
    if database.is_sqlite:
        await until(lambda: not client._lock.locked())  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        await until(lambda: client.in_use() == 0)  # type: ignore[attr-defined]
        others = (
            "SELECT count(*) AS total FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        locks = (
            "SELECT count(*) AS total FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
        async with asyncio.timeout(10):
            while any([(await database.fetch(each))[0]["total"] for each in (others, locks)]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    began = time.monotonic()
    async with asyncio.timeout(10):
        assert (await house.ask("mutation { write }")).good() == {"write": 1}
        assert (await house.ask("{ quick }")).good() == {"quick": 1}
    assert time.monotonic() - began < 5


def is_timed_out(body: Any, words: str = "") -> None:  # noqa: ANN401 (what a client got)
    message = f"The operation took longer than 1 seconds and was stopped.{words}"
    assert body == [{"message": message, "extensions": {"code": "TIMED_OUT"}}]


@pytest.mark.parametrize("query", ["{ slow }", "{ a: together(key: 1) b: together(key: 2) quick }"])
async def test_a_query_that_takes_too_long_is_stopped_and_told(house: Served, query: str) -> None:
    answers = await asyncio.gather(*(house.ask(query) for _ in range(3)))
    for answer in answers:
        assert answer.status == 503
        is_timed_out(answer.json["errors"])
        assert "data" not in answer.json
        assert "retry-after" not in answer.headers
    await is_whole(house)


async def test_a_unit_of_work_goes_on_to_its_end_when_the_time_is_up(house: Served) -> None:
    answer = await house.ask("mutation { write(held: true) }")
    assert answer.status == 503
    is_timed_out(
        answer.json["errors"], " What it was changing may have been done: read it before you send it again."
    )
    if not house.runtime.database.is_sqlite:
        assert await written(house.runtime.database) == {}
    WAITING["go"].set()
    await until(lambda: not house.runtime.database._running)  # noqa: SLF001
    assert await written(house.runtime.database) == {"test.first": 1, "test.second": 1}
    await is_whole(house)


async def test_a_socket_is_told_and_goes_on_and_subscriptions_have_no_limit(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        listening = await opened.subscribe("subscription { one }")
        await until(lambda: house.runtime.services.events.subscribers("one") == 1)
        message = await (await opened.subscribe("{ slow }")).next()
        assert message["type"] == "error"
        is_timed_out(message["payload"])
        assert await (await opened.subscribe("{ quick }")).data() == {"quick": 1}

        async def tell(unit: Unit) -> None:
            await house.runtime.services.events.publish(unit, "one", {"number": 5})

        await house.runtime.database.transact(tell)
        assert await listening.data() == {"one": 5}
        # A client that has enough stops what it asked for.
        for query in ("{ slow }", "{ together(key: 1) }"):
            subscription = await opened.subscribe(query)
            await asyncio.sleep(0.05)
            await subscription.complete()
    await is_whole(house)


async def test_a_client_that_goes_away_stops_its_query_and_not_its_unit(house: Served) -> None:
    address = urlsplit(house.url)
    for query in ("{ slow }", "{ together(key: 3) }", "mutation { write(held: true) }"):
        body = json.dumps({"query": query}).encode()
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await (WAITING["begun"].wait() if "write" in query else asyncio.sleep(0.05))
        writer.transport.abort()
    # Well before the time is up, the first two run no more; what was changed goes on.
    gone = 'postfach_operations_total{kind="%s",outcome="errors"}'
    async with house.client() as client:
        async with asyncio.timeout(0.9):
            while gone % "mutation" + " 1.0" not in (await client.http.get("/metrics")).text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert gone % "query" + " 2.0" in (await client.http.get("/metrics")).text
    WAITING["go"].set()
    await until(lambda: not house.runtime.database._running)  # noqa: SLF001
    assert await written(house.runtime.database) == {"test.first": 1, "test.second": 1}
    await is_whole(house)


async def test_a_request_that_never_ends_is_408(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)

    async def drops() -> AsyncIterator[bytes]:
        yield b'{"query":'
        await asyncio.Event().wait()

    async with house.client() as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                response = await client.http.post(
                    "/graphql", content=drops(), headers={"content-type": "application/json"}
                )
                assert response.status_code == 408
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"A request is sent within 0.1 seconds."' in answer
    writer.close()


@pytest.mark.filterwarnings(*LEFT_BEHIND)
@pytest.mark.usefixtures("left_behind")
async def test_thousands_of_ends_leave_nothing(house: Served) -> None:
    """Clients that go away, fields that fail beside others, and limits, many at once."""
    draw = random.Random(5)
    kinds = [
        ("{ bad slow }", 0.0),
        ("{ bad(turns: 30) together(key: 1) quick }", 0.0),
        ("{ a: quick bad(turns: 300) b: quick slow }", 0.0),
        ("{ slow }", 0.004),
        ("{ together(key: 1) b: together(key: 2) }", 0.004),
        ("mutation { write }", 0.004),
        ("mutation { a: write b: write c: write }", 0.004),
        ("{ quick }", 0.002),
    ]
    writes = 0
    failures: Counter[str] = Counter()

    async def client(turns: int) -> None:
        nonlocal writes
        transport = httpx.ASGITransport(app=house.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport) as http:
            for _ in range(turns):
                query, patience = draw.choice(kinds)
                asking = asyncio.ensure_future(http.post("/graphql", json={"query": query}))
                if patience:
                    await asyncio.sleep(draw.uniform(0, patience))
                    asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    answer = (await asking).json()
                    if "bad" in query:
                        assert answer.get("data") is None
                        failures[answer["errors"][0]["extensions"]["code"]] += 1
                    elif "write" in query:
                        writes += len(answer["data"])

    await asyncio.gather(*(client(STORM // 20) for _ in range(20)))
    assert set(failures) <= {"CONFLICT", "TIMED_OUT"}
    assert failures["CONFLICT"] > STORM / 5
    await is_whole(house)
    found = await written(house.runtime.database)
    # A unit was done whole or not at all, and what was answered was done.
    assert found["test.first"] == found["test.second"] >= writes + 1
