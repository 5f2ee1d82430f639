"""Which mutations bear a secret: they check, take or hand out a password or a token. A request has one of them at most."""

from __future__ import annotations

from typing import Any, Final

from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

_MARK: Final = "bears_secret"
BEARS_SECRET: Final[dict[str, bool]] = {_MARK: True}
"""Goes into a mutation's `metadata`."""


def bearers(mutation: Any) -> list[str]:
    """Return the names of the fields of a root that are marked."""
    definition = None if mutation is None else get_object_definition(mutation)
    fields = [] if definition is None else definition.fields
    return [
        each.graphql_name or to_camel_case(each.python_name)
        for each in fields
        if _MARK in (each.metadata or {})
    ]
