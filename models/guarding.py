"""What a VIP switch does to the entries: guards those of a mailbox's e-mails, or opens them again.

Each function is a statement or a few, set-based, that find the mailbox's e-mails by an index; none reads an
entry into the server. They are called in a unit of work that holds the agency's lock alone, so that no
booking slips through between the switch and the entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from models.database import Unit

_ITS_MAILS = "SELECT its.mail_id FROM mail_mailboxes its WHERE its.mailbox_id = $1"

_ITS_MAILS_ALONE = f"""{_ITS_MAILS} AND NOT EXISTS (
    SELECT 1 FROM mail_mailboxes other JOIN mailboxes m ON m.id = other.mailbox_id
    WHERE other.mail_id = its.mail_id AND other.mailbox_id <> its.mailbox_id AND m.vip)"""
"""The e-mails that no other VIP mailbox guards."""


async def guard(unit: Unit, mailbox_id: UUID) -> None:
    """Guard every entry of every e-mail that has this mailbox among its own."""
    await _set(unit, mailbox_id, "SET guarded = true WHERE NOT guarded AND", _ITS_MAILS)


async def count_opened(unit: Unit, mailbox_id: UUID) -> int:
    """Return how many entries only this VIP mailbox guards: `unguard` would open so many."""
    row = await unit.fetch_one(
        f"SELECT count(*) AS opened FROM activities WHERE mail_id IN ({_ITS_MAILS_ALONE})", mailbox_id
    )
    return 0 if row is None else int(row["opened"])


async def unguard(unit: Unit, mailbox_id: UUID) -> None:
    """Open the entries of this VIP mailbox's e-mails that no other VIP mailbox guards."""
    # All of them are guarded. Saying so would lead PostgreSQL to look for guarded entries everywhere.
    await _set(unit, mailbox_id, "SET guarded = false WHERE", _ITS_MAILS_ALONE)


async def _set(unit: Unit, mailbox_id: UUID, change: str, mails: str) -> None:
    """Change the entries of these e-mails, and what is stored beside those with several bookings."""
    await unit.execute(f"UPDATE activities {change} mail_id IN ({mails})", mailbox_id)
    joined = f"SELECT a.id FROM activities a WHERE a.mailbox_id IS NULL AND a.mail_id IN ({mails})"
    for copies in ("activity_readers", "activity_mailboxes"):
        await unit.execute(f"UPDATE {copies} {change} activity_id IN ({joined})", mailbox_id)
