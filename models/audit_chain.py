"""Reading the chains of the audit: to export them, and to find what was changed behind the server's back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import audit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from models.database import Statements

    Row = Mapping[str, Any]

AT_ONCE = 1_000


async def owners(statements: Statements) -> list[UUID | None]:
    """Return the agencies that have events, and None where there are some of no agency."""
    rows = await statements.fetch("SELECT DISTINCT agency_id FROM audit_events ORDER BY agency_id")
    return [row["agency_id"] for row in rows]


async def events(statements: Statements, agency_id: UUID | None) -> AsyncIterator[Row]:
    """Yield the events of a chain in their places."""
    owner, values = ("agency_id IS NULL", []) if agency_id is None else ("agency_id = $1", [agency_id])
    place = 0
    while True:
        rows = await statements.fetch(
            f"SELECT {', '.join(audit.COLUMNS)}, place, digest FROM audit_events "
            f"WHERE {owner} AND place > ${len(values) + 1}::bigint ORDER BY place LIMIT {AT_ONCE}",
            *values,
            place,
        )
        for row in rows:
            yield row
        if len(rows) < AT_ONCE:
            return
        place = rows[-1]["place"]


async def strays(statements: Statements, agency_id: UUID | None) -> int:
    """Return how many events without a place are younger than the first with one: nothing that the server writes."""
    owner, values = ("e.agency_id IS NULL", []) if agency_id is None else ("e.agency_id = $1", [agency_id])
    row = await statements.fetch_one(
        f"SELECT count(*) AS total FROM audit_events e WHERE {owner} AND e.place IS NULL AND e.at > "
        f"(SELECT min(f.at) FROM audit_events f WHERE f.place = 1 AND {owner.replace('e.', 'f.')})",
        *values,
    )
    return 0 if row is None else int(row["total"])


async def finding(statements: Statements, agency_id: UUID | None) -> tuple[int, str, str | None]:
    """Return how many events of a chain hold, the digest of the last that does, and what is wrong behind it, if anything."""
    place, before = 0, audit.BEGINNING
    async for row in events(statements, agency_id):
        if row["place"] != place + 1:
            return place, before, f"the events {place + 1} to {row['place'] - 1} are missing"
        if audit.digest(row, row["place"], before) != row["digest"]:
            return place, before, f"event {row['place']} is not what was written, or follows another one"
        place, before = row["place"], row["digest"]
    if stray := await strays(statements, agency_id):
        return place, before, f"{stray} events have no place in it"
    return place, before, None
