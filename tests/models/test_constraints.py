"""What must never be wrong is refused by the database itself, whatever the code above it does."""

from datetime import timedelta
from uuid import uuid4

import pytest
from tortoise.exceptions import IntegrityError

from models import clock
from models.database import Database
from models.tables.mailboxes import Assignment
from models.tables.users import User
from tests import storage
from tests.models.settled import DAY, refuse, store
from tests.storage import LONG_AGO, contents

PERIOD = (
    "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since, until)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
)


@pytest.mark.parametrize(
    "since,until",
    [
        (0, 10),
        (-1, 1),
        (9, 11),
        (2, 3),
        (-1, 15),
        (-1, None),
        (15, None),
        (15, 21),
        (20, None),
        (30, 40),
    ],
)
@pytest.mark.asyncio
async def test_periods_of_a_user_at_a_mailbox_never_overlap(
    database: Database, since: int, until: int | None
) -> None:
    stored = await store(database)
    await refuse(
        database,
        PERIOD,
        uuid4(),
        stored.home.id,
        stored.desk.id,
        stored.anna.id,
        LONG_AGO + since * DAY,
        None if until is None else LONG_AGO + until * DAY,
    )


@pytest.mark.asyncio
async def test_periods_may_touch(database: Database) -> None:
    stored = await store(database)
    for since, until in ((-1, 0), (10, 20)):
        await database.execute(
            PERIOD,
            uuid4(),
            stored.home.id,
            stored.desk.id,
            stored.anna.id,
            LONG_AGO + since * DAY,
            LONG_AGO + until * DAY,
        )
    assert await Assignment.filter(mailbox_id=stored.desk.id).count() == 4


@pytest.mark.asyncio
async def test_another_user_may_be_there_at_the_same_time(database: Database) -> None:
    stored = await store(database)
    await database.execute(
        PERIOD, uuid4(), stored.home.id, stored.desk.id, stored.gone.id, LONG_AGO, LONG_AGO + DAY
    )
    assert await Assignment.filter(mailbox_id=stored.desk.id).count() == 3


@pytest.mark.parametrize("column", ["first_name", "last_name"])
@pytest.mark.asyncio
async def test_a_user_s_names_hold_no_control_character(database: Database, column: str) -> None:
    stored = await store(database)
    change = f"UPDATE users SET {column} = $1 WHERE id = $2"
    before = await contents(database)
    for code in range(1, 32):
        with pytest.raises(IntegrityError, match="users_names_on_a_line"):
            await database.execute(change, f"An{chr(code)}na", stored.anna.id)
    assert await contents(database) == before
    for name in ("", " ", '"\\', "-", "]", "\x7f", "\u2028", "Ä"):
        await database.execute(change, name, stored.anna.id)
        found = await User.get(id=stored.anna.id)
        assert getattr(found, column) == name
    with pytest.raises(IntegrityError, match="users_names_on_a_line"):
        await storage.user(stored.home, "berta", **{column: "Ber\nta"})
    assert not await User.exists(login="berta@nord.example")


@pytest.mark.parametrize("length", [timedelta(0), -timedelta(microseconds=1)])
@pytest.mark.asyncio
async def test_a_period_ends_after_it_begins(database: Database, length: timedelta) -> None:
    stored = await store(database)
    since = LONG_AGO - 10 * DAY
    await refuse(
        database, PERIOD, uuid4(), stored.home.id, stored.desk.id, stored.anna.id, since, since + length
    )
    end = "UPDATE assignments SET until = $1 WHERE id = $2"
    await refuse(database, end, stored.open.since + length, stored.open.id)


@pytest.mark.asyncio
async def test_an_open_period_ends_once(database: Database) -> None:
    stored = await store(database)
    end = "UPDATE assignments SET until = $1 WHERE id = $2"
    await database.execute(end, LONG_AGO + 21 * DAY, stored.open.id)
    assert (await Assignment.get(id=stored.open.id)).until == LONG_AGO + 21 * DAY
    await refuse(database, end, LONG_AGO + 22 * DAY, stored.open.id)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE assignments SET until = NULL WHERE id = '{ended}'",
        "UPDATE assignments SET since = '2019-01-01T00:00:00.000000Z' WHERE id = '{ended}'",
        "UPDATE assignments SET user_id = '{gone}' WHERE id = '{ended}'",
        "UPDATE assignments SET since = '2019-01-01T00:00:00.000000Z' WHERE id = '{open}'",
        "UPDATE assignments SET user_id = '{gone}' WHERE id = '{open}'",
        "UPDATE bookings SET decisive_at = '2019-01-01T00:00:00.000000Z'",
        "UPDATE bookings SET part = 'SENDING'",
        "UPDATE mails SET subject = 'other'",
        "UPDATE mail_mailboxes SET position = 2",
        "UPDATE activities SET contact_reference = 'K-1'",
        "UPDATE mailbox_events SET kind = 'VIP_OFF'",
        "UPDATE audit_events SET action = 'y'",
        "UPDATE mailboxes SET address = 'other@nord.example' WHERE id = '{desk}'",
        "UPDATE mailboxes SET agency_id = '{abroad}' WHERE id = '{desk}'",
        "UPDATE users SET login = 'other@nord.example' WHERE id = '{anna}'",
        "UPDATE users SET agency_id = '{abroad}' WHERE id = '{anna}'",
        "UPDATE users SET state = 'ACTIVE' WHERE id = '{gone}'",
        "UPDATE users SET state = 'LOCKED' WHERE id = '{gone}'",
    ],
)
@pytest.mark.asyncio
async def test_what_was_settled_never_changes(database: Database, change: str) -> None:
    stored = await store(database)
    await refuse(database, change.format(**stored.names()))


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since)"
            " VALUES ($1, '{home}', '{desk}', '{stranger}', $2)"
        ),
        (
            "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since)"
            " VALUES ($1, '{home}', '{foreign}', '{anna}', $2)"
        ),
        (
            "INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since)"
            " VALUES ($1, '{abroad}', '{desk}', '{anna}', $2)"
        ),
        (
            "INSERT INTO mailbox_events (id, agency_id, mailbox_id, kind, at)"
            " VALUES ($1, '{home}', '{foreign}', 'VIP_ON', $2)"
        ),
        (
            "INSERT INTO mailbox_events (id, agency_id, mailbox_id, kind, at, user_id)"
            " VALUES ($1, '{home}', '{desk}', 'VIP_ON', $2, '{stranger}')"
        ),
        (
            "INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, position)"
            " SELECT $1, '{home}', id, '{foreign}', 'RECEIVING', $2, 2 FROM mails WHERE agency_id = '{home}'"
        ),
        (
            "INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, position)"
            " SELECT $1, '{home}', id, '{desk}', 'RECEIVING', $2, 2 FROM mails WHERE agency_id = '{abroad}'"
        ),
        (
            "INSERT INTO activities (id, agency_id, mail_id, kind, direction, contact_reference, occurred_at,"
            " guarded, position)"
            " SELECT $1, '{home}', id, 'ACTIVITY', 'INCOMING', 'K-1', $2, true, 1 FROM mails"
            " WHERE agency_id = '{abroad}'"
        ),
    ],
)
@pytest.mark.asyncio
async def test_nothing_refers_across_agencies(database: Database, statement: str) -> None:
    stored = await store(database)
    await refuse(database, statement.format(**stored.names()), uuid4(), clock.now())


@pytest.mark.asyncio
async def test_an_office_group_has_no_member_of_another_agency(database: Database) -> None:
    stored = await store(database)
    member = "INSERT INTO office_group_members (id, agency_id, group_id, user_id) VALUES ($1, $2, $3, $4)"
    for agency in (stored.home, stored.abroad):
        await refuse(database, member, uuid4(), agency.id, stored.group.id, stored.stranger.id)


@pytest.mark.asyncio
async def test_an_email_has_no_mailbox_of_another_agency(database: Database) -> None:
    stored = await store(database)
    await refuse(
        database,
        (
            "INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position)"
            " SELECT $1, id, $2, 1 FROM mails WHERE agency_id = $1"
        ),
        stored.home.id,
        stored.foreign.id,
    )


@pytest.mark.parametrize("local", ["desk", "DESK", "Desk"])
@pytest.mark.asyncio
async def test_an_address_is_one_whatever_its_case(database: Database, local: str) -> None:
    stored = await store(database)
    before = await contents(database)
    with pytest.raises(IntegrityError):
        await storage.mailbox(stored.home, local)
    assert await contents(database) == before


@pytest.mark.parametrize("name", ["anna", "ANNA", "Anna"])
@pytest.mark.asyncio
async def test_a_login_is_one_whatever_its_case(database: Database, name: str) -> None:
    stored = await store(database)
    before = await contents(database)
    with pytest.raises(IntegrityError):
        await storage.user(stored.home, name)
    assert await contents(database) == before


@pytest.mark.parametrize("name", ["nord.example", "NORD.example"])
@pytest.mark.asyncio
async def test_a_domain_belongs_to_one_agency(database: Database, name: str) -> None:
    stored = await store(database)
    await refuse(database, "INSERT INTO domains (name, agency_id) VALUES ($1, $2)", name, stored.abroad.id)


@pytest.mark.asyncio
async def test_an_entry_is_one_for_each_reference(database: Database) -> None:
    stored = await store(database)
    await refuse(
        database,
        (
            "INSERT INTO activities (id, agency_id, mail_id, kind, direction, occurred_at, guarded, position)"
            " SELECT $1, agency_id, mail_id, kind, direction, occurred_at, guarded, 2 FROM activities"
            " WHERE agency_id = $2"
        ),
        uuid4(),
        stored.home.id,
    )


@pytest.mark.asyncio
async def test_an_email_is_one_within_its_agency(database: Database) -> None:
    stored = await store(database)
    copy = (
        "INSERT INTO mails (id, agency_id, identity, message_id, sender, recipients, subject, preview,"
        " remark, fold_search) SELECT $1, $2, identity, message_id, sender, recipients, subject, preview,"
        " remark, fold_search FROM mails WHERE agency_id = $3"
    )
    await refuse(database, copy, uuid4(), stored.home.id, stored.home.id)
    await database.execute(copy, uuid4(), stored.abroad.id, stored.home.id)


@pytest.mark.asyncio
async def test_a_mailbox_books_an_email_once(database: Database) -> None:
    stored = await store(database)
    await refuse(
        database,
        (
            "INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, position)"
            " SELECT $1, agency_id, mail_id, mailbox_id, 'SENDING', decisive_at, 2 FROM bookings"
            " WHERE agency_id = $2"
        ),
        uuid4(),
        stored.home.id,
    )


@pytest.mark.asyncio
async def test_times_are_stored_to_the_microsecond_and_compare_across_offsets(database: Database) -> None:
    stored = await store(database)
    moment = (LONG_AGO + 21 * DAY).replace(microsecond=1)
    await database.execute("UPDATE assignments SET until = $1 WHERE id = $2", moment, stored.open.id)
    found = await database.fetch(
        "SELECT until FROM assignments WHERE until > $1 AND until <= $2",
        moment - timedelta(microseconds=1),
        moment.astimezone(),
    )
    assert [row["until"] for row in found] == [moment]
