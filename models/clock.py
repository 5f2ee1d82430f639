"""The server's clock: the only place that asks what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
"""Before every moment; a day after the first that there is, which asyncpg takes for minus infinity and gives back naive."""


def now() -> datetime:
    """Return the present instant in UTC, to the microsecond."""
    return datetime.now(UTC)


def next_moment(last: datetime) -> datetime:
    """Return the next moment at a mailbox whose newest is `last`.

    Now, but always later than that, even if the clock went back.
    """
    return max(now(), last + MICROSECOND)


@dataclass(frozen=True, slots=True)
class Window:
    """The last while, in which what is limited in rate is counted.

    It reaches as far ahead as back: what lies further ahead was written down before the clock went back, and would
    count until the clock is there again.
    """

    after: datetime
    before: datetime

    @classmethod
    def around(cls, now: datetime, within: timedelta) -> Window:
        """Return what is not longer ago than `within`."""
        return cls(now - within, now + within)
