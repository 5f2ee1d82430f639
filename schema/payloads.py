"""Mutations answer payloads: what was changed, and the errors that the caller can act on."""

from __future__ import annotations

from functools import wraps
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition

from resolvers import batches
from resolvers.errors import CallerError
from schema.errors import Told, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from strawberry.extensions.field_extension import AsyncExtensionResolver
    from strawberry.types.field import StrawberryField

    from resolvers.following import Followed
    from schema.context import Info
    from schema.mailbox import Mailbox


@strawberry.type
class Payload:
    """What every payload has."""

    errors: list[UserError] = strawberry.field(
        description="Why nothing was changed; empty when it was done.", default_factory=list
    )


@strawberry.type
class FollowedPayload(Payload):
    """What a payload has of a change that may take rights from somebody who knows passwords: `resolvers.following.Followed`."""

    renewal_recommended: list[Annotated[Mailbox, strawberry.lazy("schema.mailbox")]] = strawberry.field(
        description=(
            "The mailboxes whose password should be renewed, since somebody from whom the change takes the right to it (or "
            "an earlier one took it) was shown or sent it. Empty when they were renewed, and where the mutation takes no rights."
        ),
        default_factory=list,
    )
    passwords_renewed: list[Annotated[Mailbox, strawberry.lazy("schema.mailbox")]] = strawberry.field(
        description="The mailboxes whose password was renewed with the change, by renewPasswords.",
        default_factory=list,
    )
    renewals_effective: bool | None = strawberry.field(
        description=(
            "True once the old passwords of passwordsRenewed fail and their sessions are ended on the mail servers; null when "
            "nothing was renewed."
        ),
        default=None,
    )


RenewPasswords = Annotated[
    bool | None,
    strawberry.argument(
        description=(
            "Renew the passwords of renewalRecommended in the same step; RATE_LIMITED, and nothing is changed, where one of "
            "them was renewed ten times or a hundred by the viewer within ten minutes."
        )
    ),
]


def followed(name: str, found: Followed[Any]) -> SimpleNamespace:
    """Return the attributes of a `FollowedPayload` in which what was changed is called `name`."""
    return SimpleNamespace(
        **{name: found.changed},
        renewal_recommended=found.renewal_recommended,
        passwords_renewed=found.passwords_renewed,
        renewals_effective=found.renewals_effective,
    )


class _Blank:
    """A payload in which nothing stands yet: null, or an empty list. `name` is the field for a result, where it is one value."""

    def __init__(self, payload: Any, name: str | None) -> None:
        definition = get_object_definition(payload, strict=True)
        self._name = name
        self._fields: dict[str, list[Any] | None] = {
            part.python_name: None if isinstance(part.type, StrawberryOptional) else []
            for part in definition.fields
            if isinstance(part.type, StrawberryOptional | StrawberryList)
        }
        if name is not None and name not in self._fields:
            raise ValueError(f"{definition.name} has no {name}")

    def with_result(self, result: Any) -> SimpleNamespace:
        """Return the payload of what a resolver returned."""
        if self._name is not None:
            return self._with(**{self._name: result})
        return self._with(**{name: getattr(result, name) for name in self._fields if hasattr(result, name)})

    def with_error(self, error: CallerError) -> SimpleNamespace:
        """Return the payload of what a resolver raised."""
        return self._with(errors=[Told(error)])

    def _with(self, **values: Any) -> SimpleNamespace:
        # A new list each time: what one answer appends to must not be another's.
        blank: dict[str, Any] = {name: None if value is None else [] for name, value in self._fields.items()}
        return SimpleNamespace(**{**blank, **values})


class Answers(FieldExtension):
    """Makes the payload of a mutation out of what its resolver returns or raises. Goes last into `extensions`: outermost.

    With `name` the resolver returns what stands in that field of the payload; without, an object with the
    payload's attributes, or None. A `CallerError` becomes the payload's only error, and all its other fields
    are null (lists: empty).
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._blank: _Blank | None = None

    def apply(self, field: StrawberryField) -> None:
        """Learn the payload's fields. Raises `ValueError` for a payload without the named one."""
        self._blank = _Blank(field.type, self._name)

    async def resolve_async(
        self,
        next_: AsyncExtensionResolver,
        source: Any,
        info: Info,
        **kwargs: Any,
    ) -> SimpleNamespace:
        """Run the mutation and return its payload. What was loaded before it is not believed after it."""
        assert self._blank is not None  # noqa: S101 (`apply` comes first)
        request = info.context.request
        batches.forget(request)
        try:
            result = await next_(source, info, **kwargs)
        except CallerError as error:
            return self._blank.with_error(error)
        finally:
            batches.forget(request)
        return self._blank.with_result(result)


def answering(payload: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a resolver do what `signed_in` and `Answers` do, without the layers: for a mutation that is called most often."""

    def mark(resolver: Callable[..., Any]) -> Callable[..., Any]:
        blanks: list[_Blank] = []

        @wraps(resolver)
        async def answer(info: Info, **given: Any) -> SimpleNamespace:
            if not blanks:
                blanks.append(_Blank(payload, name))
            request = info.context.request
            batches.forget(request)
            try:
                request.signed_in()
                return blanks[0].with_result(await resolver(info=info, **given))
            except CallerError as error:
                return blanks[0].with_error(error)
            finally:
                batches.forget(request)

        return answer

    return mark
