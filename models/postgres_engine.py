"""Tortoise's engine for PostgreSQL with statements that end when nobody waits for them any more.

A statement is stopped by a request of its own, which PostgreSQL ignores when it overtakes the statement or gets lost. Then the
connection is given up, and PostgreSQL is told to look whether whoever asked is still there, so that the statement ends too.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import PoolConnectionWrapper

if TYPE_CHECKING:
    from tortoise.backends.base.client import ConnectionWrapper

STOPPED_SECONDS: Final = 3
"""How long a statement that was stopped has to end before its connection is given up."""

LOOK: Final = "SELECT set_config('client_connection_check_interval', '1s', false)"
"""Since PostgreSQL 14, where the operating system can tell."""


async def _look_for_the_client(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    with contextlib.suppress(asyncpg.PostgresError):
        await connection.execute(LOOK)


class _Borrowed(PoolConnectionWrapper["asyncpg.Connection[asyncpg.Record]"]):
    """A connection of the pool, given back or given up."""

    async def __aexit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        # A connection that does not come to rest has been ended by the pool, which opens another one when it needs it.
        with contextlib.suppress(TimeoutError):
            await self.client._pool.release(self.connection, timeout=STOPPED_SECONDS)  # noqa: SLF001


class PostfachPostgresClient(AsyncpgDBClient):
    """The engine's client."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool[asyncpg.Record]:  # noqa: ANN401 (as the original)
        """Open the pool; each of its connections looks for its client."""
        return await super().create_pool(init=_look_for_the_client, **options)

    def acquire_connection(
        self,
    ) -> (
        ConnectionWrapper[asyncpg.Connection[asyncpg.Record]]
        | PoolConnectionWrapper[asyncpg.Connection[asyncpg.Record]]
    ):
        """Return a connection of the pool as a context."""
        return _Borrowed(self, self._pool_init_lock)


client_class = PostfachPostgresClient
