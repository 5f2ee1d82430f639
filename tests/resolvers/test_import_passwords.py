"""Passwords of mailboxes come with an import, or are made by it, and go elsewhere with an export; on both databases."""

import asyncio

import orjson
import pytest

from models import clock, mailbox_passwords
from models.database import Database
from models.seals import Purpose
from models.snapshot import snapshot
from models.tables.users import User
from resolvers import exporting, mailboxes, password_knowledge
from resolvers.importing import LineRefusedError
from tests import storage
from tests.resolvers.arrivals import Line, agency, assignment, at, mailbox, take, user
from tests.storage import contents
from tests.surroundings import SEALS, seals

pytestmark = pytest.mark.asyncio

ADDRESS = "new@nord.example"
PASSWORD = "wörd of theirs"


def exported(password: str = PASSWORD, **changes: object) -> Line:
    """A mailbox with its seventh password, as an export writes it."""
    plain: Line = {
        "passwordHash": mailbox_passwords.hashed(password),
        "passwordSealed": mailbox_passwords.sealed(SEALS, password, ADDRESS, 7),
        "passwordVersion": 7,
        "passwordChangedAt": at(0, 1),
    }
    return mailbox(ADDRESS, **{**plain, **changes})


async def stored(database: Database) -> tuple[str, mailbox_passwords.StoredPassword]:
    """What the only mailbox has: the password that its token holds, and the row."""
    row = await database.fetch_one("SELECT id, address FROM mailboxes")
    assert row is not None
    found = await mailbox_passwords.of(database, row["id"])
    assert found is not None
    return mailbox_passwords.opened(SEALS, found.sealed, row["address"], found.version), found


@pytest.mark.usefixtures("hashed_as_elsewhere")
async def test_a_plain_password_is_hashed_and_sealed(database: Database) -> None:
    before = clock.now()
    await take(database, agency(), mailbox(ADDRESS, password=PASSWORD))
    password, found = await stored(database)
    assert (password, found.version) == (PASSWORD, 1)
    assert found.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert mailbox_passwords.verifies(found.hash, PASSWORD)
    assert not mailbox_passwords.verifies(found.hash, PASSWORD + "x")
    assert before <= found.changed_at <= clock.now()


async def test_a_mailbox_without_one_gets_one_of_its_own(database: Database) -> None:
    await take(database, agency(), mailbox(ADDRESS))
    password, found = await stored(database)
    assert [len(group) for group in password.split("-")] == [5] * 5
    assert set(password) <= {*mailbox_passwords.SYMBOLS, "-"}
    assert found.version == 1
    assert mailbox_passwords.verifies(found.hash, password)


async def test_an_exported_one_stays_as_it_was(database: Database) -> None:
    line = exported()
    await take(database, agency(), line)
    password, found = await stored(database)
    assert (password, found.version) == (PASSWORD, 7)
    assert (found.hash, found.sealed) == (line["passwordHash"], line["passwordSealed"])
    async with snapshot(database) as statements:
        lines = [orjson.loads(each) async for _, each in exporting.lines(statements)]
    assert {**lines[1], **line} == lines[1]


@pytest.mark.parametrize("again", [{}, {"password": "another"}])
async def test_passwords_are_not_compared(database: Database, again: Line) -> None:
    await take(database, agency(), exported())
    before = await contents(database)
    summary = await take(database, agency(), mailbox(ADDRESS, **again))
    assert (summary.added["mailbox"], summary.skipped["mailbox"]) == (0, 1)
    assert await contents(database) == before


NOT_HERE = "passwordSealed: It does not open for this address and version with POSTFACH_SEALING_KEYS."


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"passwordVersion": 8}, NOT_HERE),
        ({"passwordSealed": mailbox_passwords.sealed(SEALS, PASSWORD, "old@nord.example", 7)}, NOT_HERE),
        ({"passwordSealed": SEALS.seal(Purpose.LETTER, PASSWORD, ADDRESS, 7)}, NOT_HERE),
        ({"passwordSealed": ""}, NOT_HERE),
        ({"passwordSealed": mailbox_passwords.sealed(SEALS, PASSWORD, ADDRESS, 7) + "="}, NOT_HERE),
        (
            {"passwordSealed": mailbox_passwords.sealed(SEALS, "other", ADDRESS, 7)},
            "passwordHash: It is the hash of another password.",
        ),
    ],
)
async def test_what_does_not_belong_together_is_refused(
    database: Database, changes: Line, reason: str
) -> None:
    with pytest.raises(LineRefusedError) as refused:
        await take(database, agency(), exported(**changes), mailbox("last@nord.example", password=PASSWORD))
    assert str(refused.value) == f"line 2: {reason}"
    assert not (await contents(database))["agencies"]


async def test_a_key_that_is_not_in_the_ring_is_named(database: Database) -> None:
    token = mailbox_passwords.sealed(seals(), PASSWORD, ADDRESS, 7)
    key_id = token.split(".")[1]
    with pytest.raises(LineRefusedError) as refused:
        await take(database, agency(), exported(passwordSealed=token))
    assert str(refused.value) == f"line 2: passwordSealed: POSTFACH_SEALING_KEYS has no key {key_id}."
    assert not (await contents(database))["agencies"]


async def test_the_first_line_that_is_wrong_is_told(database: Database) -> None:
    other = await asyncio.to_thread(mailbox_passwords.hashed, "other")
    with pytest.raises(LineRefusedError) as refused:
        await take(database, agency(), exported(passwordHash=other), mailbox("x@west.example"))
    assert str(refused.value) == "line 2: passwordHash: It is the hash of another password."
    assert not (await contents(database))["agencies"]


# ---------------------------------------------------------------- who knows it

ANNA, BERT = "anna@nord.example", "bert@nord.example"
KNOWERS = "SELECT k.version, u.login FROM mailbox_password_knowers k JOIN users u ON u.id = k.user_id ORDER BY u.login"


async def knowers(database: Database) -> list[tuple[int, str]]:
    """Which version who knows."""
    return [(row["version"], row["login"]) for row in await database.fetch(KNOWERS)]


async def written(database: Database) -> Line:
    """The mailbox's line in an export."""
    async with snapshot(database) as statements:
        lines = [orjson.loads(each) async for _, each in exporting.lines(statements)]
    (line,) = [each for each in lines if each["type"] == "mailbox"]
    return dict(line)


async def is_recommended(database: Database) -> bool:
    """Whether the mailbox's password should be renewed, as an administrator reads it."""
    boss = await User.get(login="boss@nord.example")
    request = await storage.request(database, boss)
    box = await mailboxes.by_address(request, ADDRESS)
    assert box is not None
    known = await password_knowledge.of_mailbox(request, box)
    assert known is not None
    return known.is_renewal_recommended


PEOPLE = (agency(), user("boss@nord.example", role="ADMINISTRATOR"), user(ANNA), user(BERT))


async def test_who_knows_a_password_comes_and_goes_with_it(database: Database) -> None:
    line = exported(passwordKnownBy=["BERT@nord.example", ANNA, BERT])
    await take(database, *PEOPLE, line, assignment(mailbox=ADDRESS, user=ANNA))
    assert await knowers(database) == [(7, ANNA), (7, BERT)]
    assert (await written(database))["passwordKnownBy"] == [ANNA, BERT]
    # Bert is not assigned.
    assert await is_recommended(database)
    summary = await take(database, line)
    assert (summary.added["mailbox"], summary.skipped["mailbox"]) == (0, 1)
    assert await knowers(database) == [(7, ANNA), (7, BERT)]
    # Of a newer password nobody knows anything.
    await database.execute("UPDATE mailbox_passwords SET version = 8")
    assert "passwordKnownBy" not in await written(database)
    assert not await is_recommended(database)


async def test_a_plain_password_may_be_known_to_those_who_may_reveal_it(database: Database) -> None:
    line = mailbox(ADDRESS, password=PASSWORD, passwordKnownBy=[ANNA, "boss@nord.example"])
    await take(database, *PEOPLE, line, assignment(mailbox=ADDRESS, user=ANNA))
    assert await knowers(database) == [(1, ANNA), (1, "boss@nord.example")]
    assert not await is_recommended(database)


@pytest.mark.parametrize(
    "line, reason",
    [
        (
            exported(passwordKnownBy=[ANNA, "gone@nord.example"]),
            "passwordKnownBy.1: The agency has no user with this login.",
        ),
        (
            exported(passwordKnownBy=["wanda@west.example"]),
            "passwordKnownBy.0: The agency has no user with this login.",
        ),
        (exported(passwordKnownBy=[1]), "passwordKnownBy.0: Expected a text."),
        (exported(passwordKnownBy=ANNA), "passwordKnownBy: Expected a list."),
        (
            mailbox(ADDRESS, passwordKnownBy=[ANNA]),
            "passwordKnownBy: Nobody knows a password that is made now.",
        ),
    ],
)
async def test_who_can_not_know_a_password(database: Database, line: Line, reason: str) -> None:
    west = (agency(key="west", domains=["west.example"]), user("wanda@west.example", agency="west"))
    with pytest.raises(LineRefusedError) as refused:
        await take(database, *PEOPLE, *west, line)
    assert str(refused.value) == f"line 7: {reason}"
    assert not (await contents(database))["agencies"]
