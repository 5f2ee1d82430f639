"""Chance and time of a world: two worlds that are asked the same draw the same ids, tokens and moments."""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
CALLERS = 4
STEP = timedelta(seconds=5)
"""Between two operations: what is limited in rate is limited, and not for the whole run."""


class Chance:
    """What `os.urandom` and the clock answer to whatever runs in this world's context.

    Each place in the code draws from a source of its own: if something hidden has one place draw more, no other place's ids
    are others for that. The moment stands still within a step, so nothing depends on how often somebody looks at the clock.
    """

    def __init__(self, moment: datetime = BEGIN, seed: str = "") -> None:
        self.moment = moment
        self._begin(seed)

    def _begin(self, seed: str) -> None:
        self._seed = seed
        self._sources: dict[str, random.Random] = {}
        self._threads = 0

    def step(self, seed: str, number: int) -> None:
        """Begin a step: what is drawn in it depends on nothing but this."""
        self.moment = BEGIN + number * STEP
        self._begin(f"{seed} {number}")

    def of_thread(self) -> "Chance":
        """What work in a thread draws from: whichever of several is first, each draws the same."""
        self._threads += 1
        return Chance(self.moment, f"{self._seed} thread {self._threads}")

    def draw(self, count: int, place: str) -> bytes:
        """Return so many bytes for a place in the code."""
        if place not in self._sources:
            self._sources[place] = random.Random(f"{self._seed} {place}")
        return self._sources[place].randbytes(count)


def _place() -> str:
    """Where somebody wants bytes, and for whom: the nearest functions but for the libraries' ways to them."""
    names: list[str] = []
    frame = sys._getframe(2)  # noqa: SLF001 (there is no public way without a whole stack)
    while frame.f_back is not None and len(names) < CALLERS:
        if Path(frame.f_code.co_filename).stem not in {"uuid", "secrets", "random"}:
            names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return " ".join(names)


current: ContextVar[Chance | None] = ContextVar("chance", default=None)
"""Of the world that the running code belongs to."""


@contextmanager
def governed() -> Iterator[None]:
    """Within the block each world has its own chance and time; what belongs to none has those of the machine."""
    from execution import shares  # noqa: PLC0415 (the tests of the suite's own tools need no product)
    from models import clock  # noqa: PLC0415

    true_random, true_now = os.urandom, clock.now

    def urandom(count: int) -> bytes:
        chance = current.get()
        return true_random(count) if chance is None else chance.draw(count, _place())

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
        # Who is held up hangs on how long things take, and is looked up again: then nothing begins anew and draws other ids.
        mock.patch.object(shares, "FREE_SECONDS", float("inf")),
    ):
        yield
