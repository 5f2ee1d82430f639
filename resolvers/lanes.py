"""Lets a few of each name through at once; some more wait for their turn, and the rest is sent away."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resolvers.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


FREE_TURNS, FORGOTTEN = 20, 0.5
"""How many paced turns may be taken until pauses come, and how many of them are forgotten in a second."""
KEPT = 10_000


@dataclass(slots=True)
class _Lane:
    turns: asyncio.Semaphore
    inside: int = 0
    used: float = 0.0
    at: float = 0.0

    def left(self, now: float) -> float:
        """Return how many turns were taken and are not forgotten."""
        return max(0.0, self.used - FORGOTTEN * (now - self.at))

    def take(self, now: float) -> None:
        """Count a turn."""
        self.used, self.at = self.left(now) + 1, now


@dataclass(slots=True)
class Lanes:
    """One lane for each name that somebody is in, or was in at a pace not long ago."""

    at_once: int
    most: int
    clock: Callable[[], float] = time.monotonic
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, name: str, *, alone: bool = False, paced: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it within the block. Raises `RateLimitedError` at once where too many wait already.

        With `alone` there is one at a time, with `paced` pauses come when it is asked for again and again.
        """
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) >= KEPT:
                self._forget()
            lane = self._lanes[name] = _Lane(asyncio.Semaphore(1 if alone else self.at_once))
        if lane.inside >= self.most:
            raise RateLimitedError("Too many at once; try again later.", 1)
        lane.inside += 1
        try:
            async with lane.turns:
                if paced:
                    above = lane.left(self.clock()) + 1 - FREE_TURNS
                    if above > 0:
                        await asyncio.sleep(above / FORGOTTEN)
                    lane.take(self.clock())
                yield
        finally:
            lane.inside -= 1
            if not (lane.inside or paced):
                self._lanes.pop(name, None)

    def _forget(self) -> None:
        """Forget those that nobody is in and that nothing is counted of any longer."""
        now = self.clock()
        for name, lane in tuple(self._lanes.items()):
            if not (lane.inside or lane.left(now)):
                del self._lanes[name]
