"""Tortoise's SQLite engine with transactions that cannot fail halfway.

What differs from the original: a transaction takes the write lock when it begins (`BEGIN IMMEDIATE`), so that it waits for
another process instead of failing with "database is locked" at its first write; what reads goes on meanwhile. Scripts run
statement by statement, because Python's own `executescript` commits whatever is open and so would tear a migration apart. A begin
that fails gives the lock back. And a statement whose caller is cancelled is interrupted, and its connection is free for the next
one only when it has ended; closing ends one as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from tortoise.backends.base.client import NestedTransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
    translate_exceptions,
)
from tortoise.exceptions import DBConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import aiosqlite
    from tortoise.backends.base.client import TransactionalDBClient, TransactionContext


def statements(script: str) -> Iterator[str]:
    """Split a script where SQLite itself sees a statement end (a trigger's body holds semicolons)."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if pending.strip():
        yield pending.strip()


BUSY_SECONDS = 30
"""How long a transaction waits for another process that writes."""
BUSY_PAUSE_SECONDS = 0.05
INTERRUPT_SECONDS = 0.02
"""How long an interrupted statement has to end before it is interrupted again: it may not have begun."""


async def stoppable(
    connection: aiosqlite.Connection, statement: str, named: Mapping[str, Any]
) -> Iterable[sqlite3.Row]:
    """Return the rows of a statement. When the caller is cancelled it is interrupted, and has ended before that goes on."""
    running = asyncio.ensure_future(connection.execute_fetchall(statement, named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            await connection.interrupt()
            try:
                await asyncio.wait([running], timeout=INTERRUPT_SECONDS)
            except asyncio.CancelledError:
                # Cancelled twice: it is being ended already.
                continue
        # Marks it as seen: nobody waits for it.
        running.exception()
        raise


class ImmediateTransaction(SqliteTransactionWrapper):
    """One transaction, holding the write lock from its begin."""

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(ImmediateTransaction(self))

    async def begin(self) -> None:
        """Take the write lock, or raise at once what SQLite says of it."""
        cursor = await self._connection.execute("BEGIN IMMEDIATE")
        await cursor.close()

    @translate_exceptions
    async def execute_script(self, query: str) -> None:
        """Run a script within the transaction."""
        async with self.acquire_connection() as connection:
            for statement in statements(query):
                cursor = await connection.execute(statement)
                await cursor.close()


class ImmediateTransactionContext(SqliteTransactionContext):
    """Enters `ImmediateTransaction`, and leaves nothing locked when that fails."""

    async def __aenter__(self) -> TransactionalDBClient:
        loop = asyncio.get_running_loop()
        latest = loop.time() + BUSY_SECONDS
        # One at a time, in the order in which they came; the others would only take the connection from those that read.
        async with self.connection._parent.turns:  # noqa: SLF001
            while not await self._begin(wait=loop.time() < latest):  # noqa: ASYNC110 (another process tells nobody)
                await asyncio.sleep(BUSY_PAUSE_SECONDS)
        self.token = _connections().set(self.connection_name, self.connection)
        transaction: TransactionalDBClient = self.connection
        return transaction

    async def _begin(self, *, wait: bool) -> bool:
        """Take lock and connection, and begin. Return False while another process writes and there is time to `wait`."""
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except sqlite3.OperationalError as error:
            self._trxlock.release()
            if wait and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise DBConnectionError(error) from error
        except BaseException:
            self._trxlock.release()
            raise
        return True


def _connections() -> Any:  # noqa: ANN401 (Tortoise does not say)
    from tortoise.connection import get_connections  # noqa: PLC0415 (Tortoise decides at run time)

    return get_connections()


class PostfachSqliteClient(SqliteClient):
    """The engine's client."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (Tortoise's signature)
        super().__init__(*arguments, **named)
        self.turns = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection; a statement that still runs is ended, since nobody will read its rows."""
        connection = self._connection
        closing = asyncio.ensure_future(super().close())
        while not closing.done():
            await asyncio.wait([closing], timeout=INTERRUPT_SECONDS)
            if not closing.done() and connection is not None:
                # It may be closed by now.
                with contextlib.suppress(sqlite3.Error, ValueError):
                    await connection.interrupt()
        await closing

    def _in_transaction(self) -> ImmediateTransactionContext:
        return ImmediateTransactionContext(ImmediateTransaction(self), self._lock)


client_class = PostfachSqliteClient
