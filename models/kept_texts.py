"""Statements whose text is put together once for all values that they are asked with.

A statement is made with slots instead of its values, and kept with their order; whoever runs it fills the slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

MOST = 1_000
"""So many texts are kept; then all are put together anew."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value goes."""

    name: str


class KeptTexts:
    """Texts of statements by what they depend on beside their values."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[str, tuple[Any, ...]]] = {}

    def get(
        self, key: Hashable, make: Callable[[], tuple[str, Sequence[Any]]], values: Mapping[str, Any]
    ) -> tuple[str, list[Any]]:
        """Return the statement of this key, made where there is none yet, and its parameters: its slots filled from `values`."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST:
                self._kept.clear()
            text, parameters = make()
            found = self._kept[key] = text, tuple(parameters)
        text, slots = found
        return text, [values[each.name] if each.__class__ is Slot else each for each in slots]
