"""Sessions and users' passwords as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import attempts, clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from models.database import Statements, Unit
    from models.tables.sessions import SessionKind

    Row = Mapping[str, Any]

HOLDS = "is_same_viewer"
"""The column of a statement that does something else as well and says whether the viewer is who was known."""
_NO_SESSION = UUID(int=0)
_VIEWER = "u.id, u.agency_id, u.login, u.role, u.activity_read_level, u.agents_log_read_level"
_LIVES = "s.ended_at IS NULL AND s.expires_at > $2 AND u.state = 'ACTIVE'"


async def viewer(database: Statements, session_id: UUID) -> Row | None:
    """Return the active user of a session that lives, or None."""
    return await database.fetch_one(
        f"SELECT {_VIEWER} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND {_LIVES}",
        session_id,
        clock.now(),
    )


def still(first: int) -> str:
    """Return the condition that `viewer` would give the same again; the first of its parameters has this number."""
    return (
        "EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id "
        f"WHERE s.id = ${first} AND s.ended_at IS NULL AND s.expires_at > ${first + 1} AND u.state = 'ACTIVE' "
        "AND (u.role || ' ' || u.activity_read_level || ' ' || u.agents_log_read_level || ' ' "
        f"|| coalesce(u.agency_id::text, '-') || ' ' || u.id::text || ' ' || u.login) = ${first + 2})"
    )


def likeness(known: Sequence[Any]) -> str:
    """Return in one text what `viewer` gave, in the order of its columns: as one parameter it costs a third of six."""
    user_id, agency_id, login, *words = known
    # The login, which alone may have blanks, comes last: no two viewers have the same text.
    return " ".join([*words, str(agency_id or "-"), str(user_id), login])


def still_values(session_id: UUID, likeness: str) -> list[Any]:
    """Return the parameters of `still`."""
    return [session_id, clock.now(), likeness]


async def living(database: Statements, session_ids: list[UUID]) -> set[UUID]:
    """Return which of these sessions live, of active users."""
    rows = await database.fetch(
        "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id "
        f"WHERE s.id = ANY($1::uuid[]) AND {_LIVES}",
        session_ids,
        clock.now(),
    )
    return {row["id"] for row in rows}


async def user_by_login(database: Statements, login: str) -> Row | None:
    """Return the user with this login in lower case, with the password's hash, or None."""
    return await database.fetch_one(
        "SELECT id, agency_id, state, password_hash, password_change_required FROM users WHERE login = $1",
        login,
    )


async def password_hash(database: Statements, user_id: UUID) -> str:
    """Return the hash of a user's password."""
    row = await database.fetch_one("SELECT password_hash FROM users WHERE id = $1", user_id)
    return "" if row is None else str(row["password_hash"])


async def lock_user(unit: Unit, user_id: UUID) -> Row | None:
    """Return the user and keep the row for this unit: nobody else changes state, rights or password."""
    return await unit.fetch_one(
        f"SELECT {_VIEWER}, u.state, u.password_hash, u.password_change_required "
        "FROM users u WHERE u.id = $1 FOR NO KEY UPDATE",
        user_id,
    )


async def set_password(unit: Unit, user_id: UUID, new_hash: str, *, change_required: bool) -> None:
    """Store a password that was chosen by the user or, with `change_required`, by somebody else.

    Whoever knew the old one has signed in from nowhere any more.
    """
    await unit.execute(
        "UPDATE users SET password_hash = $2, password_change_required = $3 WHERE id = $1",
        user_id,
        new_hash,
        change_required,
    )
    await attempts.forget(unit, user_id)


async def renew_hash(unit: Unit, user_id: UUID, new_hash: str) -> None:
    """Store another hash of the same password."""
    await unit.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, new_hash)


async def begin(unit: Unit, user_id: UUID, kind: SessionKind, lasts_until: datetime) -> UUID:
    """Write a new session at its first generation, 1, and return its id. Forget the user's expired ones."""
    session_id, now = uuid4(), clock.now()
    await unit.execute("DELETE FROM sessions WHERE user_id = $1 AND expires_at < $2", user_id, now)
    await unit.execute(
        "INSERT INTO sessions (id, user_id, kind, generation, opened_at, advanced_at, expires_at) "
        "VALUES ($1, $2, $3, 1, $4, $4, $5)",
        session_id,
        user_id,
        kind.value,
        now,
        lasts_until,
    )
    return session_id


async def owner(database: Statements, session_id: UUID) -> Row | None:
    """Return the id and the agency of a session's user."""
    return await database.fetch_one(
        "SELECT u.id, u.agency_id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1",
        session_id,
    )


async def lock_session(unit: Unit, session_id: UUID) -> Row | None:
    """Return a session and keep the row for this unit."""
    return await unit.fetch_one(
        "SELECT id, user_id, generation, advanced_at, expires_at, ended_at FROM sessions "
        "WHERE id = $1 FOR UPDATE",
        session_id,
    )


async def advance(unit: Unit, session_id: UUID, moment: datetime, lasts_until: datetime) -> None:
    """Make the next generation."""
    await unit.execute(
        "UPDATE sessions SET generation = generation + 1, advanced_at = $2, expires_at = $3 WHERE id = $1",
        session_id,
        moment,
        lasts_until,
    )


async def end(unit: Unit, session_id: UUID) -> None:
    """End a session for good."""
    await unit.execute(
        "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", session_id, clock.now()
    )


async def end_all(unit: Unit, user_id: UUID, *, keep: UUID | None = None) -> list[UUID]:
    """End every session of the user but the kept one; return those that had not ended."""
    rows = await unit.fetch(
        "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL AND id <> $3 RETURNING id",
        user_id,
        clock.now(),
        keep or _NO_SESSION,
    )
    return [row["id"] for row in rows]
