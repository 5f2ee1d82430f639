"""Booking: the rows that a mailbox's part in an e-mail leaves behind.

The order of locks is that of every unit: the agency (shared), the mailbox, the e-mail. The e-mail's mailboxes
need no lock of their own: VIP is switched under the agency's lock alone, so no switch falls between a look at
`vip` and the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from models import clock
from models.mails import addressed, identity, preview, search_text
from models.tables.mails import ActivityKind, MailPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from models.database import Unit


@dataclass(frozen=True, slots=True)
class MailContent:
    """What makes an e-mail this one, and its own date."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    mail_date: datetime | None

    @property
    def addresses(self) -> list[str]:
        """Return the addresses among sender and recipients, for comparison."""
        return sorted(addressed((self.sender, *self.recipients)))


@dataclass(frozen=True, slots=True)
class References:
    """What the entries are kept at, each once."""

    contacts: tuple[str, ...]
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """The e-mail, and the position of the booking that was made.

    None where the mailbox had booked it before.
    """

    mail_id: UUID
    position: int | None


async def book(
    unit: Unit,
    mailbox: Mapping[str, Any],
    part: MailPart,
    user_id: UUID | None,
    content: MailContent,
    references: References,
) -> Booked:
    """Book an e-mail at a mailbox (`id, agency_id, last_moment`, locked) at the next moment there.

    The first booking of an e-mail fixes its mailboxes and makes an entry for each reference. A later one, at
    another mailbox, joins: it adds the entries of new references. At the same mailbox the first booking
    counts and nothing changes.
    """
    agency_id = mailbox["agency_id"]
    mail_id = await _insert_mail(unit, agency_id, content)
    is_new = mail_id is not None
    if mail_id is None:
        mail_id = await _lock_mail(unit, agency_id, content)
    made = await unit.fetch("SELECT mailbox_id, position FROM bookings WHERE mail_id = $1", mail_id)
    if any(row["mailbox_id"] == mailbox["id"] for row in made):
        return Booked(mail_id, None)
    moment = clock.next_moment(mailbox["last_moment"])
    position = max((row["position"] for row in made), default=0) + 1
    await unit.execute("UPDATE mailboxes SET last_moment = $1 WHERE id = $2", moment, mailbox["id"])
    await unit.execute(
        "INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, user_id, position) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        uuid4(),
        agency_id,
        mail_id,
        mailbox["id"],
        str(part),
        moment,
        user_id,
        position,
    )
    await _add_mailboxes(unit, mail_id, mailbox, position, content.addresses if is_new else [])
    await _add_entries(unit, agency_id, mail_id, position, references)
    await settle(unit, mail_id)
    return Booked(mail_id, position)


async def _insert_mail(unit: Unit, agency_id: UUID, content: MailContent) -> UUID | None:
    """Store an e-mail and return its id, or None when it is stored already."""
    row = await unit.fetch_one(
        "INSERT INTO mails (id, agency_id, identity, message_id, sender, recipients, subject, preview, remark, fold_search, "
        "mail_date) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id",
        uuid4(),
        agency_id,
        _identity(content),
        content.message_id,
        content.sender,
        "\n".join(content.recipients),
        content.subject,
        preview(content.text),
        content.text,
        search_text(content.subject, content.text, content.sender, content.recipients),
        content.mail_date,
    )
    return None if row is None else row["id"]


async def _lock_mail(unit: Unit, agency_id: UUID, content: MailContent) -> UUID:
    row = await unit.fetch_one(
        "SELECT id FROM mails WHERE agency_id = $1 AND identity = $2 FOR NO KEY UPDATE",
        agency_id,
        _identity(content),
    )
    if row is None:
        raise AssertionError
    found: UUID = row["id"]
    return found


def _identity(content: MailContent) -> str:
    return identity(content.message_id, content.sender, content.recipients, content.subject, content.text)


async def _add_mailboxes(
    unit: Unit, mail_id: UUID, mailbox: Mapping[str, Any], position: int, addresses: Sequence[str]
) -> None:
    """Add the booking's mailbox to those of the e-mail and, with the first booking, the agency's among its addresses."""
    await unit.execute(
        "INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position) "
        "SELECT o.agency_id, $1::uuid, o.id, $2::smallint FROM mailboxes o "
        "WHERE o.id = $3 OR (o.agency_id = $4 AND o.address = ANY($5::text[])) ON CONFLICT DO NOTHING",
        mail_id,
        position,
        mailbox["id"],
        mailbox["agency_id"],
        list(addresses),
    )


def entries_of(references: References) -> list[tuple[ActivityKind, str | None, str | None]]:
    """Return kind, contact and property of the entries of an e-mail that is booked first: one even without a reference."""
    entries: list[tuple[ActivityKind, str | None, str | None]] = [
        *((ActivityKind.ACTIVITY, reference, None) for reference in references.contacts),
        *((ActivityKind.AGENTS_LOG, None, reference) for reference in references.properties),
    ]
    return entries or [(ActivityKind.ACTIVITY, None, None)]


async def _add_entries(
    unit: Unit, agency_id: UUID, mail_id: UUID, position: int, references: References
) -> None:
    """Add the entries of the references that are new.

    What depends on bookings and mailboxes is settled afterwards.
    """
    if position > 1 and not (references.contacts or references.properties):
        return
    for kind, contact, property_ in entries_of(references):
        await unit.execute(
            "INSERT INTO activities (id, agency_id, mail_id, kind, direction, contact_reference, property_reference, "
            "occurred_at, guarded, mailbox_id, position) "
            "VALUES ($1, $2, $3, $4, 'INCOMING', $5, $6, $7, true, NULL, $8) ON CONFLICT DO NOTHING",
            uuid4(),
            agency_id,
            mail_id,
            str(kind),
            contact,
            property_,
            clock.BEGINNING,
            position,
        )


async def settle(unit: Unit, mail_id: UUID) -> None:
    """Make the entries of an e-mail agree with its bookings and mailboxes.

    Direction, moment, guard, audience.
    """
    facts = await unit.fetch_one(
        "SELECT count(*) AS bookings, min(b.decisive_at) AS first_at, min(CAST(b.mailbox_id AS text)) AS only_mailbox_id, "
        "max(CASE WHEN b.part = 'SENDING' THEN 1 ELSE 0 END) AS sent, "
        "max(CASE WHEN b.part = 'RECEIVING' THEN 1 ELSE 0 END) AS received, "
        f"{has_vip('$1')} AS is_guarded FROM bookings b WHERE b.mail_id = $1",
        mail_id,
    )
    if facts is None:
        raise AssertionError
    is_single = facts["bookings"] == 1
    direction = (
        "INTERNAL" if facts["sent"] and facts["received"] else "OUTGOING" if facts["sent"] else "INCOMING"
    )
    await unit.execute(
        "UPDATE activities SET direction = $2, occurred_at = $3, guarded = $4, mailbox_id = $5 WHERE mail_id = $1",
        mail_id,
        direction,
        facts["first_at"],
        facts["is_guarded"],
        UUID(str(facts["only_mailbox_id"])) if is_single else None,
    )
    if not is_single:
        for statement in audience("$1"):
            await unit.execute(statement, mail_id)


def has_vip(mail: str) -> str:
    """Return the condition that a VIP mailbox is among those of an e-mail: of the one with this id, an expression."""
    return (
        "EXISTS (SELECT 1 FROM mail_mailboxes g JOIN mailboxes v ON v.id = g.mailbox_id "
        f"WHERE g.mail_id = {mail} AND v.vip)"
    )


def audience(mail: str) -> list[str]:
    """Return what stores the audience and the mailboxes of the entries of an e-mail with several bookings."""
    readers = (
        "INSERT INTO activity_readers (user_id, activity_id, kind, guarded, occurred_at) "
        "SELECT DISTINCT s.user_id, a.id, a.kind, a.guarded, a.occurred_at FROM activities a "
        "JOIN bookings b ON b.mail_id = a.mail_id JOIN assignments s ON s.mailbox_id = b.mailbox_id "
        "AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until) "
        f"WHERE a.mail_id = {mail} ON CONFLICT DO NOTHING"
    )
    mailboxes = (
        "INSERT INTO activity_mailboxes (mailbox_id, activity_id, kind, guarded, occurred_at) "
        "SELECT b.mailbox_id, a.id, a.kind, a.guarded, a.occurred_at FROM activities a "
        f"JOIN bookings b ON b.mail_id = a.mail_id WHERE a.mail_id = {mail} ON CONFLICT DO NOTHING"
    )
    stored_before = [
        f"UPDATE {table} SET guarded = a.guarded, occurred_at = a.occurred_at FROM activities a "
        f"WHERE a.id = {table}.activity_id AND a.mail_id = {mail}"
        for table in ("activity_readers", "activity_mailboxes")
    ]
    return [readers, mailboxes, *stored_before]
