"""Tortoise's engine for PostgreSQL with a pool that loses no connection, and in which nothing is waited for without an end.

A statement is stopped by a request of its own, which PostgreSQL ignores when it overtakes the statement or gets lost. Then the
connection is given up, and PostgreSQL is told to look whether whoever asked is still there, so that the statement ends too. A
transaction whose begin is refused or cancelled gives its connection back, else it were lost to the pool for good. Who waits
for a connection is sent away after a while (`postgres_pool`). And the system asks connections whether the other side is there:
one whose cable was pulled breaks after half a minute.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Final, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import PoolConnectionWrapper, TransactionContextPooled

from execution.metering import lane_of_task
from models.postgres_pool import AtHand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext

    from models.postgres_pool import Connection, Pool

CONNECT_SECONDS = 10
SILENCE_SECONDS: Final = 10
PROBES: Final = 4
PROBE_SECONDS: Final = 5
"""A connection on which nothing comes is probed after this silence, so often, and so far apart."""

LOOK: Final = "SELECT set_config('client_connection_check_interval', '1s', false)"
"""Since PostgreSQL 14, where the operating system can tell."""


async def _prepare(connection: Connection) -> None:
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


class _Borrowed(PoolConnectionWrapper["Connection"]):
    """A connection of the pool for one statement."""

    client: PostfachPostgresClient

    async def __aenter__(self) -> Connection:
        self.connection = await self.client.borrow()
        return self.connection

    async def __aexit__(self, *error: object) -> None:
        if self.connection is not None:
            await self.client.give_back(self.connection, in_order=error[0] is None)


class _Transaction(TransactionContextPooled):
    """A transaction on a connection of its own."""

    client: TransactionWrapper

    async def __aenter__(self) -> TransactionalDBClient:
        owner = self._owner()
        self.client._connection = await owner.borrow()  # noqa: SLF001
        try:
            await self.client.begin()
        except BaseException:
            await owner.give_back(self.client._connection, in_order=False)  # noqa: SLF001
            raise
        self.token = _connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, *error: object) -> None:
        in_order = False
        try:
            if error[0] is None:
                await self.client.commit()
            else:
                await self.client.rollback()
            in_order = error[0] is None
        finally:
            _connections().reset(self.token)
            await self._owner().give_back(self.client._connection, in_order=in_order)  # noqa: SLF001

    def _owner(self) -> PostfachPostgresClient:
        return cast("PostfachPostgresClient", self.client._parent)  # noqa: SLF001


def _connections() -> Any:  # noqa: ANN401 (Tortoise does not say)
    from tortoise.connection import get_connections  # noqa: PLC0415 (Tortoise decides at run time)

    return get_connections()


class PostfachPostgresClient(AsyncpgDBClient):
    """The engine's client."""

    _at_hand: AtHand | None = None

    async def create_pool(self, **options: Any) -> Pool:  # noqa: ANN401 (as the original)
        """Open the pool."""
        pool = await super().create_pool(init=_prepare, timeout=CONNECT_SECONDS, **options)
        self._at_hand = AtHand(pool)
        return pool

    async def borrow(self) -> Connection:
        """Return a connection that nobody else uses until it is given back. Raises `TimeoutError` when none becomes free."""
        if self._at_hand is None:
            async with self._pool_init_lock:
                if self._at_hand is None:
                    await self.create_connection(with_db=True)
        at_hand = cast("AtHand", self._at_hand)
        return at_hand.take() or await at_hand.wait()

    async def give_back(self, connection: Connection, *, in_order: bool) -> None:
        """Let others have a connection; `in_order` says that nothing on it failed or was stopped."""
        at_hand = self._at_hand
        if at_hand is not None and not (in_order and at_hand.keep(connection)):
            await at_hand.give_back(connection)

    async def rows(self, statement: str, parameters: Sequence[Any]) -> Sequence[asyncpg.Record]:
        """Return the rows of a statement on a connection that is free, when few are used for the same viewer."""
        lane = lane_of_task()
        if lane is not None and not lane.enter():
            await lane.wait()
        began = time.monotonic()
        try:
            # Whatever can be had without waiting is: each thing that could be waited for has its price.
            at_hand = self._at_hand
            connection = (at_hand and at_hand.take()) or await self.borrow()
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement, *parameters)
            except BaseException:
                await self.give_back(connection, in_order=False)
                raise
            if at_hand is None or not at_hand.keep(connection):
                await self.give_back(connection, in_order=True)
            return rows
        finally:
            if lane is not None:
                lane.leave(began)

    def in_use(self) -> int:
        """Return how many connections somebody uses."""
        return 0 if self._at_hand is None else self._at_hand.in_use()

    def at_hand(self) -> int:
        """Return how many connections nobody uses that are kept out of the pool."""
        return 0 if self._at_hand is None else self._at_hand.size()

    async def _close(self) -> None:
        at_hand = self._at_hand
        if at_hand is not None:
            await at_hand.close()
        await super()._close()
        self._at_hand = None

    def acquire_connection(
        self,
    ) -> ConnectionWrapper[Connection] | PoolConnectionWrapper[Connection]:
        """Return a connection of the pool as a context."""
        return _Borrowed(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


client_class = PostfachPostgresClient
