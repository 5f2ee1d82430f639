"""What is limited in rate, by who does it and by the mailbox that it is done to.

Counted are rows of the audit, which are written in the unit that asks, before anything else happens. The unit holds the
user's turn and the mailbox's row meanwhile: whatever aliases, connections and processes a client uses, no two
of its calls are counted at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from models import audit, clock
from resolvers.errors import RateLimitedError

if TYPE_CHECKING:
    from uuid import UUID

    from models.database import Unit


@dataclass(frozen=True, slots=True)
class Rate:
    """How often the audit may tell of `action` `within` a time: of one user, and of one mailbox."""

    action: str
    by_user: int
    at_mailbox: int
    within: timedelta

    async def require(self, unit: Unit, user_id: UUID, *mailbox_ids: UUID) -> None:
        """Raise `RateLimitedError` where it was done too often; its seconds are exactly those to wait.

        The unit holds `Unit.lock_turn` of the user and the rows of the mailboxes, and writes the audit itself.
        """
        now = clock.now()
        window = clock.Window.around(now, self.within)
        counted = [audit.latest(unit, self.action, self.by_user, window=window, actor_id=user_id)]
        counted += [
            audit.latest(unit, self.action, self.at_mailbox, window=window, object_id=mailbox_id)
            for mailbox_id in mailbox_ids
        ]
        reached = [found for each in counted if (found := await each) is not None]
        if reached:
            wait = max(reached) + self.within - now
            raise RateLimitedError("Too often; try again later.", math.ceil(wait.total_seconds()))


REVEALS = Rate("mailbox.password_reveal_asked", by_user=10, at_mailbox=20, within=timedelta(minutes=10))
"""Asking for a password, whether the viewer's own was right or not."""

RENEWALS = Rate("mailbox.password_renew", by_user=100, at_mailbox=10, within=timedelta(minutes=10))
"""New passwords, made by themselves or together with what takes rights away."""

LETTERS = Rate("mailbox.credentials_send", by_user=100, at_mailbox=10, within=timedelta(hours=1))
"""Letters with credentials; of those to one address there are fewer (`resolvers.credentials`)."""
