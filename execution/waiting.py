"""Waiting for several things at once, with nothing left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence


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
