"""Scalars and enums: how a value becomes what JSON holds of it.

A `Leaf` says what generated code does with a value: `direct` is the class whose values stand for themselves, `names` the
values of an enum; anything else goes through `coerce`, which raises `TroubleError` for what may not be there, and of what is no
null through its `write` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
)

from execution.trouble import TroubleError

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = 1_000
"""More than the scalars and enums of a schema."""
DIRECT: dict[GraphQLLeafType, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


@dataclass(frozen=True, slots=True)
class Leaf:
    """How a value of a scalar or an enum is written."""

    coerce: Callable[[Any], Any]
    write: Callable[[Any], Any]
    direct: type | None
    enum: type | None
    names: dict[Any, str]

    @classmethod
    def of(cls, kind: GraphQLLeafType, *, nullable: bool) -> Leaf:
        """Return how values of this type are written where null may, or may not, be one of them."""
        names: dict[Any, str] = {}
        enum = getattr(kind, "wrapped_cls", None) if isinstance(kind, GraphQLEnumType) else None
        if isinstance(enum, type) and issubclass(enum, Enum):
            names = {each: kind.coerce_output_value(each) for each in enum}
        return cls(
            _nullable(kind) if nullable else _required(kind),
            kind.coerce_output_value,
            DIRECT.get(kind),
            enum if names else None,
            names,
        )


@lru_cache(KEPT)
def leaf_of(kind: GraphQLOutputType) -> Leaf | None:
    """Return how values of a type are written that is a scalar or an enum, None for any other type."""
    if isinstance(kind, GraphQLNonNull):
        return Leaf.of(kind.of_type, nullable=False) if is_leaf_type(kind.of_type) else None
    return Leaf.of(kind, nullable=True) if is_leaf_type(kind) else None


def _required(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    write = kind.coerce_output_value

    def coerce(value: Any) -> Any:
        written = None if value is None else write(value)
        if written is None or written is Undefined:
            raise TroubleError(f"no {kind.name}")
        return written

    return coerce


def _nullable(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    required = _required(kind)
    return lambda value: None if value is None else required(value)
