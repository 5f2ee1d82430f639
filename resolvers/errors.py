"""What a caller can act on: one small class a condition. The schema turns them into a payload's errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from models.tables.agencies import ModuleName


class ErrorCode(StrEnum):
    """Names a condition for clients."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    INVALID_INPUT = "INVALID_INPUT"
    CONFLICT = "CONFLICT"
    MODULE_NOT_ENABLED = "MODULE_NOT_ENABLED"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    WRONG_PASSWORD = "WRONG_PASSWORD"  # noqa: S105 (a code)
    PASSWORD_CHANGE_REQUIRED = "PASSWORD_CHANGE_REQUIRED"  # noqa: S105 (a code)
    RATE_LIMITED = "RATE_LIMITED"


class CallerError(Exception):
    """Something the caller can act on. Raised inside a unit of work it undoes all of it.

    `path` names the input field at fault, from the argument down. `message` holds nothing that the caller did not send.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, path: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class UnauthenticatedError(CallerError):
    """Nobody is signed in, or the sign-in failed; which of the reasons is told to nobody."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, message: str = "Sign in first.") -> None:
        super().__init__(message)


class ForbiddenError(CallerError):
    """The viewer may read it, but not do this."""

    code = ErrorCode.FORBIDDEN


class NotFoundError(CallerError):
    """It does not exist, or is not for the viewer's eyes."""

    code = ErrorCode.NOT_FOUND


class InvalidInputError(CallerError):
    """An argument is not what the field takes."""

    code = ErrorCode.INVALID_INPUT


class ConflictError(CallerError):
    """It can't be done as things stand."""

    code = ErrorCode.CONFLICT


class WrongPasswordError(CallerError):
    """The viewer's own password was wrong."""

    code = ErrorCode.WRONG_PASSWORD


class PasswordChangeRequiredError(CallerError):
    """The password was set by somebody else and has to be changed first."""

    code = ErrorCode.PASSWORD_CHANGE_REQUIRED


@dataclass(frozen=True, slots=True)
class AccountManagerContact:
    """Whom an agency asks."""

    name: str
    email: str
    phone: str | None


class ModuleNotEnabledError(CallerError):
    """The agency lacks the module; the account manager can switch it on."""

    code = ErrorCode.MODULE_NOT_ENABLED

    def __init__(
        self, message: str, module: ModuleName, account_manager: AccountManagerContact | None
    ) -> None:
        super().__init__(message)
        self.module = module
        self.account_manager = account_manager


class ConfirmationRequiredError(CallerError):
    """It opens entries: ask, and call again with `confirm`."""

    code = ErrorCode.CONFIRMATION_REQUIRED

    def __init__(self, message: str, entries_opened: int) -> None:
        super().__init__(message, ["confirm"])
        self.entries_opened = entries_opened


class RateLimitedError(CallerError):
    """Too often; `retry_after` seconds from now it may work."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, retry_after: int, path: list[str] | None = None) -> None:
        super().__init__(message, path)
        self.retry_after = retry_after
