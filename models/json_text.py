"""Expressions by which PostgreSQL writes JSON, to the byte as orjson does: no blanks, instants as answers have them.

What an expression gives of null is null, unless it says otherwise. Joined texts are null as soon as one of them is, so
whoever reads one knows that something was not there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")


def text(column: str) -> str:
    """Return a text, escaped where JSON wants it."""
    return f"to_json({column})::text"


def word(column: str) -> str:
    """Return a text in which nothing is ever to be escaped."""
    return f"'\"' || {column} || '\"'"


def boolean(condition: str) -> str:
    """Return `true` or `false`."""
    return f"({condition})::text"


def instant(column: str) -> str:
    """Return a `timestamptz` in UTC, microseconds only where they are not zero; null of an infinite one, which nobody stores."""
    written = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return word(f"replace({written}, '.000000', '')")


def global_id(kind: int, column: str) -> str:
    """Return the global id of a UUID (`resolvers.node_ids`)."""
    encoded = f"encode('\\x{kind:02x}'::bytea || uuid_send({column}), 'base64')"
    return word(f"left(translate({encoded}, '+/', '-_'), 23)")


def lines(column: str) -> str:
    """Return the lines of a text as a list; of an empty text an empty list."""
    return f"to_json(string_to_array({column}, E'\\n'))::text"


def optional(value: str) -> str:
    """Return `null` where there is nothing."""
    return f"coalesce({value}, 'null')"


def made(pairs: Sequence[tuple[str, str]]) -> str:
    """Return an object of keys, which are names as GraphQL has them, and the expressions of their values."""
    if not all(_KEY.fullmatch(key) for key, _ in pairs):
        raise ValueError("no name")
    members = " || ',".join(f'"{key}":\' || {value}' for key, value in pairs)
    return f"('{{{members} || '}}')" if members else "'{}'"


def collected(value: str, order: str) -> str:
    """Return a list of what an aggregate sees, in an order; of nothing an empty one."""
    return f"coalesce('[' || string_agg({value}, ',' ORDER BY {order}) || ']', '[]')"
