"""Cursors: a position in a list, as clients get it and send it back.

A position is what the list's order compares: the values of its columns, whether or not something stands there.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from models.fields import instant_to_text
from resolvers.errors import InvalidInputError
from resolvers.text import is_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CURSOR_LENGTH = 4096


class Kind(Enum):
    """What a column of an order holds, as a cursor writes it and a statement casts it."""

    TEXT = "text"
    INSTANT = "timestamptz"
    ID = "uuid"


def encode_cursor(values: Sequence[Any]) -> str:
    """Return the cursor of a position."""
    written = [instant_to_text(value) if isinstance(value, datetime) else str(value) for value in values]
    return urlsafe_b64encode(orjson.dumps(written)).decode("ascii").rstrip("=")


def decode_cursor(text: str, kinds: Sequence[Kind], path: list[str]) -> tuple[Any, ...]:
    """Return the position that a cursor names.

    Raises `InvalidInputError` for anything that `encode_cursor` would not write.
    """
    values = _read_cursor(text, kinds)
    if values is None or encode_cursor(values) != text:
        raise InvalidInputError("This is not a cursor of this list.", path)
    return values


def _read_cursor(text: str, kinds: Sequence[Kind]) -> tuple[Any, ...] | None:
    if len(text) > CURSOR_LENGTH or not text.isascii():
        return None
    try:
        written = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    if not isinstance(written, list) or len(written) != len(kinds):
        return None
    values: list[Any] = []
    for value, kind in zip(written, kinds, strict=True):
        if not isinstance(value, str) or not is_clean(value):
            return None
        try:
            values.append(_READERS[kind](value))
        except (ValueError, OverflowError):
            return None
    return tuple(values)


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is not UTC:
        raise ValueError
    return value


_READERS: dict[Kind, Callable[[str], Any]] = {Kind.TEXT: str, Kind.INSTANT: _instant, Kind.ID: UUID}


def key_value(value: Any, kind: Kind) -> Any:  # noqa: ANN401 (what a row holds)
    """Return the value of a row's key. SQLite's rows tell the type of a column by its name, which a key's does not."""
    return _READERS[kind](value) if isinstance(value, str) else value
