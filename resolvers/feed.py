"""What is booked while a client listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import sessions
from resolvers import activities, batches
from resolvers.request import viewer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from models.visibility import Filter
    from resolvers.activities import Entry
    from resolvers.request import Request


REMEMBERED = 1_000
"""How many entries that were told are remembered for a listener: a later booking may open one again when rights have changed."""


async def booked(request: Request, narrowed: Filter) -> AsyncIterator[Entry]:
    """Yield each entry that a booking makes visible to the viewer, once.

    The viewer's rights are looked up for each booking when it is told and again when it is delivered, since they may have
    changed since the client began to listen. Ends when the session has ended. Raises
    `resolvers.events.SubscriptionEndedError` when events were lost or too many wait.
    """
    viewer = request.signed_in()
    services = request.services
    told: dict[UUID, None] = {}
    async with services.events.attending():
        with services.listeners.listen(services.events, viewer) as events:
            async for payload in events:
                row = await sessions.viewer(request.database, viewer.session_id)
                if row is None:
                    return
                request.viewer = viewer_of(row, viewer.session_id)
                # What was loaded for the last booking may no longer be so, or no longer be this viewer's to read.
                batches.forget(request)
                for entry in await activities.still_visible(request, narrowed, payload["activity_ids"]):
                    if entry.id in told:
                        continue
                    told[entry.id] = None
                    if len(told) > REMEMBERED:
                        del told[next(iter(told))]
                    yield entry
