"""How long an operation may take, and that it stops when nobody waits for its answer any more.

What stops is what reads: the statement that is under way ends in the database too. A unit of work that has begun goes on to
its end, whatever becomes of the operation, so nothing is half done.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

from starlette.requests import ClientDisconnect
from strawberry.types.graphql import OperationType

from models.faults import DatabaseUnavailableError
from schema.failures import PERHAPS_DONE, TIMED_OUT
from server.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.types import Message, Receive

    from schema.context import Context

GONE_SECONDS = 0.1
"""How long an operation may go on before it is watched whether its client is still there: most have ended by then."""


class TimedOutError(RefusedError):
    """The operation took too long and was stopped."""

    def __init__(self, seconds: int, context: Context) -> None:
        message = f"The operation took longer than {seconds} seconds and was stopped."
        if context.operation is not None and context.operation.kind == OperationType.MUTATION.value:
            message += f" {PERHAPS_DONE}"
        super().__init__(503, TIMED_OUT, message)


class _Line:
    """Limits of as many seconds each, the first that strikes at its front: all of them share a timer of the loop.

    Most limits never strike, and setting a timer for each of them takes longer than looking at this line now and then.
    """

    __slots__ = ("_is_watched", "_seconds", "_strikes_at", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._seconds = seconds
        self._strikes_at: dict[Limit, float] = {}
        self._is_watched = False

    def add(self, limit: Limit) -> None:
        """Strike when the seconds are over, unless it is removed by then."""
        self._strikes_at[limit] = time.monotonic() + self._seconds
        if not self._is_watched:
            self._watch(self._seconds)

    def remove(self, limit: Limit) -> None:
        """Don't strike any more."""
        self._strikes_at.pop(limit, None)

    def _watch(self, seconds: float) -> None:
        self._is_watched = True
        self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._is_watched = False
        now = time.monotonic()
        while self._strikes_at:
            limit, moment = next(iter(self._strikes_at.items()))
            if moment > now:
                self._watch(moment - now)
                return
            del self._strikes_at[limit]
            limit.strike()


_lines: dict[float, _Line] = {}
MOST_LINES = 100


def _new_line(loop: asyncio.AbstractEventLoop, seconds: float) -> _Line:
    """Return a new line of the running loop for so many seconds."""
    if len(_lines) > MOST_LINES:
        _lines.clear()
    line = _lines[seconds] = _Line(loop, seconds)
    return line


class Limit:
    """A block in which the running task is cancelled when `strike` is called, and `error` is raised instead of that.

    Each request enters several, so this does what `asyncio.timeout` does with less around it: `strike` is called after the
    `seconds`, and a cancellation that came from elsewhere remains one.
    """

    def __init__(self, seconds: float, error: Callable[[], Exception]) -> None:
        self._seconds = seconds
        self._error = error
        self._has_struck = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (requests and sockets are served by tasks)
        self._task = task
        self._before = task.cancelling()
        loop, line = task.get_loop(), _lines.get(self._seconds)
        if line is None or line.loop is not loop:
            # A process has one loop, but for tests.
            line = _new_line(loop, self._seconds)
        self._line = line
        line.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.remove(self)
        if self._has_struck and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise self._error() from None

    def strike(self) -> None:
        """Stop what runs within the block."""
        if not self._has_struck:
            self._has_struck = True
            self._task.cancel()


def patience(seconds: int) -> Limit:
    """Stop asking who a client is when the database takes too long. Raises `DatabaseUnavailableError`."""
    return Limit(seconds, lambda: DatabaseUnavailableError(f"it took longer than {seconds} seconds"))


class Deadline(Limit):
    """Stop what runs within the block when its time is up, unless it is a subscription by then. Raises `TimedOutError`."""

    def __init__(self, seconds: int, context: Context) -> None:
        super().__init__(seconds, lambda: TimedOutError(seconds, context))
        self._context = context

    def strike(self) -> None:
        """Stop what runs within the block."""
        operation = self._context.operation
        if operation is None or operation.kind != OperationType.SUBSCRIPTION.value:
            super().strike()


class UnlessGone(Limit):
    """Stop what runs within the block when the client goes away. The request's body was read. Raises `ClientDisconnect`."""

    _watching: asyncio.Task[Message] | None = None

    def __init__(self, receive: Receive) -> None:
        super().__init__(GONE_SECONDS, ClientDisconnect)
        self._receive = receive

    def strike(self) -> None:
        """Begin to watch: whatever else a client could send now is nothing that HTTP knows."""
        self._watching = asyncio.ensure_future(self._receive())
        self._watching.add_done_callback(self._leave)

    def _leave(self, watching: asyncio.Task[Message]) -> None:
        if not watching.cancelled():
            super().strike()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watching is not None:
            self._watching.remove_done_callback(self._leave)
            self._watching.cancel()
        super().__exit__(kind, error, trace)
