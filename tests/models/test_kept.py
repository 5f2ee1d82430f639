"""What a right depends on is neither deleted nor emptied nor replaced, and a stored audience stays whose it is."""

import sqlite3
from contextlib import closing
from uuid import uuid4

import pytest

from models import clock
from models.database import Database
from tests import storage
from tests.models.settled import refuse, store, store_audience
from tests.storage import contents


@pytest.mark.parametrize(
    "table",
    [
        "users",
        "mailboxes",
        "assignments",
        "mailbox_events",
        "mails",
        "mail_mailboxes",
        "bookings",
        "activities",
        "activity_readers",
        "activity_mailboxes",
        "audit_events",
    ],
)
@pytest.mark.asyncio
async def test_what_a_right_depends_on_is_never_deleted(database: Database, table: str) -> None:
    stored = await store(database)
    await store_audience(database, stored)
    await refuse(database, f"DELETE FROM {table}")
    if database.is_sqlite:
        await refuse(database, f"REPLACE INTO {table} SELECT * FROM {table}")
    else:
        await refuse(database, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.asyncio
async def test_what_everything_refers_to_is_not_emptied_either(database: Database) -> None:
    await store(database)
    await refuse(database, "TRUNCATE agencies CASCADE")


@pytest.mark.parametrize(
    "table,columns",
    [
        (
            "mails",
            "id, agency_id, identity, message_id, sender, recipients, subject, preview, remark, fold_search",
        ),
        ("bookings", "id, agency_id, mail_id, mailbox_id, part, decisive_at, position"),
        ("mail_mailboxes", "id, agency_id, mail_id, mailbox_id, position"),
        ("assignments", "id, agency_id, mailbox_id, user_id, since"),
        ("activities", "id, agency_id, mail_id, kind, direction, occurred_at, guarded, position"),
        ("mailbox_passwords", "mailbox_id, agency_id, version, sealed, hash, changed_at"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.asyncio
async def test_no_other_key_lets_a_row_be_replaced(database: Database, table: str, columns: str) -> None:
    """A row with an id of its own, but for that it equals one that is there."""
    stored = await store(database)
    await database.execute(
        "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at)"
        " VALUES ($1, $2, 1, 's', 'h', $3)",
        stored.desk.id,
        stored.home.id,
        clock.now(),
    )
    first, _, rest = columns.partition(", ")
    itself = {"mailbox_passwords": first, "mail_mailboxes": f"{first} + 1000"}.get(table, f"'{uuid4()}'")
    await refuse(database, f"REPLACE INTO {table} ({columns}) SELECT {itself}, {rest} FROM {table}")


@pytest.mark.parametrize("table", ["bookings", "users", "audit_events"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.asyncio
async def test_another_program_replaces_no_row_either(database: Database, table: str) -> None:
    """Whatever it says of triggers and references."""
    await store(database)
    before = await contents(database)
    with closing(sqlite3.connect(database.url.path)) as other:
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} rows are never replaced"):
            other.execute(f"REPLACE INTO {table} SELECT * FROM {table}")
        other.commit()
    assert await contents(database) == before


COPY = (
    "INSERT INTO {table} ({column}, activity_id, kind, guarded, occurred_at)"
    " SELECT $1, id, kind, guarded, occurred_at FROM activities WHERE agency_id = $2"
)


@pytest.mark.parametrize(
    "table,column,named",
    [
        ("activity_readers", "user_id", "stranger"),
        ("activity_readers", "user_id", "manager"),
        ("activity_mailboxes", "mailbox_id", "foreign"),
    ],
)
@pytest.mark.asyncio
async def test_an_entry_has_no_reader_or_mailbox_of_another_agency(
    database: Database, table: str, column: str, named: str
) -> None:
    stored = await store(database)
    manager = await storage.user(None, "kern")
    row = {**stored.names(), "manager": manager.id}[named]
    await refuse(database, COPY.format(table=table, column=column), row, stored.home.id)


@pytest.mark.parametrize(
    "change",
    [
        "activity_readers SET user_id = '{stranger}'",
        "activity_readers SET user_id = '{gone}'",
        "activity_readers SET kind = 'AGENTS_LOG'",
        "activity_readers SET activity_id = (SELECT id FROM activities WHERE agency_id = '{abroad}')",
        "activity_mailboxes SET mailbox_id = '{foreign}'",
        "activity_mailboxes SET activity_id = (SELECT id FROM activities WHERE agency_id = '{abroad}')",
    ],
)
@pytest.mark.asyncio
async def test_a_stored_audience_goes_to_nobody_else(database: Database, change: str) -> None:
    stored = await store(database)
    await store_audience(database, stored)
    await refuse(database, "UPDATE " + change.format(**stored.names()))
