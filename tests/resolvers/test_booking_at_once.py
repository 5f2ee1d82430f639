"""PostgreSQL books in one statement: it leaves and answers what the steps do, and is a unit of work like any other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from models.database import POOL_SIZE, Database, Unit
from models.faults import OutcomeUnknownError
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.mails import MailPart
from models.tables.users import ReadLevel, User
from resolvers.activities import Entry
from resolvers.booking import BookMail, book_by_steps, book_mail
from resolvers.errors import CallerError, UnauthenticatedError
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage
from tests.storage import statements

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database_kind", ["postgresql"])]

BOXES, PEOPLE = ("chef", "info", "sales", "rent"), ("anna", "bert", "cleo")
TABLES = ("mails", "mail_mailboxes", "bookings", "activities", "activity_readers", "activity_mailboxes")
BOOKINGS = 120
WAIT = 30


class House:
    """An agency with four mailboxes, one of them VIP, and three people, each assigned to two or three of them."""

    database: Database
    agency: Agency
    people: dict[str, User]
    boxes: dict[str, Mailbox]
    book_mail: Callable[[Request, BookMail], Awaitable[list[Entry]]]

    @classmethod
    async def build(cls, database: Database, key: str = "nord") -> "House":
        house = cls()
        house.database, house.book_mail = database, book_mail
        house.agency = await storage.agency(key)
        levels = (ReadLevel.OWN, ReadLevel.ALL, ReadLevel.NOTHING)
        house.people = {
            name: await storage.user(house.agency, name, activity_read_level=level)
            for name, level in zip(PEOPLE, levels, strict=True)
        }
        house.boxes = {name: await storage.mailbox(house.agency, name, vip=name == "chef") for name in BOXES}
        for number, box in enumerate(house.boxes.values()):
            for place, person in enumerate(house.people.values()):
                if (number + place) % 3:
                    await storage.period(box, person)
        return house

    def mail(self, box: str = "info", **changes: Any) -> BookMail:  # noqa: ANN401 (whatever a test changes)
        plain: dict[str, Any] = {
            "part": MailPart.RECEIVING,
            "message_id": "m@web.example",
            "sender": "buyer@web.example",
            "recipients": [f"info@{self.agency.key}.example"],
            "subject": "Haus",
            "text": "Guten Tag",
        }
        return BookMail(mailbox_id=encode(NodeKind.MAILBOX, self.boxes[box].id), **plain | changes)

    def drawn(self, random: Random) -> tuple[str, BookMail]:
        """Who books, and what: few enough e-mails that many join, and some that are refused."""
        box = random.choice(BOXES)
        key, sends = self.agency.key, random.random() < 0.3
        addressed = random.sample([f"{each}@{key}.example" for each in BOXES], random.randrange(3))
        drawn = self.mail(
            box,
            part=MailPart.SENDING if sends else MailPart.RECEIVING,
            message_id=random.choice("abcdef"),
            sender=f"{random.choice((box, 'info'))}@{key}.example" if sends else "info@" + key + ".example",
            recipients=[*addressed, "buyer@web.example"],
            subject="" if random.random() < 0.9 else "\0",
            contact_references=random.choice((None, [], ["K-1"], ["K-1", "K-2"])),
            property_references=random.choice((None, ["P-1"], ["P-2", "P-1", "P-2"])),
        )
        return random.choice(PEOPLE), drawn

    async def book(self, person: str, asked: BookMail) -> list[Entry]:
        return await self.book_mail(await storage.request(self.database, self.people[person]), asked)

    async def stored(self) -> tuple[dict[Any, str], dict[str, list[str]]]:
        """What an id or a moment is called in every house, and the rows in these words."""
        rows = await storage.contents(self.database)
        of_house = {
            table: [row for row in rows[table] if row.get("agency_id", self.agency.id) == self.agency.id]
            for table in TABLES
        }
        names: dict[Any, str] = {self.agency.id: "agency"}
        names |= {row.id: name for name, row in (self.people | self.boxes).items()}
        for row in of_house["mails"]:
            names[row["id"]] = f"{row['message_id']} {row['sender']} {row['recipients']}".replace(
                self.agency.key, "KEY"
            )
        for row in of_house["bookings"]:
            names[row["decisive_at"]] = f"{names[row['mail_id']]}, booking {row['position']}"
        for row in of_house["activities"]:
            names[row["id"]] = (
                f"{names[row['mail_id']]}, {row['contact_reference']}, {row['property_reference']}"
            )
        copied = {row["id"] for row in of_house["activities"]}
        told = {
            table: sorted(
                repr({
                    column: names.get(value, value)
                    for column, value in row.items()
                    if (table, column) != ("mails", "identity") and (column != "id" or table == "activities")
                }).replace(self.agency.key, "KEY")
                for row in of_house[table]
                if row.get("activity_id", None) is None or row["activity_id"] in copied
            )
            for table in TABLES
        }  # fmt: skip
        return names, told

    async def outcome(self, person: str, asked: BookMail) -> Any:  # noqa: ANN401 (entries or a refusal)
        """What a call answers, in words that are the same in every house."""
        try:
            entries = await self.book(person, asked)
        except CallerError as error:
            return type(error), str(error), error.path
        names, _ = await self.stored()
        return [
            (names[each.id], each.kind, each.direction, each.vip, names[each.occurred_at], each.booked)
            for each in entries
        ]


async def _by_steps(request: Request, asked: BookMail) -> list[Entry]:
    return await book_by_steps(request, asked)


async def test_it_leaves_and_answers_what_the_steps_do(database: Database) -> None:
    at_once, by_steps = await House.build(database, "north"), await House.build(database, "south")
    by_steps.book_mail = _by_steps
    seed = Random().randrange(10**9)
    first, second = Random(seed), Random(seed)
    answered = 0
    for _ in range(BOOKINGS):
        expected = await by_steps.outcome(*by_steps.drawn(second))
        assert await at_once.outcome(*at_once.drawn(first)) == expected, seed
        answered += isinstance(expected, list)
    (_, found), (_, expected) = await at_once.stored(), await by_steps.stored()
    assert found == expected, seed
    assert answered > BOOKINGS / 4
    assert all(found[table] for table in TABLES), seed


async def test_it_is_one_statement(database: Database) -> None:
    house = await House.build(database)
    for asked in (house.mail("info"), house.mail("sales", contact_references=["K-9"]), house.mail("info")):
        with statements(database) as ran:
            await house.book("cleo" if asked.mailbox_id == house.mail("sales").mailbox_id else "anna", asked)
        assert len(ran) == 1


async def test_every_connection_learns_how(database: Database) -> None:
    house = await House.build(database)
    for turn in range(2):
        asked = [house.mail(message_id=f"{turn}.{number}") for number in range(2 * POOL_SIZE)]
        done = await asyncio.gather(*(house.book("anna", each) for each in asked))
        assert [len(entries) for entries in done] == [1] * len(asked)
    assert len((await storage.contents(database))["bookings"]) == 4 * POOL_SIZE


@asynccontextmanager
async def held_up(
    house: House, asked: BookMail, *, table: str = "mailboxes", also: str = ""
) -> AsyncIterator[asyncio.Future[list[Entry]]]:
    """A booking that waits for its mailbox, or for its user, within the block."""
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def hold(unit: Unit) -> None:
        await unit.execute(f"SELECT id FROM {table} FOR NO KEY UPDATE")
        has_begun.set()
        await may_end.wait()
        if also:
            await unit.execute(also)

    holding = asyncio.ensure_future(house.database.transact(hold))
    await has_begun.wait()
    booking = asyncio.ensure_future(house.book("anna", asked))
    async with asyncio.timeout(WAIT):
        while not await waiting(house.database):
            assert not booking.done()
            await asyncio.sleep(0.01)
    try:
        yield booking
    finally:
        may_end.set()
        await holding


async def waiting(database: Database) -> list[int]:
    """The processes of PostgreSQL in which a booking waits for a lock."""
    rows = await database.fetch(
        "SELECT a.pid FROM pg_stat_activity a WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' "
        "AND a.query LIKE '%pg_temp.book(%' AND a.pid <> pg_backend_pid()"
    )
    return [row["pid"] for row in rows]


async def test_it_is_done_though_its_caller_is_gone(database: Database) -> None:
    house = await House.build(database)
    async with held_up(house, house.mail()) as booking:
        booking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await booking
        assert await waiting(database)
    async with asyncio.timeout(WAIT):
        while not (await storage.contents(database))["bookings"]:  # noqa: ASYNC110 (its caller is gone)
            await asyncio.sleep(0.01)


async def test_an_answer_that_is_lost_leaves_open_whether_it_was_done(database: Database) -> None:
    house = await House.build(database)
    before = await storage.contents(database, "sessions")
    async with held_up(house, house.mail()) as booking:
        for process in await waiting(database):
            await database.execute("SELECT pg_terminate_backend($1)", process)
        with pytest.raises(OutcomeUnknownError):
            await booking
    assert await storage.contents(database, "sessions") == before
    assert len(await house.book("anna", house.mail())) == 1


async def test_it_is_done_again_after_a_deadlock(database: Database) -> None:
    house = await House.build(database)
    # Whoever holds the mailbox wants the user, whom the booking holds.
    async with held_up(house, house.mail(), also="UPDATE users SET email_name = NULL") as booking:
        pass
    assert len(await booking) == 1
    assert len((await storage.contents(database))["bookings"]) == 1


async def test_what_ended_while_it_waited_is_no_right_any_more(database: Database) -> None:
    house = await House.build(database)
    async with held_up(house, house.mail(), also="UPDATE assignments SET until = now()") as booking:
        pass
    with pytest.raises(CallerError, match="assigned to the mailbox now"):
        await booking
    assert (await storage.contents(database))["mails"] == []


async def test_a_session_that_ended_while_it_waited_books_nothing(database: Database) -> None:
    house = await House.build(database)
    # As a new password does it: the user's row is another one then, of which the session is asked again.
    both = (
        "WITH ended AS (UPDATE sessions SET ended_at = now() RETURNING id) "
        "UPDATE users SET password_hash = 'another'"
    )
    async with held_up(house, house.mail(), table="users", also=both) as booking:
        pass
    with pytest.raises(UnauthenticatedError):
        await booking
    assert (await storage.contents(database))["mails"] == []


async def test_its_moment_is_later_than_what_happened_while_it_waited(database: Database) -> None:
    house = await House.build(database)
    later = "UPDATE mailboxes SET last_moment = last_moment + interval '50 years'"
    async with held_up(house, house.mail(), also=later) as booking:
        pass
    (entry,) = await booking
    box = next(
        row for row in (await storage.contents(database))["mailboxes"] if row["id"] == house.boxes["info"].id
    )
    assert box["last_moment"] == entry.occurred_at
    assert entry.occurred_at.year > storage.LONG_AGO.year + 49
