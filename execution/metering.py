"""How long a process is busy with whose operation: the steps of its tasks, added up.

Whoever waits for others is busy with nothing, so what one uses does not grow with what others do. And between two steps the
others can be let go first: many tasks that are ready at once would else be one long stretch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execution.lanes import Lane

T = TypeVar("T")

STRETCH_SECONDS = 0.005
SHORT_SECONDS = 0.002
"""The same where others come first; then they have the process to themselves for so many times as long:"""
PAUSES = 3
LONG_SECONDS, LONGEST_SECONDS = 0.03, 0.25
"""A step of this length is followed by a pause, whoever it was, where others are there; beyond the second it is no longer."""
STEPS = 10
"""How many steps are let go on in a round: together they rarely take longer than a stretch."""


class Meter(Protocol):
    """What is told how long a step took, by a clock of its own."""

    @property
    def clock(self) -> Callable[[], float]:
        """The clock."""

    @property
    def lane(self) -> Lane:
        """The statements of whose steps these are."""

    def rest(self) -> asyncio.Future[None] | None:
        """Return what a step has to wait for so that others are looked after, None where it may be done."""

    def add(self, seconds: float) -> None:
        """Count a step."""

    def add_elsewhere(self, seconds: float) -> None:
        """Count what was done for it while the process went on."""


def lane_of_task() -> Lane | None:
    """Return the lane of whoever the running task works for."""
    meter = _metered_by.get()
    return None if meter is None else meter.lane


def charge(seconds: float) -> None:
    """Count what a thread did for whoever the running task works for."""
    meter = _metered_by.get()
    if meter is not None:
        meter.add_elsewhere(seconds)


_metered_by: ContextVar[Meter | None] = ContextVar("metered_by", default=None)


class Metered(Coroutine[Any, Any, T]):
    """A coroutine whose steps are counted."""

    __slots__ = ("_coroutine", "_meter")

    def __init__(self, coroutine: Coroutine[Any, Any, T], meter: Meter) -> None:
        self._coroutine = coroutine
        self._meter = meter

    def send(self, value: Any) -> Any:
        """Do a step, or have the task come again for it: nothing was sent to the coroutine then."""
        meter = self._meter
        waited = meter.rest()
        if waited is not None:
            return next(iter(waited))
        begun = meter.clock()
        try:
            return self._coroutine.send(value)
        finally:
            meter.add(meter.clock() - begun)

    def throw(self, *error: Any) -> Any:
        """Do a step that begins with an exception."""
        meter = self._meter
        begun = meter.clock()
        try:
            return self._coroutine.throw(*error)
        finally:
            meter.add(meter.clock() - begun)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, T]:
        """Do all steps, and count also those of the tasks that are begun in them."""
        before = _metered_by.set(self._meter)
        error: BaseException | None = None
        try:
            while True:
                try:
                    waited = self.send(None) if error is None else self.throw(error)
                except StopIteration as done:
                    result: T = done.value
                    return result
                error = None
                try:
                    yield waited
                except BaseException as thrown:  # noqa: BLE001 (the coroutine says what becomes of it)
                    error = thrown
        finally:
            _metered_by.reset(before)


def _nobody() -> bool:
    return False


class Stretch:
    """How long a process is busy with somebody before it looks whether others have something to do.

    Steps that come when a stretch `is_over` wait, and a few of them are done in each round of the loop that follows; where it
    `has_pauses`, in each pause.
    """

    __slots__ = ("_goes_on", "_seconds", "_waiting", "has_pauses", "is_over", "others_are_there")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.is_over = self._goes_on = self.has_pauses = False
        self.others_are_there: Callable[[], bool] = _nobody

    def add(self, seconds: float) -> None:
        """Count a step."""
        self._seconds += seconds
        if self._seconds > (SHORT_SECONDS if self.has_pauses else STRETCH_SECONDS) and not self.is_over:
            self.is_over = True
            self._go_on_soon()

    def rest(self) -> asyncio.Future[None]:
        """Return what a step waits for."""
        step = asyncio.get_running_loop().create_future()
        self._waiting.append(step)
        return step

    def _go_on_soon(self) -> None:
        if not self._goes_on:
            self._goes_on = True
            loop = asyncio.get_running_loop()
            if self.has_pauses:
                loop.call_later(PAUSES * min(self._seconds, LONGEST_SECONDS), self._go_on)
            elif self._seconds > LONG_SECONDS and self.others_are_there():
                loop.call_later(2 * min(self._seconds, LONGEST_SECONDS), self._go_on)
            else:
                loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Begin another stretch with some of those who wait; look for the next ones when these had their round."""
        self._seconds, self.is_over, self._goes_on = 0.0, False, False
        for _ in range(min(STEPS, len(self._waiting))):
            step = self._waiting.popleft()
            if not step.done():
                step.set_result(None)
        if self._waiting:
            self._go_on_soon()


def _task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **named: Any
) -> asyncio.Task[Any]:
    meter = _metered_by.get()
    if meter is not None and isinstance(work, Coroutine):
        work = Metered(work, meter)
    return asyncio.Task(work, loop=loop, **named)


@contextmanager
def metered_tasks() -> Iterator[None]:
    """Have every task metered that is begun within something metered."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(_task)
    try:
        yield
    finally:
        loop.set_task_factory(before)
