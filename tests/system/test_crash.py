"""`kill -9` and SIGTERM during a stream of changes: what was answered is there, nothing is half, no hand is needed."""

import asyncio
from collections import defaultdict
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.client import Client, Json, connected, nodes
from tests.conftest import Migrated
from tests.system import documents
from tests.system.harness import Served, served, sign_in_all
from tests.system.history import ids_by_name
from tests.system.storm import ADMINISTRATORS, BOOKERS, MAILBOXES, storm_world

ENDS = ("kill", "stop")
"""How the server ends in each round; who is asked to stop finishes what is under way, and succeeds."""
ANSWERS_A_ROUND = 40
CONTACTS = ["K-1", "K-2"]
PROPERTIES = ["P-1"]


@pytest.mark.timeout(300)
def test_what_was_answered_survives_every_end(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    world = storm_world()
    options = ("--workers", "2") if database_kind == "postgresql" else ()
    with served(migrated.template(database_kind), tmp_path, world, *options) as house:
        asyncio.run(run(house))


async def run(house: Served) -> None:
    world = storm_world()
    async with connected(house.url) as client:
        clients = await sign_in_all(client, world)
        ids = await ids_by_name(clients[ADMINISTRATORS[0]])
    booked: list[Json] = []
    ends: list[Json] = []
    for number, end in enumerate(ENDS):
        async with connected(house.url) as connections:
            alive = {login: each.over(connections) for login, each in clients.items()}
            answered = asyncio.Semaphore(0)
            async with asyncio.TaskGroup() as group:
                for login in BOOKERS:
                    group.create_task(book(alive[login], ids, f"{number}-{login}", booked, answered))
                group.create_task(assign(alive[ADMINISTRATORS[0]], ids, ends, answered, Random(number)))
                for _ in range(ANSWERS_A_ROUND):
                    await answered.acquire()
                if end == "kill":
                    house.server.kill()
                else:
                    # Whatever is answered until then is a finished answer: the clients assert it.
                    assert await asyncio.to_thread(house.server.stop) == 0
                    async with connected(house.url) as late:
                        with pytest.raises(httpx.ConnectError):
                            await late.data("{ viewer { id } }")
        await asyncio.to_thread(house.server.start)
        async with connected(house.url) as connections:
            # The sessions are what was answered, too.
            alive = {login: each.over(connections) for login, each in clients.items()}
            await check_bookings(alive, booked)
            await check_periods(alive[ADMINISTRATORS[0]], ids, ends)


async def book(
    client: Client, ids: dict[str, str], tag: str, booked: list[Json], answered: asyncio.Semaphore
) -> None:
    """Books one e-mail after the other until the server is gone."""
    address = MAILBOXES[BOOKERS.index(str(client.login)) % len(MAILBOXES)]
    number = 0
    while True:
        number += 1
        wanted = {
            "mailboxId": ids[address],
            "part": "RECEIVING",
            "messageId": f"{tag}-{number}@web.example",
            "sender": "buyer@web.example",
            "recipients": [address],
            "subject": "Offer",
            "text": "Guten Tag",
            "contactReferences": CONTACTS,
            "propertyReferences": PROPERTIES,
        }
        try:
            payload = await client.payload(documents.BOOK, {"input": wanted})
        except httpx.TransportError:
            return
        assert payload["errors"] == []
        booked.extend(payload["activities"])
        answered.release()


async def assign(
    client: Client, ids: dict[str, str], ends: list[Json], answered: asyncio.Semaphore, random: Random
) -> None:
    """Ends and begins periods until the server is gone; a mailbox apart from those where the pair books."""
    while True:
        index = random.randrange(len(BOOKERS))
        address = MAILBOXES[(index + 2 + random.randrange(3)) % len(MAILBOXES)]
        pair = {"mailbox": ids[address], "user": ids[BOOKERS[index]]}
        for document in (documents.ASSIGN, documents.UNASSIGN):
            try:
                payload = await client.payload(document, pair)
            except httpx.TransportError:
                return
            assert payload["errors"] == []
            ends.append(payload["assignment"])
            answered.release()


async def check_bookings(clients: dict[str, Client], booked: list[Json]) -> None:
    """Every answered entry is there with the same content; of every e-mail all entries are there, or none."""
    found: dict[str, Json] = {}
    for login in BOOKERS:
        pages = await clients[login].walk(documents.FEED, "activities", size=100)
        found |= {node["id"]: node for node in nodes(pages)}
    for entry in booked:
        assert {**found[entry["id"]], "vip": None} == {**entry, "vip": None}
    references = defaultdict(list)
    for entry in found.values():
        references[entry["messageId"]].append(entry["contactReference"] or entry["propertyReference"])
        assert len(entry["bookings"]) == 1
    for each in references.values():
        assert sorted(each) == [*CONTACTS, *PROPERTIES]


async def check_periods(client: Client, ids: dict[str, str], ends: list[Json]) -> None:
    """Every answered begin and end is there."""
    found: dict[str, Json] = {}
    for address in MAILBOXES:
        pages = await client.walk(documents.PERIODS, "node.assignments", {"id": ids[address]}, size=100)
        found |= {each["id"]: each for each in nodes(pages)}
    for each in ends:
        assert found[each["id"]]["from"] == each["from"]
        assert each["until"] is None or found[each["id"]]["until"] == each["until"]
