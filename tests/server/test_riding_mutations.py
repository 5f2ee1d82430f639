"""A booking asks by itself who the viewer is, with its only statement, and nobody books as whom he or she was."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from models import clock
from models.tables.users import ReadLevel, Role
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.server.doors import WHO, Doors, doors
from tests.server.test_riding import change, is_refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from models.database import Unit
    from models.tables.mailboxes import Mailbox
    from models.tables.users import User
    from tests.client import Answer

pytestmark = pytest.mark.asyncio

FIELDS = "{ activities { messageId bookings { user { login email } } } errors { code path } }"
BOOK = f"mutation ($input: BookMailInput!) {{ bookMail(input: $input) {FIELDS} }}"
TWICE = f"""mutation ($input: BookMailInput!, $other: BookMailInput!) {{
    first: bookMail(input: $input) {FIELDS} second: bookMail(input: $other) {FIELDS} }}"""
WITH_ANOTHER = f"""mutation ($input: BookMailInput!) {{
    bookMail(input: $input) {FIELDS} setUserEmailName(userId: "VXNlcjox", emailName: "New") {{ errors {{ code }} }} }}"""
UNKNOWN = "What it was changing may have been done"


@dataclass
class Desk:
    """A mailbox that anna and ben are assigned to."""

    house: Doors
    box: Mailbox

    def mail(self, name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (whatever a test changes)
        return {
            "mailboxId": encode(NodeKind.MAILBOX, self.box.id),
            "part": "RECEIVING",
            "messageId": name,
            "sender": "buyer@web.example",
            "recipients": ["desk@nord.example"],
            "subject": "Haus",
            "text": "Guten Tag",
            **changes,
        }

    async def known(self, who: User) -> str:
        """The token of somebody who was looked up before."""
        token = await self.house.token(who)
        (await self.house.ask(WHO, token=token)).good()
        return token

    async def ask(self, token: str, text: str, **variables: Any) -> tuple[Answer, list[str]]:  # noqa: ANN401
        """The answer, and the statements that it took."""
        async with self.house.client() as client:
            client.token = token
            with storage.statements(self.house.runtime.database) as seen:
                return await client.execute(text, variables), seen

    async def book(self, token: str, name: str) -> tuple[Answer, list[str]]:
        return await self.ask(token, BOOK, input=self.mail(name))

    async def booked(self) -> set[str]:
        """The Message-IDs of what was booked."""
        return {row["message_id"] for row in (await storage.contents(self.house.runtime.database))["mails"]}


@pytest_asyncio.fixture
async def desk(door_database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with doors(door_database, tmp_path) as house:
        box = await storage.mailbox(house.nord, "desk")
        for who in (house.anna, house.ben):
            await storage.period(box, who)
        yield Desk(house, box)


def good(answer: Answer) -> list[list[str]]:
    """The Message-IDs that each field of an answer without errors tells."""
    payloads = answer.good().values()
    assert all(payload["errors"] == [] for payload in payloads)
    return [[each["messageId"] for each in payload["activities"]] for payload in payloads]


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_booking_is_one_statement_and_asks_with_it(desk: Desk) -> None:
    token = await desk.known(desk.house.anna)
    without_user = BOOK.replace("bookings { user { login email } }", "")
    for text in (
        without_user,
        "query Other { __typename } " + without_user.replace("mutation", "mutation Book"),
    ):
        for name in ("a", "b"):
            async with desk.house.client() as client:
                client.token = token
                named = None if text is without_user else "Book"
                with storage.statements(desk.house.runtime.database) as seen:
                    answer = await client.execute(text, {"input": desk.mail(name)}, operation=named)
            assert good(answer) == [[name]]
            assert len(seen) == 1
    both = TWICE.replace("bookings { user { login email } }", "")
    answer, seen = await desk.ask(token, both, input=desk.mail("c"), other=desk.mail("d"))
    assert good(answer) == [["c"], ["d"]]
    assert len(seen) == 2


@pytest.mark.parametrize("end", ["locked", "deactivated", "ended", "expired"])
@pytest.mark.parametrize("text", [BOOK, TWICE, WITH_ANOTHER])
async def test_whoever_may_not_come_in_any_more_books_nothing(desk: Desk, end: str, text: str) -> None:
    token = await desk.known(desk.house.anna)
    if end in {"locked", "deactivated"}:
        await change(desk.house.anna, state=end.upper())
    else:
        column = "ended_at" if end == "ended" else "expires_at"
        await desk.house.runtime.database.execute(f"UPDATE sessions SET {column} = $1", clock.now())
    before = await storage.contents(desk.house.runtime.database)
    good_mail, bad_mail, nowhere = desk.mail("a"), desk.mail("a", subject="\0"), desk.mail("a", mailboxId="x")
    for given in (good_mail, bad_mail, nowhere):
        answer, _ = await desk.ask(token, text, input=given, other=given)
        is_refused(answer)
    assert await storage.contents(desk.house.runtime.database) == before


async def test_what_is_answered_follows_the_rights_that_hold_by_then(desk: Desk) -> None:
    house = desk.house
    token = await desk.known(house.anna)
    await change(house.ben, email="ben@home.example")
    good((await desk.book(await desk.known(house.ben), "a"))[0])
    other = await storage.mailbox(house.nord, "other")
    await storage.period(other, house.anna)
    joins = desk.mail("a", mailboxId=encode(NodeKind.MAILBOX, other.id))

    async def emails() -> list[str | None]:
        answer, _ = await desk.ask(token, BOOK, input=joins)
        return [
            booking["user"]["email"]
            for entry in answer.good()["bookMail"]["activities"]
            for booking in entry["bookings"]
        ]

    assert await emails() == ["ben@home.example", "anna@home.example"]
    await change(house.anna, role=Role.USER)
    assert await emails() == [None, "anna@home.example"]
    await change(house.anna, role=Role.ADMINISTRATOR, activity_read_level=ReadLevel.NOTHING)
    # An entry that is not guarded is not read at this level, by nobody.
    assert await emails() == []


async def test_refusals_are_those_of_a_booking_that_asks_before(desk: Desk) -> None:
    token = await desk.known(desk.house.anna)
    wrong = {
        "NOT_FOUND": {"mailboxId": "x"},
        "INVALID_INPUT": {"subject": "\0"},
        "FORBIDDEN": {
            "mailboxId": encode(NodeKind.MAILBOX, (await storage.mailbox(desk.house.nord, "b")).id)
        },
    }
    before = await storage.contents(desk.house.runtime.database)
    for code, changes in wrong.items():
        answer, _ = await desk.ask(token, BOOK, input=desk.mail("a", **changes))
        (payload,) = answer.good().values()
        assert [each["code"] for each in payload["errors"]] == [code]
    assert await storage.contents(desk.house.runtime.database) == before


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_booking_whose_answer_is_lost_says_that_it_may_have_been_done(desk: Desk) -> None:
    token = await desk.known(desk.house.anna)
    database = desk.house.runtime.database
    holds, may_end = asyncio.Event(), asyncio.Event()

    async def hold(unit: Unit) -> None:
        await unit.execute("SELECT id FROM mailboxes FOR UPDATE")
        holds.set()
        await may_end.wait()

    holding = asyncio.ensure_future(database.transact(hold))
    await holds.wait()
    booking = asyncio.ensure_future(desk.book(token, "a"))
    ending = (
        "SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%pg_temp.book(%'"
    )
    async with asyncio.timeout(30):
        while not (await database.fetch(ending))[0]["ended"]:  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)
    answer, _ = await booking
    may_end.set()
    await holding
    assert (answer.status, answer.codes) == (503, ["UNAVAILABLE"])
    assert UNKNOWN in answer.json["errors"][0]["message"]
    assert await desk.booked() == set()


async def test_from_the_moment_a_user_is_locked_nothing_is_booked(desk: Desk) -> None:
    """While bookings come in without a pause, a user is locked and let in again: what is refused was not booked."""
    house = desk.house
    token = await desk.known(house.ben)
    names, done = map(str, count()), asyncio.Event()
    answered: dict[bool, set[str]] = {True: set(), False: set()}

    async def book() -> None:
        while not done.is_set():
            name = next(names)
            answer, _ = await desk.book(token, name)
            if answer.status == 401:
                is_refused(answer)
                continue
            # Where locking falls between asking and booking, on SQLite, the booking finds it out.
            codes = [each["code"] for each in answer.good()["bookMail"]["errors"]]
            assert codes in ([], ["UNAUTHENTICATED"])
            answered[not codes].add(name)

    async def switch() -> None:
        try:
            for number in range(16):
                await change(house.ben, state="LOCKED" if number % 2 == 0 else "ACTIVE")
                name = next(names)
                answer, _ = await desk.book(token, name)
                assert answer.status == (401 if number % 2 == 0 else 200)
                answered[answer.status == 200].add(name)
        finally:
            done.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(book())
        group.create_task(switch())
    assert await desk.booked() == answered[True]
    assert len(answered[True]) > 8
