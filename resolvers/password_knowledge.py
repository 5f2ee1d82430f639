"""Who knows a mailbox's password, and whether it should be renewed for that.

A renewal is recommended while somebody to whom, or by whom, the current password was shown or sent may not reveal it
now. That follows from the rows as they are: nothing has to be told when rights change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from models.mailbox_passwords import MAY_REVEAL
from resolvers import batches, mailboxes

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from models.database import Unit
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer

_KNOWERS = (
    "mailbox_password_knowers k JOIN users u ON u.id = k.user_id "
    "WHERE k.mailbox_id = p.mailbox_id AND k.version = p.version"
)
"""Those who know the current password `p`, and what stands behind WHERE of them."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """When the current password was set, and whether somebody knows it who should not."""

    changed_at: datetime
    is_renewal_recommended: bool


async def of_mailbox(request: Request, mailbox: Mailbox) -> Knowledge | None:
    """Return it of a mailbox, loaded with the others of its level; None where it has no password yet.

    Whether the viewer may read it is not asked here.
    """
    return await batches.batch(request, "knowledge of passwords", partial(_load, request)).get(mailbox.id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, Knowledge]:
    rows = await request.database.fetch(
        f"SELECT p.mailbox_id, p.changed_at, EXISTS (SELECT 1 FROM {_KNOWERS} AND NOT {MAY_REVEAL}) AS is_recommended "
        "FROM mailbox_passwords p JOIN mailboxes m ON m.id = p.mailbox_id WHERE p.mailbox_id = ANY($1::uuid[])",
        keys,
    )
    return {row["mailbox_id"]: Knowledge(row["changed_at"], row["is_recommended"]) for row in rows}


async def count_known(request: Request, user_id: UUID, *, but_assigned: bool = False) -> int:
    """Return of how many mailboxes of the viewer's agency a user knows the current password.

    Also of those that he or she may reveal; `but_assigned` leaves those out to which he or she is assigned now.
    """
    row = await request.database.fetch_one(
        "SELECT COUNT(*) AS number FROM mailbox_password_knowers k JOIN mailbox_passwords p "
        "ON p.mailbox_id = k.mailbox_id AND p.version = k.version WHERE k.user_id = $1 AND k.agency_id = $2 "
        "AND NOT ($3::boolean AND EXISTS (SELECT 1 FROM assignments a "
        "WHERE a.mailbox_id = k.mailbox_id AND a.user_id = k.user_id AND a.until IS NULL))",
        user_id,
        request.signed_in().agency_id,
        but_assigned,
    )
    return 0 if row is None else int(row["number"])


# ---------------------------------------------------------------- within a unit of work


async def known_by_former(unit: Unit, acting: Viewer, user_id: UUID) -> list[Mailbox]:
    """Return the mailboxes whose current password a user knows and may not reveal now, in the order of their ids."""
    return await _recommended(unit, acting, f"SELECT 1 FROM {_KNOWERS} AND k.user_id = $2", user_id)


async def recommended_at(unit: Unit, acting: Viewer, mailbox_id: UUID) -> list[Mailbox]:
    """Return the mailbox where its renewal is recommended, whoever it is for; else nothing."""
    return await _recommended(unit, acting, f"SELECT 1 FROM {_KNOWERS} AND m.id = $2", mailbox_id)


async def _recommended(unit: Unit, acting: Viewer, knowers: str, wanted: UUID) -> list[Mailbox]:
    rows = await unit.fetch(
        f"SELECT {mailboxes.columns('$1')} FROM mailbox_passwords p JOIN mailboxes m ON m.id = p.mailbox_id "
        f"WHERE p.agency_id = $3 AND EXISTS ({knowers} AND NOT {MAY_REVEAL}) ORDER BY m.id",
        acting.id,
        wanted,
        acting.agency_id,
    )
    return [mailboxes.read(row) for row in rows]
