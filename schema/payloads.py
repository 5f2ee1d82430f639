"""Mutations answer payloads: what was changed, and the errors that the caller can act on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition

from resolvers import batches
from resolvers.errors import CallerError
from schema.errors import Told, UserError

if TYPE_CHECKING:
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
