"""Handing a letter over: what is handed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from uuid import UUID


class Outcome(StrEnum):
    """What came of handing a letter over."""

    ACCEPTED = "accepted"
    """It was taken: whoever took it is responsible for it from now on (RFC 5321, section 6.1)."""
    LATER = "later"
    """It was not taken, or nobody knows: the same bytes may be taken later."""
    REFUSED = "refused"
    """It will never be taken."""
    AWAY = "away"
    """Nothing is taken at the moment, this letter or another."""
    UNUSABLE = "unusable"
    """Nothing is taken until somebody changes a setting, here or there."""
    NOT_OURS = "not ours"
    """It was not handed over: it is not this process's any more, or nobody's."""


@dataclass(frozen=True, slots=True)
class Handed:
    """An outcome, and the words with it: those of whoever refused, and otherwise ours. They hold nothing of the letter."""

    outcome: Outcome
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter on its way: where it goes, and its bytes, always the same. Its representation shows nothing of them."""

    delivery_id: UUID
    to: str
    content: bytes = field(repr=False)
    requested_at: datetime


class Transport(Protocol):
    """A way for letters to leave."""

    async def hand_over(self, letter: Outgoing, still_ours: Callable[[], Awaitable[bool]]) -> Handed:
        """Hand a letter over, unless `still_ours` says otherwise at the last moment. Raises nothing but what cancels it."""

    async def check(self) -> Handed:
        """Go as far as can be gone without a letter: `ACCEPTED` where one would be taken."""

    async def close(self) -> None:
        """Let go of what is open."""
