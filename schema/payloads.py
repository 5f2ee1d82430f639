"""Mutations answer payloads: what was changed, and the errors that the caller can act on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition

from resolvers import batches
from resolvers.errors import CallerError
from schema.errors import Told, UserError

if TYPE_CHECKING:
    from strawberry.extensions.field_extension import AsyncExtensionResolver
    from strawberry.types.field import StrawberryField

    from schema.context import Info


@strawberry.type
class Payload:
    """What every payload has."""

    errors: list[UserError] = strawberry.field(
        description="Why nothing was changed; empty when it was done.", default_factory=list
    )


class Answers(FieldExtension):
    """Makes the payload of a mutation out of what its resolver returns or raises. Goes last into `extensions`: outermost.

    With `name` the resolver returns what stands in that field of the payload; without, an object with the
    payload's attributes, or None. A `CallerError` becomes the payload's only error, and all its other fields
    are null (lists: empty).
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._blank: dict[str, list[Any] | None] = {}

    def apply(self, field: StrawberryField) -> None:
        """Learn the payload's fields. Raises `ValueError` for a payload without the named one."""
        definition = get_object_definition(field.type, strict=True)
        self._blank = {
            part.python_name: None if isinstance(part.type, StrawberryOptional) else []
            for part in definition.fields
            if isinstance(part.type, StrawberryOptional | StrawberryList)
        }
        if self._name is not None and self._name not in self._blank:
            raise ValueError(f"{definition.name} has no {self._name}")

    async def resolve_async(
        self,
        next_: AsyncExtensionResolver,
        source: Any,
        info: Info,
        **kwargs: Any,
    ) -> SimpleNamespace:
        """Run the mutation and return its payload. What was loaded before it is not believed after it."""
        request = info.context.request
        batches.forget(request)
        try:
            result = await next_(source, info, **kwargs)
        except CallerError as error:
            return self._payload(errors=[Told(error)])
        finally:
            batches.forget(request)
        if self._name is not None:
            return self._payload(**{self._name: result})
        return self._payload(**{name: getattr(result, name) for name in self._blank if hasattr(result, name)})

    def _payload(self, **values: Any) -> SimpleNamespace:
        # A new list each time: what one answer appends to must not be another's.
        blank: dict[str, Any] = {name: None if value is None else [] for name, value in self._blank.items()}
        return SimpleNamespace(**{**blank, **values})
