"""Office groups: a name in use within an agency. A group comes with its first member and goes with its last."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from models.database import Unit


async def of_user(unit: Unit, user_id: UUID) -> list[str]:
    """Return the names of a user's groups, sorted, as of now."""
    rows = await unit.fetch(
        "SELECT g.name FROM office_group_members m JOIN office_groups g ON g.id = m.group_id "
        "WHERE m.user_id = $1 ORDER BY g.name",
        user_id,
    )
    return [row["name"] for row in rows]


async def join(unit: Unit, agency_id: UUID, user_id: UUID, names: list[str]) -> None:
    """Make a user a member of these groups and of no others. The unit holds the agency's lock alone."""
    await unit.execute("DELETE FROM office_group_members WHERE user_id = $1", user_id)
    for name in names:
        group = await unit.fetch_one(
            "SELECT id FROM office_groups WHERE agency_id = $1 AND name = $2", agency_id, name
        )
        group_id = uuid4() if group is None else group["id"]
        if group is None:
            await unit.execute(
                "INSERT INTO office_groups (id, agency_id, name) VALUES ($1, $2, $3)",
                group_id,
                agency_id,
                name,
            )
        await unit.execute(
            "INSERT INTO office_group_members (id, agency_id, group_id, user_id) VALUES ($1, $2, $3, $4)",
            uuid4(),
            agency_id,
            group_id,
            user_id,
        )
    await unit.execute(
        "DELETE FROM office_groups WHERE agency_id = $1 AND NOT EXISTS "
        "(SELECT 1 FROM office_group_members m WHERE m.group_id = office_groups.id)",
        agency_id,
    )
