"""A fair share for everybody: who uses far more than others waits for them.

What somebody uses is what each operation takes: the time for which the process was busy with it and, for a query of somebody who
is signed in, for which it waited while the process was not busy with others, so for the database. It is forgotten at three
hundredths of that speed. Others come first when somebody has used more than is free, and in the last second had far more under
way, or spent far more on long operations, than most of the others who are active. It then gets no more than that little: one
operation and one statement at a time, with pauses, and an operation every few seconds at the least. Where nobody else is there,
and between those who ask alike, only the number of operations and of statements at once is limited.

Who is signed in is compared with others who are: so nobody is held up on account of names that cost nothing to have. An operation
that has begun goes on to its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from graphql import OperationType

from execution.lanes import Lane
from execution.metering import Metered, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")

QUERY, MUTATION = OperationType.QUERY.value, OperationType.MUTATION.value
SUBSCRIPTION = OperationType.SUBSCRIPTION.value

FORGOTTEN = 0.03
"""Seconds that are forgotten in each second."""
FREE_SECONDS = 0.5
"""What a burst may use: some hundred pages of a list."""
MOST_SECONDS = 1.1
"""More is not remembered: so nobody waits for longer than it takes to forget what is above the free ones."""
TIMES_THE_OTHERS = 3
MANY, LONG_SECONDS = 2.0, 0.5
"""Who had fewer operations under way in the last second, on average, and less of it taken by long ones, is not held up."""
TIMES_THE_USUAL = 3
"""What an operation takes beyond so many times what is usual is long."""
USUAL_SECONDS, LEAST_SECONDS, STEP = 0.01, 0.001, 0.05
"""What is usual before anything is known of it, at the least, and how fast that is learned."""
WAITED_MOST = 0.05
"""What a change's waiting counts at the most: mostly it waits for locks, so for others."""
LEAST_PAUSE, LONGEST_PAUSE, TIMES_THE_LAST = 3.0, 10.0, 20
"""Who has waited, and had nothing under way for so many times what the last operation took, but at least and at most so long,
goes on with one operation, whatever others do."""
AT_ONCE = 6
"""Operations of one at once: as many as a browser has connections, and enough to keep a process busy."""
THERE_SECONDS = 5.0
"""How long after the last operation somebody is still there."""
ACTIVE_SECONDS = 0.4
"""How long after the last operation somebody still counts among those who are compared with."""
WINDOW_SECONDS = 1.0
LOOK_SECONDS = 0.05
"""How often it is looked what others use, and whether who waits may begin."""
KEPT = 1_000
"""How many are remembered before those who have gone are forgotten."""


class Recent:
    """A sum of what was added within the last second, more or less."""

    __slots__ = ("_before", "_in_window", "_window")

    def __init__(self) -> None:
        self._window = float("-inf")
        self._in_window = self._before = 0.0

    def add(self, seconds: float, now: float) -> None:
        """Add something."""
        passed = now - self._window
        if passed >= WINDOW_SECONDS:
            self._before = self._in_window if passed < 2 * WINDOW_SECONDS else 0.0
            self._window, self._in_window = now, 0.0
        self._in_window += seconds

    def sum(self, now: float) -> float:
        """Return the sum."""
        passed = (now - self._window) / WINDOW_SECONDS
        if passed < 1:
            return self._before * (1 - passed) + self._in_window
        return self._in_window * (2 - passed) if passed < 2 else 0.0  # noqa: PLR2004 (two windows)


@dataclass(slots=True)
class _Share:
    """What one has used by `at`, what is under way, and who waits, in the order in which they came.

    `is_heavy` while others come first; who is not is not looked at again before `fine_until`.
    """

    is_known: bool
    at: float
    used: float = 0.0
    turns: list[Turn] = field(default_factory=list)
    waiting: deque[tuple[Turn, asyncio.Future[None], float]] = field(default_factory=deque)
    """With the moment since when."""
    ended_at: float = float("-inf")
    took: float = 0.0
    """When an operation of it ended last, and what that took."""
    is_looked_after: bool = False
    is_heavy: bool = False
    above: tuple[float, float] = (0.0, 0.0)
    above_at: float = float("-inf")
    """What it had under way when it was found to be heavy, and when that was last more than others have."""
    fine_until: float = float("-inf")
    is_counted: bool = False
    was_there: bool = False
    """Whether it was among those who were active, and who were there, when it was looked last."""
    stretch: Stretch = field(default_factory=Stretch)
    lane: Lane = field(default_factory=Lane)
    many: Recent = field(default_factory=Recent)
    """How many operations were under way."""
    long: Recent = field(default_factory=Recent)
    """What long operations took beyond what is usual."""

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

    def lately(self, now: float, long: float) -> tuple[float, float]:
        """Return how many operations were under way in the last second, and what they took beyond what is long."""
        many, more = self.many.sum(now), self.long.sum(now)
        for each in self.turns:
            many += min(WINDOW_SECONDS, now - each.began)
            more += min(WINDOW_SECONDS, max(0.0, each.seconds(now) - long))
        return many, more

    def is_there(self, now: float, seconds: float = THERE_SECONDS) -> bool:
        """Whether others go on account of this one."""
        return bool(self.turns or self.waiting) or now - self.at < seconds

    def set_listeners_apart(self) -> None:
        """Leave subscriptions out of what is under way: one that listens takes nothing from others."""
        self.turns = [each for each in self.turns if each.kind() != SUBSCRIPTION]

    def set_heavy(self, *, is_heavy: bool) -> None:
        """Have others come first from now on, or no more."""
        self.is_heavy = is_heavy
        self.stretch.has_pauses = self.lane.is_narrow = is_heavy


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
        self.usual = USUAL_SECONDS
        """What most operations take."""
        self._lately: dict[bool, tuple[list[float], list[float]]] = {}
        self._there: dict[bool, int] = {}
        self.inside = 0
        """How many operations are under way or wait."""
        self.met = float("-inf")
        """When somebody came last while an operation of another was inside: before, nobody was in anybody's way."""
        self._looked = self._forgot = float("-inf")

    def turn(self, name: Hashable, *, is_known: bool = True) -> Turn:
        """Return the turn of an operation of this one, who `is_known` by more than an address."""
        share = self._shares.get(name)
        if share is None:
            now = self.clock()
            if len(self._shares) >= KEPT:
                self._forget(now)
            share = self._shares[name] = _Share(is_known, now)
            share.stretch.others_are_there = partial(self._others_are_there, share)
        return Turn(self, share)

    def learn(self, share: _Share, seconds: float, passed: float, now: float) -> None:
        """Learn from an operation that ended."""
        usual = self.usual
        long = seconds - TIMES_THE_USUAL * usual
        if long > 0:
            share.long.add(long, now)
        elif share.is_heavy and not share.waiting and not share.turns:
            # One like everybody's, and no other: what had taken long was not for this one to answer for.
            share.set_heavy(is_heavy=False)
        share.many.add(passed, now)
        self.usual = max(LEAST_SECONDS, usual * (1 + STEP if seconds > usual else 1 - STEP))

    def must_wait(self, share: _Share, now: float) -> bool:
        """Whether no operation of this one may begin now."""
        if self.is_heavy(share, now):
            return self._waits_for_others(share, now)
        if len(share.turns) >= AT_ONCE:
            share.set_listeners_apart()
        return len(share.turns) >= AT_ONCE

    def is_heavy(self, share: _Share, now: float) -> bool:
        """Whether others come first, looked at now and then."""
        if share.is_heavy or now < share.fine_until or share.seconds(now) <= FREE_SECONDS:
            return share.is_heavy
        share.set_listeners_apart()
        if share.seconds(now) > FREE_SECONDS:
            share.above = share.lately(now, TIMES_THE_USUAL * self.usual)
            if self._is_above(share, now, *share.above):
                share.above_at = now
                share.set_heavy(is_heavy=True)
                return True
        share.fine_until = now + LOOK_SECONDS
        return False

    def _waits_for_others(self, share: _Share, now: float) -> bool:
        share.set_listeners_apart()
        used = share.seconds(now)
        many, long = share.above
        if self._is_above(share, now, max(many, len(share.turns) + len(share.waiting)), long):
            share.above_at = now
        # Others may do nothing for a moment. Where they have gone, nobody is waited for any longer.
        is_over = now - share.above_at > WINDOW_SECONDS or self._usual(share, now) is None
        if is_over or (used <= FREE_SECONDS / 2 and not share.turns):
            share.set_heavy(is_heavy=False)
            return False
        return bool(share.turns) or used > FREE_SECONDS

    def _is_above(self, share: _Share, now: float, many: float, long: float) -> bool:
        """Whether so many operations under way, or so much taken by long ones, are far more than others have."""
        if many <= MANY and long <= LONG_SECONDS:
            return False
        others = self._usual(share, now)
        return others is not None and (
            many > max(MANY, TIMES_THE_OTHERS * others[0])
            or long > max(LONG_SECONDS, TIMES_THE_OTHERS * others[1])
        )

    def _usual(self, share: _Share, now: float) -> tuple[float, float] | None:
        """Return what most of the others who are active had lately, None where nobody else is there."""
        if now - self.met > THERE_SECONDS:
            return None
        if not 0 <= now - self._looked < LOOK_SECONDS:
            self._look(now)
        many, long = self._lately[share.is_known]
        number = len(many) - share.is_counted
        if number > 0:
            # Were this one among them, it is above the middle if it matters. So a second name raises the measure for nobody.
            return many[(number - 1) // 2], long[(number - 1) // 2]
        return (0.0, 0.0) if self._there[share.is_known] > share.was_there else None

    def _others_are_there(self, share: _Share) -> bool:
        return self._usual(share, self.clock()) is not None

    def _look(self, now: float) -> None:
        self._looked = now
        long = TIMES_THE_USUAL * self.usual
        known: list[tuple[float, float]] = []
        everybody: list[tuple[float, float]] = []
        there = {True: 0, False: 0}
        for each in self._shares.values():
            if each.turns:
                each.set_listeners_apart()
            # Nobody waits for somebody who waits.
            each.was_there = not each.is_heavy and each.is_there(now)
            each.is_counted = each.was_there and each.is_there(now, ACTIVE_SECONDS)
            if each.was_there:
                there[False] += 1
                there[True] += each.is_known
            if each.is_counted:
                lately = each.lately(now, long)
                everybody.append(lately)
                if each.is_known:
                    known.append(lately)
        self._there = there
        self._lately = {
            is_known: (sorted(many for many, _ in found), sorted(more for _, more in found))
            for is_known, found in ((True, known), (False, everybody))
        }

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

    __slots__ = ("_busy", "_own", "_share", "_shares", "began", "clock", "is_under_way", "kind", "lane")

    def __init__(self, shares: Shares, share: _Share) -> None:
        self._shares = shares
        self._share = share
        self.lane = share.lane
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
        self._arrive(now)
        self._enter(now)
        return True

    def begin_at_once(self) -> None:
        """Begin whoever goes first."""
        now = self.clock()
        self._arrive(now)
        self._enter(now)

    async def wait(self) -> None:
        """Begin when others have had their turns."""
        self._shares.held_up()
        loop = asyncio.get_running_loop()
        let_in: asyncio.Future[None] = loop.create_future()
        now = self.clock()
        entry = (self, let_in, now)
        self._arrive(now)
        self._share.waiting.append(entry)
        if not self._share.is_looked_after:
            self._share.is_looked_after = True
            loop.call_later(LOOK_SECONDS, self._look, loop)
        try:
            await let_in
        finally:
            # One that is cancelled when it was let in already is ended like any other.
            if not self.is_under_way:
                self._shares.inside -= 1
                with suppress(ValueError):
                    self._share.waiting.remove(entry)

    def metered(self, work: Coroutine[Any, Any, T]) -> Metered[T]:
        """Return what counts, when it is awaited, for how long the process is busy with this."""
        return Metered(work, self)

    def add(self, seconds: float) -> None:
        """Count a step of the operation's tasks."""
        self._own += seconds
        self._shares.busy += seconds
        stretch = self._share.stretch
        stretch.add(seconds)
        if stretch.is_over:
            self._shares.is_heavy(self._share, self.clock())

    def add_elsewhere(self, seconds: float) -> None:
        """Count what was done for the operation while the process went on; at one address there may be many."""
        if self._share.is_known:
            self._own += seconds

    def charge(self, seconds: float) -> None:
        """Count something outside of any turn: this one does not begin."""
        self._share.forget(self.clock())
        self._share.add(seconds)

    def rest(self) -> asyncio.Future[None] | None:
        """Return what a step has to wait for so that others are looked after, None where it may be done."""
        stretch = self._share.stretch
        if not stretch.is_over or (stretch.has_pauses and self.kind() == MUTATION):
            # Others may wait for the locks of a change.
            return None
        return stretch.rest()

    def seconds(self, now: float) -> float:
        """Return what it has taken so far."""
        if not self._share.is_known:
            return self._own
        # What it waited for, but for the steps of all operations: these are counted by whose they are.
        waited = now - self.began - (self._shares.busy - self._busy)
        if waited <= 0.0:
            return self._own
        if self.kind() == QUERY:
            return self._own + waited
        return self._own + min(waited, WAITED_MOST)

    def tell(self) -> None:
        """Count what it took to make an event's answer: nobody has asked for it just now, so all of that is long."""
        now = self.clock()
        self._share.forget(now)
        self._share.add(self._own)
        self._share.long.add(self._own, now)
        self._own = 0.0

    def end(self) -> None:
        """Count what it took, and let in who waits."""
        if not self.is_under_way:
            return
        self.is_under_way = False
        share, now = self._share, self.clock()
        share.forget(now)
        share.ended_at, share.took = now, now - self.began
        self._shares.inside -= 1
        seconds = self.seconds(now)
        if self in share.turns:
            share.turns.remove(self)
        share.add(seconds)
        self._shares.learn(share, seconds, now - self.began, now)
        if share.waiting:
            self._let_in(now)

    def _arrive(self, now: float) -> None:
        share = self._share
        if self._shares.inside > len(share.turns) + len(share.waiting):
            self._shares.met = now
        self._shares.inside += 1

    def _enter(self, now: float) -> None:
        self._share.forget(now)
        self._share.turns.append(self)
        self.began, self._busy = now, self._shares.busy
        self.is_under_way = True

    def _let_in(self, now: float) -> None:
        """Let in those of the same share who may begin."""
        waiting = self._share.waiting
        while waiting and (not self._shares.must_wait(self._share, now) or self._has_waited(now)):
            turn, let_in, _ = waiting.popleft()
            if not let_in.done():
                turn._enter(now)  # noqa: SLF001 (another of the same class)
                let_in.set_result(None)

    def _has_waited(self, now: float) -> bool:
        """Whether the one that came first goes on all the same."""
        share = self._share
        if share.turns:
            return False
        pause = min(LONGEST_PAUSE, max(LEAST_PAUSE, TIMES_THE_LAST * share.took))
        return now - max(share.ended_at, share.waiting[0][2]) >= pause

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again and again, as long as somebody waits: that others have gone is told by nobody."""
        self._let_in(self.clock())
        if self._share.waiting:
            loop.call_later(LOOK_SECONDS, self._look, loop)
        else:
            self._share.is_looked_after = False
