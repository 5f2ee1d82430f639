"""The database goes away and comes back: what is answered meanwhile, and that no hand is needed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from models.database import Database
from models.database_url import DatabaseUrl
from resolvers.events import PostgresEvents
from tests.client import Answer
from tests.server.cable import cabled
from tests.server.doors import Doors
from tests.server.test_websocket import OWN, served, until
from tests.stream import stream

pytestmark = pytest.mark.asyncio
WAIT = 30


@asynccontextmanager
async def watching(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def until_answered(house: Doors, token: str) -> Answer:
    """The first answer that is not 503."""
    async with asyncio.timeout(WAIT):
        while (answer := await house.ask("{ who }", token=token)).status == 503:  # noqa: ASYNC110 (no event)
            await asyncio.sleep(0.05)
    return answer


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_postgresql_goes_away_and_comes_back(door_database: str, tmp_path: Path) -> None:
    async with cabled(door_database) as (cable, url), served(url, tmp_path, OWN) as house:
        token = await house.token(house.anna)
        async with stream(house.socket_url, token=token) as opened:
            await opened.subscribe("subscription { numbers }")
            await house.listeners(1)
            await cable.pull()
            assert await asyncio.wait_for(opened.others.get(), WAIT) == {"type": "closed", "code": 1012}
        for _ in range(3):
            answer = await house.ask("{ who }", token=token)
            assert (answer.status, answer.codes) == (503, ["UNAVAILABLE"])
            assert answer.headers["retry-after"] == "5"
        async with house.client() as client:
            ready = await client.http.get("/readyz")
            assert (ready.status_code, ready.json()) == (503, {"status": "the database does not answer"})
            assert (await client.http.get("/healthz")).status_code == 200
        async with stream(house.socket_url, initialise=False) as opened:
            assert await opened.initialise(token) == {"type": "closed", "code": 1013}

        await cable.plug()
        answer = await until_answered(house, token)
        assert answer.good() == {"who": "anna@nord.example ADMINISTRATOR"}
        async with house.client() as client:
            assert (await client.http.get("/readyz")).status_code == 200
        # Until the bus is back too, whoever comes is told to come again.
        events = cast("PostgresEvents", house.runtime.services.events)
        await until(lambda: events._listener.hears)  # noqa: SLF001 (nobody is told)
        async with stream(house.socket_url, token=token) as opened:
            numbers = await opened.subscribe("subscription { numbers }")
            await house.listeners(1)
            await house.publish(1)
            assert await numbers.data() == {"numbers": 1}


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_statement_ends_though_its_cancellation_is_lost(door_database: str) -> None:
    async with cabled(door_database) as (cable, url):
        database = await Database.open(DatabaseUrl.parse(url), pool_size=2)
        try:
            cable.loses_cancellations = True
            sleepers = [asyncio.ensure_future(database.fetch("SELECT pg_sleep(600)")) for _ in range(2)]
            others = (
                "SELECT count(*) AS total FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE '%pg_sleep(600)' AND state = 'active'"
            )
            async with watching(door_database) as watcher:

                async def are_asleep(number: int) -> None:
                    async with asyncio.timeout(WAIT):
                        while await watcher.fetchval(others) != number:  # noqa: ASYNC110 (no event)
                            await asyncio.sleep(0.05)

                await are_asleep(2)
                for each in sleepers:
                    each.cancel()
                results = await asyncio.gather(*sleepers, return_exceptions=True)
                assert [type(each) for each in results] == [asyncio.CancelledError] * 2
                assert cable.lost == 2
                # Both connections of the pool are free again, and PostgreSQL has stopped too.
                rows = await asyncio.gather(*(database.fetch("SELECT 1 AS one") for _ in range(4)))
                assert [[dict(row) for row in each] for each in rows] == [[{"one": 1}]] * 4
                await are_asleep(0)
        finally:
            await database.close()
