"""The two forms of the rule, as a condition and as ranges, against each other on random rows.

The oracle is not asked here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from uuid import UUID, uuid4

import pytest

from models import bookings, visibility
from models.database import Database, Unit
from models.tables.mails import ActivityKind, MailDirection
from models.tables.users import ReadLevel
from models.visibility import Filter, Position, Reader, Stretch

START = datetime(2024, 5, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MOMENTS = [START + day * timedelta(days=1) + tick * TICK for day in range(6) for tick in (-1, 0, 1)]


class World:
    """Random rows: one agency, everybody's periods, e-mails with one or more bookings."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.agency_id = uuid4()
        self.readers: list[Reader] = []
        self.mailboxes: list[UUID] = []

    async def store(self, unit: Unit) -> None:
        random = self.random
        await unit.execute(
            "INSERT INTO agencies (id, key, name, fold_name) VALUES ($1, $2, 'a', 'a')",
            self.agency_id,
            str(self.agency_id),
        )
        for _ in range(4):
            self.mailboxes.append(await self._mailbox(unit, vip=random.random() < 0.4))
        groups = [uuid4() for _ in range(2)]
        for group in groups:
            await unit.execute(
                "INSERT INTO office_groups (id, agency_id, name) VALUES ($1, $2, $3)",
                group,
                self.agency_id,
                str(group),
            )
        for levels in random.sample(list(product(ReadLevel, ReadLevel)), 6):
            await self._user(unit, levels, groups)
        for _ in range(25):
            await self._mail(unit, self.mailboxes)

    async def store_crowd(self, unit: Unit) -> None:
        """Store many more e-mails at a mailbox that nobody was ever assigned to."""
        mailbox_id = await self._mailbox(unit, vip=False)
        for _ in range(50):
            await self._mail(unit, [mailbox_id])

    async def _mailbox(self, unit: Unit, *, vip: bool) -> UUID:
        mailbox_id = uuid4()
        await unit.execute(
            "INSERT INTO mailboxes (id, agency_id, address, fold_search, vip, active, automatic_booking, last_moment) "
            "VALUES ($1, $2, $3, '', $4, true, false, $5)",
            mailbox_id, self.agency_id, f"{uuid4()}@a.example", vip, START,
        )  # fmt: skip
        return mailbox_id

    async def _user(self, unit: Unit, levels: tuple[ReadLevel, ReadLevel], groups: Sequence[UUID]) -> None:
        random = self.random
        reader = Reader(uuid4(), self.agency_id, *levels)
        self.readers.append(reader)
        await unit.execute(
            "INSERT INTO users (id, agency_id, login, first_name, last_name, fold_name, fold_search, language, role, state, "
            "activity_read_level, agents_log_read_level, password_hash, password_change_required) "
            "VALUES ($1, $2, $3, 'a', 'b', '', '', 'de', 'USER', 'ACTIVE', $4, $5, '', false)",
            reader.user_id, self.agency_id, f"{uuid4()}@a.example", str(levels[0]), str(levels[1]),
        )  # fmt: skip
        for group in random.sample(groups, random.randrange(3)):
            await unit.execute(
                "INSERT INTO office_group_members (id, agency_id, group_id, user_id) VALUES ($1, $2, $3, $4)",
                uuid4(), self.agency_id, group, reader.user_id,
            )  # fmt: skip
        for mailbox_id in self.mailboxes:
            ends: list[datetime | None] = [*sorted(random.sample(MOMENTS, 2 * random.randrange(3)))]
            if ends and random.random() < 0.5:
                ends[-1] = None
            for since, until in zip(ends[::2], ends[1::2], strict=True):
                await unit.execute(
                    "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since, until) VALUES ($1, $2, $3, $4, $5, $6)",
                    uuid4(), self.agency_id, mailbox_id, reader.user_id, since, until,
                )  # fmt: skip

    async def _mail(self, unit: Unit, mailboxes: Sequence[UUID]) -> None:
        random, mail_id = self.random, uuid4()
        await unit.execute(
            "INSERT INTO mails (id, agency_id, identity, message_id, sender, recipients, subject, preview, remark, fold_search) "
            "VALUES ($1, $2, $3, 'm', 's', 'r', '', '', '', $4)",
            mail_id, self.agency_id, mail_id.hex, random.choice(("haus", "garten", "haus garten")),
        )  # fmt: skip
        booked = random.sample(mailboxes, min(random.choice((1, 1, 1, 2, 3)), len(mailboxes)))
        unread = [each for each in mailboxes if each not in booked and random.random() < 0.15]
        for position, mailbox_id in enumerate(booked, 1):
            await unit.execute(
                "INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, position) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                uuid4(), self.agency_id, mail_id, mailbox_id, random.choice(("SENDING", "RECEIVING")),
                random.choice(MOMENTS), position,
            )  # fmt: skip
        for mailbox_id in booked + unread:
            await unit.execute(
                "INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position) VALUES ($1, $2, $3, 1)",
                self.agency_id, mail_id, mailbox_id,
            )  # fmt: skip
        for kind, column, reference in random.sample(
            [
                ("ACTIVITY", "contact_reference", "K-1"),
                ("ACTIVITY", "contact_reference", "K-2"),
                ("AGENTS_LOG", "property_reference", "P-1"),
            ],
            random.choice((1, 2, 3)),
        ):
            await unit.execute(
                f"INSERT INTO activities (id, agency_id, mail_id, kind, direction, {column}, occurred_at, guarded, position) "
                "VALUES ($1, $2, $3, $4, 'INCOMING', $5, $6, true, 1)",
                uuid4(), self.agency_id, mail_id, kind, reference, START,
            )  # fmt: skip
        await bookings.settle(unit, mail_id)

    def filters(self) -> list[Filter]:
        random = self.random
        plain = [
            Filter(),
            Filter(kind=ActivityKind.AGENTS_LOG),
            Filter(direction=MailDirection.INTERNAL),
            Filter(mailbox_id=random.choice(self.mailboxes)),
            Filter(occurred_from=random.choice(MOMENTS), occurred_until=random.choice(MOMENTS)),
        ]
        return [
            *plain,
            replace(plain[3], kind=ActivityKind.ACTIVITY, direction=MailDirection.INCOMING),
            replace(plain[4], mailbox_id=plain[3].mailbox_id),
        ]


async def world(database: Database, seed: int) -> World:
    made = World(Random(seed))
    await database.transact(made.store)
    return made


def keys(rows: Sequence[object]) -> list[tuple[datetime, UUID]]:
    return [(row["occurred_at"], row["id"]) for row in rows]  # type: ignore[index]


async def by_condition(database: Database, reader: Reader, narrowed: Filter) -> list[tuple[datetime, UUID]]:
    """Everything that the condition permits, newest first."""
    ids = [
        row["id"]
        for row in await database.fetch("SELECT id FROM activities WHERE agency_id = $1", reader.agency_id)
    ]
    found = sorted(keys(await visibility.visible(database, reader, ids, narrowed)), reverse=True)
    # The same where the reader's rights are known, of many and of one.
    for among in (ids, ids[:1], ids[-1:]):
        known = await visibility.visible(database, reader, among, narrowed, rights_known=True)
        assert sorted(keys(known), reverse=True) == [each for each in found if each[1] in among]
    return found


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6))
async def test_ranges_hold_what_the_condition_permits(database: Database, seed: int) -> None:
    made = await world(database, seed)
    for reader, narrowed in product(made.readers, made.filters()):
        expected = await by_condition(database, reader, narrowed)
        for oldest_first in (False, True):
            wanted = expected[::-1] if oldest_first else expected
            for limit in (1, 3, 1000):
                found = await visibility.entries(
                    database, reader, narrowed, Stretch(limit=limit, oldest_first=oldest_first)
                )
                assert keys(found[None]) == wanted[:limit]
        assert await visibility.count(database, reader, narrowed) == {None: len(expected)}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6, 9))
async def test_a_walk_in_either_direction_meets_each_entry_once(database: Database, seed: int) -> None:
    made = await world(database, seed)
    for reader in made.readers:
        expected = await by_condition(database, reader, Filter())
        for oldest_first in (False, True):
            met: list[tuple[datetime, UUID]] = []
            stretch = Stretch(limit=2, oldest_first=oldest_first)
            while page := keys((await visibility.entries(database, reader, Filter(), stretch))[None]):
                met += page
                last = Position(*page[-1])
                stretch = (
                    replace(stretch, lower=last.successor()) if oldest_first else replace(stretch, upper=last)
                )
            assert met == (expected[::-1] if oldest_first else expected)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(17, 20))
async def test_a_group_that_reads_little_of_what_its_agency_has_meets_all_of_it(
    database: Database, seed: int
) -> None:
    """Where a large group's page is looked for first, some entries are the group's, but too few for the page."""
    made = await world(database, seed)
    await database.transact(made.store_crowd)
    for each, narrowed in product(made.readers, (Filter(), Filter(direction=MailDirection.INCOMING))):
        reader = Reader(each.user_id, each.agency_id, ReadLevel.OFFICE_GROUP, ReadLevel.OFFICE_GROUP)
        await database.execute(
            "UPDATE users SET activity_read_level = 'OFFICE_GROUP', agents_log_read_level = 'OFFICE_GROUP' WHERE id = $1",
            reader.user_id,
        )
        expected = await by_condition(database, reader, narrowed)
        for oldest_first, limit in product((False, True), (2, 3, 5)):
            stretch = Stretch(limit=limit, oldest_first=oldest_first)
            found = await visibility.entries(database, reader, narrowed, stretch)
            assert keys(found[None]) == (expected[::-1] if oldest_first else expected)[:limit]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(9, 12))
async def test_many_mailboxes_at_once_are_as_one_by_one(database: Database, seed: int) -> None:
    made = await world(database, seed)
    for reader, narrowed in product(
        made.readers, (*made.filters(), Filter(words=("haus",)), Filter(contact_reference="K-1"))
    ):
        stretch = Stretch(limit=3)
        together = await visibility.entries(database, reader, narrowed, stretch, made.mailboxes)
        numbers = await visibility.count(database, reader, narrowed, made.mailboxes)
        for mailbox_id in made.mailboxes:
            if narrowed.mailbox_id in (None, mailbox_id):
                alone = await by_condition(database, reader, replace(narrowed, mailbox_id=mailbox_id))
            else:
                here = await by_condition(database, reader, replace(narrowed, mailbox_id=mailbox_id))
                alone = [each for each in here if each in await by_condition(database, reader, narrowed)]
            assert keys(together[mailbox_id]) == alone[:3]
            assert numbers[mailbox_id] == len(alone)


@pytest.mark.asyncio
async def test_search_and_references_find_what_the_condition_permits(database: Database) -> None:
    made = await world(database, 12)
    for reader in made.readers:
        everything = await by_condition(database, reader, Filter())
        for narrowed in (
            Filter(words=("haus",)),
            Filter(words=("haus", "garten")),
            Filter(property_reference="P-1"),
        ):
            found = keys((await visibility.entries(database, reader, narrowed, Stretch()))[None])
            assert found == await by_condition(database, reader, narrowed)
            assert set(found) <= set(everything)
        no_wildcard = await visibility.entries(database, reader, Filter(words=("h%s",)), Stretch())
        assert no_wildcard == {None: []}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(13, 16))
async def test_a_booking_opens_each_visible_entry_once(database: Database, seed: int) -> None:
    made = await world(database, seed)
    mails = [
        row["id"] for row in await database.fetch("SELECT id FROM mails WHERE agency_id = $1", made.agency_id)
    ]
    user_ids = [reader.user_id for reader in made.readers]
    opened: list[tuple[UUID, UUID]] = []
    for mail_id, position in product(mails, (1, 2, 3)):
        opened += await visibility.opened_by_booking(database, mail_id, position, user_ids)
    assert len(set(opened)) == len(opened)
    for reader in made.readers:
        seen = {identifier for _, identifier in await by_condition(database, reader, Filter())}
        assert {entry for user, entry in opened if user == reader.user_id} == seen


@pytest.mark.asyncio
async def test_what_was_visible_before_is_not_opened_by_a_further_booking(database: Database) -> None:
    """Every booking of a random world in turn, told from the sets before and after it, worked out from the rows."""
    made = await world(database, 16)
    readers = {reader.user_id: reader for reader in made.readers}
    rows = await database.fetch(
        "SELECT mail_id, max(position) AS bookings FROM bookings WHERE agency_id = $1 GROUP BY mail_id",
        made.agency_id,
    )
    several = [row["mail_id"] for row in rows if row["bookings"] > 1]
    assert several
    for mail_id in several:
        for user_id, activity_id in await visibility.opened_by_booking(database, mail_id, 2, list(readers)):
            (first,) = await database.fetch(
                "SELECT mailbox_id, decisive_at FROM bookings WHERE mail_id = $1 AND position = 1", mail_id
            )
            held = await database.fetch(
                "SELECT 1 AS one FROM assignments WHERE user_id = $1 AND mailbox_id = $2 AND since <= $3 "
                "AND (until IS NULL OR $3 < until)",
                user_id, first["mailbox_id"], first["decisive_at"],
            )  # fmt: skip
            (entry,) = await database.fetch("SELECT guarded, kind FROM activities WHERE id = $1", activity_id)
            level = readers[user_id].level(ActivityKind(entry["kind"]))
            assert not held or (level is ReadLevel.NOTHING and not entry["guarded"])
            assert entry["guarded"] or level in (ReadLevel.OWN, ReadLevel.OFFICE_GROUP)
