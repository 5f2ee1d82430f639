"""An export holds everything that an import elsewhere needs to answer the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from models.bookings import MailContent, References, book
from models.database import Database, Unit
from models.snapshot import snapshot
from models.tables.mails import MailPart
from resolvers import exporting
from resolvers.hashing import Hasher
from resolvers.importing import LineRefusedError, bring
from tests.databases import KINDS
from tests.oracle.generator import random_world
from tests.oracle.world import CHEAP_HASH
from tests.resolvers.arrivals import WORLD, agency, assignment, at, booking, mail, mailbox, take, user
from tests.storage import Templates, contents, opened
from tests.surroundings import SEALS

pytestmark = pytest.mark.asyncio

Opener = Callable[[str], AbstractAsyncContextManager[Database]]


@pytest.fixture
def fresh(storage_templates: Templates, tmp_path: Path) -> Opener:
    """Opens a new database of a kind, one after the other."""
    numbers = count()

    @asynccontextmanager
    async def open_one(kind: str) -> AsyncIterator[Database]:
        folder = tmp_path / f"database{next(numbers)}"
        folder.mkdir()
        with storage_templates.template(kind).copied(folder) as url:
            async with opened(url) as database:
                yield database

    return open_one


async def exported(database: Database) -> list[bytes]:
    async with snapshot(database) as statements:
        return [line async for _, line in exporting.lines(statements)]


FACTS = {
    "agencies": "SELECT key, name, fold_name, contact_name, contact_email, contact_phone, passwords_in_letters FROM agencies",
    "domains": "SELECT d.name, a.key FROM domains d JOIN agencies a ON a.id = d.agency_id",
    "modules": "SELECT m.name, a.key FROM modules m JOIN agencies a ON a.id = m.agency_id WHERE m.enabled",
    "users": "SELECT u.login, a.key, u.first_name, u.last_name, u.fold_name, u.fold_search, u.email, u.email_name, "
    "u.language, u.role, u.state, u.activity_read_level, u.agents_log_read_level, u.password_hash, "
    "u.password_change_required FROM users u LEFT JOIN agencies a ON a.id = u.agency_id",
    "groups": "SELECT g.name, u.login FROM office_groups g LEFT JOIN office_group_members m ON m.group_id = g.id "
    "LEFT JOIN users u ON u.id = m.user_id",
    "mailboxes": "SELECT address, email_name, fold_search, vip, active, receiving_stops_at, automatic_booking, "
    "last_moment FROM mailboxes",
    "passwords": "SELECT o.address, p.version, p.sealed, p.hash, p.changed_at FROM mailbox_passwords p "
    "JOIN mailboxes o ON o.id = p.mailbox_id",
    "knowers": "SELECT o.address, k.version, u.login FROM mailbox_password_knowers k "
    "JOIN mailboxes o ON o.id = k.mailbox_id JOIN users u ON u.id = k.user_id",
    "assignments": "SELECT o.address, u.login, s.since, s.until FROM assignments s "
    "JOIN mailboxes o ON o.id = s.mailbox_id JOIN users u ON u.id = s.user_id",
    "mails": "SELECT a.key, m.identity, m.message_id, m.sender, m.recipients, m.subject, m.preview, m.remark, "
    "m.fold_search, m.mail_date FROM mails m JOIN agencies a ON a.id = m.agency_id",
    "mail_mailboxes": "SELECT m.identity, o.address FROM mail_mailboxes g JOIN mails m ON m.id = g.mail_id "
    "JOIN mailboxes o ON o.id = g.mailbox_id",
    "bookings": "SELECT m.identity, o.address, b.part, b.decisive_at, u.login FROM bookings b "
    "JOIN mails m ON m.id = b.mail_id JOIN mailboxes o ON o.id = b.mailbox_id LEFT JOIN users u ON u.id = b.user_id",
    "activities": "SELECT m.identity, a.kind, a.direction, a.contact_reference, a.property_reference, a.occurred_at, "
    "a.guarded, o.address FROM activities a JOIN mails m ON m.id = a.mail_id LEFT JOIN mailboxes o ON o.id = a.mailbox_id",
    "readers": "SELECT m.identity, a.kind, a.contact_reference, a.property_reference, u.login, r.guarded, r.occurred_at, "
    "r.kind AS copied FROM activity_readers r JOIN activities a ON a.id = r.activity_id JOIN mails m ON m.id = a.mail_id "
    "JOIN users u ON u.id = r.user_id",
    "activity_mailboxes": "SELECT m.identity, a.kind, a.contact_reference, a.property_reference, o.address, r.guarded, "
    "r.occurred_at, r.kind AS copied FROM activity_mailboxes r JOIN activities a ON a.id = r.activity_id "
    "JOIN mails m ON m.id = a.mail_id JOIN mailboxes o ON o.id = r.mailbox_id",
}
"""All that answers are made of, without ids."""


async def facts(database: Database) -> dict[str, list[str]]:
    found = {}
    for name, statement in FACTS.items():
        found[name] = sorted(repr(tuple(row.values())) for row in await database.fetch(statement))
    return found


# ---------------------------------------------------------------- the lines


async def test_every_key_is_written(fresh: Opener) -> None:
    contact = {"name": "Jo Kern", "email": "kern@provider.example", "phone": "04"}
    async with fresh("sqlite") as database:
        await take(
            database,
            agency(
                modules=["VIP_MAILBOXES", "AUTOMATIC_BOOKING"],
                domains=["z.example", "nord.example"],
                accountManager=contact,
                passwordsInLetters=True,
            ),
            user(officeGroups=["sales", "rent"], passwordChangeRequired=True),
            user("kern@provider.example", agency=None, role="ACCOUNT_MANAGER"),
            mailbox("b@nord.example", active=False, receivingStopsAt=at(0, 1)),
            mailbox("a@z.example", emailName="A"),
            assignment(mailbox="b@nord.example", user="new@nord.example", until=at(1)),
            mail(
                booking(mailbox="b@nord.example", decisiveAt=at(0), user="new@nord.example"),
                booking(mailbox="a@z.example", decisiveAt=at(0)),
            ),
        )
        found = [orjson.loads(line) for line in await exported(database)]
        passwords = await database.fetch(
            "SELECT o.address, p.* FROM mailbox_passwords p JOIN mailboxes o ON o.id = p.mailbox_id"
        )
    sealed = {
        row["address"]: {
            "passwordHash": row["hash"],
            "passwordSealed": row["sealed"],
            "passwordVersion": 1,
            "passwordChangedAt": row["changed_at"].isoformat().replace("+00:00", "Z"),
        }
        for row in passwords
    }
    person = {
        "firstName": "Kim",
        "lastName": "Muster",
        "email": None,
        "emailName": None,
        "language": "de",
        "state": "ACTIVE",
        "activityReadLevel": "OWN",
        "agentsLogReadLevel": "OWN",
        "passwordHash": CHEAP_HASH,
    }
    box = {"type": "mailbox", "agency": "nord", "vip": False, "automaticBooking": False}
    assert found == [
        {
            "type": "agency",
            "key": "nord",
            "name": "Nord",
            "domains": ["nord.example", "z.example"],
            "modules": ["AUTOMATIC_BOOKING", "VIP_MAILBOXES"],
            "accountManager": contact,
            "passwordsInLetters": True,
        },
        {
            "type": "user",
            "agency": None,
            "login": "kern@provider.example",
            "role": "ACCOUNT_MANAGER",
            "officeGroups": [],
            "passwordChangeRequired": False,
            **person,
        },
        {
            "type": "user",
            "agency": "nord",
            "login": "new@nord.example",
            "role": "USER",
            "officeGroups": ["rent", "sales"],
            "passwordChangeRequired": True,
            **person,
        },
        {"address": "a@z.example", "emailName": "A", "active": True, **box, **sealed["a@z.example"]},
        {
            "address": "b@nord.example",
            "emailName": None,
            "active": False,
            "receivingStopsAt": at(0, 1),
            **box,
            **sealed["b@nord.example"],
        },
        {
            "type": "assignment",
            "mailbox": "b@nord.example",
            "user": "new@nord.example",
            "from": at(0),
            "until": at(1),
        },
        {
            "type": "mail",
            "agency": "nord",
            "messageId": "m1@portal.example",
            "sender": "buyer@web.example",
            "recipients": ["info@nord.example"],
            "subject": "Haus",
            "text": "Guten Tag",
            "mailDate": None,
            "bookings": [
                {"mailbox": "a@z.example", "part": "RECEIVING", "decisiveAt": at(0), "user": None},
                {
                    "mailbox": "b@nord.example",
                    "part": "RECEIVING",
                    "decisiveAt": at(0),
                    "user": "new@nord.example",
                },
            ],
            "contactReferences": [],
            "propertyReferences": [],
        },
    ]


async def test_an_empty_database_has_no_lines(fresh: Opener) -> None:
    async with fresh("sqlite") as database:
        assert await exported(database) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_export_changes_nothing(fresh: Opener, kind: str) -> None:
    async with fresh(kind) as database:
        await take(database, *WORLD)
        before = await contents(database)
        assert len(await exported(database)) == len(WORLD)
        assert await contents(database) == before


async def test_an_export_is_of_one_moment(fresh: Opener) -> None:
    async with fresh("postgresql") as database:
        await take(database, *WORLD)
        before, outside = await exported(database), copy_context()
        async with snapshot(database) as statements:
            lines = exporting.lines(statements)
            found = [(await anext(lines))[1]]

            async def meanwhile() -> None:
                await take(database, user(), mailbox(), mail(messageId="m2@web.example"))

            # Within this context every statement goes to the snapshot's transaction.
            await asyncio.create_task(meanwhile(), context=outside)
            found += [line async for _, line in lines]
        assert found == before
        assert len(await exported(database)) == len(before) + 3


async def test_nothing_can_be_written_through_a_snapshot(fresh: Opener) -> None:
    async with fresh("postgresql") as database:
        with pytest.raises(Exception, match="read-only"):
            async with snapshot(database) as statements:
                await statements.execute("DELETE FROM agencies")


@pytest.mark.parametrize("kind", KINDS)
async def test_mails_are_read_some_at_a_time(fresh: Opener, kind: str) -> None:
    async with fresh(kind) as database:
        await take(database, *WORLD, *(mail(messageId=f"{number}@web.example") for number in range(450)))
        found = [orjson.loads(line) for line in await exported(database)]
    ids = [line["messageId"] for line in found if line["type"] == "mail"]
    assert sorted(ids) == sorted(["m1@portal.example", *(f"{number}@web.example" for number in range(450))])


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("source, target", [("sqlite", "postgresql"), ("postgresql", "sqlite")])
@pytest.mark.parametrize("seed", range(3))
async def test_worlds_come_back_the_same(fresh: Opener, source: str, target: str, seed: int) -> None:
    random = Random(seed)
    world = [line.encode() for line in random_world(random, 1).lines(random)]
    async with fresh(source) as database:
        await take(database, *world)
        lines, told = await exported(database), await facts(database)
    async with fresh(target) as database:
        summary = await take(database, *lines)
        assert summary.added.total() == len(lines) == len(world)
        assert await exported(database) == lines
        assert await facts(database) == told


async def _book(database: Database, address: str, content: MailContent, *contacts: str) -> None:
    async def work(unit: Unit) -> None:
        box = await unit.fetch_one(
            "SELECT id, agency_id, last_moment FROM mailboxes WHERE address = $1", address
        )
        assert box is not None
        await book(unit, box, MailPart.RECEIVING, None, content, References(contacts, ()))

    await database.transact(work)


def _content(message_id: str, *recipients: str) -> MailContent:
    return MailContent(message_id, "buyer@web.example", recipients, "Haus", "Guten Tag", None)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_bookings_brought_about_comes_back(fresh: Opener, kind: str) -> None:
    """Mailboxes that came after the first booking, and references that came with a later one."""
    late = _content("1@web.example", "late@nord.example", "info@nord.example")
    joined = _content("2@web.example", "late@nord.example")
    async with fresh(kind) as database:
        await take(database, *WORLD)
        await _book(database, "info@nord.example", late)
        await _book(database, "info@nord.example", joined)
        await take(database, mailbox("late@nord.example", vip=True))
        await _book(database, "info@nord.example", _content("3@web.example", "late@nord.example"))
        await _book(database, "late@nord.example", joined, "K-9")
        lines, told = await exported(database), await facts(database)
    mails = {line["messageId"]: line for line in map(orjson.loads, lines) if line["type"] == "mail"}
    extra = {
        message_id: {key: line[key] for key in ("laterMailboxes", "activityWithoutContact") if key in line}
        for message_id, line in mails.items()
    }
    assert extra == {
        "m1@portal.example": {},
        "1@web.example": {"laterMailboxes": ["late@nord.example"]},
        "2@web.example": {"activityWithoutContact": True},
        "3@web.example": {},
    }
    async with fresh(kind) as database:
        await take(database, *lines)
        assert await facts(database) == told
        assert await exported(database) == lines


@pytest.mark.parametrize("kind", KINDS)
async def test_an_import_makes_the_rows_that_bookings_make(fresh: Opener, kind: str) -> None:
    content = _content("1@web.example", "chef@nord.example", "info@nord.example")
    async with fresh(kind) as database:
        await take(database, *WORLD[:-1])
        await _book(database, "info@nord.example", content, "K-1", "K-2")
        await _book(database, "chef@nord.example", content, "K-3")
        lines, told = await exported(database), await facts(database)
    async with fresh(kind) as database:
        await take(database, *lines)
        assert await facts(database) == told
        # Whoever is assigned next comes after all that was.
        await _book(database, "chef@nord.example", _content("2@web.example", "chef@nord.example"))


@pytest.mark.timeout(300)
async def test_changed_worlds_are_taken_or_refused(fresh: Opener) -> None:
    """Lines left out, repeated, moved and changed: a clean refusal, or a world that comes back the same."""
    outcomes = {True: 0, False: 0}
    async with fresh("sqlite") as database:
        for seed in range(150):
            random = Random(seed)
            lines = list(random_world(random, 1).lines(random))
            for _ in range(random.randrange(3)):
                place, other = random.randrange(len(lines)), random.randrange(len(lines))
                match random.randrange(4):
                    case 0:
                        del lines[place]
                    case 1:
                        lines.insert(place, lines[other])
                    case 2:
                        lines.insert(place, lines.pop(other))
                    case _:
                        lines[place] = _changed(random, lines[place], lines[other])
            outcomes[await _comes_back(database, [line.encode() for line in lines])] += 1
    assert min(outcomes.values()) > 20


def _changed(random: Random, line: str, other: str) -> str:
    """The line with one value of another one, whatever that is."""
    values: dict[str, Any] = orjson.loads(line)
    values[random.choice(list(values))] = random.choice(list(orjson.loads(other).values()))
    return orjson.dumps(values).decode()


class _UndoneError(Exception):
    """Rolls a unit of work back that did what it should."""


async def _comes_back(database: Database, lines: list[bytes]) -> bool:
    """Whether the lines are taken; the same again then changes nothing. The database is left as it was."""
    hasher = Hasher()

    async def work(unit: Unit) -> None:
        taken = await bring(unit, lines, hasher, SEALS)
        again = await bring(unit, lines, hasher, SEALS)
        assert not again.added.total()
        assert again.skipped == taken.added + taken.skipped
        raise _UndoneError

    with pytest.raises((LineRefusedError, _UndoneError)) as ended:
        await database.transact(work)
    hasher.close()
    if isinstance(ended.value, _UndoneError):
        return True
    assert isinstance(ended.value, LineRefusedError)
    assert ended.value.number is not None
    assert 1 <= ended.value.number <= len(lines)
    assert not (await contents(database))["agencies"]
    return False
