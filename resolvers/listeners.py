"""Everybody in this process who listens for bookings: the database is asked once for all of them.

One statement for each booking finds who sees anything of it, so what is hidden costs a listener nothing and fills nobody's
queue. A booking is handed to those who listened when it was told, in the order of the commits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import visibility
from resolvers.events import EventsLostError, Subscription, SubscriptionEndedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.database import Database
    from resolvers.events import Events
    from resolvers.request import Viewer

    Payload = dict[str, Any]

log = logging.getLogger("postfach.listeners")

BOOKED = "booked"
"""The topic: `agency_id`, `mail_id` and the booking's `position` in the e-mail."""
WAITING_BOOKINGS = 100_000
"""How many bookings wait to be asked about at most: they wait only while the database answers slower than it books."""


class Listeners:
    """Hands bookings out. A listener gets `activity_ids`: the entries that a booking made visible to that user."""

    def __init__(self) -> None:
        self._users: dict[Subscription, UUID] = {}
        self._agencies: dict[str, tuple[Subscription, ...]] = {}
        self._waiting: deque[tuple[Payload, tuple[Subscription, ...]]] = deque()
        self._awake = asyncio.Event()

    @property
    def number(self) -> int:
        """How many listen."""
        return len(self._users)

    @asynccontextmanager
    async def running(self, database: Database, events: Events) -> AsyncIterator[None]:
        """Hand out within the block what the bus tells."""
        events.attach(BOOKED, self)
        task = asyncio.create_task(self._hand_out(database))
        try:
            yield
        finally:
            events.detach(BOOKED, self)
            task.cancel()
            await asyncio.wait([task])
            self.fail(EventsLostError("The server ends."))

    def listen(self, events: Events, viewer: Viewer) -> Subscription:
        """Return the viewer's bookings from now on. Raises `EventsLostError` while the bus is broken."""
        events.require_whole()
        agency = str(viewer.agency_id)
        subscription = Subscription(lambda _: True, lambda left: self._forget(agency, left))
        self._users[subscription] = viewer.id
        self._agencies[agency] = (*self._agencies.get(agency, ()), subscription)
        return subscription

    def offer(self, payload: Payload) -> None:
        """Take a booking; the bus does that."""
        listeners = self._agencies.get(payload["agency_id"])
        if listeners is None:
            return
        if len(self._waiting) == WAITING_BOOKINGS:
            self.fail(EventsLostError("Too many bookings waited."))
            return
        self._waiting.append((payload, listeners))
        self._awake.set()

    def fail(self, error: SubscriptionEndedError) -> None:
        """End every listener with an error; the bus does that."""
        self._waiting.clear()
        _fail(tuple(self._users), error)

    def _forget(self, agency: str, subscription: Subscription) -> None:
        if self._users.pop(subscription, None) is None:
            return
        left = tuple(each for each in self._agencies[agency] if each is not subscription)
        if left:
            self._agencies[agency] = left
        else:
            del self._agencies[agency]

    async def _hand_out(self, database: Database) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._waiting:
                payload, listeners = self._waiting.popleft()
                try:
                    await self._hand(database, payload, listeners)
                except Exception:
                    # They come back and read what they missed; the next booking may be luckier.
                    log.exception("nobody can be told of a booking")
                    _fail(listeners, EventsLostError("A booking could not be looked up."))

    async def _hand(self, database: Database, payload: Payload, listeners: tuple[Subscription, ...]) -> None:
        users = {self._users[each] for each in listeners if each in self._users}
        if not users:
            return
        opened: dict[UUID, list[UUID]] = {}
        for user_id, activity_id in await visibility.opened_by_booking(
            database, UUID(payload["mail_id"]), payload["position"], sorted(users)
        ):
            opened.setdefault(user_id, []).append(activity_id)
        for each in listeners:
            found = opened.get(self._users.get(each, _NOBODY))
            if found:
                each.offer({"activity_ids": found})


_NOBODY = UUID(int=0)


def _fail(listeners: tuple[Subscription, ...], error: SubscriptionEndedError) -> None:
    for each in listeners:
        each.fail(error)
