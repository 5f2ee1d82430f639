"""How long a process is busy with what: the steps of tasks, by a clock that the steps set; and rounds for others in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from execution import metering
from execution.lanes import Lane
from execution.metering import PAUSES, STEPS, Metered, Stretch, charge, lane_of_task, metered_tasks

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio


class Meter:
    """A clock, what was counted, and a stretch."""

    def __init__(self) -> None:
        self.now = 0.0
        self.counted = self.elsewhere = 0.0
        self.stretch = Stretch()
        self.lane = Lane()
        self.rounds: list[int] = []
        self._steps = 0

    def clock(self) -> float:
        return self.now

    def add(self, seconds: float) -> None:
        self.counted += seconds
        self.stretch.add(seconds)

    def add_elsewhere(self, seconds: float) -> None:
        self.elsewhere += seconds

    def rest(self) -> asyncio.Future[None] | None:
        return self.stretch.rest() if self.stretch.is_over else None

    async def work(self, seconds: float, until: asyncio.Future[None] | None = None) -> float:
        """Be busy, wait, and be busy again."""
        self.now += seconds
        await (asyncio.sleep(0) if until is None else until)
        self.now += seconds
        self._steps += 1
        return seconds

    async def watch(self) -> None:
        """Note how many steps were done in each round of the loop."""
        while True:
            before = self._steps
            await asyncio.sleep(0)
            self.rounds.append(self._steps - before)


@pytest.fixture
def meter() -> Meter:
    return Meter()


async def test_the_steps_of_an_operation_and_of_its_tasks_are_counted(meter: Meter) -> None:
    async def operation() -> list[float]:
        meter.now += 1
        tasks = [asyncio.ensure_future(meter.work(each)) for each in (2, 3)]
        return [await meter.work(4), *await asyncio.gather(*tasks)]

    async def another() -> None:
        await meter.work(100)

    with metered_tasks():
        other = asyncio.create_task(another())
        assert await Metered(operation(), meter) == [4, 2, 3]
        await other
        # Whatever begins afterwards is nobody's.
        await asyncio.create_task(another())
    assert meter.counted == 1 + 2 * (2 + 3 + 4)


async def test_what_waits_is_not_counted(meter: Meter) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def operation() -> float:
        return await meter.work(1, gate)

    async def outside() -> None:
        await asyncio.sleep(0)
        meter.now += 50
        gate.set_result(None)

    opening = asyncio.create_task(outside())
    assert await Metered(operation(), meter) == 1
    await opening
    assert meter.counted == 2


async def test_exceptions_go_in_and_out(meter: Meter) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("told")

    async def catches() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            meter.now += 1
            return "caught"
        return "slept"

    async def operation() -> str:
        with pytest.raises(LookupError, match="told"):
            await asyncio.create_task(fails())
        return await catches()

    async def whole() -> str:
        return await Metered(operation(), meter)

    with metered_tasks():
        with pytest.raises(LookupError, match="told"):
            await Metered(fails(), meter)
        task = asyncio.create_task(whole())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        assert await task == "caught"
    assert meter.counted == 1


async def test_a_task_that_is_cancelled_before_its_first_step_leaves_nothing(meter: Meter) -> None:
    async def operation() -> None:
        task = asyncio.ensure_future(meter.work(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with metered_tasks():
        await Metered(operation(), meter)
    assert meter.counted == 0


@pytest.mark.parametrize("seconds", [0, 1])
async def test_many_tasks_that_are_ready_at_once_are_no_stretch(meter: Meter, seconds: float) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def operation() -> list[float]:
        tasks = [asyncio.ensure_future(meter.work(seconds, gate)) for _ in range(500)]
        asyncio.get_running_loop().call_later(0.05, gate.set_result, None)
        return await asyncio.gather(*tasks)

    watching = asyncio.create_task(meter.watch())
    with metered_tasks():
        assert await Metered(operation(), meter) == [seconds] * 500
    watching.cancel()
    # Steps that take nothing are one stretch. Of those that take long there is one in a stretch, which may end within a round.
    assert max(meter.rounds) in ({1, 2} if seconds else {500})
    assert meter.counted == 2 * seconds * 500


async def test_a_few_short_steps_are_done_in_a_round(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "STRETCH_SECONDS", 100)
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def operation() -> list[float]:
        tasks = [asyncio.ensure_future(meter.work(1, gate)) for _ in range(100)]
        asyncio.get_running_loop().call_later(0.05, gate.set_result, None)
        return await asyncio.gather(*tasks)

    watching = asyncio.create_task(meter.watch())
    with metered_tasks():
        # All begin in one stretch, which is over then; so they go on a few at a time.
        assert await Metered(operation(), meter) == [1] * 100
    watching.cancel()
    assert sum(meter.rounds) == 100
    assert STEPS <= max(meter.rounds) <= 2 * STEPS


async def test_what_threads_do_is_counted_for_whom_they_do_it(meter: Meter) -> None:
    async def part() -> None:
        charge(3)

    async def operation() -> None:
        charge(2)
        await asyncio.ensure_future(part())
        assert lane_of_task() is meter.lane

    with metered_tasks():
        await Metered(operation(), meter)
    charge(50)
    assert lane_of_task() is None
    assert (meter.counted, meter.elsewhere) == (0, 5)


@pytest.mark.parametrize("has_pauses,others", [(True, False), (False, True), (False, False)])
async def test_a_long_step_is_followed_by_a_pause_in_which_others_come_first(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, *, has_pauses: bool, others: bool
) -> None:
    loop = asyncio.get_running_loop()
    pauses: list[float] = []

    def call_later(seconds: float, callback: Callable[[], None]) -> asyncio.Handle:
        pauses.append(seconds)
        return loop.call_soon(callback)

    async def operation() -> None:
        meter.now += 0.2
        await asyncio.sleep(0)
        meter.now += 0.003
        await asyncio.sleep(0)
        meter.now += 0.006
        await asyncio.sleep(0)

    meter.stretch.has_pauses = has_pauses
    meter.stretch.others_are_there = lambda: others
    monkeypatch.setattr(loop, "call_later", call_later, raising=False)
    await Metered(operation(), meter)
    expected = [0.2 * PAUSES, 0.003 * PAUSES, 0.006 * PAUSES] if has_pauses else [0.4] if others else []
    assert pauses == [pytest.approx(each) for each in expected]


async def test_what_rests_can_be_cancelled(meter: Meter) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended = []

    async def work() -> None:
        try:
            await meter.work(1, gate)
        finally:
            ended.append(meter.now)

    async def operation() -> None:
        await asyncio.gather(*[asyncio.ensure_future(work()) for _ in range(50)])

    async def whole() -> None:
        await Metered(operation(), meter)

    before = asyncio.all_tasks()
    with metered_tasks():
        task = asyncio.create_task(whole())
        while meter.counted < 50:  # noqa: ASYNC110 (each step is counted when it was done)
            await asyncio.sleep(0)
        gate.set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while asyncio.all_tasks() - before:  # noqa: ASYNC110 (they end in rounds of their own)
            await asyncio.sleep(0)
    assert len(ended) == 50
    assert 50 <= meter.counted < 100
