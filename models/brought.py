"""The rows that an e-mail leaves behind when an import brings it with all its bookings.

What `models.bookings` makes booking by booking and asks the database for, this derives from what the import knows.
The rows are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import bulk
from models.mails import preview, search_text
from models.tables.mails import ActivityKind, MailDirection, MailPart

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from models.bookings import MailContent, References
    from models.database import Unit

TABLES = ("mails", "mail_mailboxes", "bookings", "activities", "activity_readers", "activity_mailboxes")
"""In the order in which they refer to each other."""


@dataclass(frozen=True, slots=True)
class BroughtBooking:
    """A mailbox's part in an e-mail, at the moment that the import says."""

    mailbox_id: UUID
    address: str
    part: MailPart
    decisive_at: datetime
    user_id: UUID | None


@dataclass(slots=True)
class BroughtMail:
    """An e-mail with everything that follows from the agency's mailboxes and periods.

    `own` are the agency's mailboxes among sender and recipients; `audience` counts only with several bookings.
    `stands_alone` asks for the entry without a reference beside those with one.
    """

    agency_id: UUID
    identity: str
    content: MailContent
    bookings: list[BroughtBooking]
    references: References
    own: list[UUID]
    guarded: bool
    stands_alone: bool = False
    audience: Iterable[UUID] = ()

    def direction(self) -> MailDirection:
        """Return what the bookings make of the e-mail."""
        parts = {booking.part for booking in self.bookings}
        if len(parts) > 1:
            return MailDirection.INTERNAL
        return MailDirection.OUTGOING if MailPart.SENDING in parts else MailDirection.INCOMING

    def entries(self) -> list[tuple[ActivityKind, str | None, str | None]]:
        """Return kind, contact and property of each entry."""
        contacts, properties = self.references.contacts, self.references.properties
        found: list[tuple[ActivityKind, str | None, str | None]] = [
            *((ActivityKind.ACTIVITY, contact, None) for contact in contacts),
            *((ActivityKind.AGENTS_LOG, None, property_) for property_ in properties),
        ]
        if self.stands_alone or not found:
            found.append((ActivityKind.ACTIVITY, None, None))
        return found


@dataclass(slots=True)
class BroughtRows:
    """Rows of e-mails, collected to be written together."""

    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def add(self, mail: BroughtMail) -> None:
        """Add the rows of an e-mail."""
        mail_id = uuid4()
        content = mail.content
        self.tables["mails"].append(
            (
                mail_id,
                mail.agency_id,
                mail.identity,
                content.message_id,
                content.sender,
                "\n".join(content.recipients),
                content.subject,
                preview(content.text),
                content.text,
                search_text(content.subject, content.text, content.sender, content.recipients),
                content.mail_date,
            )
        )
        bookings = sorted(mail.bookings, key=lambda each: (each.decisive_at, each.address))
        positions = dict.fromkeys(mail.own, 1)
        for position, booking in enumerate(bookings, 1):
            positions.setdefault(booking.mailbox_id, position)
            self.tables["bookings"].append(
                (
                    uuid4(),
                    mail.agency_id,
                    mail_id,
                    booking.mailbox_id,
                    booking.part.value,
                    booking.decisive_at,
                    booking.user_id,
                    position,
                )
            )
        self.tables["mail_mailboxes"].extend(
            (mail.agency_id, mail_id, mailbox_id, position) for mailbox_id, position in positions.items()
        )
        self._add_entries(mail, mail_id, bookings)

    def _add_entries(self, mail: BroughtMail, mail_id: UUID, bookings: list[BroughtBooking]) -> None:
        direction, occurred_at = mail.direction().value, bookings[0].decisive_at
        is_single = len(bookings) == 1
        for kind, contact, property_ in mail.entries():
            entry_id = uuid4()
            self.tables["activities"].append(
                (
                    entry_id,
                    mail.agency_id,
                    mail_id,
                    kind.value,
                    direction,
                    contact,
                    property_,
                    occurred_at,
                    mail.guarded,
                    bookings[0].mailbox_id if is_single else None,
                    1,
                )
            )
            if is_single:
                continue
            copied = (entry_id, kind.value, mail.guarded, occurred_at)
            self.tables["activity_readers"].extend((user_id, *copied) for user_id in mail.audience)
            self.tables["activity_mailboxes"].extend((each.mailbox_id, *copied) for each in bookings)

    async def write(self, unit: Unit) -> None:
        """Insert what was collected and forget it."""
        for name, rows in self.tables.items():
            await bulk.insert(unit, name, rows)
            rows.clear()
