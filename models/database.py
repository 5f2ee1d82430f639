"""The way to the database: statements, and units of work.

Statements are written once, in PostgreSQL's words, with `$1`, `$2` … for parameters; for SQLite `sqlite_dialect`
turns them into its own. Rows come back as mappings with the same Python values on both: `UUID`, aware
`datetime`, `bool`.

A unit of work is one function in one transaction. It runs in a task of its own, so that a client that goes
away or a sibling field that fails cannot leave a transaction half done or a connection lost; and what is to
be told to the world is told after the commit.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, cast

import asyncpg
from tortoise import Tortoise
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from models.faults import (
    UNAVAILABLE,
    DatabaseUnavailableError,
    OutcomeUnknownError,
    is_unavailable,
    name_of,
    refuses_changes,
)
from models.sqlite_dialect import from_sqlite, to_sqlite, translate
from models.sqlite_engine import stoppable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager
    from uuid import UUID

    from tortoise.backends.base.client import BaseDBAsyncClient

    from models.database_url import DatabaseUrl
    from models.functions import Function
    from models.postgres_engine import PostfachPostgresClient

__all__ = [
    "UNAVAILABLE",
    "Database",
    "DatabaseUnavailableError",
    "Row",
    "Statements",
    "Unit",
]

Row = "Mapping[str, Any]"
T = TypeVar("T")

log = logging.getLogger("postfach.database")

POOL_SIZE = 16
RETRIES = 5
MIGRATION_LOCK = 0x706F7374


class Statements:
    """Runs statements on one Tortoise client: the pool's, or a transaction's."""

    def __init__(self, client: BaseDBAsyncClient, database: Database) -> None:
        self.client = client
        self.database = database
        self.is_sqlite = database.url.dialect == "sqlite"

    async def fetch(self, statement: str, *parameters: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
        """Return the rows of a statement.

        Raises `IntegrityError` where a constraint refuses, `DatabaseUnavailableError` where the database is
        not there. When the caller is cancelled, the statement ends in the database as well.
        """
        self.database.count(statement)
        tracer = self.database.tracer
        if tracer is None:
            return await self._fetch(statement, parameters)
        with tracer(statement):
            return await self._fetch(statement, parameters)

    async def _fetch(self, statement: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        if self.is_sqlite:
            named = {str(number): to_sqlite(value) for number, value in enumerate(parameters, 1)}
            try:
                async with self.client.acquire_connection() as connection:
                    rows = await stoppable(connection, translate(statement), named)
            except sqlite3.IntegrityError as error:
                raise IntegrityError(error) from error
            except sqlite3.OperationalError as error:
                raise _sqlite_failure(error) from error
            return from_sqlite(rows)
        try:
            return await self._rows(statement, parameters)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(error) from error
        except UNAVAILABLE as error:
            raise DatabaseUnavailableError(str(error)) from error

    async def _rows(self, statement: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a statement on PostgreSQL."""
        async with self.client.acquire_connection() as connection:
            return cast("Sequence[Mapping[str, Any]]", await connection.fetch(statement, *parameters))

    async def fetch_one(self, statement: str, *parameters: Any) -> Mapping[str, Any] | None:  # noqa: ANN401
        """Return the first row, or None."""
        rows = await self.fetch(statement, *parameters)
        return rows[0] if rows else None

    async def execute(self, statement: str, *parameters: Any) -> None:  # noqa: ANN401
        """Run a statement whose rows don't matter."""
        await self.fetch(statement, *parameters)


REPEATABLE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


def _sqlite_failure(error: sqlite3.OperationalError) -> Exception:
    return DatabaseUnavailableError(str(error)) if is_unavailable(error) else OperationalError(error)


class Unit(Statements):
    """A unit of work: statements in one transaction, and what to do when it has committed."""

    def __init__(self, client: BaseDBAsyncClient, database: Database) -> None:
        super().__init__(client, database)
        self._afterwards: list[Callable[[], None]] = []
        self.last: dict[str, Callable[[], Awaitable[None]]] = {}

    async def close(self) -> None:
        """Do what was left for the end of the transaction: `last`, in the order of its names, the same in all units."""
        for name in sorted(self.last):
            await self.last[name]()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction has committed, and only then."""
        self._afterwards.append(action)

    async def lock_agency(self, agency_id: UUID, *, alone: bool = False) -> None:
        """Wait for the agency's lock and hold it until the end of the unit.

        Every unit that writes for an agency takes it first. `alone` keeps all others out: for what decides
        rights (VIP, modules, roles, levels, states), so that nothing is booked or assigned in between by
        rights that no longer hold.
        """
        if not self.is_sqlite:
            kind = "" if alone else "_shared"
            await self.execute(f"SELECT pg_advisory_xact_lock{kind}($1)", lock_key(agency_id))

    async def lock_turn(self, user_id: UUID) -> None:
        """Wait for the user's turn with what is limited in rate and hold it until the end of the unit.

        Taken after the users' rows, which are shared by all that a user does at once, and before mailboxes.
        """
        if not self.is_sqlite:
            await self.execute("SELECT pg_advisory_xact_lock($1)", lock_key(user_id))

    def finish(self) -> None:
        """Do what was to be done after the commit."""
        for action in self._afterwards:
            action()


def lock_key(owner_id: UUID) -> int:
    """Return the number under which PostgreSQL locks an agency or a user."""
    return int.from_bytes(owner_id.bytes[:8], "big", signed=True)


class Database(Statements):
    """The open database of this process."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self.is_sqlite = url.dialect == "sqlite"
        self.database = self
        self.observer: Callable[[str], None] | None = None
        self.tracer: Callable[[str], AbstractContextManager[None]] | None = None
        """What is entered around each statement, and with an empty text around each unit of work."""
        self.takes_changes = True
        """False from a change that found no room, or was refused for good, until one is taken again."""
        self._is_away = False
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: DatabaseUrl, pool_size: int = POOL_SIZE) -> Database:
        """Connect. Raises `DatabaseUnavailableError` when the database is not there."""
        database = cls(url)
        if database.is_sqlite and not url.may_be_file():
            raise DatabaseUnavailableError(f"{url.path} can't be a database file")
        await Tortoise.init(config=url.tortoise_config(pool_size), _enable_global_fallback=True)
        database.client = Tortoise.get_connection("default")
        try:
            await database.fetch("SELECT 1 AS one")
        except BaseException as error:
            await Tortoise.close_connections()
            if isinstance(error, OperationalError | sqlite3.Error | asyncpg.PostgresError):
                raise DatabaseUnavailableError(str(error)) from error
            raise
        return database

    async def close(self) -> None:
        """Let the units under way end, then close every connection; without it the process would not end."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await Tortoise.close_connections()

    async def _rows(self, statement: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        rows = await cast("PostfachPostgresClient", self.client).rows(statement, parameters)
        return cast("Sequence[Mapping[str, Any]]", rows)

    def count(self, statement: str) -> None:
        """Tell the observer, where there is one, that a statement is about to run."""
        if self.observer is not None:
            self.observer(statement)

    async def migrate(self) -> None:
        """Bring the tables up to date: all steps or none, one process at a time, the others wait."""
        config = self.url.tortoise_config(1)["apps"]
        async with in_transaction("default") as client:
            if not self.is_sqlite:
                await client.execute_query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK])
            executor = MigrationExecutor(client, config)
            # Asking for a table that is not there would spoil PostgreSQL's transaction.
            await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))  # noqa: SLF001
            await executor.migrate()

    async def pending_migrations(self) -> list[str]:
        """Return the names of the steps that `migrate` would take."""
        executor = MigrationExecutor(self.client, self.url.tortoise_config(1)["apps"])
        try:
            return [step.migration.name for step in await executor.plan()]
        except UNAVAILABLE as error:
            raise DatabaseUnavailableError(str(error)) from error
        except (OperationalError, asyncpg.PostgresError):
            return ["all"]

    async def try_change(self) -> None:
        """Change something that nobody sees. Raises `DatabaseUnavailableError` where changes are refused."""
        await self.transact(_change_nothing)

    async def transact(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run `work` in one transaction and return what it returns.

        It is run to its end whatever becomes of the caller, and repeated when the database asks for that (a
        deadlock). An exception rolls everything back and is raised on.
        """
        return await self._to_its_end(self._transact(work) if self.tracer is None else self._traced(work))

    async def call(
        self,
        function: Function,
        *parameters: Any,  # noqa: ANN401 (any value that a statement takes)
        then: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a function of PostgreSQL that is a unit of work by itself: a transaction of one statement.

        What `transact` promises holds. `then` is called with the rows after the commit.
        """
        return await self._to_its_end(self._call(function, parameters, then))

    async def _to_its_end(self, running: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(running)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def _traced(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        assert self.tracer is not None  # noqa: S101 (nobody asks otherwise)
        with self.tracer(""):
            return await self._transact(work)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Marks it as seen: the caller, who would have been told, may be gone.
            task.exception()

    async def _transact(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        for attempt in range(1, RETRIES + 1):
            is_done = False
            try:
                async with in_transaction("default") as client:
                    unit = Unit(client, self)
                    result = await work(unit)
                    await unit.close()
                    is_done = True
            except REPEATABLE:
                if attempt == RETRIES:
                    raise
                continue
            except (DatabaseUnavailableError, sqlite3.OperationalError, *UNAVAILABLE) as error:
                raise self._failed(error, is_done=is_done) from error
            self._succeeded()
            unit.finish()
            return result
        raise AssertionError

    async def _call(
        self,
        function: Function,
        parameters: Sequence[Any],
        then: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> Sequence[Mapping[str, Any]]:
        statement, attempt = function.statement, 0
        while True:
            attempt += 1
            is_sent = False
            self.count(statement)
            try:
                with nullcontext() if self.tracer is None else self.tracer(statement):
                    async with self.client.acquire_connection() as connection:
                        is_sent = True
                        rows = await function.call(connection, parameters)
            except asyncpg.IntegrityConstraintViolationError as error:
                raise IntegrityError(error) from error
            except REPEATABLE:
                if attempt == RETRIES:
                    raise
                continue
            except UNAVAILABLE as error:
                # It commits by itself: an answer that is lost leaves open whether it did.
                raise self._failed(error, is_done=is_sent) from error
            self._succeeded()
            then(rows)
            return rows

    def _succeeded(self) -> None:
        if self._is_away:
            log.info("the database takes changes again")
        self._is_away, self.takes_changes = False, True

    def _failed(self, error: Exception, *, is_done: bool) -> Exception:
        """Return what is raised when a unit did not commit, and log once that none does."""
        if isinstance(error, sqlite3.OperationalError) and not is_unavailable(error):
            return _sqlite_failure(error)
        if not self._is_away:
            self._is_away = True
            log.warning("the database takes no changes", extra={"reason": name_of(error)})
        if refuses_changes(error):
            self.takes_changes = False
        elif is_done and not self.is_sqlite:
            return OutcomeUnknownError(str(error))
        return DatabaseUnavailableError(str(error))


async def _change_nothing(unit: Unit) -> None:
    if unit.is_sqlite:
        # The same number as before, which is written nevertheless.
        (row,) = await unit.fetch("PRAGMA user_version")
        await unit.execute(f"PRAGMA user_version = {int(row['user_version'])}")
    else:
        # Nothing of the tables: a file of its own, gone with the transaction.
        await unit.execute("CREATE TEMPORARY TABLE tried ON COMMIT DROP AS SELECT 1 AS one")
