"""What the caller can act on, as types.

The objects behind these types are the domain's own errors, each in a `Told`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers import errors as conditions
from resolvers.errors import CallerError
from schema.enums import ErrorCode, ModuleName

if TYPE_CHECKING:
    from schema.agency import AccountManager


@strawberry.interface(description="What the caller can act on; everything else is a GraphQL error.")
class UserError:
    """Every class of it carries these."""

    code: ErrorCode = strawberry.field(description="Names the condition.")
    message: str = strawberry.field(description="Says it in plain English.")
    path: list[str] | None = strawberry.field(
        description="The input field at fault, from the argument down; null when no one field is."
    )


class Told:
    """An error in a payload: GraphQL would raise the exception itself."""

    def __init__(self, condition: CallerError) -> None:
        self.condition = condition

    def __getattr__(self, name: str) -> Any:
        return getattr(self.condition, name)


def _is(condition: type[CallerError]) -> classmethod[type, [object, object], bool]:
    def is_type_of(_cls: type, obj: object, _info: object) -> bool:
        return isinstance(obj, Told) and isinstance(obj.condition, condition)

    return classmethod(is_type_of)


@strawberry.type(description="Nobody is signed in, or the sign-in failed.")
class UnauthenticatedError(UserError):
    """Sign in first."""

    is_type_of = _is(conditions.UnauthenticatedError)


@strawberry.type(description="The viewer can read it, but may not do this.")
class ForbiddenError(UserError):
    """Not allowed."""

    is_type_of = _is(conditions.ForbiddenError)


@strawberry.type(description="Absent, or not for the viewer's eyes: the two cannot be told apart.")
class NotFoundError(UserError):
    """Not there, as far as the viewer knows."""

    is_type_of = _is(conditions.NotFoundError)


@strawberry.type(description="An argument is not what the field takes; the path says which.")
class InvalidInputError(UserError):
    """Bad input."""

    is_type_of = _is(conditions.InvalidInputError)


@strawberry.type(description="It can't be done as things stand.")
class ConflictError(UserError):
    """Not now."""

    is_type_of = _is(conditions.ConflictError)


@strawberry.type(description="The viewer's own password was wrong.")
class WrongPasswordError(UserError):
    """Wrong password."""

    is_type_of = _is(conditions.WrongPasswordError)


@strawberry.type(description="The password was set by somebody else: sign in with newPassword.")
class PasswordChangeRequiredError(UserError):
    """A new password is due."""

    is_type_of = _is(conditions.PasswordChangeRequiredError)


@strawberry.type(description="The agency lacks the module; the account manager can switch it on.")
class ModuleNotEnabledError(UserError):
    """The module is missing."""

    module: ModuleName = strawberry.field(description="The module that is missing.")
    account_manager: Annotated[AccountManager, strawberry.lazy("schema.agency")] | None = strawberry.field(
        description="Whom to ask."
    )

    is_type_of = _is(conditions.ModuleNotEnabledError)


@strawberry.type(description="It opens entries: ask, and call again with confirm.")
class ConfirmationRequiredError(UserError):
    """Are you sure?"""

    entries_opened: int = strawberry.field(description="Entries that would no longer be guarded.")

    is_type_of = _is(conditions.ConfirmationRequiredError)


@strawberry.type(description="Too often; it may work after retryAfter seconds.")
class RateLimitedError(UserError):
    """Wait."""

    retry_after: int = strawberry.field(description="Seconds.")

    is_type_of = _is(conditions.RateLimitedError)


ERROR_TYPES = (
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    InvalidInputError,
    ConflictError,
    WrongPasswordError,
    PasswordChangeRequiredError,
    ModuleNotEnabledError,
    ConfirmationRequiredError,
    RateLimitedError,
)
"""No field names these: the schema has to be told of them."""
