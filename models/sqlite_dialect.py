"""Statements that are written for PostgreSQL in SQLite's words, and values as SQLite keeps them.

Rows of SQLite come back with the values that PostgreSQL would have given, by the names of their columns.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from tortoise.fields import BooleanField, UUIDField
from tortoise.models import Model

from models import tables
from models.fields import InstantField, instant_from_text, instant_to_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

_ANY = re.compile(r"= ANY\(\$(\d+)(?:::\w+\[\])?\)")
_CAST = re.compile(r"::\w+(?:\[\])?")
_LOCK = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b(?: OF \w+)?(?: SKIP LOCKED)?")


@lru_cache(maxsize=1024)
def translate(statement: str) -> str:
    """Turn a statement written for PostgreSQL into SQLite's words.

    `= ANY($1::uuid[])` looks into a JSON list, casts and row locks go: a transaction on SQLite holds the
    whole database.
    """
    statement = _ANY.sub(r"IN (SELECT value FROM json_each($\1))", statement)
    return _LOCK.sub("", _CAST.sub("", statement))


def to_sqlite(value: Any) -> Any:  # noqa: ANN401 (any value that a statement takes)
    """Return a parameter as SQLite stores it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return instant_to_text(value)
    if isinstance(value, list | tuple | set | frozenset):
        return orjson.dumps([to_sqlite(item) for item in value]).decode()
    if isinstance(value, str):
        return str(value)
    return value


def _uuid(value: Any) -> Any:  # noqa: ANN401
    return UUID(value) if isinstance(value, str) else value


def _instant(value: Any) -> Any:  # noqa: ANN401
    return instant_from_text(value) if isinstance(value, str) else value


def _boolean(value: Any) -> Any:  # noqa: ANN401
    return None if value is None else bool(value)


def _column_readers() -> dict[str, Callable[[Any], Any]]:
    """Derive from the models how each column of SQLite is read; a name means the same in every table."""
    readers: dict[str, Callable[[Any], Any]] = {}
    found = [item for module in tables.MODULES for item in vars(module).values()]
    for model in (each for each in found if isinstance(each, type) and issubclass(each, Model)):
        if model is Model:
            continue
        for name, column in model._meta.fields_map.items():  # noqa: SLF001 (Tortoise keeps its fields there)
            if isinstance(column, UUIDField):
                readers[name] = _uuid
            elif isinstance(column, InstantField):
                readers[name] = _instant
            elif isinstance(column, BooleanField):
                readers[name] = _boolean
    return readers


_READERS = _column_readers()


@lru_cache(maxsize=4096)
def _reader(column: str) -> Callable[[Any], Any] | None:
    """Return what reads a column by its name, whatever stands before two underlines in it."""
    column = column.rpartition("__")[2]
    if column in _READERS:
        return _READERS[column]
    if column.endswith("_id") and column not in {"message_id", "request_id"}:
        return _uuid
    if column.endswith("_at"):
        return _instant
    if column.startswith(("is_", "has_")):
        return _boolean
    return None


def from_sqlite(rows: Iterable[sqlite3.Row]) -> list[dict[str, Any]]:
    """Return rows of SQLite with the values that PostgreSQL would have given."""
    result: list[dict[str, Any]] = []
    readers: list[tuple[str, Callable[[Any], Any] | None]] | None = None
    for row in rows:
        if readers is None:
            readers = [(name, _reader(name)) for name in row.keys()]  # noqa: SIM118 (a Row iterates its values)
        result.append(
            {
                name: value if reader is None else reader(value)
                for (name, reader), value in zip(readers, tuple(row), strict=True)
            }
        )
    return result
