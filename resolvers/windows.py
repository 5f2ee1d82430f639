"""Which part of a list is asked for: the arguments of a connection, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resolvers.cursors import decode_cursor
from resolvers.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resolvers.cursors import Kind

DEFAULT_SIZE = 50
LARGEST_SIZE = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list asked for: up to `size` between two positions, the last ones when `backwards`."""

    size: int = DEFAULT_SIZE
    backwards: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """A connection's arguments as they came: None is absent."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def window(self, kinds: Sequence[Kind]) -> Window:
        """Return the part that is asked for.

        Raises `InvalidInputError` for both `first` and `last`, a size outside of 1 to 100, and what is not a
        cursor of this order.
        """
        if self.first is not None and self.last is not None:
            raise InvalidInputError("Either first or last, not both.", ["last"])
        return Window(
            size=self._size(),
            backwards=self.last is not None,
            after=None if self.after is None else decode_cursor(self.after, kinds, ["after"]),
            before=None if self.before is None else decode_cursor(self.before, kinds, ["before"]),
        )

    def _size(self) -> int:
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None:
                if not 1 <= size <= LARGEST_SIZE:
                    raise InvalidInputError(f"A page has 1 to {LARGEST_SIZE} entries.", [name])
                return size
        return DEFAULT_SIZE
