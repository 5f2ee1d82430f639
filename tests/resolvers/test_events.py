"""The bus: told with the commit, to who keeps up, across processes, and never silently incomplete."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from models.database import Database, DatabaseUnavailableError, Unit
from models.database_url import DatabaseUrl
from resolvers.events import (
    SESSIONS_ENDED,
    WAITING_EVENTS,
    Events,
    EventsLostError,
    PostgresEvents,
    SlowReaderError,
    Subscription,
    events_of,
)
from tests import peers

pytestmark = pytest.mark.asyncio
WAIT = 10


@pytest_asyncio.fixture
async def events(database: Database) -> AsyncIterator[Events]:
    bus = events_of(database.url)
    await bus.open()
    yield bus
    await bus.close()


async def next_of(subscription: Subscription) -> dict[str, Any]:
    return await asyncio.wait_for(anext(subscription), WAIT)


async def publish(database: Database, events: Events, *numbers: int, topic: str = "numbers") -> None:
    async def work(unit: Unit) -> None:
        for number in numbers:
            await events.publish(unit, topic, {"number": number})

    await database.transact(work)


async def test_events_come_after_the_commit_and_in_order(database: Database, events: Events) -> None:
    committed = False

    async def work(unit: Unit) -> None:
        nonlocal committed
        for number in range(3):
            await events.publish(unit, "numbers", {"number": number})
        await asyncio.sleep(0.05)
        assert not waiting.done()
        committed = True

    with events.subscribe("numbers") as subscription:
        waiting = asyncio.ensure_future(next_of(subscription))
        await database.transact(work)
        assert await waiting == {"number": 0}
        assert committed
        assert [await next_of(subscription) for _ in range(2)] == [{"number": 1}, {"number": 2}]


async def test_what_is_rolled_back_is_not_told(database: Database, events: Events) -> None:
    async def work(unit: Unit) -> None:
        await events.publish(unit, "numbers", {"number": 1})
        raise LookupError

    with events.subscribe("numbers") as subscription:
        with pytest.raises(LookupError):
            await database.transact(work)
        await publish(database, events, 2)
        assert await next_of(subscription) == {"number": 2}


async def test_a_subscriber_gets_its_topic_and_what_it_accepts(database: Database, events: Events) -> None:
    with (
        events.subscribe("numbers", lambda payload: payload["number"] % 2 == 0) as even,
        events.subscribe("numbers") as every,
        events.subscribe("others") as others,
    ):
        await publish(database, events, 1, 2)
        await publish(database, events, 3, topic="others")
        assert await next_of(even) == {"number": 2}
        assert [await next_of(every), await next_of(every)] == [{"number": 1}, {"number": 2}]
        assert await next_of(others) == {"number": 3}


async def test_who_does_not_keep_up_is_dropped_and_the_others_go_on(
    database: Database, events: Events
) -> None:
    with events.subscribe("numbers") as slow, events.subscribe("numbers") as quick:
        for start in range(0, WAITING_EVENTS + 1, 10):
            await publish(database, events, *range(start, start + 10))
            assert [(await next_of(quick))["number"] for _ in range(10)] == [*range(start, start + 10)]
        with pytest.raises(SlowReaderError):
            await next_of(slow)
        # What waited is gone at once, it does not take up memory until somebody looks.
        with pytest.raises(SlowReaderError):
            await next_of(slow)


async def test_as_many_events_wait_as_promised(database: Database, events: Events) -> None:
    with events.subscribe("numbers") as subscription:
        await publish(database, events, *range(WAITING_EVENTS))
        assert [(await next_of(subscription))["number"] for _ in range(WAITING_EVENTS)] == [
            *range(WAITING_EVENTS)
        ]


async def test_a_closed_subscription_ends_without_an_error(database: Database, events: Events) -> None:
    subscription = events.subscribe("numbers")
    await publish(database, events, 1)
    assert await next_of(subscription) == {"number": 1}
    waiting = asyncio.ensure_future(next_of(subscription))
    await asyncio.sleep(0)
    subscription.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    await publish(database, events, 2)
    with pytest.raises(StopAsyncIteration):
        await next_of(subscription)


async def test_ended_sessions_are_told_in_portions(database: Database, events: Events) -> None:
    user, many = uuid4(), [uuid4() for _ in range(250)]

    async def work(unit: Unit) -> None:
        await events.publish_sessions_ended(unit, user, many)
        await events.publish_sessions_ended(unit, user, [])

    with events.subscribe(SESSIONS_ENDED) as subscription:
        await database.transact(work)
        told = [await next_of(subscription) for _ in range(3)]
    assert {each["user_id"] for each in told} == {str(user)}
    assert [name for each in told for name in each["session_ids"]] == [str(each) for each in many]


async def test_the_end_of_the_bus_is_told(database: Database) -> None:
    bus = events_of(database.url)
    await bus.open()
    subscription = bus.subscribe("numbers")
    await bus.close()
    with pytest.raises(EventsLostError):
        await next_of(subscription)


# ---------------------------------------------------------------- across processes


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_every_process_hears_the_others(database: Database, events: Events) -> None:
    other = PostgresEvents(database.url)
    await other.open()
    with events.subscribe("numbers") as here, other.subscribe("numbers") as there:
        await publish(database, other, 1)
        assert await next_of(here) == await next_of(there) == {"number": 1}
    await other.close()


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_broken_way_is_told_and_mended(database: Database, events: Events) -> None:
    with events.subscribe("numbers") as before:
        peers.postgresql().run_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database.url.name}' AND application_name = 'postfach events'"
        )
        with pytest.raises(EventsLostError):
            await next_of(before)
    subscription = await asyncio.wait_for(_subscribed(events), WAIT)
    await publish(database, events, 1)
    assert await next_of(subscription) == {"number": 1}


async def _subscribed(events: Events) -> Subscription:
    while True:
        try:
            return events.subscribe("numbers")
        except EventsLostError:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_an_event_that_is_too_large_undoes_its_unit(database: Database, events: Events) -> None:
    async def work(unit: Unit) -> None:
        await events.publish(unit, "numbers", {"text": "x" * 8000})

    with pytest.raises(ValueError, match="an event of numbers has"):
        await database.transact(work)


async def test_a_bus_without_its_database_does_not_open() -> None:
    nowhere = DatabaseUrl("postgresql", user="u", host="127.0.0.1", port=peers.free_port(), name="n")
    with pytest.raises(DatabaseUnavailableError):
        await PostgresEvents(nowhere).open()
