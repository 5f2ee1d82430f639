"""The audit: who did what, when, to what, from where, written in the transaction that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import orjson

from models import clock

if TYPE_CHECKING:
    from datetime import datetime

    from models.database import Unit

Detail = str | int | bool | list[str] | None


async def record(
    unit: Unit,
    action: str,
    *,
    agency_id: UUID | None,
    actor_id: UUID | None,
    remote_address: str | None,
    subject: tuple[str, UUID] | None = None,
    details: dict[str, Detail] | None = None,
) -> None:
    """Write one row. `action` is dotted (`mailbox.vip_on`), `subject` the type and id of what it was done to.

    `details` never holds a secret, nor anything of an e-mail.
    """
    object_type, object_id = subject or (None, None)
    await unit.execute(
        "INSERT INTO audit_events (id, agency_id, at, actor_id, action, object_type, object_id, details, remote_address) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        uuid4(),
        agency_id,
        clock.now(),
        actor_id,
        action,
        object_type,
        object_id,
        orjson.dumps(details or {}).decode(),
        remote_address,
    )


async def times(
    unit: Unit, action: str, *, actor_id: UUID, since: datetime, object_id: UUID | None = None
) -> list[datetime]:
    """Return when `actor_id` did `action` from `since` on, oldest first: what limits in rate count.

    With `object_id` only what was done to that.
    """
    rows = await unit.fetch(
        "SELECT at FROM audit_events WHERE actor_id = $1 AND action = $2 AND at >= $3 "
        "AND ($4::uuid IS NULL OR object_id = $4) ORDER BY at",
        actor_id,
        action,
        since,
        object_id,
    )
    return [row["at"] for row in rows]


async def latest(
    unit: Unit,
    action: str,
    number: int,
    *,
    since: datetime,
    actor_id: UUID | None = None,
    object_id: UUID | None = None,
) -> datetime | None:
    """Return when `action` was done the `number`-th last time after `since`; None where it was done less often.

    By `actor_id` or, without one, to `object_id`, whoever did it.
    """
    column, value = ("object_id", object_id) if actor_id is None else ("actor_id", actor_id)
    row = await unit.fetch_one(
        f"SELECT at FROM audit_events WHERE {column} = $1 AND action = $2 AND at > $3 "
        "ORDER BY at DESC LIMIT 1 OFFSET $4::int",
        value,
        action,
        since,
        number - 1,
    )
    return None if row is None else row["at"]
