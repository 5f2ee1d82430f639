"""Objects whose answer is finished where they are fetched: by a database that writes JSON, say.

A resolver asks for the shape of what is selected below its field, looks at what that chooses, and gives instead of each object
a `Written` made for just this shape. There is a shape in a compiled operation alone; on every other way, and after an error, the
resolver is asked for the objects themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from execution.trouble import TroubleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import strawberry

    from execution.fields import Field
    from execution.shapes import Objects

SHAPE = "shape"
TYPENAME = "__typename"


@dataclass(frozen=True, slots=True)
class Written:
    """An object of a shape, as JSON in the very words of the answer. None where it can't be written."""

    shape: Objects
    json: str | bytes | None


@dataclass(frozen=True, slots=True)
class WrittenList:
    """A list of objects of a shape, as JSON in the very words of the answer. None where it can't be written."""

    shape: Objects
    json: str | bytes | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A field of a shape: under which key, its name in Python, and the shape of its objects.

    There is no `field` for `__typename` and for what is just an attribute.
    """

    key: str
    name: str
    field: Field | None = None
    objects: Objects | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it has no argument, and everybody who has the object may read it."""
        return self.field is None or (not self.field.definition.args and not self.field.has_permissions)

    @property
    def arguments(self) -> dict[str, Any] | None:
        """The arguments as the resolver would get them; None where they depend on a variable, or are not to be had."""
        return {} if self.field is None else self.field.constant_arguments()


def shape_below(info: strawberry.Info[Any, Any], *path: str, kind: str | None = None) -> Objects | None:
    """Return the shape of the objects to which a field leads and, from there, these fields of objects, by their names in Python.

    `kind` is the type of the objects that is meant, where there are several. None where there is no such shape, or more than one.
    """
    raw: Any = info._raw_info  # noqa: SLF001 (Strawberry's own way shows no extensions)
    extensions = raw.operation_extensions
    shape = extensions.get(SHAPE) if extensions else None
    found: Objects | None = None if shape is None else shape.objects_of(kind)
    for name in path:
        chosen = [] if found is None else [each for each in found.chosen if each.name == name]
        if len(chosen) != 1:
            return None
        found = chosen[0].objects
    return found


def as_fragments(
    values: Sequence[Any], shape: Objects | None, kind: type[Written | WrittenList] = Written
) -> list[Any]:
    """Return the answers of objects, or lists, that were written for a shape. Raises `TroubleError` where one is not."""
    answers = []
    for value in values:
        if value.__class__ is not kind or value.shape is not shape or value.json is None:
            raise TroubleError("not written")
        answers.append(orjson.Fragment(value.json))
    return answers
