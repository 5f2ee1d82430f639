"""All that is stored, as it was at one moment, in pieces: what an export takes.

While a snapshot is open others go on writing; none of it is seen. Rows come in an order that ids have no part in, so that
equal contents give equal exports.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tortoise.transactions import in_transaction

from models.database import Statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from uuid import UUID

    from models.database import Database

MAILS = 200
"""E-mails that are read at a time; the longest have half a million characters."""


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Statements]:
    """Open a snapshot. On SQLite nothing else may use this process's connection meanwhile."""
    if database.is_sqlite:
        await database.execute("BEGIN")
        try:
            yield database
        finally:
            await database.execute("COMMIT")
        return
    async with in_transaction("default") as client:
        statements = Statements(client, database)
        await statements.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield statements


async def agencies(statements: Statements) -> Sequence[Mapping[str, Any]]:
    """Return every agency by key."""
    return await statements.fetch(
        "SELECT id, key, name, contact_name, contact_email, contact_phone, passwords_in_letters FROM agencies ORDER BY key"
    )


async def domains(statements: Statements, agency_id: UUID) -> list[str]:
    """Return the agency's domains."""
    rows = await statements.fetch("SELECT name FROM domains WHERE agency_id = $1 ORDER BY name", agency_id)
    return [row["name"] for row in rows]


async def modules(statements: Statements, agency_id: UUID) -> list[str]:
    """Return the modules that are enabled."""
    rows = await statements.fetch("SELECT name FROM modules WHERE agency_id = $1 AND enabled", agency_id)
    return sorted(row["name"] for row in rows)


async def users(statements: Statements, agency_id: UUID | None) -> Sequence[Mapping[str, Any]]:
    """Return an agency's users by login, or the account managers."""
    columns = (
        "id, login, first_name, last_name, email, email_name, language, role, state, activity_read_level, "
        "agents_log_read_level, password_hash, password_change_required"
    )
    if agency_id is None:
        return await statements.fetch(f"SELECT {columns} FROM users WHERE agency_id IS NULL ORDER BY login")
    return await statements.fetch(
        f"SELECT {columns} FROM users WHERE agency_id = $1 ORDER BY login", agency_id
    )


async def office_groups(statements: Statements, agency_id: UUID) -> dict[UUID, list[str]]:
    """Return the names of each user's office groups."""
    rows = await statements.fetch(
        "SELECT m.user_id, g.name FROM office_group_members m JOIN office_groups g ON g.id = m.group_id "
        "WHERE g.agency_id = $1 ORDER BY g.name",
        agency_id,
    )
    found: dict[UUID, list[str]] = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["name"])
    return found


async def mailboxes(statements: Statements, agency_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return an agency's mailboxes by address, each with its password where it has one."""
    return await statements.fetch(
        "SELECT m.id, m.address, m.email_name, m.vip, m.active, m.receiving_stops_at, m.automatic_booking, "
        "p.version, p.sealed, p.hash, p.changed_at FROM mailboxes m "
        "LEFT JOIN mailbox_passwords p ON p.mailbox_id = m.id WHERE m.agency_id = $1 ORDER BY m.address",
        agency_id,
    )


async def password_knowers(statements: Statements, agency_id: UUID) -> dict[UUID, list[str]]:
    """Return by mailbox the logins of those to whom, or by whom, its current password was shown or sent."""
    rows = await statements.fetch(
        "SELECT k.mailbox_id, u.login FROM mailbox_password_knowers k JOIN mailbox_passwords p "
        "ON p.mailbox_id = k.mailbox_id AND p.version = k.version JOIN users u ON u.id = k.user_id "
        "WHERE k.agency_id = $1 ORDER BY u.login",
        agency_id,
    )
    found: dict[UUID, list[str]] = {}
    for row in rows:
        found.setdefault(row["mailbox_id"], []).append(row["login"])
    return found


async def assignments(statements: Statements, mailbox_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return the periods at a mailbox, oldest first."""
    return await statements.fetch(
        "SELECT u.login, s.since, s.until FROM assignments s JOIN users u ON u.id = s.user_id "
        "WHERE s.mailbox_id = $1 ORDER BY s.since, u.login",
        mailbox_id,
    )


async def mails(statements: Statements, agency_id: UUID) -> AsyncIterator[Mails]:
    """Return an agency's e-mails by identity, some at a time."""
    last = ""
    while True:
        rows = await statements.fetch(
            "SELECT id, identity, message_id, sender, recipients, subject, remark, mail_date FROM mails "
            "WHERE agency_id = $1 AND identity > $2 ORDER BY identity LIMIT $3",
            agency_id,
            last,
            MAILS,
        )
        if not rows:
            return
        yield await Mails.load(statements, rows)
        last = rows[-1]["identity"]


class Mails:
    """Some e-mails with their bookings, entries and mailboxes, each by the e-mail's id."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows
        self.bookings: dict[UUID, list[Mapping[str, Any]]] = {row["id"]: [] for row in rows}
        self.entries: dict[UUID, list[Mapping[str, Any]]] = {row["id"]: [] for row in rows}
        self.mailboxes: dict[UUID, set[UUID]] = {row["id"]: set() for row in rows}

    @classmethod
    async def load(cls, statements: Statements, rows: Sequence[Mapping[str, Any]]) -> Mails:
        """Read what belongs to these e-mails."""
        found, ids = cls(rows), [row["id"] for row in rows]
        for row in await statements.fetch(
            "SELECT mail_id, mailbox_id, part, decisive_at, user_id FROM bookings WHERE mail_id = ANY($1::uuid[])",
            ids,
        ):
            found.bookings[row["mail_id"]].append(row)
        for row in await statements.fetch(
            "SELECT mail_id, contact_reference, property_reference FROM activities "
            "WHERE mail_id = ANY($1::uuid[])",
            ids,
        ):
            found.entries[row["mail_id"]].append(row)
        for row in await statements.fetch(
            "SELECT mail_id, mailbox_id FROM mail_mailboxes WHERE mail_id = ANY($1::uuid[])", ids
        ):
            found.mailboxes[row["mail_id"]].add(row["mailbox_id"])
        return found
