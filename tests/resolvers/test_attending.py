"""Bookings are told to processes in which somebody could listen, from the moment at which they said so, and to no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio

from models.database import Database, Unit
from models.notifications import CHANNEL
from models.tables.mailboxes import Mailbox
from models.tables.mails import MailPart
from models.tables.users import User
from resolvers.booking import BookMail, book_mail
from resolvers.events import EventsLostError, PostgresEvents, Subscription
from resolvers.listeners import BOOKED
from resolvers.node_ids import NodeKind, encode
from tests import peers, storage

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database_kind", ["postgresql"])]

WAIT = 30
WAITS = "SELECT count(*) AS number FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND NOT granted"
ENDED = "application_name = 'postfach events'"


class Desk:
    """A mailbox that anna books at, and the bus of a process."""

    database: Database
    events: PostgresEvents
    anna: User
    box: Mailbox

    async def book(self, name: str) -> None:
        request = await storage.request(self.database, self.anna)
        request.services = replace(request.services, events=self.events)
        node_id = encode(NodeKind.MAILBOX, self.box.id)
        asked = BookMail(node_id, MailPart.RECEIVING, name, "buyer@web.example", [], "Haus", "Guten Tag")
        assert len(await book_mail(request, asked)) == 1

    async def booked(self) -> list[str]:
        """The e-mails that were booked, in no order."""
        return [str(row["id"]) for row in (await storage.contents(self.database))["mails"]]

    async def until_somebody_waits(self) -> None:
        """Until those who may not have told have committed."""
        async with asyncio.timeout(WAIT):
            while not (await self.database.fetch(WAITS))[0]["number"]:  # noqa: ASYNC110 (the database tells nobody)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def bus(database: Database) -> AsyncIterator[PostgresEvents]:
    events = PostgresEvents(database.url)
    await events.open()
    yield events
    await events.close()


@pytest_asyncio.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with bus(database) as events:
        desk = Desk()
        desk.database, desk.events = database, events
        agency = await storage.agency()
        desk.anna = await storage.user(agency, "anna")
        desk.box = await storage.mailbox(agency, "desk")
        await storage.period(desk.box, desk.anna)
        yield desk


@asynccontextmanager
async def overheard(database: Database) -> AsyncIterator[list[str]]:
    """Everything that PostgreSQL tells, to whoever listens without having said so."""
    told: list[str] = []
    connection = await asyncpg.connect(
        host=database.url.host,
        port=database.url.port,
        user=database.url.user,
        password=database.url.password,
        database=database.url.name,
    )
    await connection.add_listener(CHANNEL, lambda *given: told.append(str(given[-1])))
    yield told
    await connection.close()


async def until_told(told: list[str], database: Database, mark: str) -> list[str]:
    """What was told before a mark that is told always."""
    await database.execute("SELECT pg_notify($1, $2)", CHANNEL, f'["{mark}", {{}}]')
    async with asyncio.timeout(WAIT):
        while not told or mark not in told[-1]:  # noqa: ASYNC110 (PostgreSQL tells when it does)
            await asyncio.sleep(0.01)
    return told[:-1]


async def told_of(subscription: Subscription) -> str:
    return str((await asyncio.wait_for(anext(subscription), WAIT))["mail_id"])


async def test_nobody_is_told_while_nobody_could_listen(desk: Desk) -> None:
    async with overheard(desk.database) as told:
        await desk.book("a")
        assert await until_told(told, desk.database, "first") == []
        told.clear()
        async with desk.events.attending():
            await desk.book("b")
        (text,) = await until_told(told, desk.database, "second")
        assert text.startswith('["booked"')


async def test_one_who_leaves_takes_nothing_from_the_others(desk: Desk) -> None:
    async with bus(desk.database) as other, desk.events.attending():
        for _ in range(3):
            async with desk.events.attending(), other.attending():
                pass
        with desk.events.subscribe(BOOKED) as here, other.subscribe(BOOKED) as there:
            await desk.book("a")
            assert [await told_of(here)] == [await told_of(there)] == await desk.booked()


async def waiting_to_attend(
    desk: Desk,
) -> tuple[asyncio.Future[None], asyncio.Future[None], asyncio.Event]:
    """A booking that is about to commit when it may, and one who waits for that to attend."""
    has_tried, may_commit = asyncio.Event(), asyncio.Event()

    async def book(unit: Unit) -> None:
        # The end of a booking's function, as models.notifications says it.
        await unit.execute("SELECT pg_advisory_xact_lock_shared(1886352244, 2)")
        has_tried.set()
        await may_commit.wait()

    booking = asyncio.ensure_future(desk.database.transact(book))
    await has_tried.wait()
    attending = asyncio.ensure_future(desk.events.attend())
    await desk.until_somebody_waits()
    return booking, attending, may_commit


async def test_what_may_not_have_told_commits_before_somebody_attends(desk: Desk) -> None:
    """A booking found nobody and has not committed yet: whoever attends afterwards would never hear of it."""
    booking, attending, may_commit = await waiting_to_attend(desk)
    assert not attending.done()
    may_commit.set()
    await asyncio.gather(booking, attending)
    with desk.events.subscribe(BOOKED) as subscription:
        await desk.book("a")
        assert [await told_of(subscription)] == await desk.booked()
    desk.events.leave()


async def test_nothing_is_missed_however_often_others_come_and_go(desk: Desk) -> None:
    async with bus(desk.database) as other:

        async def come_and_go(events: PostgresEvents, name: str) -> None:
            for number in range(12):
                async with events.attending():
                    with events.subscribe(BOOKED) as subscription:
                        before = set(await desk.booked())
                        await desk.book(f"{name}{number}")
                        heard = {await told_of(subscription)}
                        while not (set(await desk.booked()) - before) & heard:
                            heard.add(await told_of(subscription))
                await asyncio.sleep(0)

        async def book_on() -> None:
            for number in range(60):
                await desk.book(f"other{number}")

        async with asyncio.TaskGroup() as group:
            for number, events in enumerate((desk.events, desk.events, other, other)):
                group.create_task(come_and_go(events, f"{number}."))
            group.create_task(book_on())
    assert len(await desk.booked()) == 4 * 12 + 60


async def test_who_attends_does_so_again_after_the_way_broke(desk: Desk) -> None:
    async with desk.events.attending():
        with desk.events.subscribe(BOOKED) as before:
            peers.postgresql().run_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{desk.database.url.name}' AND {ENDED}"
            )
            with pytest.raises(EventsLostError):
                await asyncio.wait_for(anext(before), WAIT)
        async with asyncio.timeout(WAIT):
            while (subscription := _subscribed(desk.events)) is None:  # noqa: ASYNC110 (the bus tells nobody)
                await asyncio.sleep(0.01)
        await desk.book("a")
        assert [await told_of(subscription)] == await desk.booked()


def _subscribed(events: PostgresEvents) -> Subscription | None:
    try:
        return events.subscribe(BOOKED)
    except EventsLostError:
        return None


async def test_one_who_gives_up_while_waiting_leaves_no_trace(desk: Desk) -> None:
    booking, attending, may_commit = await waiting_to_attend(desk)
    attending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attending
    may_commit.set()
    await booking
    async with desk.events.attending():
        with desk.events.subscribe(BOOKED) as subscription:
            await desk.book("a")
            assert [await told_of(subscription)] == await desk.booked()
