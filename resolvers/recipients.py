"""Where letters about a mailbox might go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from resolvers import batches, text

if TYPE_CHECKING:
    from uuid import UUID

    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request

MOST = 100
"""So many suggest themselves at a mailbox."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody assigned to a mailbox, and where letters reach the person."""

    address: str
    user_id: UUID


async def suggested(request: Request, mailbox: Mailbox) -> list[Recipient]:
    """Return where letters about a mailbox might go: to active users assigned now whose private address the viewer may read.

    `MOST` of them, in the order of the users' names. Whether the viewer may send letters is not asked here.
    """
    return (
        await batches.batch(request, "suggested recipients", partial(_suggest, request)).get(mailbox.id) or []
    )


async def _suggest(request: Request, keys: list[UUID]) -> dict[UUID, list[Recipient]]:
    viewer = request.signed_in()
    rows = await request.database.fetch(
        "SELECT a.mailbox_id, m.address, u.email, u.id FROM assignments a JOIN users u ON u.id = a.user_id "
        "JOIN mailboxes m ON m.id = a.mailbox_id WHERE a.mailbox_id = ANY($1::uuid[]) AND a.until IS NULL "
        "AND m.agency_id = $2 AND u.state = 'ACTIVE' AND u.email IS NOT NULL AND ($3::boolean OR u.id = $4) "
        "ORDER BY u.fold_name, u.login",
        keys,
        viewer.agency_id,
        viewer.administers,
        viewer.id,
    )
    found: dict[UUID, list[Recipient]] = {}
    for row in rows:
        some = found.setdefault(row["mailbox_id"], [])
        if len(some) < MOST and not text.leads_into(row["email"], row["address"]):
            some.append(Recipient(row["email"], row["id"]))
    return found
