"""Lets a few of each name through at once; some more wait for their turn, and the rest is sent away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resolvers.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class _Lane:
    turns: asyncio.Semaphore
    inside: int = 0


@dataclass(slots=True)
class Lanes:
    """One lane for each name that somebody is in."""

    at_once: int
    most: int
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, name: str, *, alone: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, or to be `alone`, within the block. Raises `RateLimitedError` at once where too many wait already."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(asyncio.Semaphore(1 if alone else self.at_once))
        if lane.inside >= self.most:
            raise RateLimitedError("Too many at once; try again later.", 1)
        lane.inside += 1
        try:
            async with lane.turns:
                yield
        finally:
            lane.inside -= 1
            if not lane.inside:
                self._lanes.pop(name, None)
