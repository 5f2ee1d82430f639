"""Loading together what the fields of one operation ask for one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

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
        self._known: dict[K, V | None] = {}
        self._coming: dict[K, asyncio.Future[None]] = {}
        self._waiting: list[K] = []
        self._next: asyncio.Future[None] | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V | None:
        """Return what belongs to the key, loaded together with the other keys of its level."""
        if key not in self._known:
            coming = self._coming.get(key) or self._ask([key])
            # A field that is cancelled because its sibling failed must not take the result from the others.
            await asyncio.shield(coming)
        return self._known[key]

    async def get_all(self, keys: Sequence[K]) -> list[V | None]:
        """Return what belongs to each key, in their order, at the cost of waiting once."""
        known = self._known
        missing = [key for key in keys if key not in known]
        if missing:
            if new := list(dict.fromkeys(key for key in missing if key not in self._coming)):
                self._ask(new)
            for coming in {self._coming[key] for key in missing}:
                await asyncio.shield(coming)
        return [known[key] for key in keys]

    def known(self, key: K) -> V | None:
        """Return what is known of a key already."""
        return self._known.get(key)

    def keep(self, found: Mapping[K, V]) -> None:
        """Take what came another way: it is not loaded again."""
        self._known.update(found)

    def _ask(self, keys: list[K]) -> asyncio.Future[None]:
        """Add keys to the next load and return the promise that it is done."""
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = loop.create_future()
            loop.call_soon(self._dispatch, 0)
        self._waiting += keys
        self._coming.update(dict.fromkeys(keys, self._next))
        return self._next

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
        done, self._next = self._next, None
        if done is not None:
            task = asyncio.ensure_future(self._run(keys, done))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, keys: list[K], done: asyncio.Future[None]) -> None:
        try:
            for start in range(0, len(keys), LARGEST):
                some = keys[start : start + LARGEST]
                found = await self._load(some)
                self._known.update((key, found.get(key)) for key in some)
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait for it are told)
            done.set_exception(error)
            # Marks it as seen: the waiting field may have been cancelled.
            done.exception()
        else:
            done.set_result(None)
        finally:
            for key in keys:
                del self._coming[key]


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
