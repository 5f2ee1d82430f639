"""What is waited for together ends together, also when the one who waits is cancelled in the turn in which one of them fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    execute,
    parse,
)

from execution.waiting import all_of

pytestmark = pytest.mark.asyncio

TURNS = range(8)


class Pair:
    """One that fails when it is told to, and one that would wait for ever."""

    def __init__(self) -> None:
        self.fails: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_left_running = False

    async def fail(self, *_: Any) -> str:
        return await self.fails

    async def wait(self, *_: Any) -> str:
        self.is_left_running = True
        try:
            return await self.waiting
        finally:
            self.is_left_running = False


async def end(pair: Pair, task: asyncio.Future[Any], turns: int) -> None:
    """Have one fail, and cancel who waits so many turns later; everything has ended then."""
    for _ in TURNS:
        await asyncio.sleep(0)
    assert pair.is_left_running
    pair.fails.set_exception(ValueError("as told"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert not pair.is_left_running


@pytest.mark.parametrize("turns", TURNS)
async def test_all_of_them(turns: int) -> None:
    pair = Pair()
    await end(pair, asyncio.ensure_future(all_of([pair.fail(), pair.wait()])), turns)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("is_list", [False, True], ids=["fields", "list"])
async def test_by_the_executor_of_graphql(turns: int, *, is_list: bool) -> None:
    pair = Pair()
    below = GraphQLObjectType(
        "Below",
        {
            "fail": GraphQLField(GraphQLNonNull(GraphQLString), resolve=pair.fail),
            "wait": GraphQLField(GraphQLNonNull(GraphQLString), resolve=pair.wait),
        },
    )
    query = GraphQLObjectType("Query", {"below": GraphQLField(below, resolve=lambda *_: {}), **below.fields})
    text = "{ below { fail wait } }" if is_list else "{ fail wait }"
    found = execute(GraphQLSchema(query), parse(text))
    assert asyncio.iscoroutine(found) or isinstance(found, asyncio.Future)
    await end(pair, asyncio.ensure_future(found), turns)
