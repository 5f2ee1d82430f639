"""Inputs whose fields are plain values, which come as they are: Strawberry would look at the type of each, at each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strawberry.types.arguments import InputContext

T = TypeVar("T")


def plain(cls: type[T]) -> type[T]:
    """Mark an input of scalars, enums and lists of them: it takes what GraphQL made of them. Goes above `strawberry.input`."""
    definition = get_object_definition(cls, strict=True)
    names = {
        each.graphql_name or to_camel_case(each.python_name): each.python_name for each in definition.fields
    }

    def build(_: type, given: Mapping[str, Any], _context: InputContext) -> Any:
        # A list may be a default, which all requests share.
        values = {
            names[name]: list(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**values)

    definition.from_input = build
    return cls
