"""Attempts to sign in, as they are stored to be counted, and the addresses from which users have signed in.

Tokens of one-time links that showed nothing are counted with them, each address by a key of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from models.clock import Window
    from models.database import Statements, Unit

    Row = Mapping[str, Any]

REMEMBERED = timedelta(days=180)
"""How long an address stays that of a user who does not come back from it."""
_NOBODY = UUID(int=0)


async def is_known(database: Statements, user_id: UUID | None, address: str | None, since: datetime) -> bool:
    """Return whether the user has signed in from the address since then; asks as much for a login that nobody has."""
    found = await database.fetch(
        "SELECT 1 AS one FROM sign_in_addresses WHERE user_id = $1 AND address = $2 AND at > $3",
        user_id or _NOBODY,
        address or "",
        since,
    )
    return bool(found)


async def remember(unit: Unit, user_id: UUID, address: str, now: datetime) -> None:
    """Keep that the user has signed in from the address, and forget old ones."""
    await unit.execute(
        "DELETE FROM sign_in_addresses WHERE user_id = $1 AND at < $2", user_id, now - REMEMBERED
    )
    await unit.execute(
        "INSERT INTO sign_in_addresses (id, user_id, address, at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (user_id, address) DO UPDATE SET at = excluded.at",
        uuid4(),
        user_id,
        address,
        now,
    )


async def forget(unit: Unit, user_id: UUID) -> None:
    """Forget from where a user has signed in: it was with another password."""
    await unit.execute("DELETE FROM sign_in_addresses WHERE user_id = $1", user_id)


async def of_key(unit: Unit, key: str, window: Window, most: int) -> Sequence[Row]:
    """Return the newest attempts for a login."""
    return await unit.fetch(
        "SELECT at, failed FROM sign_in_attempts WHERE key = $1 AND at > $2 AND at < $3 "
        "ORDER BY at DESC LIMIT $4::int",
        key,
        window.after,
        window.before,
        most,
    )


async def of_address(unit: Unit, address: str, window: Window, most: int) -> Sequence[Row]:
    """Return the newest attempts from an address."""
    return await unit.fetch(
        "SELECT at, failed FROM sign_in_attempts WHERE address = $1 AND at > $2 AND at < $3 "
        "ORDER BY at DESC LIMIT $4::int",
        address,
        window.after,
        window.before,
        most,
    )


async def begin(unit: Unit, key: str, address: str | None, now: datetime, forget_before: datetime) -> UUID:
    """Write an attempt that is under way and return its id; forget those that count no more."""
    await unit.execute("DELETE FROM sign_in_attempts WHERE at < $1", forget_before)
    attempt_id = uuid4()
    await unit.execute(
        "INSERT INTO sign_in_attempts (id, key, address, at, failed) VALUES ($1, $2, $3, $4, FALSE)",
        attempt_id,
        key,
        address,
        now,
    )
    return attempt_id


async def fail(unit: Unit, attempt_id: UUID) -> None:
    """Keep an attempt as one that failed."""
    await unit.execute("UPDATE sign_in_attempts SET failed = TRUE WHERE id = $1", attempt_id)


async def forgive(unit: Unit, attempt_id: UUID) -> None:
    """Remove an attempt: the password was right."""
    await unit.execute("DELETE FROM sign_in_attempts WHERE id = $1", attempt_id)
