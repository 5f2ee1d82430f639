"""Many rows at once, within a unit of work: COPY on PostgreSQL, one prepared statement for all on SQLite."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import asyncpg
from tortoise.exceptions import IntegrityError

from models.database import UNAVAILABLE, DatabaseUnavailableError
from models.sqlite_dialect import to_sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.database import Unit

COLUMNS = {
    "users": (
        "id",
        "agency_id",
        "login",
        "first_name",
        "last_name",
        "fold_name",
        "fold_search",
        "email",
        "email_name",
        "language",
        "role",
        "state",
        "activity_read_level",
        "agents_log_read_level",
        "password_hash",
        "password_change_required",
    ),
    "office_groups": ("id", "agency_id", "name"),
    "office_group_members": ("id", "agency_id", "group_id", "user_id"),
    "mailboxes": (
        "id",
        "agency_id",
        "address",
        "email_name",
        "fold_search",
        "vip",
        "active",
        "receiving_stops_at",
        "automatic_booking",
        "last_moment",
    ),
    "mailbox_passwords": ("mailbox_id", "agency_id", "version", "sealed", "hash", "changed_at"),
    "mailbox_password_knowers": ("id", "agency_id", "mailbox_id", "version", "user_id"),
    "assignments": ("id", "agency_id", "mailbox_id", "user_id", "since", "until"),
    "mails": (
        "id",
        "agency_id",
        "identity",
        "message_id",
        "sender",
        "recipients",
        "subject",
        "preview",
        "remark",
        "fold_search",
        "mail_date",
    ),
    "mail_mailboxes": ("agency_id", "mail_id", "mailbox_id", "position"),
    "bookings": ("id", "agency_id", "mail_id", "mailbox_id", "part", "decisive_at", "user_id", "position"),
    "activities": (
        "id",
        "agency_id",
        "mail_id",
        "kind",
        "direction",
        "contact_reference",
        "property_reference",
        "occurred_at",
        "guarded",
        "mailbox_id",
        "position",
    ),
    "activity_readers": ("user_id", "activity_id", "kind", "guarded", "occurred_at"),
    "activity_mailboxes": ("mailbox_id", "activity_id", "kind", "guarded", "occurred_at"),
}
"""The columns of a row, in the order in which `insert` takes them."""


async def insert(unit: Unit, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of `COLUMNS`.

    Raises `IntegrityError` where a constraint refuses one of them, `DatabaseUnavailableError` where the database
    is not there.
    """
    if not rows:
        return
    columns = COLUMNS[table]
    unit.database.count(f"COPY {table}")
    if unit.is_sqlite:
        places = ", ".join("?" * len(columns))
        await _execute_many(unit, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    else:
        await _copy(unit, table, rows)


async def count_anew(unit: Unit) -> None:
    """Let PostgreSQL plan by what is there now; else it would go by what was there before until it looks by itself."""
    if not unit.is_sqlite:
        await unit.execute(f"ANALYZE {', '.join(COLUMNS)}")


async def _copy(unit: Unit, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    try:
        async with unit.client.acquire_connection() as connection:
            await connection.copy_records_to_table(table, records=rows, columns=COLUMNS[table])
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(error) from error
    except UNAVAILABLE as error:
        raise DatabaseUnavailableError(str(error)) from error


async def _execute_many(unit: Unit, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    try:
        async with unit.client.acquire_connection() as connection:
            await connection.executemany(statement, [tuple(map(to_sqlite, row)) for row in rows])
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error
    except sqlite3.OperationalError as error:
        raise DatabaseUnavailableError(str(error)) from error
