"""How many statements of one viewer a database has to do at once: one operation could else take every connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque

STATEMENTS = 4
"""A quarter of the connections of a process."""
PAUSES, LONGEST_PAUSE = 3, 1.0
"""Where others come first, the database is theirs for so many times as long as a statement took, and for how long at most."""


class Lane:
    """The statements of one viewer. A lane that `is_narrow` has room for one, and pauses behind each."""

    __slots__ = ("_inside", "_waiting", "is_narrow")

    def __init__(self) -> None:
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.is_narrow = False

    def enter(self) -> bool:
        """Enter at once, where there is room."""
        if self._inside >= (1 if self.is_narrow else STATEMENTS):
            return False
        self._inside += 1
        return True

    async def wait(self) -> None:
        """Enter as soon as there is room, in the order in which they came."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                # It was let in, and is stopped before it knows.
                self._leave()
            raise

    def leave(self, began: float) -> None:
        """Leave, having come in at a moment of the monotonic clock."""
        if self.is_narrow:
            pause = min(LONGEST_PAUSE, PAUSES * (time.monotonic() - began))
            asyncio.get_running_loop().call_later(pause, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        self._inside -= 1
        while self._waiting and self._inside < (1 if self.is_narrow else STATEMENTS):
            place = self._waiting.popleft()
            if not place.done():
                self._inside += 1
                place.set_result(None)
