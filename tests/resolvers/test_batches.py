"""Loading together: one load a level, each key once, and no failure that spreads."""

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from resolvers import batches
from resolvers.batches import Batch
from resolvers.request import Request

pytestmark = pytest.mark.asyncio


class Loads:
    """A load that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def __call__(self, keys: list[int]) -> dict[int, str]:
        self.asked.append(list(keys))
        await asyncio.sleep(0)
        return {key: str(key) for key in keys if key > 0}


async def test_keys_of_a_level_are_loaded_together_and_once() -> None:
    load = Loads()
    batch = Batch(load)
    found = await asyncio.gather(*(batch.get(key) for key in (1, 2, 1, -1)))
    assert found == ["1", "2", "1", None]
    assert await batch.get(2) == "2"
    assert await batch.get(-1) is None
    assert load.asked == [[1, 2, -1]]


async def test_keys_that_come_a_little_later_still_belong() -> None:
    load = Loads()
    batch = Batch(load)

    async def later(turns: int) -> str | None:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await batch.get(turns)

    assert await asyncio.gather(*(later(turns) for turns in range(1, 5))) == ["1", "2", "3", "4"]
    assert load.asked == [[1, 2, 3, 4]]


async def test_what_is_known_is_not_loaded() -> None:
    load = Loads()
    batch = Batch(load)
    assert await batch.get(1) == "1"
    assert await batch.get_all([2, 1, 2, -1]) == ["2", "1", "2", None]
    assert load.asked == [[1], [2, -1]]


async def test_many_who_ask_for_one_and_one_who_asks_for_many_share_a_load() -> None:
    load = Loads()
    batch = Batch(load)
    waiting: list[Awaitable[object]] = [
        batch.get(1),
        batch.get_all([2, 1, 3]),
        batch.get(3),
        batch.get_all([]),
    ]
    assert await asyncio.gather(*waiting) == ["1", ["2", "1", "3"], "3", []]
    assert load.asked == [[1, 2, 3]]


async def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    attempts = 0

    async def load(keys: list[int]) -> dict[int, int]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise LookupError
        return dict.fromkeys(keys, attempts)

    batch = Batch(load)
    found = await asyncio.gather(batch.get(1), batch.get(2), return_exceptions=True)
    assert [type(each) for each in found] == [LookupError, LookupError]
    assert await batch.get(1) == 2


async def test_whoever_is_cancelled_leaves_the_others_their_result() -> None:
    load = Loads()
    batch = Batch(load)

    async def ask(key: int) -> str | None:
        return await batch.get(key)

    given_up, patient = asyncio.ensure_future(ask(1)), asyncio.ensure_future(ask(1))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await patient == "1"
    assert given_up.cancelled()


async def test_many_keys_are_several_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LARGEST", 2)
    load = Loads()
    batch = Batch(load)
    assert await asyncio.gather(*(batch.get(key) for key in range(1, 6))) == ["1", "2", "3", "4", "5"]
    assert load.asked == [[1, 2], [3, 4], [5]]


async def test_a_request_has_one_batch_of_a_name_until_it_forgets() -> None:
    request = Request(cast("Any", None), cast("Any", None))
    load = Loads()
    assert await batches.batch(request, "a", load).get(1) == "1"
    assert await batches.batch(request, "a", load).get(1) == "1"
    assert await batches.batch(request, "b", load).get(1) == "1"
    batches.forget(request)
    assert await batches.batch(request, "a", load).get(1) == "1"
    assert load.asked == [[1], [1], [1]]


@pytest.mark.parametrize("turns", range(5))
async def test_who_waits_is_stopped_with_the_load_however_far_it_has_come(turns: int) -> None:
    load = Loads()
    batch = Batch(load)
    waiting = [asyncio.ensure_future(batch.get(1)), asyncio.ensure_future(batch.get_all([1, 2]))]
    for _ in range(turns):
        await asyncio.sleep(0)
    batch.stop()
    async with asyncio.timeout(30):
        found = await asyncio.gather(*waiting, return_exceptions=True)
    # Who had not asked yet asks afterwards.
    expected = ["1", ["1", "2"]] if turns == 0 else [asyncio.CancelledError] * 2
    assert [type(each) if isinstance(each, BaseException) else each for each in found] == expected
    assert await batch.get(3) == "3"


def alone() -> Request:
    """A request whose operation has one field at its root."""
    request = Request(cast("Any", None), cast("Any", None))
    batches.begin_alone(request)
    return request


async def test_what_nothing_else_comes_with_is_loaded_at_once_and_the_rest_together() -> None:
    load, other, request = Loads(), Loads(), alone()
    batch = batches.batch(request, "one", load)
    waiting = asyncio.gather(batch.get(1), batch.get(1), batch.get(2), batch.get(3))
    # The load has begun when the first one waits.
    await asyncio.sleep(0)
    assert load.asked == [[1]]
    assert list(await waiting) == ["1", "1", "2", "3"]
    assert load.asked == [[1], [2, 3]]
    late = batches.batch(request, "other", other)
    assert list(await asyncio.gather(late.get(1), late.get(2))) == ["1", "2"]
    assert other.asked == [[1, 2]]


async def test_many_that_nothing_else_comes_with_are_loaded_at_once_too() -> None:
    load, request = Loads(), alone()
    batch = batches.batch(request, "one", load)
    waiting = asyncio.gather(batch.get_all([1, 2, 1]), batch.get_all([2, 3]), batch.get(4))
    await asyncio.sleep(0)
    assert load.asked == [[1, 2]]
    assert list(await waiting) == [["1", "2", "1"], ["2", "3"], "4"]
    assert load.asked == [[1, 2], [3, 4]]


@pytest.mark.parametrize("end", ["several", "stopped", "asked before", "many"])
async def test_nothing_is_loaded_at_once_where_others_come(end: str) -> None:
    load, request = Loads(), alone()
    if end == "several":
        batches.expect_several(request)
    elif end == "stopped":
        batches.stop(request)
    elif end == "asked before":
        request = Request(cast("Any", None), cast("Any", None))
        batches.batch(request, "another", Loads())
        batches.begin_alone(request)
    batch = batches.batch(request, "one", load)
    if end == "many":
        await batch.get_all([])
    assert list(await asyncio.gather(batch.get(1), batch.get(2))) == ["1", "2"]
    assert load.asked == [[1, 2]]


async def test_a_failure_of_what_is_loaded_at_once_is_told_to_all_who_wait() -> None:
    async def fail(_: list[int]) -> dict[int, int]:
        await asyncio.sleep(0)
        raise LookupError

    batch = batches.batch(alone(), "one", fail)
    found = await asyncio.gather(batch.get(1), batch.get(1), return_exceptions=True)
    assert [type(each) for each in found] == [LookupError, LookupError]


async def test_who_waits_for_what_is_loaded_at_once_is_stopped_with_it() -> None:
    async def load(_: list[int]) -> dict[int, int]:
        await asyncio.Event().wait()
        raise AssertionError

    batch = batches.batch(alone(), "one", load)
    first, second = (asyncio.ensure_future(batch.get(1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    found = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError] * 2
