"""The bus: what one unit of work tells to whoever listens, in this process or another.

An event is a topic and a small JSON object. It is told when its unit has committed, and never when it has
not. On SQLite it stays in the process; on PostgreSQL it goes through the database to every server process, this
one too (`models.notifications`). Nobody is waited for: a subscriber who does not keep up is dropped, and when
events may have been missed every subscriber is told so.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import orjson

from models.notifications import Listener, notify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from types import TracebackType
    from uuid import UUID

    from models.database import Unit
    from models.database_url import DatabaseUrl

    Payload = dict[str, Any]

WAITING_EVENTS = 1_000
"""How many events wait for a subscriber at most."""
NOTIFICATION_BYTES = 7_900
"""PostgreSQL carries less than 8000 bytes at once."""
SESSIONS_ENDED = "sessions_ended"
SESSIONS_AT_ONCE = 100


class SubscriptionEndedError(Exception):
    """The subscriber gets no more events; whoever subscribes again gets those from then on."""

    code: ClassVar[str]


class SlowReaderError(SubscriptionEndedError):
    """Too many events waited for the subscriber."""

    code = "SLOW_READER"


class EventsLostError(SubscriptionEndedError):
    """The way to the other processes broke: events may be missing."""

    code = "EVENTS_LOST"


class Subscriber(Protocol):
    """Takes what the bus hands over, at once and without waiting."""

    def offer(self, payload: Payload) -> None:
        """Take a payload."""

    def fail(self, error: SubscriptionEndedError) -> None:
        """Hear that events are missing."""


class Subscription:
    """Yields the payloads of a topic in the order of their commits, from the moment it was made.

    Used as a context manager it ends with the block. Iterating raises `SubscriptionEndedError`.
    """

    def __init__(self, accepts: Callable[[Payload], bool], forget: Callable[[Subscription], None]) -> None:
        self._accepts = accepts
        self._forget = forget
        self._waiting: deque[Payload] = deque()
        self._awake = asyncio.Event()
        self._ended = False
        self._error: SubscriptionEndedError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payload:
        """Wait for the next payload. What was waiting when the subscription ended is gone."""
        await self._awake.wait()
        if self._error is not None:
            raise self._error
        if self._ended:
            raise StopAsyncIteration
        payload = self._waiting.popleft()
        if not self._waiting:
            self._awake.clear()
        return payload

    def close(self) -> None:
        """End; an iteration that waits stops."""
        self._forget(self)
        self._ended = True
        self._awake.set()

    def offer(self, payload: Payload) -> None:
        """Hand a payload over; the bus does that."""
        if not self._accepts(payload):
            return
        if len(self._waiting) == WAITING_EVENTS:
            self.fail(SlowReaderError("Too many events waited."))
            return
        self._waiting.append(payload)
        self._awake.set()

    def fail(self, error: SubscriptionEndedError) -> None:
        """End with an error; the bus does that."""
        if not self._ended:
            self._error = error
        self.close()


class Events(ABC):
    """The bus of this process."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[Subscriber]] = defaultdict(set)

    @abstractmethod
    async def open(self) -> None:
        """Begin. Raises `DatabaseUnavailableError` when the way to the other processes can't be made."""

    async def close(self) -> None:
        """End every subscription."""
        self._fail_all(EventsLostError("The server ends."))

    @abstractmethod
    async def publish(self, unit: Unit, topic: str, payload: Payload) -> None:
        """Tell the subscribers of the topic once the unit has committed. The payload is JSON, a few ids."""

    @property
    @abstractmethod
    def tells_with_commit(self) -> bool:
        """Whether it is the database that tells, with the commit (`models.notifications`)."""

    def tell(self, topic: str, payload: Payload) -> None:
        """Tell the subscribers in this process of what has been committed, where the database does not."""
        if not self.tells_with_commit:
            self._deliver(topic, payload)

    @abstractmethod
    async def attend(self) -> None:
        """Have bookings told to this process from now on, until `leave`: while nobody could listen, nobody is told.

        Raises `DatabaseUnavailableError`.
        """

    @abstractmethod
    def leave(self) -> None:
        """Take back one `attend`."""

    @asynccontextmanager
    async def attending(self) -> AsyncIterator[None]:
        """Attend within the block."""
        await self.attend()
        try:
            yield
        finally:
            self.leave()

    def subscribe(self, topic: str, accepts: Callable[[Payload], bool] = lambda _: True) -> Subscription:
        """Return the topic's events from now on, those that `accepts` wants.

        Raises `EventsLostError` while the way to the other processes is broken.
        """
        self.require_whole()
        subscription = Subscription(accepts, self._subscribers[topic].discard)
        self._subscribers[topic].add(subscription)
        return subscription

    @abstractmethod
    def require_whole(self) -> None:
        """Raise `EventsLostError` while the way to the other processes is broken."""

    def attach(self, topic: str, subscriber: Subscriber) -> None:
        """Hand the topic's events over as they come, until it is detached; after it was told to fail, too."""
        self._subscribers[topic].add(subscriber)

    def detach(self, topic: str, subscriber: Subscriber) -> None:
        """Hand nothing over any more."""
        self._subscribers[topic].discard(subscriber)

    def subscribers(self, topic: str) -> int:
        """Return how many listen to the topic in this process."""
        return len(self._subscribers.get(topic, ()))

    async def publish_sessions_ended(self, unit: Unit, user_id: UUID, session_ids: Iterable[UUID]) -> None:
        """Tell that these sessions of the user have ended, so that what they opened is closed."""
        ended = [str(each) for each in session_ids]
        for start in range(0, len(ended), SESSIONS_AT_ONCE):
            payload = {"user_id": str(user_id), "session_ids": ended[start : start + SESSIONS_AT_ONCE]}
            await self.publish(unit, SESSIONS_ENDED, payload)

    def _deliver(self, topic: str, payload: Payload) -> None:
        for subscriber in tuple(self._subscribers.get(topic, ())):
            subscriber.offer(payload)

    def _fail_all(self, error: SubscriptionEndedError) -> None:
        for subscribers in tuple(self._subscribers.values()):
            for subscriber in tuple(subscribers):
                subscriber.fail(error)


class LocalEvents(Events):
    """The bus of the one process that the embedded database has."""

    async def open(self) -> None:
        """Do nothing: there are no other processes."""

    async def attend(self) -> None:
        """Do nothing: telling costs nothing."""

    def leave(self) -> None:
        """Do nothing."""

    def require_whole(self) -> None:
        """Do nothing: nothing can break."""

    @property
    def tells_with_commit(self) -> bool:
        """It is this process that tells."""
        return False

    async def publish(self, unit: Unit, topic: str, payload: Payload) -> None:
        """Tell after the commit."""
        unit.after_commit(lambda: self._deliver(topic, payload))


class PostgresEvents(Events):
    """The bus of all processes on one PostgreSQL database."""

    def __init__(self, url: DatabaseUrl) -> None:
        super().__init__()
        self._listener = Listener(url, self._heard, self._lost)

    async def open(self) -> None:
        """Begin to listen."""
        await self._listener.open()

    async def close(self) -> None:
        """End every subscription, and the listening."""
        await super().close()
        await self._listener.close()

    @property
    def tells_with_commit(self) -> bool:
        """The database tells every process."""
        return True

    async def publish(self, unit: Unit, topic: str, payload: Payload) -> None:
        """Tell with the commit: the database does both or neither."""
        text = orjson.dumps([topic, payload])
        if len(text) > NOTIFICATION_BYTES:
            raise ValueError(f"an event of {topic} has {len(text)} bytes, {NOTIFICATION_BYTES} at most")
        await notify(unit, text.decode())

    async def attend(self) -> None:
        """Have the database tell of bookings."""
        await self._listener.attend()

    def leave(self) -> None:
        """Take back one `attend`."""
        self._listener.leave()

    def require_whole(self) -> None:
        """Raise `EventsLostError` while the listener hears nothing."""
        if not self._listener.hears:
            raise EventsLostError("The way to the other processes is broken.")

    def _heard(self, text: str) -> None:
        topic, payload = orjson.loads(text)
        self._deliver(topic, payload)

    def _lost(self) -> None:
        self._fail_all(EventsLostError("The way to the other processes broke."))


def events_of(url: DatabaseUrl) -> Events:
    """Return the bus for this database."""
    return LocalEvents() if url.dialect == "sqlite" else PostgresEvents(url)
