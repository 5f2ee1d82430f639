"""Tortoise's engine for PostgreSQL with a pool that loses no connection, and in which nothing is waited for without an end.

A statement is stopped by a request of its own, which PostgreSQL ignores when it overtakes the statement or gets lost. Then the
connection is given up, and PostgreSQL is told to look whether whoever asked is still there, so that the statement ends too. A
transaction whose begin is refused or cancelled gives its connection back, else it were lost to the pool for good. Who waits
for a connection is sent away after a while. And the system asks connections whether the other side is there: one whose cable was
pulled breaks after half a minute.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import PoolConnectionWrapper, TransactionContextPooled

if TYPE_CHECKING:
    from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext

CONNECT_SECONDS = 10
ACQUIRE_SECONDS = 15
"""How long a connection of the pool is waited for."""
STOPPED_SECONDS = 3
"""How long a statement that was stopped has to end before its connection is given up."""
SILENCE_SECONDS: Final = 10
PROBES: Final = 4
PROBE_SECONDS: Final = 5
"""A connection on which nothing comes is probed after this silence, so often, and so far apart."""

LOOK: Final = "SELECT set_config('client_connection_check_interval', '1s', false)"
"""Since PostgreSQL 14, where the operating system can tell."""


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Have each side find out when the other is gone without a word."""
    transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001 (asyncpg shows no socket)
    found = transport.get_extra_info("socket")
    if found is not None and found.family in {socket.AF_INET, socket.AF_INET6}:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", SILENCE_SECONDS),
            ("TCP_KEEPINTVL", PROBE_SECONDS),
            ("TCP_KEEPCNT", PROBES),
            ("TCP_USER_TIMEOUT", (SILENCE_SECONDS + PROBES * PROBE_SECONDS) * 1000),
        ):
            # Each operating system has some of them.
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    with contextlib.suppress(asyncpg.PostgresError):
        await connection.execute(LOOK)


async def _give_back(pool: Any, connection: Any) -> None:  # noqa: ANN401 (the pool's own proxy)
    """Let others have a connection. One that does not come to rest is ended by the pool, which opens another when it needs it."""
    if pool is not None and connection is not None:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await pool.release(connection, timeout=STOPPED_SECONDS)


class _Borrowed(PoolConnectionWrapper["asyncpg.Connection[asyncpg.Record]"]):
    """A connection of the pool for one statement."""

    async def __aenter__(self) -> asyncpg.Connection[asyncpg.Record]:
        await self.ensure_connection()
        self.connection = await self.client._pool.acquire(timeout=ACQUIRE_SECONDS)  # noqa: SLF001
        return self.connection

    async def __aexit__(self, *error: object) -> None:
        await _give_back(self.client._pool, self.connection)  # noqa: SLF001


class _Transaction(TransactionContextPooled):
    """A transaction on a connection of its own."""

    client: TransactionWrapper

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool  # noqa: SLF001
        self.client._connection = await pool.acquire(timeout=ACQUIRE_SECONDS)  # type: ignore[assignment, union-attr]  # noqa: SLF001
        try:
            await self.client.begin()
        except BaseException:
            await _give_back(pool, self.client._connection)  # noqa: SLF001
            raise
        self.token = _connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                await self.client.commit()
            else:
                await self.client.rollback()
        finally:
            _connections().reset(self.token)
            await _give_back(self.client._parent._pool, self.client._connection)  # noqa: SLF001


def _connections() -> Any:  # noqa: ANN401 (Tortoise does not say)
    from tortoise.connection import get_connections  # noqa: PLC0415 (Tortoise decides at run time)

    return get_connections()


class PostfachPostgresClient(AsyncpgDBClient):
    """The engine's client."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool[asyncpg.Record]:  # noqa: ANN401 (as the original)
        """Open the pool."""
        return await super().create_pool(init=_prepare, timeout=CONNECT_SECONDS, **options)

    def acquire_connection(
        self,
    ) -> (
        ConnectionWrapper[asyncpg.Connection[asyncpg.Record]]
        | PoolConnectionWrapper[asyncpg.Connection[asyncpg.Record]]
    ):
        """Return a connection of the pool as a context."""
        return _Borrowed(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


client_class = PostfachPostgresClient
