"""Waiting for several things at once, with nothing left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from graphql.execution import executor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence


async def _all_of_them(*awaitables: Awaitable[Any]) -> list[Any]:
    """Wait as GraphQL's executor does, but leave nothing running when it is cancelled in the very turn in which a field fails."""
    return await all_of(awaitables)


# Its own function looks at exceptions alone, and a cancellation is none.
executor.gather_with_cancel = _all_of_them  # type: ignore[attr-defined]  # it is no public name


async def all_of(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Return what each one returns, in their order.

    When one of them fails, or the caller is cancelled, the others are cancelled and waited for before that is raised on.
    """
    if len(awaitables) == 1:
        return [await awaitables[0]]
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
