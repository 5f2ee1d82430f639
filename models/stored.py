"""What is stored already, as an import asks for it: an agency at a time, e-mails by identity.

Called in a unit of work that holds the agency's lock alone, so that nothing of it changes in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from models.database import Unit

IMPORT_LOCK = 0x696D706F


async def lock_imports(unit: Unit) -> None:
    """Wait until no other import is under way: two that name agencies in different order would block each other."""
    if not unit.is_sqlite:
        await unit.execute("SELECT pg_advisory_xact_lock($1)", IMPORT_LOCK)


async def agency_id_of_key(unit: Unit, key: str) -> UUID | None:
    """Return the agency with this key, or None."""
    row = await unit.fetch_one("SELECT id FROM agencies WHERE key = $1", key)
    return None if row is None else row["id"]


async def agency_of_domain(unit: Unit, domain: str) -> Mapping[str, Any] | None:
    """Return `id, key` of the agency that the domain belongs to, or None."""
    return await unit.fetch_one(
        "SELECT a.id, a.key FROM domains d JOIN agencies a ON a.id = d.agency_id WHERE d.name = $1", domain
    )


async def agency(unit: Unit, agency_id: UUID) -> Mapping[str, Any]:
    """Return the agency's name, account manager and whether its letters may carry a password."""
    rows = await unit.fetch(
        "SELECT name, contact_name, contact_email, contact_phone, passwords_in_letters FROM agencies WHERE id = $1",
        agency_id,
    )
    return rows[0]


async def domains(unit: Unit, agency_id: UUID) -> list[str]:
    """Return the agency's domains."""
    rows = await unit.fetch("SELECT name FROM domains WHERE agency_id = $1", agency_id)
    return [row["name"] for row in rows]


async def modules(unit: Unit, agency_id: UUID) -> list[str]:
    """Return the modules that are enabled."""
    rows = await unit.fetch("SELECT name FROM modules WHERE agency_id = $1 AND enabled", agency_id)
    return [row["name"] for row in rows]


_USER_COLUMNS = (
    "id, login, first_name, last_name, email, email_name, language, role, state, activity_read_level, "
    "agents_log_read_level"
)


async def users(unit: Unit, agency_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return the agency's users without their passwords."""
    return await unit.fetch(f"SELECT {_USER_COLUMNS} FROM users WHERE agency_id = $1", agency_id)


async def account_managers(unit: Unit) -> Sequence[Mapping[str, Any]]:
    """Return the users who belong to no agency, without their passwords."""
    return await unit.fetch(f"SELECT {_USER_COLUMNS} FROM users WHERE agency_id IS NULL")


async def office_groups(unit: Unit, agency_id: UUID) -> dict[str, UUID]:
    """Return the ids of the agency's office groups by name."""
    rows = await unit.fetch("SELECT id, name FROM office_groups WHERE agency_id = $1", agency_id)
    return {row["name"]: row["id"] for row in rows}


async def office_group_members(unit: Unit, agency_id: UUID) -> dict[UUID, set[str]]:
    """Return the names of each user's office groups."""
    rows = await unit.fetch(
        "SELECT m.user_id, g.name FROM office_group_members m JOIN office_groups g ON g.id = m.group_id "
        "WHERE g.agency_id = $1",
        agency_id,
    )
    found: dict[UUID, set[str]] = {}
    for row in rows:
        found.setdefault(row["user_id"], set()).add(row["name"])
    return found


async def mailboxes(unit: Unit, agency_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return the agency's mailboxes, each with its first and its last decisive moment."""
    return await unit.fetch(
        "SELECT o.id, o.address, o.email_name, o.vip, o.active, o.receiving_stops_at, o.automatic_booking, "
        "o.last_moment, (SELECT min(b.decisive_at) FROM bookings b WHERE b.mailbox_id = o.id) AS first_booked_at, "
        "(SELECT max(b.decisive_at) FROM bookings b WHERE b.mailbox_id = o.id) AS last_booked_at "
        "FROM mailboxes o WHERE o.agency_id = $1",
        agency_id,
    )


async def assignments(unit: Unit, agency_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return every period of the agency, oldest first."""
    return await unit.fetch(
        "SELECT mailbox_id, user_id, since, until FROM assignments WHERE agency_id = $1 ORDER BY since",
        agency_id,
    )


async def is_booked_within(unit: Unit, mailbox_id: UUID, since: datetime, until: datetime | None) -> bool:
    """Whether a decisive moment at the mailbox lies in this period."""
    row = await unit.fetch_one(
        "SELECT 1 AS one FROM bookings WHERE mailbox_id = $1 AND decisive_at >= $2 "
        "AND ($3::timestamptz IS NULL OR decisive_at < $3::timestamptz) LIMIT 1",
        mailbox_id,
        since,
        until,
    )
    return row is not None


@dataclass(frozen=True, slots=True)
class StoredMail:
    """What an e-mail with a known identity holds besides it.

    `bookings` as (mailbox, part, decisive moment, user), `entries` as (contact, property).
    """

    mail_date: datetime | None
    bookings: frozenset[tuple[UUID, str, datetime, UUID | None]]
    entries: frozenset[tuple[str | None, str | None]]


async def mails(unit: Unit, agency_id: UUID, identities: Sequence[str]) -> dict[str, StoredMail]:
    """Return those of these e-mails that are stored, by identity."""
    found = await unit.fetch(
        "SELECT id, identity, mail_date FROM mails WHERE agency_id = $1 AND identity = ANY($2::text[])",
        agency_id,
        list(identities),
    )
    if not found:
        return {}
    ids = [row["id"] for row in found]
    bookings: dict[UUID, set[tuple[UUID, str, datetime, UUID | None]]] = {mail_id: set() for mail_id in ids}
    entries: dict[UUID, set[tuple[str | None, str | None]]] = {mail_id: set() for mail_id in ids}
    for row in await unit.fetch(
        "SELECT mail_id, mailbox_id, part, decisive_at, user_id FROM bookings WHERE mail_id = ANY($1::uuid[])",
        ids,
    ):
        bookings[row["mail_id"]].add((row["mailbox_id"], row["part"], row["decisive_at"], row["user_id"]))
    for row in await unit.fetch(
        "SELECT mail_id, contact_reference, property_reference FROM activities WHERE mail_id = ANY($1::uuid[])",
        ids,
    ):
        entries[row["mail_id"]].add((row["contact_reference"], row["property_reference"]))
    return {
        row["identity"]: StoredMail(
            row["mail_date"], frozenset(bookings[row["id"]]), frozenset(entries[row["id"]])
        )
        for row in found
    }


async def take_moment(unit: Unit, mailbox_id: UUID, moment: datetime) -> None:
    """Store the newest moment at the mailbox."""
    await unit.execute("UPDATE mailboxes SET last_moment = $1 WHERE id = $2", moment, mailbox_id)
