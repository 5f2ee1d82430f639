"""Chance and time of a world: two worlds that are asked the same draw the same ids, tokens and moments."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
STEP = timedelta(seconds=5)
"""Between two operations: what is limited in rate is limited, and not for the whole run."""


class Chance:
    """What `os.urandom` and the clock answer to whatever runs in this world's context.

    The moment stands still within a step, so that nothing depends on how often somebody looks at the clock.
    """

    def __init__(self, moment: datetime = BEGIN, seed: str = "") -> None:
        self.moment = moment
        self._begin(seed)

    def _begin(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._threads = random.Random(f"threads of {seed}")

    def step(self, seed: str, number: int) -> None:
        """Begin a step: what is drawn in it depends on nothing but this."""
        self.moment = BEGIN + number * STEP
        self._begin(f"{seed} {number}")

    def of_thread(self) -> "Chance":
        """What work in a thread draws from: whichever of several is first, each draws the same."""
        return Chance(self.moment, str(self._threads.random()))

    def draw(self, count: int) -> bytes:
        """Return so many bytes."""
        return self._random.randbytes(count)


current: ContextVar[Chance | None] = ContextVar("chance", default=None)
"""Of the world that the running code belongs to."""


@contextmanager
def governed() -> Iterator[None]:
    """Within the block each world has its own chance and time; what belongs to none has those of the machine."""
    from models import clock  # noqa: PLC0415 (the tests of the suite's own tools need no product)

    true_random, true_now = os.urandom, clock.now

    def urandom(count: int) -> bytes:
        chance = current.get()
        return true_random(count) if chance is None else chance.draw(count)

    def now() -> datetime:
        chance = current.get()
        return true_now() if chance is None else chance.moment

    run_in_executor = asyncio.BaseEventLoop.run_in_executor

    def in_thread(loop: Any, executor: Any, work: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401
        chance = current.get()
        if chance is None:
            return run_in_executor(loop, executor, work, *given)
        context = copy_context()
        context.run(current.set, chance.of_thread())
        return run_in_executor(loop, executor, partial(context.run, work, *given))

    with (
        mock.patch.object(asyncio.BaseEventLoop, "run_in_executor", in_thread),
        mock.patch.object(os, "urandom", urandom),
        # What the module `secrets` draws from.
        mock.patch.object(random, "_urandom", urandom),
        mock.patch.object(clock, "now", now),
    ):
        yield
