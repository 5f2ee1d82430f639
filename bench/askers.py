"""Processes that ask a server side by side, for as long as each is told, and note when every answer came.

Each is started once and told again and again what to ask, so that a round may be short. Moments are of the machine's monotonic
clock, the same in all of them.
"""

from __future__ import annotations

import multiprocessing
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from multiprocessing.connection import Connection as Pipe
from typing import Self

from bench.load import Connection

NUMBER = "0000000000"
"""In a request that is never the same: replaced by a number that no other has."""
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Orders:
    """What to ask, over how many connections: at once again when an answer came, or so many in a second whatever comes of it.

    Without `seconds` until it is told to stop.
    """

    port: int
    requests: list[bytes]
    connections: int
    seconds: float | None = None
    per_second: float | None = None


@dataclass(slots=True)
class Noted:
    """When each answer came, how long it took, in seconds, and how many had each status."""

    begun: float
    ended: float
    answers: list[tuple[float, float]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def per_second(self, begin: float, end: float) -> float:
        """Answers a second between two moments."""
        return sum(begin <= at < end for at, _ in self.answers) / (end - begin)

    def seconds(self, begin: float, end: float) -> list[float]:
        """How long the answers took that came between two moments, the shortest first."""
        return sorted(took for at, took in self.answers if begin <= at < end)


class Asker:
    """A process that asks. It ends with the block."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_obey, args=(theirs,), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def begin(self, orders: Orders) -> None:
        """Begin to ask."""
        self._pipe.send(orders)

    def stop(self) -> Noted:
        """Stop who asks without an end; what was not answered is left behind."""
        self._pipe.send(None)
        return self.noted()

    def noted(self) -> Noted:
        """Return what came of it, when it has ended."""
        if not self._pipe.poll(PATIENCE_SECONDS):
            raise TimeoutError("an asker does not answer")
        noted: Noted = self._pipe.recv()
        return noted


def _obey(pipe: Pipe) -> None:
    numbers = count(time.time_ns() % 10**9)
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            orders = pipe.recv()
            if isinstance(orders, Orders):
                pipe.send(_ask(orders, pipe, numbers))


@dataclass(slots=True, eq=False)
class _Line:
    """A connection, when it has to ask next, and since when it waits."""

    connection: Connection
    due: float
    since: float = 0.0
    is_asking: bool = False


class _Asking:
    """What is under way by some orders."""

    def __init__(self, orders: Orders, numbers: Iterator[int]) -> None:
        self.orders = orders
        self.begun = time.monotonic()
        self.noted = Noted(self.begun, self.begun)
        self._numbers = numbers
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        for place in range(orders.connections):
            pace = orders.per_second
            self._open(place, self.begun if pace is None else self.begun + (1 + place) / pace)

    def _open(self, place: int, due: float) -> None:
        orders = self.orders
        own = orders.requests[place % len(orders.requests) :: orders.connections]
        connection = Connection(orders.port, _numbered(own, self._numbers))
        self._lines[connection.socket.fileno()] = _Line(connection, due)
        self._poll.register(connection.socket, select.EPOLLIN)

    def ask(self, now: float, most: float) -> float:
        """Send whatever is due; return how long nothing else is, at most so long."""
        for line in self._lines.values():
            if line.is_asking:
                continue
            if line.due <= now:
                # Whoever asks at fixed times waits from then on, also where the connection was not free.
                line.since = now if self.orders.per_second is None else line.due
                line.is_asking = line.connection.ask()
            else:
                most = min(most, line.due - now)
        return most

    def take(self, seconds: float) -> None:
        """Take the answers that come within so many seconds."""
        for descriptor, _ in self._poll.poll(seconds):
            line = self._lines[descriptor]
            try:
                answer = line.connection.take()
            except OSError:
                # The server may end a connection on which something was refused.
                self._poll.unregister(descriptor)
                del self._lines[descriptor]
                line.connection.socket.close()
                self._open(descriptor, time.monotonic())
                return
            if answer is None:
                continue
            at, status = time.monotonic(), answer[9:12].decode()
            self.noted.answers.append((at, at - line.since))
            self.noted.statuses[status] = self.noted.statuses.get(status, 0) + 1
            line.is_asking = False
            pace = self.orders.per_second
            line.due = at if pace is None else line.due + self.orders.connections / pace

    def close(self) -> Noted:
        """Leave what was not answered; return what was noted."""
        for line in self._lines.values():
            line.connection.socket.close()
        self._poll.close()
        self.noted.ended = time.monotonic()
        return self.noted


def _ask(orders: Orders, pipe: Pipe, numbers: Iterator[int]) -> Noted:
    asking = _Asking(orders, numbers)
    end = None if orders.seconds is None else asking.begun + orders.seconds
    while (now := time.monotonic()) < (end or now + 1):
        asking.take(asking.ask(now, LOOK_SECONDS if end is None else end - now))
        if end is None and pipe.poll():
            pipe.recv()
            break
    return asking.close()


def _numbered(requests: list[bytes], numbers: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    mark = NUMBER.encode()
    for place, request in cycle(list(enumerate(requests))):
        yield place, request.replace(mark, b"%010d" % next(numbers)) if mark in request else request
