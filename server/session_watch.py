"""Tells open sockets that their session has ended.

The bus tells it at once. Two ends it cannot tell: a session that nobody refreshed in time, and on the embedded
database what another process did (`postfach password`). So the sessions are also looked up every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

from models import sessions
from models.database import Database
from resolvers.events import SESSIONS_ENDED, Events, SubscriptionEndedError

log = logging.getLogger("postfach.sessions")

EMBEDDED_SECONDS, SECONDS = 1.0, 5.0
AT_ONCE = 1000

Ended = Callable[[SubscriptionEndedError | None], None]


class SessionWatch:
    """Knows whom to call when a session ends: with None, or with the error when the bus broke."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._watchers: dict[UUID, set[Ended]] = defaultdict(set)

    @contextmanager
    def watching(self, session_id: UUID, ended: Ended) -> Iterator[None]:
        """Have `ended` called within the block, from the event loop, when the session ends."""
        self._watchers[session_id].add(ended)
        try:
            yield
        finally:
            self._watchers[session_id].discard(ended)
            if not self._watchers[session_id]:
                del self._watchers[session_id]

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Watch within the block."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look(database))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _listen(self) -> None:
        while True:
            try:
                with self._events.subscribe(SESSIONS_ENDED) as ended:
                    async for payload in ended:
                        self._tell(UUID(each) for each in payload["session_ids"])
            except SubscriptionEndedError as error:
                for session_id in tuple(self._watchers):
                    self._call(session_id, error)
                await asyncio.sleep(EMBEDDED_SECONDS)

    async def _look(self, database: Database) -> None:
        pause = EMBEDDED_SECONDS if database.is_sqlite else SECONDS
        while True:
            await asyncio.sleep(pause)
            watched = list(self._watchers)
            for start in range(0, len(watched), AT_ONCE):
                some = watched[start : start + AT_ONCE]
                try:
                    living = await sessions.living(database, some)
                except Exception:
                    # The next look may be luckier, and operations find out by themselves.
                    log.exception("sessions can't be looked up")
                else:
                    self._tell(each for each in some if each not in living)

    def _tell(self, session_ids: Iterator[UUID]) -> None:
        for session_id in session_ids:
            self._call(session_id, None)

    def _call(self, session_id: UUID, error: SubscriptionEndedError | None) -> None:
        for ended in tuple(self._watchers.get(session_id, ())):
            ended(error)
