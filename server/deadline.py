"""How long an operation may take, and that it stops when nobody waits for its answer any more.

What stops is what reads: the statement that is under way ends in the database too. A unit of work that has begun goes on to
its end, whatever becomes of the operation, so nothing is half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request
from strawberry.types.graphql import OperationType

from models.faults import DatabaseUnavailableError
from schema.context import Context
from schema.failures import PERHAPS_DONE, TIMED_OUT
from server.answers import RefusedError


class TimedOutError(RefusedError):
    """The operation took too long and was stopped."""

    def __init__(self, seconds: int, context: Context) -> None:
        message = f"The operation took longer than {seconds} seconds and was stopped."
        if context.operation is not None and context.operation.kind == OperationType.MUTATION.value:
            message += f" {PERHAPS_DONE}"
        super().__init__(503, TIMED_OUT, message)


@asynccontextmanager
async def patience(seconds: int) -> AsyncIterator[None]:
    """Stop asking who a client is when the database takes too long. Raises `DatabaseUnavailableError`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DatabaseUnavailableError(f"it took longer than {seconds} seconds") from None


@asynccontextmanager
async def deadline(seconds: int, context: Context) -> AsyncIterator[None]:
    """Stop what runs within the block when its time is up, unless it is a subscription by then. Raises `TimedOutError`."""
    limit = asyncio.timeout(None)
    timer = asyncio.get_running_loop().call_later(seconds, _strike, limit, context)
    try:
        async with limit:
            try:
                yield
            finally:
                timer.cancel()
    except TimeoutError:
        if limit.expired():
            raise TimedOutError(seconds, context) from None
        raise


def _strike(limit: asyncio.Timeout, context: Context) -> None:
    if context.operation is None or context.operation.kind != OperationType.SUBSCRIPTION.value:
        limit.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def unless_gone(request: Request) -> AsyncIterator[None]:
    """Stop what runs within the block when the client goes away. The request's body was read. Raises `ClientDisconnect`."""
    limit = asyncio.timeout(None)
    watching = asyncio.ensure_future(request.receive())

    def leave(_: object) -> None:
        # Whatever else a client could send now is nothing that HTTP knows.
        if not watching.cancelled():
            limit.reschedule(asyncio.get_running_loop().time())

    try:
        async with limit:
            watching.add_done_callback(leave)
            try:
                yield
            finally:
                watching.remove_done_callback(leave)
    except TimeoutError:
        if limit.expired():
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()
