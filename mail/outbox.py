"""The outbox: letters that were asked for leave, once, whatever becomes of the process and the mail server meanwhile.

A letter is stored in the transaction that asks for it, finished and sealed, so every attempt sends the same bytes with the same
Message-ID. Each server process takes letters that are due, a few at once. It holds a letter's lease while it sends it and renews
it, so that another process takes up what a killed one left. Right before the letter's content leaves the lease is renewed once
more, together with the question whether the letter still lives.

- *Accepted*: written down, and the letter erased. When the database is away just then this is tried until it is back.
- *Refused*, the letter's fault and for good: it has failed, with the server's words.
- *Later*: it is tried again after a pause that grows, until it is given up. A broken connection belongs here too, since nobody
  knows what became of the letter: between sending it twice and losing it, SMTP leaves no third way.
- *The server is away, or a setting is wrong*: all letters wait, and a single one tries. A wrong setting is said in the log and
  by a number, since somebody has to change it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from mail.handing import Handed, Outcome, Outgoing
from models import clock, outbox
from models.seals import SealError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from mail.handing import Transport
    from models.database import Database, Unit
    from models.outbox import Tell, Waiting
    from models.seals import Seals

log = logging.getLogger("postfach.outbox")

AT_ONCE = 4
"""So many letters a process sends at the same time."""
BURIED = 100
LEAST_SECONDS = 0.1
UNUSABLE_WORDS = (
    "The mail server takes no letters from this server at the moment; whoever runs it has been told."
)
"""What is told of a wrong setting: the mail server's own words are for the operator."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what waits.

    After the n-th attempt a letter waits the n-th of `pauses`, and then the last of them; with a server that is away or a wrong
    setting all letters wait, by `troubles` likewise. `lease` is far longer than `renew`, how often a lease is renewed.
    """

    pauses: tuple[timedelta, ...] = tuple(timedelta(minutes=each) for each in (1, 2, 5, 10, 15, 30, 60))
    troubles: tuple[timedelta, ...] = tuple(timedelta(seconds=each) for each in (5, 15, 30, 60, 120, 300))
    give_up: timedelta = timedelta(hours=48)
    lease: timedelta = timedelta(seconds=90)
    renew: timedelta = timedelta(seconds=20)
    look: timedelta = timedelta(seconds=30)
    end: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Observer:
    """Who is told how things stand: what came of an attempt, how many letters wait, and whether a setting is wrong."""

    count: Callable[[str], None] = lambda _: None
    waiting: Callable[[int], None] = lambda _: None
    trouble: Callable[[bool], None] = lambda _: None


@dataclass(slots=True)
class _Trouble:
    """The server is away or a setting is wrong: since how many attempts, and until when nobody tries."""

    outcome: Outcome
    attempts: int
    until: float


@dataclass(slots=True)
class _State:
    """What belongs to one time of running."""

    database: Database
    sending: set[asyncio.Task[None]] = field(default_factory=set)
    trouble: _Trouble | None = None
    is_new: bool = True


class Outbox:
    """Sends letters through a transport. `tell` is called in the unit that changes what became of a letter."""

    def __init__(
        self,
        transport: Transport,
        seals: Seals,
        tell: Tell,
        *,
        observer: Observer | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._transport = transport
        self._seals = seals
        self._tell = tell
        self._observer = observer or Observer()
        self._pace = pace or Pace()
        self._awake = asyncio.Event()

    async def put(self, unit: Unit, letter: bytes, *, delivery_id: UUID, agency_id: UUID) -> None:
        """Have a finished letter leave when the unit has committed."""
        token = outbox.sealed(self._seals, letter, delivery_id)
        await outbox.put(unit, token, delivery_id=delivery_id, agency_id=agency_id)
        unit.after_commit(self.wake)

    def wake(self) -> None:
        """Look now, not only when it is time to."""
        self._awake.set()

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Send within the block. What is being sent at its end gets a moment to come to an end as well."""
        state = _State(database)
        worker = asyncio.create_task(self._work(state, await self._look(state)))
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.wait([worker])
            if state.sending:
                _, late = await asyncio.wait(state.sending, timeout=self._pace.end.total_seconds())
                for task in late:
                    task.cancel()
                if late:
                    await asyncio.wait(late)
            await self._transport.close()

    async def _work(self, state: _State, pause: float) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            pause = await self._look(state)

    async def _look(self, state: _State) -> float:
        """Do what there is to do; return after how many seconds there may be more."""
        self._awake.clear()
        try:
            if state.is_new and state.database.is_sqlite:
                # Nobody else has this database: what is leased was left by a process that was killed.
                await outbox.free_all(state.database)
            state.is_new = False
            return await self._turn(state)
        except Exception:
            log.exception("the outbox can't be looked through")
            return self._pace.look.total_seconds()

    async def _turn(self, state: _State) -> float:
        """Give up what is dead and take what is due."""
        latest = clock.now() - self._pace.give_up
        bury = partial(outbox.bury, tell=self._tell, asked_before=latest, most=BURIED)
        while buried := await state.database.transact(bury):
            for _ in range(buried):
                self._observer.count("given up")
        free, blocked = self._room(state)
        if free > 0:
            farthest = max(*self._pace.pauses, *self._pace.troubles, self._pace.lease) * 2
            take = partial(
                outbox.take, number=free, asked_after=latest, lease=self._pace.lease, farthest=farthest
            )
            for waiting in await state.database.transact(take):
                task = asyncio.create_task(self._send(state, waiting))
                state.sending.add(task)
                task.add_done_callback(partial(self._sent, state))
        found = await outbox.look(state.database)
        self._observer.waiting(found.number)
        longest = self._pace.look.total_seconds()
        if found.next_at is None or (state.sending and self._room(state)[0] == 0):
            # Whoever is done wakes it.
            return longest
        return min(max((found.next_at - clock.now()).total_seconds(), blocked, LEAST_SECONDS), longest)

    def _room(self, state: _State) -> tuple[int, float]:
        """Return how many letters may be taken, and for how many seconds none may."""
        if state.trouble is None:
            return AT_ONCE - len(state.sending), 0
        blocked = state.trouble.until - asyncio.get_running_loop().time()
        # One letter tries whether it is over.
        return (0 if blocked > 0 or state.sending else 1), blocked

    def _sent(self, state: _State, task: asyncio.Task[None]) -> None:
        state.sending.discard(task)
        self._awake.set()

    # ---------------------------------------------------------------- one letter

    async def _send(self, state: _State, waiting: Waiting) -> None:
        """Send a letter that was taken, and write down what came of it."""
        keeping = asyncio.create_task(self._keep(state.database, waiting))
        try:
            handed = await self._hand_over(state, waiting)
            await self._write_down(state, waiting, handed)
        except Exception:
            # The lease runs out, and the letter is taken again.
            log.exception("a letter could not be sent", extra={"delivery": str(waiting.delivery_id)})
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _hand_over(self, state: _State, waiting: Waiting) -> Handed:
        try:
            content = outbox.opened(self._seals, waiting)
        except UnknownKeyError as error:
            return Handed(Outcome.UNUSABLE, f"The key {error.key_id} of a stored letter is missing.")
        except SealError:
            return Handed(Outcome.REFUSED, "The stored letter does not open.")
        letter = Outgoing(waiting.delivery_id, waiting.to, content, waiting.requested_at)
        return await self._transport.hand_over(
            letter, lambda: outbox.keep(state.database, waiting, self._pace.lease)
        )

    async def _keep(self, database: Database, waiting: Waiting) -> None:
        """Renew the lease until the sending is over."""
        while True:
            await asyncio.sleep(self._pace.renew.total_seconds())
            try:
                await outbox.keep(database, waiting, self._pace.lease)
            except Exception:
                log.exception("a letter's lease can't be renewed")

    async def _write_down(self, state: _State, waiting: Waiting, handed: Handed) -> None:
        self._observer.count(handed.outcome.value)
        self._note(state, handed)
        work: Callable[[Unit], Awaitable[object]]
        match handed.outcome:
            case Outcome.ACCEPTED:
                work = partial(outbox.accepted, waiting=waiting, tell=self._tell)
            case Outcome.REFUSED:
                words = handed.words or "The mail server refused it."
                work = partial(outbox.refused, waiting=waiting, words=words, tell=self._tell)
            case _:
                work = partial(
                    outbox.postponed,
                    waiting=waiting,
                    words=UNUSABLE_WORDS if handed.outcome is Outcome.UNUSABLE else handed.words,
                    until=clock.now() + self._pause(state, waiting, handed.outcome),
                    tell=self._tell,
                )
        pause = LEAST_SECONDS
        while True:
            try:
                await state.database.transact(work)
                break
            except Exception:
                # Until then the lease is renewed, where it can be: what was accepted must not be sent again.
                log.exception("what became of a letter can't be written down yet")
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._pace.renew.total_seconds())
        log.info(
            "a letter was tried",
            extra={
                "delivery": str(waiting.delivery_id),
                "attempt": waiting.attempts,
                "outcome": handed.outcome.value,
                "words": handed.words,
            },
        )

    def _pause(self, state: _State, waiting: Waiting, outcome: Outcome) -> timedelta:
        """Return how long a letter waits that was not taken."""
        if outcome is Outcome.NOT_OURS:
            return timedelta(0)
        if outcome is Outcome.LATER or state.trouble is None:
            return _nth(self._pace.pauses, waiting.attempts)
        return timedelta(seconds=max(state.trouble.until - asyncio.get_running_loop().time(), 0))

    def _note(self, state: _State, handed: Handed) -> None:
        """Have all letters wait, or none any more; and say it once."""
        before, now = state.trouble, asyncio.get_running_loop().time()
        if handed.outcome not in {Outcome.AWAY, Outcome.UNUSABLE}:
            if before is not None and handed.outcome is not Outcome.NOT_OURS:
                log.info("the mail server takes letters again")
                self._observer.trouble(False)  # noqa: FBT003 (the only thing that it is told)
                state.trouble = None
            return
        if before is not None and now < before.until:
            return  # It was sent at the same time as the one that found it out.
        attempts = 1 if before is None else before.attempts + 1
        until = now + _nth(self._pace.troubles, attempts).total_seconds()
        state.trouble = _Trouble(handed.outcome, attempts, until)
        self._observer.trouble(handed.outcome is Outcome.UNUSABLE)
        if before is None or before.outcome is not handed.outcome:
            if handed.outcome is Outcome.UNUSABLE:
                log.error("letters can't be sent until a setting is changed: %s", handed.words)
            else:
                log.warning("letters wait for the mail server: %s", handed.words)


def _nth(pauses: tuple[timedelta, ...], number: int) -> timedelta:
    return pauses[min(number, len(pauses)) - 1]
