"""PostgreSQL crashes under load, and the clock steps back: nothing acknowledged is lost, and no hand is needed."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests import command, peers
from tests.client import SIGN_IN, Json, connected, nodes
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.oracle.world import PASSWORD
from tests.system import documents
from tests.system.harness import served, sign_in_all
from tests.system.history import ids_by_name
from tests.system.storm import ADMINISTRATORS, BOOKERS, MAILBOXES, storm_world
from tests.system.test_crash import CONTACTS, PROPERTIES, check_bookings

ADMINISTRATOR, WRITER, LATER = ADMINISTRATORS[0], BOOKERS[0], BOOKERS[1]
BOX = MAILBOXES[0]
"""A VIP mailbox that WRITER is assigned to and LATER is not."""
REFRESH = (
    "mutation ($token: String!) { refreshSession(refreshToken: $token) { accessToken errors { code } } }"
)
WAIT = 60


def mail(box: str, name: str) -> Json:
    """What is booked as received at a mailbox."""
    return {
        "mailboxId": box,
        "part": "RECEIVING",
        "messageId": f"{name}@web.example",
        "sender": "buyer@web.example",
        "recipients": ["somebody@else.example"],
        "subject": "Offer",
        "text": "Guten Tag",
        "contactReferences": CONTACTS,
        "propertyReferences": PROPERTIES,
    }


# ---------------------------------------------------------------- PostgreSQL


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_postgresql_crashes_under_load_and_comes_back(
    database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    with served(migrated.template(database_kind), tmp_path, storm_world()) as house:
        # What is acknowledged has to be on the disk, unlike elsewhere in the suite.
        name = peers.database_name(house.environment["POSTFACH_DATABASE_URL"])
        cluster = peers.postgresql()
        cluster.run_sql(f"ALTER DATABASE {name} SET synchronous_commit = on")
        asyncio.run(crash_twice(house.url, cluster))
        assert "Traceback" not in house.server.written
        assert "crash " not in house.server.written


async def crash_twice(url: str, cluster: peers.PostgreSQL) -> None:
    booked: list[Json] = []
    outcomes: Counter[int] = Counter()
    async with connected(url) as client:
        clients = await sign_in_all(client, storm_world())
        ids = await ids_by_name(clients[ADMINISTRATOR])
        over = asyncio.Event()

        async def book(login: str) -> None:
            number = 0
            box = ids[MAILBOXES[BOOKERS.index(login) % len(MAILBOXES)]]
            while not over.is_set():
                number += 1
                answer = await clients[login].execute(
                    documents.BOOK, {"input": mail(box, f"{number}-{login}")}
                )
                outcomes[answer.status] += 1
                if answer.status == httpx.codes.OK:
                    (payload,) = answer.good().values()
                    assert payload["errors"] == []
                    booked.extend(payload["activities"])
                else:
                    # Of a booking that was made, each field that could not be read any more says so.
                    assert (answer.status, set(answer.codes)) == (503, {"UNAVAILABLE"}), answer.body

        async def status(of: str) -> int:
            return (await client.http.get(of)).status_code

        async def until(code: int) -> None:
            """Some more are answered so."""
            wanted = outcomes[code] + 10
            async with asyncio.timeout(WAIT):
                while outcomes[code] < wanted:  # noqa: ASYNC110 (the clients tell nobody)
                    await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for login in BOOKERS:
                group.create_task(book(login))
            for _ in range(2):
                await until(200)
                await asyncio.to_thread(cluster.crash)
                try:
                    await until(503)
                    assert (await status("/readyz"), await status("/healthz")) == (503, 200)
                finally:
                    # Whatever becomes of this test, the others need the cluster.
                    await asyncio.to_thread(cluster.start_again)
                await until(200)
                assert await status("/readyz") == 200
            over.set()
        assert set(outcomes) == {200, 503}
        await check_bookings(clients, booked)


# ---------------------------------------------------------------- the clock


class Clock:
    """The clock of a server's process, which can be set."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("+0")

    def set(self, offset: str) -> None:
        """Have the process take the machine's time and this for now, from its next look on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset)
        fresh.rename(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process follow this clock; timers go on by the machine's own."""
        return {
            "LD_PRELOAD": peers.require("libfaketime"),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def test_nothing_goes_wrong_when_the_clock_steps_back(
    database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    clock = Clock(tmp_path)
    with migrated.template(database_kind).copied(tmp_path) as url:
        environment = settings_environment(url, tmp_path)
        command.run_well(environment, "import", "-", text=storm_world().text())
        with command.Server(environment | clock.environment, tmp_path) as server:
            asyncio.run(step_back(server.url, clock))
            assert "crash " not in server.written
        command.run_well(environment, "audit", "verify")


async def step_back(url: str, clock: Clock) -> None:
    async with connected(url) as client:
        clients = {login: await client.sign_in(login, PASSWORD) for login in (ADMINISTRATOR, WRITER, LATER)}
        ids = await ids_by_name(clients[ADMINISTRATOR])
        box, later = ids[BOX], ids[LATER]

        async def book(name: str, login: str = WRITER) -> list[Json]:
            payload = await clients[login].payload(documents.BOOK, {"input": mail(box, name)})
            assert payload["errors"] == []
            entries: list[Json] = payload["activities"]
            return entries

        async def assign(document: str, user: str) -> Json:
            payload = await clients[ADMINISTRATOR].payload(document, {"mailbox": box, "user": user})
            assert payload["errors"] == []
            return payload["assignment"]

        async def sign_in(password: str) -> list[str]:
            given = {"login": LATER, "password": password}
            return [each["code"] for each in (await client.payload(SIGN_IN, given))["errors"]]

        before = await book("before")
        for _ in range(10):
            assert await sign_in("wrong") == ["UNAUTHENTICATED"]

        clock.set("-3h")
        # Neither who is signed in nor who wants to sign in is kept out.
        payload = await client.payload(REFRESH, {"token": clients[WRITER].refresh_token})
        assert payload["errors"] == []
        clients[WRITER].token = payload["accessToken"]
        assert await sign_in(PASSWORD) == []
        # Moments at the mailbox go on where they were: whoever comes now sees what comes, and not what was.
        after = await book("after")
        began = await assign(documents.ASSIGN, later)
        seen = await book("seen")
        ended = await assign(documents.UNASSIGN, later)
        missed = await book("missed")
        again = await assign(documents.ASSIGN, later)
        moments = [before[0]["occurredAt"], after[0]["occurredAt"], began["from"], seen[0]["occurredAt"]]
        moments += [ended["until"], missed[0]["occurredAt"], again["from"]]
        assert moments == sorted(set(moments))
        assert ended["from"] == began["from"]

        for offset in ("-3h", "+0"):
            clock.set(offset)
            # A token of three hours ago does not hold.
            clients[WRITER] = await client.sign_in(WRITER, PASSWORD)
            everything = [*before, *after, *seen, *missed]
            for login, wanted in ((WRITER, everything), (LATER, seen)):
                pages = await clients[login].walk(
                    documents.FEED, "activities", {"filter": {"mailboxId": box}}, size=2
                )
                found = nodes(pages)
                assert sorted(each["id"] for each in found) == sorted(each["id"] for each in wanted)
                assert [each["occurredAt"] for each in found] == sorted(
                    (each["occurredAt"] for each in found), reverse=True
                )
        assert (await client.http.get("/readyz")).status_code == 200
