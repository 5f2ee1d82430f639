"""What becomes of a GraphQL error on its way out: a code for clients, nothing of a crash, and no value in any log.

`presented` is the only place that says so, whichever way an operation was executed.
"""

from __future__ import annotations

import logging
import re
import traceback
from secrets import token_hex

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.schema.exceptions import CannotGetOperationTypeError

from models.faults import DatabaseUnavailableError, OutcomeUnknownError
from resolvers.errors import CallerError, ErrorCode
from resolvers.events import SubscriptionEndedError

log = logging.getLogger("postfach.graphql")

INTERNAL = "INTERNAL"
BAD_REQUEST = "BAD_REQUEST"
PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
UNAVAILABLE = "UNAVAILABLE"
TIMED_OUT = "TIMED_OUT"
PERHAPS_DONE = "What it was changing may have been done: read it before you send it again."

_SUGGESTION = re.compile(r" Did you mean .*?\?(?= |$)", re.DOTALL)
_VALUE = re.compile(r"(?:[,;.] [Ff]ound|(cannot represent [^:]*value)): .*$", re.DOTALL)
_ENUM_VALUE = re.compile(r"Value '.*' does not exist in", re.DOTALL)
_COERCION = re.compile(r"(?:Variable '\$\w+'|Argument '\w+'|Argument \"\w+\") ")
_LONGEST, _BEGINNING, _END = 2_000, 1_000, 500
_TOO_MANY = ("Too many errors processing variables", "Variable values are nested")


def presented(error: GraphQLError) -> GraphQLError:
    """Return the error as a client may see it; log the class and place of a crash under the reference that the client gets.

    Its `extensions.code` says what it is; `extensions.path` of `INVALID_INPUT` names the argument at fault.
    May be asked again of what it returned.
    """
    if "code" in (error.extensions or {}):
        return _reworded(error, error.message, dict(error.extensions or {}))
    cause = _cause(error)
    if cause is not None:
        known = _condition(cause)
        return _masked(error, cause) if known is None else _reworded(error, *known)
    code = _code(error)
    return _masked(error, None) if code is None else _reworded(error, error.message, {"code": code})


def _condition(cause: BaseException) -> tuple[str, dict[str, object]] | None:
    """Return the message and the extensions of what a client can act on, None for a crash."""
    if isinstance(cause, CallerError):
        path = {} if cause.path is None else {"path": cause.path}
        return cause.message, {"code": cause.code.value, **path}
    if isinstance(cause, OutcomeUnknownError):
        return f"The database went away meanwhile. {PERHAPS_DONE}", {"code": UNAVAILABLE}
    if isinstance(cause, DatabaseUnavailableError):
        return "The database does not answer: try again later.", {"code": UNAVAILABLE}
    if isinstance(cause, SubscriptionEndedError):
        return str(cause), {"code": cause.code}
    if isinstance(cause, CannotGetOperationTypeError):
        return "The document has no such operation.", {"code": BAD_REQUEST}
    return None


def _code(error: GraphQLError) -> str | None:
    """Return the code of GraphQL's own error, None for one that no client can have caused."""
    if isinstance(error, GraphQLSyntaxError):
        return PARSE_FAILED
    if error.message.startswith(_TOO_MANY) or (
        _COERCION.match(error.message) and "has invalid value" in error.message
    ):
        return ErrorCode.INVALID_INPUT.value
    return VALIDATION_FAILED if error.path is None else None


def _cause(error: GraphQLError) -> BaseException | None:
    """Return what was raised, None where it is GraphQL's own error."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _reworded(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    """Leave out suggestions, which would tell names that introspection doesn't, and values, which may be secrets."""
    if len(message) > _LONGEST:
        # What a client sent is in it: as much of that as a request holds would keep the patterns busy for minutes.
        message = f"{message[:_BEGINNING]}…{message[-_END:]}"
    message = _ENUM_VALUE.sub("Value does not exist in", _VALUE.sub(r"\1.", _SUGGESTION.sub("", message)))
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


def _masked(error: GraphQLError, cause: BaseException | None) -> GraphQLError:
    reference = token_hex(8)
    # The frames say where; neither the message nor a variable is written, since both may hold a secret.
    frames = traceback.extract_tb(cause.__traceback__) if cause is not None else []
    log.error(
        "crash %s: %s at %s in %s",
        reference,
        "no exception" if cause is None else f"{type(cause).__module__}.{type(cause).__qualname__}",
        ".".join(map(str, error.path or [])) or "the operation",
        " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
        or "GraphQL",
    )
    return _reworded(error, "Internal error.", {"code": INTERNAL, "reference": reference})
