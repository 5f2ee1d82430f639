"""Who uses much waits for those who use little: counted by a clock that the test sets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from execution import shares
from execution.shares import (
    AT_ONCE,
    FORGOTTEN,
    FREE_SECONDS,
    KEPT,
    LEAST_PAUSE,
    LONGEST_PAUSE,
    MOST_SECONDS,
    THERE_SECONDS,
    Shares,
)

pytestmark = pytest.mark.asyncio
STEP = 0.01


class World:
    """A clock, and people who ask: what is done and what waited is counted by name."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held_up = 0
        self.done: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.shares = Shares(self._count, lambda: self.now)
        self.tasks: list[asyncio.Task[None]] = []

    def _count(self) -> None:
        self.held_up += 1

    async def until(self, moment: float) -> None:
        while self.now < moment:  # noqa: ASYNC110 (the clock is a number)
            await asyncio.sleep(0)

    async def ask(self, name: str, seconds: float, *, is_known: bool = True) -> None:
        """One operation that takes so long."""
        turn = self.shares.turn(name, is_known=is_known)
        turn.kind = lambda: "query"
        try:
            if not turn.begin():
                await turn.wait()
            self.under_way[name] += 1
            self.most[name] = max(self.most[name], self.under_way[name])
            began = self.now
            try:
                await self.until(began + seconds)
            finally:
                self.under_way[name] -= 1
                took = self.now - began
                self.seconds[name] = self.seconds.get(name, 0.0) + took
                if not is_known:
                    # Of waiting for the database nothing is counted then.
                    turn.add(took)
        finally:
            turn.end()
        self.done[name] += 1

    def keep_asking(
        self, name: str, seconds: float, pause: float = 0.0, *, is_known: bool = True
    ) -> "asyncio.Task[None]":
        """One after the other, without an end."""

        async def go_on() -> None:
            while True:
                await self.ask(name, seconds, is_known=is_known)
                await self.until(self.now + pause)

        task = asyncio.create_task(go_on())
        self.tasks.append(task)
        return task

    async def pass_by(self, seconds: float) -> None:
        """Let time go on."""
        for _ in range(round(seconds / STEP)):
            for _ in range(8):
                await asyncio.sleep(0)
            self.now += STEP


@pytest_asyncio.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(shares, "LOOK_SECONDS", 0)
    made = World()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_a_second_name_helps_nobody(world: World) -> None:
    for name in ("heavy", "the same"):
        world.keep_asking(name, 0.1)
    for number in range(2):
        world.keep_asking(f"light {number}", 0.01, 0.3)
    await world.pass_by(60)
    most = 1.2 * (FREE_SECONDS + 60 * 0.1 / LEAST_PAUSE)
    assert max(world.seconds["heavy"], world.seconds["the same"]) < most


async def test_who_is_alone_waits_only_for_operations_of_the_same(world: World) -> None:
    for _ in range(20):
        world.keep_asking("heavy", 0.1)
    await world.pass_by(20)
    assert world.most["heavy"] == AT_ONCE
    assert world.seconds["heavy"] > 0.9 * 20 * AT_ONCE


@pytest.mark.parametrize("seconds", [0.1, 1])
@pytest.mark.parametrize("at_once", [1, 50])
async def test_one_gets_less_than_a_tenth_while_others_are_there(
    world: World, at_once: int, seconds: float
) -> None:
    for number in range(3):
        world.keep_asking(f"light {number}", 0.01, 0.3)
    await world.pass_by(STEP)
    for _ in range(at_once):
        world.keep_asking("heavy", seconds)
    await world.pass_by(AT_ONCE * seconds)
    before, lights = world.seconds["heavy"], sum(world.done.values()) - world.done["heavy"]
    world.most.clear()
    await world.pass_by(120)
    assert world.seconds["heavy"] - before < 120 / 10
    assert world.most["heavy"] == 1
    # What the others would have been answered without the heavy one: none of theirs waited.
    done = sum(world.done.values()) - world.done["heavy"] - lights
    assert done in range(1100, 1165), done


async def test_who_waited_goes_on_when_the_others_have_gone(world: World) -> None:
    world.keep_asking("heavy", 0.1)
    light = world.keep_asking("light", 0.01, 0.3)
    await world.pass_by(10)
    before = world.done["heavy"]
    light.cancel()
    await world.pass_by(THERE_SECONDS + 10)
    assert world.done["heavy"] - before > 70


async def test_those_who_ask_alike_hold_up_nobody(world: World) -> None:
    for name in ("one", "another", "a third"):
        for _ in range(2):
            world.keep_asking(name, 0.1)
    await world.pass_by(20)
    assert world.held_up == 0
    assert len(set(world.done.values())) == 1


async def test_many_of_whom_nothing_is_known_hold_up_nobody_who_is_known(world: World) -> None:
    for number in range(20):
        world.keep_asking(f"address {number}", 0, 0.5, is_known=False)
    for name in ("one", "another"):
        world.keep_asking(name, 0.1)
    await world.pass_by(20)
    assert world.held_up == 0
    # Each of them waits for those who are known, and for one another.
    world.keep_asking("a heavy address", 0.1, is_known=False)
    await world.pass_by(10)
    assert world.held_up > 0
    assert world.seconds["a heavy address"] < 1.2 * (FREE_SECONDS + FORGOTTEN * 10)


async def test_who_waits_is_let_in_before_long_whatever_the_others_do(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    asked = asyncio.create_task(world.ask("heavy", 60))
    world.tasks.append(asked)
    await world.pass_by(61)
    assert asked.done()
    world.tasks.append(asyncio.create_task(world.ask("heavy", 0.01)))
    # As long as the first one took, and not as long as it takes to forget that.
    await world.pass_by(LONGEST_PAUSE - 1)
    assert world.done["heavy"] == 1
    await world.pass_by(2)
    assert world.done["heavy"] == 2


async def test_those_who_wait_come_in_their_order(world: World) -> None:
    order: list[int] = []

    async def ask(number: int) -> None:
        await world.ask("heavy", 0.1)
        order.append(number)

    asked = [asyncio.create_task(ask(number)) for number in range(AT_ONCE * 3)]
    await world.pass_by(1)
    await asyncio.gather(*asked)
    assert order == sorted(order)


async def test_what_listens_costs_nothing_and_what_it_is_told_does(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    turns = [world.shares.turn("listener") for _ in range(AT_ONCE * 3)]
    for turn in turns:
        turn.kind = lambda: "subscription"
        assert turn.begin()
    await world.pass_by(10)
    await world.ask("listener", 0)
    assert world.held_up == 0
    for turn in turns:
        turn.add(FREE_SECONDS)
        turn.tell()
    assert not world.shares.turn("listener").begin()
    for turn in turns:
        turn.end()
    assert not world.shares.turn("listener").begin()
    await world.pass_by((MOST_SECONDS - FREE_SECONDS) / FORGOTTEN + STEP)
    assert world.shares.turn("listener").begin()


@pytest.mark.parametrize("kind,counts", [("query", True), ("mutation", False), (None, False)])
async def test_only_queries_are_counted_for_what_they_wait_for(
    world: World, kind: str | None, *, counts: bool
) -> None:
    world.keep_asking("light", 0.01, 0.3)
    turn = world.shares.turn("heavy")
    turn.kind = lambda: kind
    assert turn.begin()
    await world.pass_by(10)
    turn.end()
    assert world.shares.turn("heavy").begin() is not counts


async def test_nobody_uses_what_the_process_does_for_others(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    waiting, busy = world.shares.turn("waits"), world.shares.turn("busy")
    for turn in (waiting, busy):
        turn.kind = lambda: "query"
        assert turn.begin()
    for _ in range(10):
        await world.pass_by(1)
        busy.add(1)
    waiting.end()
    busy.end()
    assert world.shares.turn("waits").begin()
    assert not world.shares.turn("busy").begin()


async def test_one_after_the_other_like_everybody_holds_up_nobody(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    await world.pass_by(1)
    world.keep_asking("busy", 0.01)
    await world.pass_by(10)
    assert world.held_up == 0
    assert world.seconds["busy"] > 0.9 * 10


async def test_many_at_once_of_what_everybody_asks_wait(world: World) -> None:
    for number in range(3):
        world.keep_asking(f"light {number}", 0.02, 0.1)
    await world.pass_by(1)
    for _ in range(16):
        world.keep_asking("many", 0.02)
    await world.pass_by(1)
    before = world.seconds["many"]
    world.most.clear()
    await world.pass_by(20)
    assert world.most["many"] == 1
    assert world.seconds["many"] - before < 20 / 10


async def test_a_burst_like_that_of_a_page_waits_for_nobody(world: World) -> None:
    for number in range(3):
        world.keep_asking(f"light {number}", 0.02, 0.1)
    await world.pass_by(1)
    for _ in range(3):
        world.tasks += [asyncio.create_task(world.ask("page", 0.04)) for _ in range(30)]
        await world.pass_by(4)
    assert world.done["page"] == 90
    # As everybody does who asks more than a few at once.
    assert world.most["page"] == AT_ONCE
    assert world.held_up == 3 * (30 - AT_ONCE)
    assert not world.shares.turn("page")._share.is_heavy  # noqa: SLF001 (nobody else can tell)


async def test_who_waited_long_on_account_of_others_goes_on_with_the_next_operation(world: World) -> None:
    for number in range(3):
        world.keep_asking(f"light {number}", 0.02, 0.1)
    await world.pass_by(2)
    world.tasks.append(asyncio.create_task(world.ask("slow once", 2)))
    await world.pass_by(2.1)
    world.tasks.append(asyncio.create_task(world.ask("slow once", 0.02)))
    await world.pass_by((MOST_SECONDS - FREE_SECONDS) / FORGOTTEN + 1)
    assert (world.done["slow once"], world.held_up) == (2, 1)
    for _ in range(10):
        world.tasks.append(asyncio.create_task(world.ask("slow once", 0.02)))
        await world.pass_by(0.1)
    assert (world.done["slow once"], world.held_up) == (12, 1)


async def test_a_statement_at_a_time_while_others_come_first(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    await world.pass_by(1)
    for _ in range(16):
        world.keep_asking("heavy", 0.1)
    await world.pass_by(3)
    assert [world.shares.turn(name).lane.is_narrow for name in ("heavy", "light")] == [True, False]
    for task in world.tasks[1:]:
        task.cancel()
    await world.pass_by(2 * FREE_SECONDS / FORGOTTEN)
    turn = world.shares.turn("heavy")
    assert turn.begin()
    assert not turn.lane.is_narrow


async def test_who_goes_first_is_counted_all_the_same(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    first = [world.shares.turn("heavy") for _ in range(AT_ONCE * 2)]
    for turn in first:
        turn.kind = lambda: "query"
        turn.begin_at_once()
    assert not world.shares.turn("heavy").begin()
    await world.pass_by(1)
    for turn in first:
        turn.end()
    assert not world.shares.turn("heavy").begin()
    await world.pass_by((MOST_SECONDS - FREE_SECONDS) / FORGOTTEN + STEP)
    assert world.shares.turn("heavy").begin()


async def test_who_goes_away_while_waiting_leaves_nothing(world: World) -> None:
    world.keep_asking("light", 0.01, 0.3)
    waiting = [asyncio.create_task(world.ask("heavy", 600)) for _ in range(AT_ONCE + 10)]
    await world.pass_by(5)
    assert world.under_way["heavy"] == AT_ONCE
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await world.pass_by(30)
    held_up = world.held_up
    asked = asyncio.create_task(world.ask("heavy", 0))
    await world.pass_by(0.1)
    assert asked.done()
    assert world.held_up == held_up


async def test_who_is_let_in_and_goes_away_in_the_same_moment_leaves_nothing(world: World) -> None:
    inside = [world.shares.turn("heavy") for _ in range(AT_ONCE)]
    assert all(turn.begin() for turn in inside)
    waiting = [asyncio.create_task(world.ask("heavy", 600)) for _ in range(3)]
    await asyncio.sleep(0)
    # One that waits is cancelled, then the first is let in and cancelled before it knows, then both places are free.
    waiting[0].cancel()
    inside[0].end()
    waiting[1].cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    await asyncio.sleep(0)
    assert world.under_way["heavy"] == 1
    for turn in inside[1:]:
        turn.end()
        turn.end()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for _ in range(AT_ONCE):
        assert world.shares.turn("heavy").begin()
    assert not world.shares.turn("heavy").begin()


async def test_few_are_remembered(world: World) -> None:
    for number in range(KEPT * 3):
        await world.ask(f"{number}", 0)
        world.now += 2
    assert len(world.shares._shares) <= KEPT + THERE_SECONDS  # noqa: SLF001 (nobody else can tell)


async def test_one_after_the_other_nobody_is_in_anybodys_way(world: World) -> None:
    for number in range(6):
        for name in ("one", "another", "a third"):
            world.tasks.append(asyncio.create_task(world.ask(name, 0.5 if name == "one" else 0.01)))
            await world.pass_by(0.6 if name == "one" else 0.05)
            assert world.done[name] == number + 1
    assert world.held_up == 0
