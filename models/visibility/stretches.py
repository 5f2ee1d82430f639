"""What is asked of a list of entries: which of them, and which part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from models.clock import MICROSECOND
from models.tables.mails import ActivityKind, MailDirection

LOWEST_ID = UUID(int=0)
HIGHEST_ID = UUID(int=2**128 - 1)
FIRST = datetime(1, 1, 2, tzinfo=UTC)
FOREVER = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to, besides the rule. `words` are folded (`models.folding.words`)."""

    kind: ActivityKind | None = None
    direction: MailDirection | None = None
    mailbox_id: UUID | None = None
    contact_reference: str | None = None
    property_reference: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    words: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[ActivityKind, ...]:
        """Return the kinds that the list may hold."""
        return tuple(ActivityKind) if self.kind is None else (self.kind,)

    @property
    def is_selective(self) -> bool:
        """Say whether something other than mailbox and time finds the few rows that matter."""
        return bool(self.words) or self.contact_reference is not None or self.property_reference is not None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of entries, good whether there is an entry or not."""

    occurred_at: datetime
    id: UUID

    def successor(self) -> Position:
        """Return the next place that comes after this one in time; the last place of all has none and stays."""
        if self.occurred_at >= FOREVER:
            return self
        if self.id == HIGHEST_ID:
            return Position(self.occurred_at + MICROSECOND, LOWEST_ID)
        return Position(self.occurred_at, UUID(int=self.id.int + 1))


START = Position(FIRST, LOWEST_ID)
END = Position(FOREVER, LOWEST_ID)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a list that a page is cut from.

    From `lower` up to but not including `upper`, newest first or oldest first.
    """

    lower: Position = START
    upper: Position = END
    oldest_first: bool = False
    limit: int | None = None

    def order(self, alias: str) -> str:
        """Return the order of the list, for rows of this name."""
        way = "ASC" if self.oldest_first else "DESC"
        return f"{alias}.occurred_at {way}, {alias}.id {way}"

    def within(self, narrowed: Filter) -> Stretch:
        """Return the part of it in which the filter's instants lie."""
        lower, upper = self.lower, self.upper
        if narrowed.occurred_from is not None:
            lower = max(lower, Position(narrowed.occurred_from, LOWEST_ID), key=_place)
        if narrowed.occurred_until is not None:
            upper = min(upper, Position(narrowed.occurred_until, LOWEST_ID), key=_place)
        return Stretch(lower, upper, self.oldest_first, self.limit)


def _place(position: Position) -> tuple[datetime, UUID]:
    return position.occurred_at, position.id
