"""Executes an operation for whichever door it came through, and counts and logs it.

The log tells when, who, the operation's kind and name, how long it took and the codes of its errors: nothing of
the document beside, no variable, no message.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from execution.persisted import MismatchError, NotFoundError, NotTrustedError
from resolvers import batches
from schema.context import Context
from schema.failures import TIMED_OUT, presented
from server.answers import BAD_REQUEST, RefusedError
from server.bodies import Asked
from server.deadline import Deadline, TimedOutError
from server.logs import tell
from server.runtime import Runtime
from server.turns import HeldUpError, turn_of, wait

log = logging.getLogger("postfach.operations")

ANSWERED_ONCE = (OperationType.QUERY, OperationType.MUTATION)
SUBSCRIPTION = OperationType.SUBSCRIPTION.value
NO_OPERATION = "none"
NOT_FOUND, NOT_TRUSTED = "PERSISTED_QUERY_NOT_FOUND", "DOCUMENT_NOT_TRUSTED"
GONE = "CLIENT_GONE"
"""For log and metrics: nobody is told."""


@dataclass(frozen=True, slots=True)
class Executed:
    """The body of an answer. `refused` says that nothing was executed: it then has no data."""

    body: dict[str, Any]
    codes: list[str]
    refused: bool


def with_document(runtime: Runtime, asked: Asked) -> Asked:
    """Return what is asked with the text of its document. Raises `RefusedError` where that is not known or not to be executed."""
    try:
        text = runtime.persisted.text_of(asked.query, asked.document_hash)
    except MismatchError as error:
        raise RefusedError(400, BAD_REQUEST, "The document has another hash.") from error
    except NotTrustedError as error:
        message = "Only documents that the operator knows are executed."
        raise RefusedError(400, NOT_TRUSTED, message) from error
    except NotFoundError as error:
        # The words and the code that Apollo's clients wait for; GraphQL itself has nothing against it.
        raise RefusedError(200, NOT_FOUND, "PersistedQueryNotFound") from error
    return asked if text == asked.query else replace(asked, query=text)


def keep_document(runtime: Runtime, asked: Asked, done: Executed) -> None:
    """Keep a document that was executed under its hash, so that the hash is enough from now on."""
    if asked.document_hash is not None and asked.query is not None and not done.refused:
        runtime.persisted.keep(asked.query, asked.document_hash)


async def execute(
    runtime: Runtime,
    asked: Asked,
    context: Context,
    renewed: Callable[[], Awaitable[Context | None]] | None = None,
    anew: Callable[[], Awaitable[Context]] | None = None,
) -> Executed:
    """Execute a query or a mutation. What goes wrong is in the body; only being cancelled is raised, and what the two raise.

    `renewed` says, when a query was executed, in which context it has to be executed instead, None where the first was right.
    What came of a wrong one is told to nobody, nor is it counted. `anew` makes a context with the viewer as of now, for an
    operation that has to wait for its turn.
    """
    began = time.perf_counter()
    gone = Executed({}, [GONE], refused=False)
    done: Executed | None = gone
    if runtime.tracing is not None:
        runtime.tracing.begin_operation()
    turn = turn_of(runtime, context)
    turn.kind = lambda: None if context.operation is None else context.operation.kind
    try:
        if not turn.begin():
            try:
                right = await wait(turn, runtime, asked, anew)
            except Exception:
                done = None
                raise
            if right is not None:
                context, renewed = right, None
        done = await turn.metered(_executed(runtime, asked, context))
        if renewed is not None and not _timed_out(done):
            first, done = done, None
            right = await renewed()
            done = first
            if right is not None:
                batches.stop(context.request)
                context, done = right, gone
                done = await turn.metered(_executed(runtime, asked, right))
    except HeldUpError as error:
        done = refused_of(error)
    finally:
        turn.end()
        batches.stop(context.request)
        if done is not None:
            keep_document(runtime, asked, done)
            account(runtime, context, done, time.perf_counter() - began)
        elif runtime.tracing is not None:
            runtime.tracing.end_operation(None, None)
    return done


def _timed_out(done: Executed) -> bool:
    """Whether an answer says that alone: to anybody, since it holds nothing else."""
    return done.refused and done.codes == [TIMED_OUT]


async def _executed(runtime: Runtime, asked: Asked, context: Context) -> Executed:
    try:
        with Deadline(runtime.settings.operation_seconds, context):
            result = await runtime.schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
                allowed_operation_types=ANSWERED_ONCE,
            )
    except TimedOutError as error:
        return refused_of(error)
    except CannotGetOperationTypeError:
        return _refused("The document has no such operation.")
    except InvalidOperationTypeError:
        return _refused("A subscription needs a WebSocket.")
    except MissingQueryError:
        return _refused("query is the text of a document.")
    except Exception as error:  # noqa: BLE001 (a client gets an answer whatever happens)
        return executed_of(ExecutionResult(data=None, errors=[_crash(error)]))
    return executed_of(result, cost_of(asked, context))


def account(runtime: Runtime, context: Context, done: Executed, seconds: float) -> None:
    """Count and log an operation; of a subscription how it ended, and when."""
    operation = context.operation
    kind = NO_OPERATION if operation is None else operation.kind
    outcome = "refused" if done.refused else "errors" if done.codes else "ok"
    took = None if kind == SUBSCRIPTION else seconds
    runtime.metrics.count_operation(kind, outcome, done.codes, took)
    if runtime.tracing is not None:
        runtime.tracing.end_operation(context, done)
    viewer = context.request.viewer
    tell(
        log,
        "operation",
        {
            "kind": kind,
            "operation": None if operation is None else operation.name,
            "viewer": None if viewer is None else str(viewer.id),
            "milliseconds": round(seconds * 1000, 3),
            "outcome": outcome,
            "codes": done.codes or None,
        },
    )


def cost_of(asked: Asked, context: Context) -> dict[str, Any]:
    """Return the answer's `extensions`: what was counted and what is allowed, where the client asks for it."""
    if not asked.tells_cost or context.cost is None:
        return {}
    allowed = {name: getattr(context.limits, name) for name in context.cost}
    return {"cost": {"counted": context.cost, "allowed": allowed}}


def executed_of(result: ExecutionResult, extensions: Mapping[str, Any] | None = None) -> Executed:
    """Return what a client is sent of a result."""
    errors = result.errors
    # An error without a path is one of the request: nothing was executed, and there is no data to speak of.
    refused = result.data is None and bool(errors) and all(error.path is None for error in errors or ())
    body: dict[str, Any] = {} if refused else {"data": result.data}
    if errors:
        body["errors"] = [error.formatted for error in errors]
    if extensions:
        body["extensions"] = extensions
    codes = [str((error.extensions or {}).get("code")) for error in errors or ()]
    return Executed(body, codes, refused)


def refused_of(error: RefusedError) -> Executed:
    """Return what a client is sent instead of a result."""
    told = GraphQLError(error.message, extensions={"code": error.code})
    return Executed({"errors": [told.formatted]}, [error.code], refused=True)


def _refused(message: str) -> Executed:
    return refused_of(RefusedError(400, BAD_REQUEST, message))


def _crash(error: Exception) -> GraphQLError:
    return presented(GraphQLError(str(error), original_error=error))
