"""Loading together what the fields of one operation ask for one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from resolvers.request import Request

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

LARGEST = 10_000
"""Keys of one load: databases refuse statements with more parameters than they can hold."""


class Batch(Generic[K, V]):
    """Collects keys while they come in and loads them at once, each key once.

    `load` takes the keys and returns a mapping; a key it leaves out is None. What was loaded is kept until
    the request's batches are forgotten. Belongs to one request and must not be used within a unit of work.
    """

    def __init__(self, load: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._results: dict[K, asyncio.Future[V | None]] = {}
        self._waiting: list[K] = []
        self._running: set[asyncio.Task[None]] = set()

    def get(self, key: K) -> Awaitable[V | None]:
        """Return what belongs to the key, loaded together with the other keys of its level."""
        result = self._results.get(key)
        if result is None or result.cancelled():
            loop = asyncio.get_running_loop()
            result = self._results[key] = loop.create_future()
            if not self._waiting:
                loop.call_soon(self._dispatch, 0)
            self._waiting.append(key)
        # A field that is cancelled because its sibling failed must not take the result from the others.
        return asyncio.shield(result)

    def put(self, key: K, value: V) -> None:
        """Keep what is known already, so that it need not be loaded."""
        if key not in self._results:
            self._results[key] = asyncio.get_running_loop().create_future()
            self._results[key].set_result(value)

    def stop(self) -> None:
        """Stop what is being loaded: nobody waits for it any more."""
        self._waiting.clear()
        for task in tuple(self._running):
            task.cancel()

    def _dispatch(self, known: int) -> None:
        """Load as soon as a whole turn of the event loop has brought no further key."""
        if len(self._waiting) > known:
            asyncio.get_running_loop().call_soon(self._dispatch, len(self._waiting))
            return
        keys, self._waiting = self._waiting, []
        for start in range(0, len(keys), LARGEST):
            task = asyncio.ensure_future(self._run(keys[start : start + LARGEST]))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, keys: list[K]) -> None:
        try:
            found = await self._load(keys)
        except asyncio.CancelledError:
            for key in keys:
                self._results.pop(key).cancel()
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait for it are told)
            for key in keys:
                result = self._results.pop(key)
                if not result.done():
                    result.set_exception(error)
                    # Marks it as seen: the waiting field may have been cancelled.
                    result.exception()
            return
        for key in keys:
            result = self._results[key]
            if not result.done():
                result.set_result(found.get(key))


def batch(
    request: Request, name: Hashable, load: Callable[[list[K]], Awaitable[Mapping[K, V]]]
) -> Batch[K, V]:
    """Return the request's batch of this name, made with `load` when it is first asked for."""
    found: Batch[K, V] | None = request.batches.get(name)
    if found is None:
        found = request.batches[name] = Batch(load)
    return found


def stop(request: Request) -> None:
    """Stop whatever is being loaded for a request whose operation has ended; its statements end in the database too."""
    for each in tuple(request.batches.values()):
        each.stop()
    request.batches.clear()


def forget(request: Request) -> None:
    """Forget everything loaded: to be called before and after a request changes something."""
    request.batches.clear()
