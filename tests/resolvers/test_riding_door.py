"""Who asks first whether a viewer still holds, while others wait."""

from __future__ import annotations

import asyncio

import pytest

from resolvers.riding import Door

pytestmark = pytest.mark.asyncio


class House:
    """People who go in one at a time, and those who are in or were."""

    def __init__(self) -> None:
        self.door = Door()
        self.came: list[int] = []
        self.goes_out: dict[int, asyncio.Event] = {}

    async def visit(self, number: int) -> None:
        if not self.door.enter():
            await self.door.wait()
        try:
            self.came.append(number)
            await self.goes_out.setdefault(number, asyncio.Event()).wait()
        finally:
            self.door.leave()

    async def visits(self, *numbers: int) -> dict[int, asyncio.Task[None]]:
        """Have these come one after the other, and do what they can."""
        tasks = {}
        for number in numbers:
            tasks[number] = asyncio.create_task(self.visit(number))
            await asyncio.sleep(0)
        return tasks

    async def go_out(self, number: int) -> None:
        self.goes_out[number].set()
        for _ in range(3):
            await asyncio.sleep(0)


async def test_one_is_in_at_a_time_and_who_waited_longest_is_next() -> None:
    house = House()
    tasks = await house.visits(1, 2, 3)
    for number in (1, 2, 3):
        assert house.came == list(range(1, number + 1))
        await house.go_out(number)
    await asyncio.gather(*tasks.values())
    assert house.door.enter()


async def test_who_goes_away_while_waiting_holds_up_nobody() -> None:
    house = House()
    tasks = await house.visits(1, 2, 3, 4)
    tasks[2].cancel()
    await house.go_out(1)
    assert house.came == [1, 3]
    # Let in, and gone in the very same turn.
    house.goes_out[3].set()
    await asyncio.sleep(0)
    tasks[4].cancel()
    late = (await house.visits(5))[5]
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert [each.cancelled() for each in tasks.values()] == [False, True, False, True]
    assert house.came == [1, 3, 5]
    await house.go_out(5)
    await late
    assert house.door.enter()


async def test_who_fails_lets_in_the_next() -> None:
    house = House()
    tasks = await house.visits(1, 2)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    await asyncio.sleep(0)
    assert house.came == [1, 2]
    await house.go_out(2)
    await tasks[2]
