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


class _Load:
    """A load that several wait for.

    Each waits by itself: who is cancelled, because a sibling failed, takes nothing from the others.
    """

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []
        self._is_over = False
        self._error: BaseException | None = None

    async def wait(self) -> None:
        """Wait until it is done. Raises what it failed with."""
        if not self._is_over:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        elif self._error is not None:
            raise self._error

    def end(self) -> None:
        """It is done."""
        self._is_over = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """It failed."""
        self._is_over, self._error = True, error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)
                # Marks it as seen: who waits may be cancelled in this very turn.
                waiter.exception()

    def cancel(self) -> None:
        """It was stopped: so are those who wait for it."""
        self._is_over, self._error = True, asyncio.CancelledError()
        for waiter in self._waiters:
            waiter.cancel()


class Batch(Generic[K, V]):
    """Collects keys while they come in and loads them at once, each key once.

    `load` takes the keys and returns a mapping; a key it leaves out is None. What was loaded is kept until
    the request's batches are forgotten. Belongs to one request and must not be used within a unit of work.

    With `is_alone` nothing else of the operation is under way when the first key comes, so that it is loaded at once.
    """

    def __init__(
        self, load: Callable[[list[K]], Awaitable[Mapping[K, V]]], *, is_alone: bool = False
    ) -> None:
        self._load = load
        self._is_alone = is_alone
        self._known: dict[K, V | None] = {}
        self._coming: dict[K, _Load] = {}
        self._waiting: list[K] = []
        self._next: _Load | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V | None:
        """Return what belongs to the key, loaded together with the other keys of its level."""
        if key not in self._known:
            if self._is_alone:
                self._is_alone = False
                await self._load_alone([key])
            else:
                await (self._coming.get(key) or self._ask([key])).wait()
        return self._known[key]

    async def _load_alone(self, keys: list[K]) -> None:
        """Load keys at once, within the caller's own task; whoever asks for one of them meanwhile waits for that."""
        coming = _Load()
        self._coming.update(dict.fromkeys(keys, coming))
        try:
            await self._load_parts(keys)
        except asyncio.CancelledError:
            coming.cancel()
            raise
        except Exception as error:
            coming.fail(error)
            raise
        finally:
            self._came(keys, coming)
        coming.end()

    async def get_all(self, keys: Sequence[K]) -> list[V | None]:
        """Return what belongs to each key, in their order, at the cost of waiting once."""
        is_alone, self._is_alone = self._is_alone, False
        known = self._known
        missing = [key for key in keys if key not in known]
        if missing and is_alone:
            await self._load_alone(list(dict.fromkeys(missing)))
        elif missing:
            if new := list(dict.fromkeys(key for key in missing if key not in self._coming)):
                self._ask(new)
            for coming in {self._coming[key] for key in missing}:
                await coming.wait()
        return [known[key] for key in keys]

    def known(self, key: K) -> V | None:
        """Return what is known of a key already."""
        return self._known.get(key)

    def keep(self, found: Mapping[K, V]) -> None:
        """Take what came another way: it is not loaded again."""
        self._known.update(found)

    def _ask(self, keys: list[K]) -> _Load:
        """Add keys to the next load and return it."""
        if self._next is None:
            self._next = _Load()
            asyncio.get_running_loop().call_soon(self._dispatch, 0)
        self._waiting += keys
        self._coming.update(dict.fromkeys(keys, self._next))
        return self._next

    def stop(self) -> None:
        """Stop what is being loaded, and whoever still waits for it; what is asked for afterwards is loaded anew."""
        coming, self._coming, self._next = self._coming, {}, None
        self._waiting.clear()
        # Before the tasks: one that has not begun says nothing when it is stopped.
        for load in set(coming.values()):
            load.cancel()
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
            task = asyncio.get_running_loop().create_task(self._run(keys, done))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, keys: list[K], done: _Load) -> None:
        try:
            await self._load_parts(keys)
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait for it are told)
            done.fail(error)
        else:
            done.end()
        finally:
            self._came(keys, done)

    async def _load_parts(self, keys: list[K]) -> None:
        for start in range(0, len(keys), LARGEST):
            some = keys[start : start + LARGEST]
            found = await self._load(some)
            self._known.update((key, found.get(key)) for key in some)

    def _came(self, keys: list[K], load: _Load) -> None:
        for key in keys:
            # Unless it was stopped, and perhaps asked for anew.
            if self._coming.get(key) is load:
                del self._coming[key]


def batch(
    request: Request, name: Hashable, load: Callable[[list[K]], Awaitable[Mapping[K, V]]]
) -> Batch[K, V]:
    """Return the request's batch of this name, made with `load` when it is first asked for."""
    # Mostly it is the first one, and a name is made of much that has to be hashed.
    found: Batch[K, V] | None = request.batches.get(name) if request.batches else None
    if found is None:
        found = request.batches[name] = Batch(load, is_alone=request.is_alone)
        request.is_alone = False
    return found


def begin_alone(request: Request) -> None:
    """Have the first key that is asked for loaded at once."""
    request.is_alone = not request.batches


def expect_several(request: Request) -> None:
    """Have the next key wait for others: one field asks for several."""
    request.is_alone = False


def stop(request: Request) -> None:
    """Stop whatever is being loaded for a request whose operation has ended; its statements end in the database too."""
    for each in tuple(request.batches.values()):
        each.stop()
    request.batches.clear()
    request.is_alone = False


def forget(request: Request) -> None:
    """Forget everything loaded: to be called before and after a request changes something."""
    request.batches.clear()
