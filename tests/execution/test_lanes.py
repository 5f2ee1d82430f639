"""Statements of one viewer: a few at once, one where others come first, and nobody who waits is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from execution import lanes
from execution.lanes import PAUSES, STATEMENTS, Lane

pytestmark = pytest.mark.asyncio


async def turns() -> None:
    """Let everybody who can go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_few_are_let_in_and_the_others_in_their_order() -> None:
    lane, order = Lane(), []

    async def come(number: int) -> None:
        await lane.wait()
        order.append(number)

    assert [lane.enter() for _ in range(STATEMENTS + 1)] == [True] * STATEMENTS + [False]
    waiting = [asyncio.create_task(come(number)) for number in range(3)]
    await turns()
    for number in range(1, 4):
        assert order == list(range(number - 1))
        lane.leave(0)
        await turns()
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert not lane.enter()


async def test_who_goes_away_leaves_the_place_to_the_next() -> None:
    lane = Lane()
    while lane.enter():
        pass
    waiting = [asyncio.create_task(lane.wait()) for _ in range(3)]
    await turns()
    # One that waits; then the next, who was let in and does not know yet.
    waiting[0].cancel()
    lane.leave(0)
    waiting[1].cancel()
    await turns()
    assert [each.cancelled() for each in waiting[:2]] == [True, True]
    assert waiting[2].done()
    for _ in range(STATEMENTS):
        lane.leave(0)
    assert [lane.enter() for _ in range(STATEMENTS + 1)] == [True] * STATEMENTS + [False]


async def test_a_narrow_lane_has_room_for_one_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane()
    loop = asyncio.get_running_loop()
    pauses: list[tuple[float, object]] = []
    monkeypatch.setattr(
        loop, "call_later", lambda seconds, callback: pauses.append((seconds, callback)), raising=False
    )
    monkeypatch.setattr("execution.lanes.time.monotonic", lambda: 100.0)
    assert [lane.enter(), lane.enter()] == [True, True]
    lane.is_narrow = True
    assert not lane.enter()
    waiting = asyncio.create_task(lane.wait())
    await turns()
    lane.leave(99.9)
    lane.leave(90.0)
    assert [seconds for seconds, _ in pauses] == [pytest.approx(0.1 * PAUSES), lanes.LONGEST_PAUSE]
    assert not lane.enter()
    for _, callback in pauses:
        assert not waiting.done()
        callback()  # type: ignore[operator]  # what is called later
        await turns()
    assert waiting.done()
    # It is wide again: the others fit in beside this one.
    lane.is_narrow = False
    assert [lane.enter() for _ in range(STATEMENTS)] == [True] * (STATEMENTS - 1) + [False]
