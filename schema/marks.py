"""What is said of a mutation in its `metadata`, for those who look at an operation before it begins."""

from __future__ import annotations

from typing import Any, Final

from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

BEARS_SECRET: Final[dict[str, bool]] = {"bears_secret": True}
"""It checks, takes or hands out a password or a token. A request has one of them at most."""
ASKS_ITSELF: Final[dict[str, bool]] = {"asks_itself": True}
"""It asks by itself who the viewer is as of now, before it changes anything (`resolvers.riding`)."""


def marked(root: Any, mark: dict[str, bool]) -> list[str]:
    """Return the names of the fields of a root that have a mark."""
    definition = None if root is None else get_object_definition(root)
    fields = [] if definition is None else definition.fields
    return [
        each.graphql_name or to_camel_case(each.python_name)
        for each in fields
        if mark.items() <= (each.metadata or {}).items()
    ]
