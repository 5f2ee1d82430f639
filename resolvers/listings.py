"""Lists as statements: what is selected, from where, in which total order; and the page, the end and the number of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resolvers.cursors import key_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resolvers.cursors import Kind
    from resolvers.windows import Window
    from resolvers.writing import Writer

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order: an expression of the listing's statement."""

    expression: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as a statement: what it selects, from where, in which order.

    `where` may use `$1` … `$n` for the values that `Connection` brings. With `parent`, the expression of the
    parent's id, the list is one of each parent and `where` says nothing about the parent. Every key goes the
    same way, `descending` or not, and the last makes the order total.
    """

    columns: str
    source: str
    where: str
    order: tuple[Key, ...]
    descending: bool = False
    parent: str | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return what a cursor of this list holds."""
        return tuple(key.kind for key in self.order)

    def page(self, window: Window, values: list[Any], writer: Writer | None = None) -> str:
        """Return the statement of a page, with one row more; its parameters are added to `values`.

        With `writer` as `JsonText.page` wants it.
        """
        downwards = self.descending is not window.backwards
        way = " DESC" if downwards else ""
        order = ", ".join(key.expression + way for key in self.order)
        columns = self.columns if writer is None else writer.columns_on_page(order, window.size)
        keys = ", ".join(
            f"{key.expression} AS {self.key_name(place)}" for place, key in enumerate(self.order)
        )
        where = self._where(values)
        if window.after is not None:
            where += f" AND {self._beyond(window.after, values, later=True)}"
        if window.before is not None:
            where += f" AND {self._beyond(window.before, values, later=False)}"
        values.append(window.size + 1)
        limit = f"${len(values)}::int"
        if self.parent is None:
            return f"SELECT {columns}, {keys} FROM {self.source} WHERE {where} ORDER BY {order} LIMIT {limit}"
        return (
            f"SELECT * FROM (SELECT {columns}, {keys}, {self.parent} AS parent_id, "
            f"row_number() OVER (PARTITION BY {self.parent} ORDER BY {order}) AS place "
            f"FROM {self.source} WHERE {where}) AS placed WHERE place <= {limit} ORDER BY place"
        )

    def exists(self, position: tuple[Any, ...], values: list[Any], *, later: bool) -> str:
        """Return the statement for the parents (or one row) with something at or beyond the position."""
        where = f"{self._where(values)} AND {self._beyond(position, values, later=later, at=True)}"
        if self.parent is None:
            return f"SELECT 1 AS found FROM {self.source} WHERE {where} LIMIT 1"
        return f"SELECT DISTINCT {self.parent} AS parent_id FROM {self.source} WHERE {where}"

    def count(self, values: list[Any]) -> str:
        """Return the statement that counts the whole list, of each parent."""
        where = self._where(values)
        if self.parent is None:
            return f"SELECT count(*) AS total FROM {self.source} WHERE {where}"
        return (
            f"SELECT {self.parent} AS parent_id, count(*) AS total FROM {self.source} "
            f"WHERE {where} GROUP BY {self.parent}"
        )

    @property
    def key_names(self) -> list[str]:
        """Return the names of all keys in a row."""
        return [self.key_name(place) for place in range(len(self.order))]

    @staticmethod
    def key_name(place: int) -> str:
        """Return the name under which a row holds the value of a key of the order."""
        return f"cursor_key_{place}"

    def position(self, row: Row) -> tuple[Any, ...]:
        """Return where a row stands."""
        return tuple(key_value(row[self.key_name(place)], key.kind) for place, key in enumerate(self.order))

    def _where(self, values: list[Any]) -> str:
        if self.parent is None:
            return self.where
        # The parents come right after the listing's own values.
        return f"({self.where}) AND {self.parent} = ANY(${len(values)}::uuid[])"

    def _beyond(self, position: tuple[Any, ...], values: list[Any], *, later: bool, at: bool = False) -> str:
        names = []
        for key, value in zip(self.order, position, strict=True):
            values.append(value)
            names.append(f"${len(values)}::{key.kind.value}")
        comparison = ("<" if self.descending is later else ">") + ("=" if at else "")
        return f"({', '.join(key.expression for key in self.order)}) {comparison} ({', '.join(names)})"
