"""One operation on a socket: its turn, what it is executed to, and what is sent of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from graphql import GraphQLError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from execution.shares import Turn
from models.database import DatabaseUnavailableError
from resolvers import batches
from schema.context import Context
from schema.failures import presented
from server.answers import RefusedError
from server.bodies import Asked
from server.deadline import Deadline, TimedOutError
from server.execution import GONE, Executed, account, cost_of, executed_of, keep_document, refused_of
from server.graphql import unavailable
from server.runtime import Runtime
from server.socket_messages import ENDED_BY, ClosedError
from server.turns import HeldUpError, turn_of, wait


@dataclass(eq=False, slots=True)
class Operation:
    """One that runs. After its last message the client may use its name again."""

    name: str
    wanted: Asked
    context: Context | None = None
    task: asyncio.Task[None] | None = None
    is_over: bool = False

    @property
    def kind(self) -> str | None:
        """What is executed, once that is known."""
        operation = None if self.context is None else self.context.operation
        return None if operation is None else operation.kind

    @property
    def subscribes(self) -> bool:
        """Whether it is known to be a subscription."""
        return self.kind == OperationType.SUBSCRIPTION.value

    def stop(self) -> None:
        """Stop what it does, if it has begun."""
        if self.task is not None:
            self.task.cancel()


class Operations:
    """Executes the operations of one socket. `context_now` makes a context with the viewer as of now, `send` sends a message.

    Whatever these two raise is raised, as is a `ClosedError` where the client has to come back for the rest.
    """

    def __init__(
        self,
        runtime: Runtime,
        context_now: Callable[[], Awaitable[Context]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._runtime = runtime
        self._context_now = context_now
        self._send = send

    async def run(self, operation: Operation) -> None:
        """Execute an operation when it is its turn, and send what comes of it."""
        try:
            context = operation.context = await self._context_now()
        except DatabaseUnavailableError:
            await self._refuse(operation, unavailable())
            return
        began = time.perf_counter()
        turn = turn_of(self._runtime, context)
        turn.kind = lambda: operation.kind
        try:
            if not turn.begin():
                right = await wait(turn, self._runtime, operation.wanted, self._context_now)
                context = operation.context = right or context
        except HeldUpError as error:
            account(self._runtime, context, refused_of(error), self._runtime.settings.operation_seconds)
            await self._refuse(operation, error)
        except DatabaseUnavailableError:
            await self._refuse(operation, unavailable())
        except asyncio.CancelledError:
            account(self._runtime, context, _left(), time.perf_counter() - began)
            raise
        else:
            await self._execute(operation, context, turn)
        finally:
            turn.end()

    async def refuse(self, name: str, error: RefusedError) -> None:
        """Send why nothing is executed under this name."""
        payload = [{"message": error.message, "extensions": {"code": error.code}}]
        await self._send({"type": "error", "id": name, "payload": payload})

    async def _refuse(self, operation: Operation, error: RefusedError) -> None:
        operation.is_over = True
        await self.refuse(operation.name, error)

    async def _execute(self, operation: Operation, context: Context, turn: Turn) -> None:
        """Execute an operation whose turn has begun. What is sent of it is nobody's turn."""
        wanted = operation.wanted
        began = time.perf_counter()
        last: Executed | None = None
        if self._runtime.tracing is not None:
            self._runtime.tracing.begin_operation()
        try:
            with Deadline(self._runtime.settings.operation_seconds, context):
                async with contextlib.aclosing(await turn.metered(self._results(wanted, context))) as results:
                    # Each as a step of its own: a subscription takes its turn when it has something to tell.
                    while (result := await turn.metered(_next(results))) is not None:
                        turn.tell() if operation.subscribes else turn.end()
                        last = executed_of(result, cost_of(wanted, context))
                        await self._deliver(operation, last)
            if last is None or not last.refused:
                operation.is_over = True
                await self._send({"type": "complete", "id": operation.name})
        except GraphQLError as error:
            # What does not parse, and what asks for too much, is raised before there is a result.
            last = executed_of(ExecutionResult(data=None, errors=[presented(error)]))
            await self._deliver(operation, last)
        except TimedOutError as error:
            last = refused_of(error)
            await self._deliver(operation, last)
        except asyncio.CancelledError:
            # Whoever ends a subscription has had of it what there was.
            if last is None and not operation.subscribes:
                last = _left()
            raise
        finally:
            batches.stop(context.request)
            done = last or Executed({}, [], refused=False)
            keep_document(self._runtime, wanted, done)
            account(self._runtime, context, done, time.perf_counter() - began)

    async def _results(self, wanted: Asked, context: Context) -> AsyncGenerator[ExecutionResult, None]:
        """Return the results that an operation has: what can be compiled is made ready here."""
        results = await self._runtime.schema.stream(
            wanted.query,
            variable_values=wanted.variables,
            context_value=context,
            operation_name=wanted.operation_name,
        )
        return cast("AsyncGenerator[ExecutionResult, None]", results)

    async def _deliver(self, operation: Operation, done: Executed) -> None:
        """Send a result, or close where the client has to come back for the rest."""
        operation.is_over = done.refused
        for code in done.codes:
            if code in ENDED_BY:
                raise ClosedError(ENDED_BY[code])
        if done.refused:
            await self._send({"type": "error", "id": operation.name, "payload": done.body["errors"]})
        else:
            await self._send({"type": "next", "id": operation.name, "payload": done.body})


def _left() -> Executed:
    """Return what an operation comes to that is stopped before it is answered: its client wants no more of it, or is gone."""
    return Executed({}, [GONE], refused=False)


async def _next(results: AsyncGenerator[ExecutionResult, None]) -> ExecutionResult | None:
    """Return the next result, None when there is none."""
    return await anext(results, None)
