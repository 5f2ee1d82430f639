"""Listeners: asked about together, told in order, and never held up by what they do not see."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import pytest
import pytest_asyncio

from models import clock, visibility
from models.database import Database, DatabaseUnavailableError, Unit
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.mails import Activity
from models.tables.users import ReadLevel, User
from models.visibility import Filter
from resolvers import events as bus
from resolvers import feed
from resolvers import listeners as module
from resolvers.activities import Entry
from resolvers.events import EventsLostError, LocalEvents, PostgresEvents, SlowReaderError, Subscription
from resolvers.listeners import BOOKED, Listeners
from resolvers.request import Request, Viewer
from tests import peers, storage
from tests.storage import statements

pytestmark = pytest.mark.asyncio
WAIT = 10


class House:
    """Anna is at a VIP mailbox, everybody else reads what is open; whoever listens does so in one process."""

    agency: Agency
    anna: User
    others: list[User]
    vip: Mailbox
    plain: Mailbox

    def __init__(self, database: Database, events: LocalEvents, listeners: Listeners) -> None:
        self.database = database
        self.events = events
        self.listeners = listeners

    async def build(self) -> "House":
        self.agency = await storage.agency()
        self.anna = await storage.user(self.agency, "anna", activity_read_level=ReadLevel.NOTHING)
        self.others = [
            await storage.user(self.agency, f"user{number}", activity_read_level=ReadLevel.ALL)
            for number in range(3)
        ]
        self.vip = await storage.mailbox(self.agency, "chef", vip=True)
        self.plain = await storage.mailbox(self.agency, "info")
        await storage.period(self.vip, self.anna)
        return self

    async def listen(self, who: User) -> tuple[Subscription, Request]:
        request = await storage.request(self.database, who)
        return self.listeners.listen(self.events, request.signed_in()), request

    async def mail(self, *mailboxes: Mailbox) -> Activity:
        return await storage.mail(self.agency, *mailboxes)

    def tell(self, entry: Activity, position: int = 1) -> None:
        """What a booking tells when it is committed."""
        payload = {
            "agency_id": str(self.agency.id),
            "mail_id": str(mail_id(entry)),
            "position": position,
        }
        self.events._deliver(BOOKED, payload)  # noqa: SLF001 (as the bus does after a commit)

    async def settled(self) -> None:
        """Wait until everything that was told has been handed out."""
        marker = await storage.user(
            self.agency, f"marker{clock.now().timestamp()}", activity_read_level=ReadLevel.ALL
        )
        subscription, _ = await self.listen(marker)
        self.tell(await self.mail(self.plain))
        await next_of(subscription)
        subscription.close()


def mail_id(entry: Activity) -> UUID:
    return UUID(str(cast("Any", entry).mail_id))


async def next_of(subscription: Subscription) -> list[Any]:
    payload = await asyncio.wait_for(anext(subscription), WAIT)
    found: list[Any] = payload["activity_ids"]
    return found


async def is_quiet(subscription: Subscription) -> bool:
    """Whether nothing waits."""
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    quiet = not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    return quiet


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    events, listeners = LocalEvents(), Listeners()
    async with listeners.running(database, events):
        yield await House(database, events, listeners).build()


async def test_all_are_asked_about_in_one_statement(house: House) -> None:
    hidden, opened = await house.mail(house.vip), await house.mail(house.plain)
    listening = [(await house.listen(who))[0] for who in house.others for _ in range(2)]
    own, _ = await house.listen(house.anna)
    with statements(house.database) as ran:
        house.tell(hidden)
        assert await next_of(own) == [hidden.id]
        assert len(ran) == 1
        house.tell(opened)
        assert [await next_of(each) for each in listening] == [[opened.id]] * 6
        assert len(ran) == 2
    assert await is_quiet(own)


async def test_a_delivery_looks_at_the_session_and_at_the_entries_again(house: House) -> None:
    request = await storage.request(house.database, house.others[0])
    object.__setattr__(request.services, "events", house.events)
    object.__setattr__(request.services, "listeners", house.listeners)
    hidden, opened = await house.mail(house.vip), await house.mail(house.plain)
    stream = feed.booked(request, Filter())
    waiting: asyncio.Future[Entry] = asyncio.ensure_future(anext(stream))
    while not house.listeners.number:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0)
    with statements(house.database) as ran:
        house.tell(hidden)
        house.tell(hidden)
        house.tell(opened)
        assert (await asyncio.wait_for(waiting, WAIT)).id == opened.id
    # Each booking once for everybody, then the session and the entries of the one that was seen.
    assert len(ran) == 3 + 2
    # What closes between the telling and the delivery is not delivered.
    house.tell(opened)
    await house.settled()
    await User.filter(id=house.others[0].id).update(activity_read_level=ReadLevel.NOTHING)
    waiting = asyncio.ensure_future(anext(stream))
    await house.settled()
    assert not waiting.done()
    # The session ends what its rights would open again.
    await User.filter(id=house.others[0].id).update(activity_read_level=ReadLevel.ALL)
    await house.database.execute("UPDATE sessions SET ended_at = $1", clock.now())
    house.tell(opened)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, WAIT)
    assert house.listeners.number == 0


async def test_a_flood_of_hidden_bookings_drops_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "WAITING_EVENTS", 5)
    hidden, opened = await house.mail(house.vip), await house.mail(house.plain)
    blind, _ = await house.listen(house.others[0])
    sees, _ = await house.listen(house.anna)
    for _ in range(50):
        house.tell(hidden)
    house.tell(opened)
    # Who sees them all and reads none is dropped, as ever.
    assert await next_of(blind) == [opened.id]
    with pytest.raises(SlowReaderError):
        await next_of(sees)
    assert house.listeners.number == 1


async def test_more_bookings_than_can_wait_end_everybody_with_a_code(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_BOOKINGS", 5)
    hidden, opened = await house.mail(house.vip), await house.mail(house.plain)
    first, _ = await house.listen(house.others[0])
    for _ in range(6):
        house.tell(hidden)
    with pytest.raises(EventsLostError):
        await next_of(first)
    again, _ = await house.listen(house.others[0])
    house.tell(opened)
    assert await next_of(again) == [opened.id]


async def test_bookings_are_told_in_order_and_from_the_listening_on(house: House) -> None:
    entries = [await house.mail(house.plain) for _ in range(5)]
    first, _ = await house.listen(house.others[0])
    for entry in entries[:2]:
        house.tell(entry)
    second, _ = await house.listen(house.others[1])
    for entry in entries[2:]:
        house.tell(entry)
    assert [await next_of(first) for _ in entries] == [[entry.id] for entry in entries]
    assert [await next_of(second) for _ in entries[2:]] == [[entry.id] for entry in entries[2:]]
    assert await is_quiet(second)


async def test_who_has_left_is_not_asked_about(house: House) -> None:
    opened = await house.mail(house.plain)
    first, _ = await house.listen(house.others[0])
    with statements(house.database) as ran:
        house.tell(opened)
        first.close()
        await asyncio.sleep(0)
        house.tell(opened)
    assert (ran, house.listeners.number) == ([], 0)


async def test_another_agency_costs_nothing(house: House) -> None:
    abroad = await storage.agency("sued")
    first, _ = await house.listen(house.others[0])
    entry = await storage.mail(abroad, await storage.mailbox(abroad, "info"))
    with statements(house.database) as ran:
        payload = {"agency_id": str(abroad.id), "mail_id": str(mail_id(entry)), "position": 1}
        house.events._deliver(BOOKED, payload)  # noqa: SLF001 (as the bus does after a commit)
        assert await is_quiet(first)
    assert ran == []


async def test_a_booking_that_cannot_be_looked_up_is_told_and_the_next_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await house.mail(house.plain)
    first, _ = await house.listen(house.others[0])

    async def away(*_: object) -> None:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(visibility, "opened_by_booking", away)
        house.tell(opened)
        with pytest.raises(EventsLostError):
            await next_of(first)
    again, _ = await house.listen(house.others[0])
    house.tell(opened)
    assert await next_of(again) == [opened.id]


async def test_the_end_of_the_process_is_told(database: Database) -> None:
    events, listeners = LocalEvents(), Listeners()
    async with listeners.running(database, events):
        house = await House(database, events, listeners).build()
        first, _ = await house.listen(house.others[0])
    with pytest.raises(EventsLostError):
        await next_of(first)
    assert (listeners.number, events.subscribers(BOOKED)) == (0, 0)


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_broken_way_to_the_other_processes_is_told_and_mended(database: Database) -> None:
    events, listeners = PostgresEvents(database.url), Listeners()
    await events.open()
    async with listeners.running(database, events):
        agency = await storage.agency()
        viewer = await storage.viewer(await storage.user(agency, "anna", activity_read_level=ReadLevel.ALL))
        first = listeners.listen(events, viewer)
        peers.postgresql().run_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database.url.name}' AND application_name = 'postfach events'"
        )
        with pytest.raises(EventsLostError):
            await next_of(first)
        async with asyncio.timeout(WAIT):
            while (again := _listened(listeners, events, viewer)) is None:  # noqa: ASYNC110 (the bus tells nobody)
                await asyncio.sleep(0.01)
        entry = await storage.mail(agency, await storage.mailbox(agency, "info"))

        async def work(unit: Unit) -> None:
            payload = {"agency_id": str(agency.id), "mail_id": str(mail_id(entry)), "position": 1}
            await events.publish(unit, BOOKED, payload)

        await database.transact(work)
        assert await next_of(again) == [entry.id]
    await events.close()


def _listened(listeners: Listeners, events: PostgresEvents, viewer: Viewer) -> Subscription | None:
    try:
        return listeners.listen(events, viewer)
    except EventsLostError:
        return None
