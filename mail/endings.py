"""Ending what was opened with a mailbox's older passwords on the mail servers.

Whoever renews a password writes down in the same transaction that sessions are to be ended, one row a mailbox. As soon as
that has committed the sessions are ended, whatever became of the caller, and a row that is left over (the mail server was
away, the process was killed) is taken up by a server process until it is done. Only then the row says `ended_at`.

A login that was being checked against the old password while it was replaced becomes a session a moment after. So
everything is ended once more when that can no longer happen, and only then the row goes. A newer password meanwhile
makes the row its own: what was done for an older version counts for nothing.

SMTP sessions are no part of this: what their user name is bound to (the SQL views of the mail servers) fails by itself.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mail.doveadm import SECONDS, DoveadmError
from models import clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from mail.doveadm import Doveadm
    from models.database import Database, Unit
    from models.mailbox_passwords import Addressed

log = logging.getLogger("postfach.endings")

SETTLED = timedelta(seconds=15)
"""After this long a login that began with the old password is a session or has failed."""
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 20, 40, 60))
"""How long the next attempt waits for an earlier one; longer than an attempt takes."""
LOOK_SECONDS = 30
"""How often is looked for what other processes left behind."""
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Ending:
    """A mailbox whose sessions are to be ended because its password is that of `version` now."""

    mailbox_id: UUID
    address: str
    version: int
    is_repetition: bool


class Endings:
    """Ends sessions through Dovecot's HTTP API; without one everything stays open, and says so.

    `observe` is told how many mailboxes have sessions that are still to be ended.
    """

    def __init__(self, doveadm: Doveadm | None, observe: Callable[[int], None] = lambda _: None) -> None:
        self._doveadm = doveadm
        self._observe = observe
        self._fresh: list[Ending] = []
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._awake = asyncio.Event()
        self._is_away = False

    async def ask(self, unit: Unit, mailbox: Addressed, version: int, at: datetime) -> None:
        """Have sessions with passwords older than this version ended when the unit has committed."""
        await unit.execute(
            "INSERT INTO session_endings (mailbox_id, agency_id, version, asked_at, attempts, next_attempt_at) "
            "VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (mailbox_id) DO UPDATE SET version = excluded.version, "
            "asked_at = excluded.asked_at, attempts = 0, next_attempt_at = excluded.next_attempt_at, ended_at = NULL",
            mailbox.id,
            mailbox.agency_id,
            version,
            at,
            # Until then it is this process's.
            clock.now() + PAUSES[0],
        )
        if self._doveadm is not None:
            ending = Ending(mailbox.id, mailbox.address, version, is_repetition=False)
            unit.after_commit(lambda: self._begin(unit.database, ending))

    async def finish(self, database: Database, mailbox_ids: Iterable[UUID]) -> bool:
        """Wait for what is under way, a few seconds at most; return whether no session of these is left open.

        For the caller whose unit asked, and for one who repeats what an earlier call did.
        """
        wanted = list(mailbox_ids)
        under_way = {self._under_way[each] for each in wanted if each in self._under_way}
        if under_way:
            # A caller who goes away cancels the waiting, not what is waited for.
            await asyncio.wait(under_way)
        row = await database.fetch_one(
            "SELECT mailbox_id FROM session_endings WHERE mailbox_id = ANY($1::uuid[]) AND ended_at IS NULL LIMIT 1",
            wanted,
        )
        return row is None

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Finish what is left over within the block; what is under way at its end is waited for."""
        worker = asyncio.create_task(self._work(database)) if self._doveadm is not None else None
        try:
            yield
        finally:
            if worker is not None:
                worker.cancel()
                await asyncio.wait([worker, *self._under_way.values()])

    # ---------------------------------------------------------------- at once

    def _begin(self, database: Database, ending: Ending) -> None:
        """Take up what a unit asked for; all that it asked for goes together."""
        self._fresh.append(ending)
        if len(self._fresh) == 1:
            task = asyncio.create_task(self._end_fresh(database))
            task.add_done_callback(self._finished)
        else:
            task = self._under_way[self._fresh[0].mailbox_id]
        self._under_way[ending.mailbox_id] = task

    async def _end_fresh(self, database: Database) -> None:
        endings, self._fresh = self._fresh, []
        try:
            await self._end(database, endings)
        except Exception:
            # The row is still there, and the worker takes it up.
            log.exception("what was ended on the mail server could not be written down")
        self._awake.set()

    def _finished(self, task: asyncio.Task[None]) -> None:
        for mailbox_id in [each for each, its_task in self._under_way.items() if its_task is task]:
            del self._under_way[mailbox_id]

    # ---------------------------------------------------------------- what is left over

    async def _work(self, database: Database) -> None:
        while True:
            self._awake.clear()
            pause: float = LOOK_SECONDS
            try:
                while claimed := await database.transact(_claim):
                    await self._end(database, claimed)
                pause = await self._look(database)
            except Exception:
                log.exception("sessions to be ended can't be looked up")
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                pass

    async def _look(self, database: Database) -> float:
        """Tell how much is open; return after how many seconds there may be something to do."""
        rows = await database.fetch(
            "SELECT COUNT(CASE WHEN ended_at IS NULL THEN 1 END) AS open, MIN(next_attempt_at) AS next_attempt_at "
            "FROM session_endings"
        )
        self._observe(rows[0]["open"])
        next_at: datetime | None = rows[0]["next_attempt_at"]
        if next_at is None:
            return LOOK_SECONDS
        return min(max((next_at - clock.now()).total_seconds(), 0), LOOK_SECONDS)

    # ---------------------------------------------------------------- ending

    async def _end(self, database: Database, endings: list[Ending]) -> None:
        """End the sessions and write down of which mailboxes; what fails stays for the next attempt."""
        assert self._doveadm is not None  # noqa: S101 (nobody asks otherwise)
        latest = asyncio.get_running_loop().time() + SECONDS
        for start in range(0, len(endings), AT_ONCE):
            some = endings[start : start + AT_ONCE]
            try:
                ended = await self._doveadm.kick([each.address for each in some])
            except DoveadmError as error:
                self._say(str(error))
                return
            self._say(None if len(ended) == len(some) else "it could not end them all")
            done = [each for each in some if each.address in ended]
            await database.transact(lambda unit, done=done: _write_down(unit, done))  # type: ignore[misc]
            if asyncio.get_running_loop().time() > latest:
                return

    def _say(self, problem: str | None) -> None:
        """Log once that the mail server is away, and once that it is back."""
        if problem is not None and not self._is_away:
            log.warning("sessions of older passwords are still open on the mail server: %s", problem)
        elif problem is None and self._is_away:
            log.info("sessions of older passwords are ended on the mail server again")
        self._is_away = problem is not None


async def _claim(unit: Unit) -> list[Ending]:
    """Take some of what is due: nobody else has it until the next attempt is."""
    now = clock.now()
    rows = await unit.fetch(
        "SELECT e.mailbox_id, e.version, e.attempts, e.next_attempt_at, e.ended_at, m.address "
        "FROM session_endings e JOIN mailboxes m ON m.id = e.mailbox_id "
        # An attempt that lies further ahead than any is put was set before the clock went back.
        "WHERE e.next_attempt_at <= $1 OR e.next_attempt_at > $2 ORDER BY e.mailbox_id LIMIT $3",
        now,
        now + PAUSES[-1] * 2,
        AT_ONCE,
    )
    return [_ending(row) for row in rows if await _is_taken(unit, row, now)]


async def _is_taken(unit: Unit, row: Mapping[str, Any], now: datetime) -> bool:
    attempts = row["attempts"] + 1
    taken = await unit.fetch(
        "UPDATE session_endings SET attempts = $1, next_attempt_at = $2 "
        "WHERE mailbox_id = $3 AND version = $4 AND next_attempt_at = $5 RETURNING mailbox_id",
        attempts,
        now + PAUSES[min(attempts, len(PAUSES)) - 1],
        row["mailbox_id"],
        row["version"],
        row["next_attempt_at"],
    )
    return bool(taken)


def _ending(row: Mapping[str, Any]) -> Ending:
    return Ending(row["mailbox_id"], row["address"], row["version"], row["ended_at"] is not None)


async def _write_down(unit: Unit, done: list[Ending]) -> None:
    now = clock.now()
    for each in sorted(done, key=lambda ending: ending.mailbox_id):
        if each.is_repetition:
            await unit.execute(
                "DELETE FROM session_endings WHERE mailbox_id = $1 AND version = $2",
                each.mailbox_id,
                each.version,
            )
        else:
            await unit.execute(
                "UPDATE session_endings SET ended_at = $1, attempts = 0, next_attempt_at = $2 "
                "WHERE mailbox_id = $3 AND version = $4 AND ended_at IS NULL",
                now,
                now + SETTLED,
                each.mailbox_id,
                each.version,
            )
