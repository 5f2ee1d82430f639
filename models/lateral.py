"""Pieces of statements that the two databases say differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Parameters:
    """A statement's parameters, in the order in which they were added; the same value is one parameter."""

    values: list[Any] = field(default_factory=list)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, value: Any, cast: str = "text") -> str:  # noqa: ANN401 (any value that a statement takes)
        """Add a value and return the expression for it."""
        key = (repr(value), cast)
        if key not in self._known:
            self.values.append(value)
            self._known[key] = f"${len(self.values)}::{cast}"
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Lateral:
    """A source joined with, for each of its rows, the rows (instant, id) of a selection."""

    source: str
    moment: str
    identifier: str


def each_with(source: str, selection: str, alias: str, *, is_sqlite: bool) -> Lateral:
    """Join each row of `source` with the `occurred_at, id` of a selection that may speak of that row.

    SQLite has no LATERAL: a scalar subselect that packs the rows into a JSON list, unpacked again, does the
    same.
    """
    if not is_sqlite:
        return Lateral(
            f"{source} CROSS JOIN LATERAL ({selection}) {alias}", f"{alias}.occurred_at", f"{alias}.id"
        )
    packed = f"(SELECT json_group_array(json_array({alias}_.occurred_at, {alias}_.id)) FROM ({selection}) {alias}_)"
    return Lateral(
        f"{source} JOIN json_each({packed}) {alias}",
        f"json_extract({alias}.value, '$[0]')",
        f"json_extract({alias}.value, '$[1]')",
    )


def contains(column: str, word: str, parameters: Parameters, *, is_sqlite: bool) -> str:
    """Return the condition that folded text holds a folded word as it stands: nothing in it is a wildcard."""
    if is_sqlite:
        return f"instr({column}, {parameters.add(word)}) > 0"
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{column} LIKE {parameters.add(f'%{escaped}%')}"
