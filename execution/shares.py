"""A fair share for everybody: whose operations are long waits for those whose operations are short.

What somebody uses is what each operation takes beyond the moment that is free: the time for which the process was busy with it
and, for a query of somebody who is signed in, for which it waited while the process was not busy with others, so for the
database. It is forgotten at a twentieth of that speed. Who has used more than two seconds, and four times as much as most of the
others who are there, gets no more than that twentieth until they have gone or use as much. Where nobody else is there,
and between those who ask alike, only the number of operations at once is limited.

Who is signed in is compared with others who are: so nobody is held up on account of names that cost nothing to have. An operation
that has begun goes on to its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from graphql import OperationType

from execution.metering import Metered, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")

FREE_MOMENT = 0.01
"""What an operation takes and nobody counts: a page of a list and most else takes less."""
FORGOTTEN = 0.05
"""Seconds that are forgotten in each second."""
FREE_SECONDS = 2.0
CLOSE_SECONDS = 1.0
"""Who has used more, and much more than others, has one operation at a time: several could use far more than is left."""
MOST_SECONDS = 3.0
"""More is not remembered: so nobody waits for longer than it takes to forget what is above the free ones."""
TIMES_THE_OTHERS = 4
AT_ONCE = 6
"""Operations of one at once: as many as a browser has connections, and enough to keep a process busy."""
THERE_SECONDS = 5.0
"""How long after the last operation somebody is still there."""
LOOK_SECONDS = 0.05
"""How often it is looked what others use, and whether who waits may begin."""
KEPT = 1_000
"""How many are remembered before those who have gone are forgotten."""


@dataclass(slots=True)
class _Share:
    """What one has used by `at`, what is under way, and who waits, in the order in which they came."""

    is_known: bool
    at: float
    used: float = 0.0
    turns: list[Turn] = field(default_factory=list)
    waiting: deque[tuple[Turn, asyncio.Future[None]]] = field(default_factory=deque)
    is_looked_after: bool = False
    stretch: Stretch = field(default_factory=Stretch)

    def forget(self, now: float) -> None:
        """Bring what was used up to now."""
        self.used = max(0.0, self.used - FORGOTTEN * (now - self.at))
        self.at = now

    def add(self, seconds: float) -> None:
        """Add to what was used by `at`."""
        self.used = min(MOST_SECONDS, self.used + seconds)

    def seconds(self, now: float) -> float:
        """Return what was used and not forgotten by now, together with what is under way."""
        used = max(0.0, self.used - FORGOTTEN * (now - self.at))
        for each in self.turns:
            used += each.seconds(now)
        return min(MOST_SECONDS, used)

    def is_there(self, now: float) -> bool:
        """Whether others go on account of this one."""
        return bool(self.turns or self.waiting) or now - self.at < THERE_SECONDS

    def set_listeners_apart(self) -> None:
        """Leave subscriptions out of what is under way: one that listens takes nothing from others."""
        self.turns = [each for each in self.turns if each.kind() != OperationType.SUBSCRIPTION.value]


class Shares:
    """The shares of one process. `held_up` is called for each operation that has to wait."""

    def __init__(
        self, held_up: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.held_up = held_up
        self.clock = clock
        self.busy = 0.0
        """For how long the process was busy with operations, in all."""
        self._shares: dict[Hashable, _Share] = {}
        self._used: dict[bool, list[float]] = {}
        self._looked = self._forgot = float("-inf")

    def turn(self, name: Hashable, *, is_known: bool = True) -> Turn:
        """Return the turn of an operation of this one, who `is_known` by more than an address."""
        now = self.clock()
        share = self._shares.get(name)
        if share is None:
            if len(self._shares) >= KEPT:
                self._forget(now)
            share = self._shares[name] = _Share(is_known, now)
        return Turn(self, share)

    def must_wait(self, share: _Share, now: float) -> bool:
        """Whether no operation of this one may begin now."""
        if share.seconds(now) <= CLOSE_SECONDS and len(share.turns) < AT_ONCE:
            return False
        share.set_listeners_apart()
        if len(share.turns) >= AT_ONCE:
            return True
        used = share.seconds(now)
        if used <= CLOSE_SECONDS or (used <= FREE_SECONDS and not share.turns):
            return False
        share.forget(now)
        usual = self._usual(share, now)
        return usual is not None and used > TIMES_THE_OTHERS * usual

    def _usual(self, share: _Share, now: float) -> float | None:
        """Return what most of the others use, None where nobody else is there."""
        if not 0 <= now - self._looked < LOOK_SECONDS:
            self._looked, self._used = now, {True: [], False: []}
            for each in self._shares.values():
                if each.turns:
                    each.set_listeners_apart()
                if each.is_there(now):
                    used = each.seconds(now)
                    self._used[False].append(used)
                    if each.is_known:
                        self._used[True].append(used)
            for known in self._used.values():
                known.sort()
        there = self._used[share.is_known]
        # This one is among them, and above the middle if it matters. So a second name raises the measure for nobody.
        return there[(len(there) - 2) // 2] if len(there) > 1 else None

    def _forget(self, now: float) -> None:
        """Forget those who have nothing under way and have used nothing that still counts."""
        if 0 <= now - self._forgot < THERE_SECONDS:
            return
        self._forgot = now
        for name, share in tuple(self._shares.items()):
            share.set_listeners_apart()
            if not share.is_there(now) and not share.seconds(now):
                del self._shares[name]


def _unknown() -> str | None:
    return None


class Turn:
    """One operation's turn. It is ended however the operation ends, also where it never began.

    `kind` says what is executed, once that is known: `query`, `mutation` or `subscription`.
    """

    __slots__ = ("_busy", "_own", "_share", "_shares", "began", "clock", "is_under_way", "kind")

    def __init__(self, shares: Shares, share: _Share) -> None:
        self._shares = shares
        self._share = share
        self.clock = shares.clock
        self.kind: Callable[[], str | None] = _unknown
        self.is_under_way = False
        self.began = self._busy = self._own = 0.0

    def begin(self) -> bool:
        """Begin, unless others go first or earlier ones wait; return whether it began."""
        now = self.clock()
        share = self._share
        if share.waiting or self._shares.must_wait(share, now):
            return False
        self._enter(now)
        return True

    def begin_at_once(self) -> None:
        """Begin whoever goes first."""
        self._enter(self.clock())

    async def wait(self) -> None:
        """Begin when others have had their turns."""
        self._shares.held_up()
        loop = asyncio.get_running_loop()
        let_in: asyncio.Future[None] = loop.create_future()
        entry = (self, let_in)
        self._share.waiting.append(entry)
        if not self._share.is_looked_after:
            self._share.is_looked_after = True
            loop.call_later(LOOK_SECONDS, self._look, loop)
        try:
            await let_in
        finally:
            # One that is cancelled when it was let in already is ended like any other.
            if not self.is_under_way:
                with suppress(ValueError):
                    self._share.waiting.remove(entry)

    def metered(self, work: Coroutine[Any, Any, T]) -> Metered[T]:
        """Return what counts, when it is awaited, for how long the process is busy with this."""
        return Metered(work, self)

    def add(self, seconds: float) -> None:
        """Count a step of the operation's tasks."""
        self._own += seconds
        self._shares.busy += seconds
        self._share.stretch.add(seconds)

    def rest(self) -> asyncio.Future[None] | None:
        """Return what a step has to wait for so that others are looked after, None where it may be done."""
        return self._share.stretch.rest() if self._share.stretch.is_over else None

    def seconds(self, now: float) -> float:
        """Return what it has taken so far beyond what is free."""
        taken = self._own
        if self._share.is_known and self.kind() == OperationType.QUERY.value:
            # What it waited for, but for the steps of all operations: these are counted by whose they are.
            taken += max(0.0, now - self.began - (self._shares.busy - self._busy))
        return max(0.0, taken - FREE_MOMENT)

    def tell(self) -> None:
        """Count what it took to make an event's answer: nothing of that is free."""
        self._share.forget(self.clock())
        self._share.add(self._own)
        self._own = 0.0

    def end(self) -> None:
        """Count what it took, and let in who waits."""
        if not self.is_under_way:
            return
        self.is_under_way = False
        share, now = self._share, self.clock()
        share.forget(now)
        if self in share.turns:
            share.turns.remove(self)
        share.add(self.seconds(now))
        self._let_in(now)

    def _enter(self, now: float) -> None:
        self._share.forget(now)
        self._share.turns.append(self)
        self.began, self._busy = now, self._shares.busy
        self.is_under_way = True

    def _let_in(self, now: float) -> None:
        """Let in those of the same share who may begin."""
        waiting = self._share.waiting
        while waiting and not self._shares.must_wait(self._share, now):
            turn, let_in = waiting.popleft()
            if not let_in.done():
                turn._enter(now)  # noqa: SLF001 (another of the same class)
                let_in.set_result(None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again and again, as long as somebody waits: that others have gone is told by nobody."""
        self._let_in(self.clock())
        if self._share.waiting:
            loop.call_later(LOOK_SECONDS, self._look, loop)
        else:
            self._share.is_looked_after = False
