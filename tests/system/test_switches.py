"""VIP switches, assignments, rights and bookings at the same instant leave a history in which the rule holds.

`POSTFACH_STORM_SECONDS` is how long the clients rage on each database (10).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.client import Client, connected, nodes
from tests.conftest import Migrated
from tests.oracle.rule import Oracle, fold
from tests.oracle.world import Mail, Period, World
from tests.stream import Subscription, stream
from tests.system import documents
from tests.system.directory import Directory
from tests.system.harness import SEED, Served, served, sign_in_all, told
from tests.system.history import ids_by_name, instant, mail_of, read_history
from tests.system.storm import ADMINISTRATORS, OWNER, WATCHER, Notes, Snapshot, Storm, storm_world
from tests.system.viewpoint import Known, Viewpoint

SECONDS = float(os.environ.get("POSTFACH_STORM_SECONDS", "10"))


@pytest.mark.timeout(300 + 3 * SECONDS)
def test_changes_at_the_same_instant_leave_no_gap(
    database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    world = storm_world()

    async def run(house: Served) -> None:
        async with connected(house.url) as client, AsyncExitStack() as streams:
            clients = await sign_in_all(client, world)
            ids = await ids_by_name(clients[ADMINISTRATORS[0]])
            notes = Notes()
            listeners = {
                login: await streams.enter_async_context(listening(house.server.socket_url, clients[login]))
                for login in (OWNER, WATCHER)
            }
            with told(f"seed {SEED}"):
                await Storm(clients, ids, notes, time.monotonic() + SECONDS).rage(Random(SEED))
                history = await read_history(clients[ADMINISTRATORS[0]], world.agencies[0], notes.booked)
                check_constraints(history)
                check_answers(history, notes)
                check_bookings(history, notes)
                check_snapshots(history, notes)
                await check_events(history, clients[OWNER], listeners)
                await check_everybody(clients, history)

    # Several processes where the database lets them: no lock within one process may be what holds.
    options = ("--workers", "2") if database_kind == "postgresql" else ()
    with served(migrated.template(database_kind), tmp_path, world, *options) as house:
        asyncio.run(run(house))


def check_constraints(history: World) -> None:
    """No two periods of a pair overlap, each ends after it begins, and whoever booked was assigned."""
    assert len(history.mails) > SECONDS, "hardly anything was booked"
    assert len(history.periods) > len(storm_world().periods), "nothing was assigned"
    pairs: dict[tuple[str, str], list[Period]] = {}
    for period in sorted(history.periods, key=lambda each: each.begin):
        pairs.setdefault((period.mailbox, period.user), []).append(period)
        assert period.end is None or period.begin < period.end
    for periods in pairs.values():
        for earlier, later in pairwise(periods):
            assert earlier.end is not None
            assert earlier.end <= later.begin
    for mail in history.mails:
        for booking in mail.bookings:
            assert booking.user is not None
            assert any(period.holds(booking.at) for period in pairs[booking.mailbox, booking.user]), booking


def check_answers(history: World, notes: Notes) -> None:
    """Every period that was answered is in the history, and an end that was answered is its end."""
    ends = {(period.mailbox, period.user, period.begin): period.end for period in history.periods}
    for each in notes.assigned:
        key = (each["mailbox"]["address"], each["user"]["login"], instant(each["from"]))
        assert key in ends
        assert each["until"] is None or ends[key] == instant(each["until"])


def check_bookings(history: World, notes: Notes) -> None:
    """Whoever booked saw the entries, unless the mailbox had booked the e-mail before."""
    mails = {mail.message_id: mail for mail in history.mails}
    for call in notes.booked:
        assert call.wanted["messageId"] in mails, "nobody who booked it saw it"
        bookings = {booking.mailbox: booking for booking in mails[call.wanted["messageId"]].bookings}
        booking = bookings[call.address]
        assert booking.part == call.wanted["part"]
        assert call.entries or not call.made(booking)


def check_snapshots(history: World, notes: Notes) -> None:
    """Nobody was shown a guarded entry without being of its audience, at no instant."""
    oracle = Oracle(history, datetime.now(UTC))
    guarded = 0
    for snapshot in notes.snapshots:
        viewer = oracle.user(snapshot.login)
        for entry in snapshot.entries:
            mail = mail_of(history.agencies[0], entry)
            if must_be_guarded(mail, snapshot, notes):
                guarded += 1
                assert entry["vip"], f"{snapshot.login} was shown as open: {entry}"
            if entry["vip"]:
                assert viewer in oracle.audience(mail), f"{snapshot.login} was shown: {entry}"
    assert guarded, "nobody read anything while it was surely guarded"
    watched = [entry for each in notes.snapshots if each.login == WATCHER for entry in each.entries]
    assert watched, "the one who reads everything open never saw anything"


@asynccontextmanager
async def listening(url: str, client: Client) -> AsyncIterator[Subscription]:
    """A subscription of this viewer, which is registered."""
    async with stream(url, token=client.token) as opened:
        events = await opened.subscribe(documents.BOOKED)
        # An answer on the same stream: the subscription before it is registered.
        assert await (await opened.subscribe("{ __typename }")).data() == {"__typename": "Query"}
        yield events


async def check_events(history: World, owner: Client, listeners: dict[str, Subscription]) -> None:
    """The owner was told of each own entry once; the watcher of no entry twice, nor of a guarded one."""
    feed = await owner.walk(documents.SHORT_FEED, "activities", size=100)
    expected = sorted(node["id"] for node in nodes(feed))
    heard = [(await listeners[OWNER].data())["activityBooked"] for _ in expected]
    assert sorted(entry["id"] for entry in heard) == expected
    oracle = Oracle(history, datetime.now(UTC))
    for entry in heard:
        assert oracle.user(OWNER) in oracle.audience(mail_of(history.agencies[0], entry))
    watched = [message["payload"]["data"]["activityBooked"] for message in listeners[WATCHER].waiting()]
    assert watched, "the watcher was told of nothing"
    assert len({entry["id"] for entry in watched}) == len(watched)
    assert not any(entry["vip"] for entry in watched)


def must_be_guarded(mail: Mail, snapshot: Snapshot, notes: Notes) -> bool:
    """Whether one of the mail's mailboxes was VIP during all of the snapshot."""
    addresses = {fold(mail.sender), *map(fold, mail.recipients)}
    addresses |= {fold(booking.mailbox) for booking in mail.bookings}
    return any(
        begin <= snapshot.begin and snapshot.end <= end
        for address in addresses
        for begin, end in notes.surely_vip.get(address, [])
    )


async def check_everybody(clients: dict[str, Client], history: World) -> None:
    """Everybody's whole feed is what the oracle says of the history, and some people's every other answer."""
    oracle, known = Oracle(history, datetime.now(UTC)), Known()
    views = [
        Viewpoint(client, oracle, oracle.user(login), known, Random(login))
        for login, client in clients.items()
    ]
    for view in views:
        with told(f"feed of {view.viewer}"):
            await view.learn()
    for view in views[::3]:
        with told(f"parts of the feed of {view.viewer}"):
            await view.compare(list(known.entries))
            await Directory(view).compare()
