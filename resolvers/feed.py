"""What is booked while a client listens."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from models import sessions
from resolvers import activities, batches
from resolvers.request import viewer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.visibility import Filter
    from resolvers.activities import Entry
    from resolvers.request import Request

BOOKED = "booked"
"""The topic: `agency_id`, `mail_id` and the booking's `position` in the e-mail."""


async def booked(request: Request, narrowed: Filter) -> AsyncIterator[Entry]:
    """Yield each entry that a booking makes visible to the viewer, once.

    The viewer's rights are looked up for each booking anew, since they may have changed since the client began to listen. Ends
    when the session has ended. Raises `resolvers.events.SubscriptionEndedError` when events were lost or too many wait.
    """
    viewer = request.signed_in()
    agency_id = None if viewer.agency_id is None else str(viewer.agency_id)
    with request.services.events.subscribe(
        BOOKED, lambda payload: payload["agency_id"] == agency_id
    ) as events:
        async for payload in events:
            row = await sessions.viewer(request.database, viewer.session_id)
            if row is None:
                return
            request.viewer = viewer_of(row, viewer.session_id)
            # What was loaded for the last booking may no longer be so, or no longer be this viewer's to read.
            batches.forget(request)
            for entry in await activities.booked(
                request, narrowed, UUID(payload["mail_id"]), payload["position"]
            ):
                yield entry
