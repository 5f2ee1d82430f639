"""Which of a driver's errors mean that the database is away, too busy, full or not to be written to.

None of them is the fault of who asked, and all of them pass, so trying again later may help. Anything else that a driver
raises is a fault of ours.
"""

from __future__ import annotations

import sqlite3

import asyncpg
from tortoise.exceptions import DBConnectionError


class DatabaseUnavailableError(Exception):
    """The database can't be reached, is too busy or takes no changes; trying again later may help."""


class OutcomeUnknownError(DatabaseUnavailableError):
    """The database went away while it was to commit: whether it did can only be read."""


UNAVAILABLE = (
    # Of the network, and of a time that was up.
    OSError,
    DBConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    # PostgreSQL's classes 08, 53 (disk, memory, connections), 57 (stopped, starting, cancelled by its operator), 58 (its files).
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    # It became a standby, or its operator keeps it from changing.
    asyncpg.ReadOnlySQLTransactionError,
    # Role and database were there at the start: they are being restored.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
_FULL = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, asyncpg.ReadOnlySQLTransactionError)
_SQLITE_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
_SQLITE_UNAVAILABLE = _SQLITE_FULL | {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


def is_unavailable(error: BaseException) -> bool:
    """Return whether trying again later may help."""
    if isinstance(error, sqlite3.OperationalError):
        return _code(error) in _SQLITE_UNAVAILABLE
    return isinstance(error, UNAVAILABLE)


def refuses_changes(error: BaseException) -> bool:
    """Return whether the database answers, but has no room for changes or takes none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _FULL) and not isinstance(cause, asyncpg.TooManyConnectionsError):
            return True
        if isinstance(cause, sqlite3.OperationalError) and _code(cause) in _SQLITE_FULL:
            return True
        cause = cause.__cause__
    return False


def name_of(error: BaseException) -> str:
    """Return what the innermost cause is called: it may be logged, since no value is in it."""
    while error.__cause__ is not None:
        error = error.__cause__
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return f"{type(error).__qualname__} {code}" if code else type(error).__qualname__


def _code(error: sqlite3.OperationalError) -> int:
    """Return the primary code, without what SQLite adds to it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
