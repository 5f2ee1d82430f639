"""A world into a database that is migrated: the very rows that an import would write, by COPY on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import uuid4

import asyncpg

from bench.data.world import MAILBOXES, Agency, World
from models import bulk, mailbox_passwords
from models.brought import TABLES, BroughtMail, BroughtRows
from models.database import Database, Unit
from models.database_url import DatabaseUrl
from models.derived import agency_order, mailbox_search, user_order, user_search
from models.keys import KeyRing
from models.seals import Seals
from models.tables.agencies import ModuleName
from tests.oracle.world import CHEAP_HASH, PASSWORD

SEALING_KEYS = KeyRing({"bench": bytes(range(32))}).text()
"""Known to whoever serves the data; it protects nothing."""
MAILS_AT_ONCE = 4_000

DROPPABLE = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS statement FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relname = ANY($1::text[]) AND NOT i.indisprimary
AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


async def fill(url: str, world: World, entries: int) -> None:
    """Migrate a database and store the world with so many entries.

    Where the role is a superuser, PostgreSQL asks no trigger about rows that are right by construction.
    """
    database = await Database.open(DatabaseUrl.parse(url), 1)
    try:
        await database.migrate()
        is_trusted = not database.is_sqlite and await _may_skip_triggers(database)

        async def work(unit: Unit) -> None:
            if is_trusted:
                await unit.execute("SET LOCAL session_replication_role = replica")
                await unit.execute("SET LOCAL maintenance_work_mem = '512MB'")
            for agency in world.agencies:
                await _write_agency(unit, agency, world)
            await _write_mails(unit, world.mails(entries), aside=is_trusted)

        await database.transact(work)
    finally:
        await database.close()
    if not database.is_sqlite:
        # What a running database has behind it: its statistics, and nothing left to be tidied up by the first readers.
        connection = await asyncpg.connect(url)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT" if is_trusted else "SELECT 1")
        await connection.close()


async def _may_skip_triggers(database: Database) -> bool:
    row = await database.fetch_one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(row and row["rolsuper"])


async def _write_agency(unit: Unit, agency: Agency, world: World) -> None:
    name = agency.key.title()
    await unit.execute(
        "INSERT INTO agencies (id, key, name, fold_name) VALUES ($1, $2, $3, $4)",
        *(agency.id, agency.key, name, agency_order(name)),
    )
    await unit.execute(
        "INSERT INTO domains (name, agency_id) VALUES ($1, $2)", f"{agency.key}.example", agency.id
    )
    await unit.execute(
        "INSERT INTO modules (id, agency_id, name, enabled) VALUES ($1, $2, $3, true)",
        *(uuid4(), agency.id, ModuleName.VIP_MAILBOXES.value),
    )
    seals = Seals(KeyRing.parse(SEALING_KEYS))
    rows: dict[str, list[tuple[Any, ...]]] = {
        "users": [
            (
                user.id,
                agency.id,
                user.login,
                user.first_name,
                user.last_name,
                user_order(user.last_name, user.first_name),
                user_search(user.login, user.first_name, user.last_name, None),
                *(None, None, "de", user.role.value, "ACTIVE", user.level.value, user.level.value),
                *(CHEAP_HASH, False),
            )
            for user in agency.users
        ],
        "office_groups": [(group, agency.id, f"group {place}") for place, group in enumerate(agency.groups)],
        "office_group_members": [
            (uuid4(), agency.id, agency.groups[user.office_group], user.id)
            for user in agency.users
            if user.office_group is not None
        ],
        "mailboxes": [
            (
                *(mailbox.id, agency.id, mailbox.address, None, mailbox_search(mailbox.address, None)),
                *(mailbox.vip, True, None, False, world.end),
            )
            for mailbox in agency.mailboxes
        ],
        "mailbox_passwords": [
            (
                *(mailbox.id, agency.id, 1),
                mailbox_passwords.sealed(seals, PASSWORD, mailbox.address, 1),
                *(CHEAP_HASH, world.end),
            )
            for mailbox in agency.mailboxes
        ],
        "assignments": [
            (uuid4(), agency.id, mailbox.id, period.user.id, period.since, period.until)
            for mailbox in agency.mailboxes
            for period in mailbox.periods
        ],
    }
    assert len(agency.mailboxes) == MAILBOXES
    for table, some in rows.items():
        await bulk.insert(unit, table, some)


async def _write_mails(unit: Unit, mails: Iterator[BroughtMail], *, aside: bool) -> None:
    """Write e-mails in batches; indexes that stand `aside` meanwhile are built at the end, which is quicker for many rows."""
    indexes = await unit.fetch(DROPPABLE, list(TABLES)) if aside else []
    for index in indexes:
        await unit.execute(f"DROP INDEX {index['name']}")
    coming = await asyncio.to_thread(_next_rows, mails)
    while coming.tables["mails"]:
        # The next rows are made while the database takes these.
        _, coming = await asyncio.gather(coming.write(unit), asyncio.to_thread(_next_rows, mails))
    for index in indexes:
        await unit.execute(index["statement"])


def _next_rows(mails: Iterator[BroughtMail]) -> BroughtRows:
    rows = BroughtRows()
    for mail in islice(mails, MAILS_AT_ONCE):
        rows.add(mail)
    return rows
