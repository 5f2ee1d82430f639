"""Connections of asyncpg's pool that are kept at hand between two uses.

The pool is their owner: it opens them, checks what comes back, and closes what is idle or has done much. But each time it gives
one it makes tasks and timers, which cost more than most statements. So a connection whose work ended well stays here for whoever
is next, and all of them go back to the pool every now and then. What failed, was stopped or is left in a transaction goes back at
once. Who finds none waits in a queue here, in which nobody is overtaken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, TypeAlias, cast

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]

ACQUIRE_SECONDS = 15
"""How long a connection is waited for."""
STOPPED_SECONDS = 3
"""How long a statement that was stopped has to end before its connection is given up."""
KEPT_SECONDS = 30
"""How often everything goes back to the pool."""


class AtHand:
    """The connections of one pool that nobody uses, the one used last first.

    The pool has as many places as it may have connections. Each is the pool's, somebody's, or that of a connection at hand; while
    anybody waits there are only the second.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._idle: list[Connection] = []
        self._places = pool.get_max_size()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._emptying: asyncio.Task[None] | None = None

    def take(self) -> Connection | None:
        """Return a connection without waiting, None where none is at hand."""
        if self._idle and _is_open(self._idle[-1]):
            return self._idle.pop()
        return None

    async def wait(self) -> Connection:
        """Return a connection, when the pool has opened one or somebody else gives one back. Raises `TimeoutError`."""
        async with asyncio.timeout(ACQUIRE_SECONDS):
            while self._idle:
                connection = self._idle.pop()
                if _is_open(connection):
                    return connection
                await self.give_back(connection)
            if self._places:
                self._places -= 1
            else:
                handed = await self._turn()
                if handed is not None:
                    return handed
            try:
                # The pool's proxy of one.
                return cast("Connection", await self._pool.acquire())
            except BaseException:
                self._leave(None)
                raise

    def keep(self, connection: Connection) -> bool:
        """Keep a connection whose work ended well. Return False where it has to be given back."""
        if self._is_closing or not _is_open(connection) or connection.is_in_transaction():
            return False
        self._leave(connection)
        return True

    async def give_back(self, connection: Connection) -> None:
        """Give a connection back to the pool, which ends one that does not come to rest and opens another when it needs it."""
        try:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._pool.release(connection, timeout=STOPPED_SECONDS)  # type: ignore[arg-type]
        finally:
            self._leave(None)

    async def close(self) -> None:
        """Give everything back, now and from now on."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._emptying is not None:
            await self._emptying
        await self._give_all_back()

    def size(self) -> int:
        """Return how many connections are at hand."""
        return sum(map(_is_open, self._idle))

    def in_use(self) -> int:
        """Return how many connections somebody uses."""
        return self._pool.get_size() - self._pool.get_idle_size() - self.size()

    async def _turn(self) -> Connection | None:
        """Wait for a connection, or for a place in the pool, None."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._leave(waiter.result())
            raise

    def _leave(self, connection: Connection | None) -> None:
        """Leave a connection, or a place in the pool, to who has waited longest, or to whoever comes."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._places += 1
            return
        self._idle.append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._empty)

    def _empty(self) -> None:
        self._timer = None
        self._emptying = asyncio.ensure_future(self._give_all_back())

    async def _give_all_back(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await self.give_back(connection)


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # It broke, and the pool has taken it back by itself.
        return False
