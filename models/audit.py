"""The audit: who did what, when, to what, from where, written in the transaction that does it.

The events of an agency, and those of none, are a chain. Each has a place in it, from 1 and without a gap, and a digest of
itself and the digest before it: whoever changes, removes or inserts one has to make every later digest anew. Places are
given at the very end of a unit, under a lock of the chain: nothing else is waited for while it is held.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

import orjson

from models import clock
from models.fields import instant_to_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.clock import Window
    from models.database import Unit

Detail = str | int | bool | list[str] | None
COLUMNS = (
    "id",
    "agency_id",
    "at",
    "actor_id",
    "action",
    "object_type",
    "object_id",
    "details",
    "remote_address",
)
BEGINNING = "0" * 64
"""What the first event is chained to."""
MAILS_IMPORTED = "import.mails"
"""Told by exports and the chain alone: of hidden e-mails not even an administrator hears that they came."""
NOBODYS = UUID(int=0)
"""Stands for the agency of events that belong to none."""
_PLACED = (*COLUMNS, "place", "digest")
_INSERT = (
    f"INSERT INTO audit_events ({', '.join(_PLACED)}) "
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(_PLACED) + 1))})"
)
_NEWEST = "SELECT place, digest FROM audit_events WHERE {} AND place IS NOT NULL ORDER BY place DESC LIMIT 1"


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
    """Have one row written when the unit ends.

    `action` is dotted (`mailbox.vip_on`), `subject` the type and id of what it was done to. `details` never
    holds a secret, nor anything of an e-mail.
    """
    object_type, object_id = subject or (None, None)
    name = f"audit {agency_id or NOBODYS}"
    chain = unit.last.get(name)
    if not isinstance(chain, _Chain):
        chain = unit.last[name] = _Chain(unit, agency_id)
    chain.rows.append(
        {
            "id": uuid4(),
            "agency_id": agency_id,
            "at": clock.now(),
            "actor_id": actor_id,
            "action": action,
            "object_type": object_type,
            "object_id": object_id,
            "details": orjson.dumps(details or {}).decode(),
            "remote_address": remote_address,
        }
    )


@dataclass(slots=True)
class _Chain:
    """What a unit adds to a chain, in the order in which it was recorded."""

    unit: Unit
    agency_id: UUID | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self) -> None:
        """Write the rows behind the newest one."""
        await self.unit.lock_turn(uuid5(self.agency_id or NOBODYS, "audit"))
        owner = ("agency_id IS NULL",) if self.agency_id is None else ("agency_id = $1", self.agency_id)
        newest = await self.unit.fetch_one(_NEWEST.format(owner[0]), *owner[1:])
        place, before = (0, BEGINNING) if newest is None else (newest["place"], newest["digest"])
        for row in self.rows:
            place += 1
            before = digest(row, place, before)
            await self.unit.execute(_INSERT, *(row[name] for name in COLUMNS), place, before)


def digest(row: Mapping[str, Any], place: int, before: str) -> str:
    """Return what chains an event to the one before it: a SHA-256 of all that it says, its place and that digest."""
    said = [_text(row[name]) for name in COLUMNS]
    return hashlib.sha256(orjson.dumps([before, place, *said])).hexdigest()


def _text(value: Any) -> str | None:  # noqa: ANN401 (a column's value)
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, UUID) else instant_to_text(value)


async def times(
    unit: Unit, action: str, *, actor_id: UUID, window: Window, object_id: UUID | None = None
) -> list[datetime]:
    """Return when `actor_id` did `action` within the window, oldest first: what limits in rate count.

    With `object_id` only what was done to that.
    """
    rows = await unit.fetch(
        "SELECT at FROM audit_events WHERE actor_id = $1 AND action = $2 AND at >= $3 AND at < $4 "
        "AND ($5::uuid IS NULL OR object_id = $5) ORDER BY at",
        actor_id,
        action,
        window.after,
        window.before,
        object_id,
    )
    return [row["at"] for row in rows]


async def latest(
    unit: Unit,
    action: str,
    number: int,
    *,
    window: Window,
    actor_id: UUID | None = None,
    object_id: UUID | None = None,
) -> datetime | None:
    """Return when `action` was done the `number`-th last time within the window; None where it was done less often.

    By `actor_id` or, without one, to `object_id`, whoever did it.
    """
    column, value = ("object_id", object_id) if actor_id is None else ("actor_id", actor_id)
    row = await unit.fetch_one(
        f"SELECT at FROM audit_events WHERE {column} = $1 AND action = $2 AND at > $3 AND at < $4 "
        "ORDER BY at DESC LIMIT 1 OFFSET $5::int",
        value,
        action,
        window.after,
        window.before,
        number - 1,
    )
    return None if row is None else row["at"]
