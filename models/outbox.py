"""The letters that wait to be sent: taking them, keeping them while they are sent, and what became of them.

Whoever sends a letter has its lease, and nobody else takes it before the lease is over. A row goes when its letter was accepted,
refused for good, or given up; with it goes the letter itself. What became of the letter is then in `credential_deliveries`,
and those who listen are told in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from models import clock
from models.credential_deliveries import ASKED, DEATH, Death
from models.seals import Purpose

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime, timedelta
    from typing import Any

    from models.database import Database, Unit
    from models.seals import Seals

    Tell = Callable[[Unit, UUID], Awaitable[None]]

GIVEN_UP = {
    Death.RIGHTS: "Not sent: whoever asked for it may no longer reveal the mailbox's password.",
    Death.RENEWED: "Not sent: the mailbox has a new password.",
    Death.NEWER: "Not sent: a newer letter for the mailbox was asked for.",
    Death.NOT_ALLOWED: "Not sent: the agency does not allow passwords in letters any more.",
}
"""What is told of a letter that died before it was sent."""
TOO_LATE = "Given up: it could not be sent in time."


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that this process has the lease of. Its representation shows nothing of the letter."""

    delivery_id: UUID
    lease: UUID
    to: str
    attempts: int
    requested_at: datetime
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Look:
    """How many letters wait, since when the oldest, and when the next one is due."""

    number: int
    oldest: datetime | None
    next_at: datetime | None


def sealed(seals: Seals, letter: bytes, delivery_id: UUID) -> str:
    """Return the token of a finished letter, bound to its delivery."""
    # Any bytes are a text of Latin-1, and those of ASCII need no more room in it.
    return seals.seal(Purpose.LETTER, letter.decode("latin-1"), delivery_id)


def opened(seals: Seals, waiting: Waiting) -> bytes:
    """Return a letter's bytes as they were stored. Raises `models.seals.SealError`."""
    return seals.open(waiting.sealed, Purpose.LETTER, waiting.delivery_id).encode("latin-1")


async def put(unit: Unit, token: str, *, delivery_id: UUID, agency_id: UUID) -> None:
    """Have a letter wait, from the unit's commit on."""
    await unit.execute(
        "INSERT INTO outbox_letters (delivery_id, agency_id, sealed, next_attempt_at) VALUES ($1, $2, $3, $4)",
        delivery_id,
        agency_id,
        token,
        clock.now(),
    )


# ---------------------------------------------------------------- taking and keeping


async def free_all(database: Database) -> None:
    """End every lease: for the only process that there is, when it starts."""
    await database.execute(
        "UPDATE outbox_letters SET lease = NULL, next_attempt_at = $1 WHERE lease IS NOT NULL", clock.now()
    )


async def take(
    unit: Unit, number: int, *, asked_after: datetime, lease: timedelta, farthest: timedelta
) -> list[Waiting]:
    """Take letters that are due and live, those that wait longest first; the attempt counts from here.

    One that lies ahead by more than `farthest`, as no pause does, was put there before the clock went back.
    """
    now = clock.now()
    found = await unit.fetch(
        f"SELECT o.delivery_id FROM {ASKED} JOIN outbox_letters o ON o.delivery_id = d.id "
        "WHERE (o.next_attempt_at <= $1 OR o.next_attempt_at > $2) "
        # What died since the dead were looked for is buried next time, not tried.
        f"AND d.requested_at > $3 AND {DEATH} IS NULL "
        "ORDER BY o.next_attempt_at, o.delivery_id LIMIT $4::bigint FOR UPDATE OF o SKIP LOCKED",
        now,
        now + farthest,
        asked_after,
        number,
    )
    if not found:
        return []
    ids, mine = [row["delivery_id"] for row in found], uuid4()
    rows = await unit.fetch(
        "UPDATE outbox_letters SET lease = $1, next_attempt_at = $2 WHERE delivery_id = ANY($3::uuid[]) "
        "RETURNING delivery_id, sealed",
        mine,
        now + lease,
        ids,
    )
    tokens = {row["delivery_id"]: row["sealed"] for row in rows}
    rows = await unit.fetch(
        "UPDATE credential_deliveries SET attempts = attempts + 1 WHERE id = ANY($1::uuid[]) "
        "RETURNING id, to_address, attempts, requested_at",
        ids,
    )
    return [
        Waiting(row["id"], mine, row["to_address"], row["attempts"], row["requested_at"], tokens[row["id"]])
        for row in sorted(rows, key=lambda row: (row["requested_at"], row["id"]))
    ]


async def keep(database: Database, waiting: Waiting, lease: timedelta) -> bool:
    """Make the lease last from now on; return whether it is still this process's and the letter still lives."""
    row = await database.fetch_one(
        "UPDATE outbox_letters SET next_attempt_at = $1 WHERE delivery_id = $2 AND lease = $3 "
        f"RETURNING (SELECT {DEATH} FROM {ASKED} WHERE d.id = delivery_id) AS death",
        clock.now() + lease,
        waiting.delivery_id,
        waiting.lease,
    )
    return row is not None and row["death"] is None


async def look(database: Database) -> Look:
    """Return how things stand."""
    rows = await database.fetch(
        "SELECT COUNT(*) AS number, MIN(d.requested_at) AS requested_at, MIN(o.next_attempt_at) AS next_attempt_at "
        "FROM outbox_letters o JOIN credential_deliveries d ON d.id = o.delivery_id"
    )
    return Look(rows[0]["number"], rows[0]["requested_at"], rows[0]["next_attempt_at"])


# ---------------------------------------------------------------- what became of them


async def accepted(unit: Unit, waiting: Waiting, tell: Tell) -> bool:
    """Write down that the mail server took a letter, and erase it; return whether that is news.

    Whoever has the lease by now: the letter must not be sent again.
    """
    await unit.execute("DELETE FROM outbox_letters WHERE delivery_id = $1", waiting.delivery_id)
    rows = await unit.fetch(
        "UPDATE credential_deliveries SET state = 'SENT', sent_at = $1, failure = NULL "
        "WHERE id = $2 AND state = 'QUEUED' RETURNING id",
        clock.now(),
        waiting.delivery_id,
    )
    if rows:
        await tell(unit, waiting.delivery_id)
    return bool(rows)


async def refused(unit: Unit, waiting: Waiting, words: str, tell: Tell) -> bool:
    """Write down that a letter is refused for good, and erase it; return whether it was still this process's."""
    rows = await unit.fetch(
        "DELETE FROM outbox_letters WHERE delivery_id = $1 AND lease = $2 RETURNING delivery_id",
        waiting.delivery_id,
        waiting.lease,
    )
    if rows:
        await _fail(unit, waiting.delivery_id, words, tell)
    return bool(rows)


async def postponed(unit: Unit, waiting: Waiting, words: str | None, until: datetime, tell: Tell) -> bool:
    """Give a letter back until its next attempt; `words` say what the last one came to.

    Returns whether it was still this process's.
    """
    rows = await unit.fetch(
        "UPDATE outbox_letters SET lease = NULL, next_attempt_at = $1 WHERE delivery_id = $2 AND lease = $3 "
        "RETURNING delivery_id",
        until,
        waiting.delivery_id,
        waiting.lease,
    )
    if rows and words is not None:
        await unit.execute(
            "UPDATE credential_deliveries SET failure = $1 WHERE id = $2", words, waiting.delivery_id
        )
        await tell(unit, waiting.delivery_id)
    return bool(rows)


async def bury(unit: Unit, tell: Tell, *, asked_before: datetime, most: int) -> int:
    """Give up letters that nobody is sending and that are dead, or were asked for too long ago; return how many."""
    rows = await unit.fetch(
        f"SELECT o.delivery_id, d.failure, {DEATH} AS death FROM {ASKED} JOIN outbox_letters o ON o.delivery_id = d.id "
        f"WHERE (o.lease IS NULL OR o.next_attempt_at <= $1) AND (d.requested_at <= $2 OR {DEATH} IS NOT NULL) "
        "ORDER BY o.delivery_id LIMIT $3::bigint FOR UPDATE OF o SKIP LOCKED",
        clock.now(),
        asked_before,
        most,
    )
    for row in rows:
        await unit.execute("DELETE FROM outbox_letters WHERE delivery_id = $1", row["delivery_id"])
        await _fail(unit, row["delivery_id"], _reason(row), tell)
    return len(rows)


def _reason(row: Mapping[str, Any]) -> str:
    if row["death"] is not None:
        return GIVEN_UP[Death(row["death"])]
    return TOO_LATE if row["failure"] is None else f"{TOO_LATE} {row['failure']}"


async def _fail(unit: Unit, delivery_id: UUID, words: str, tell: Tell) -> None:
    await unit.execute(
        "UPDATE credential_deliveries SET state = 'FAILED', failure = $1 WHERE id = $2 AND state = 'QUEUED'",
        words,
        delivery_id,
    )
    await tell(unit, delivery_id)
