"""E-mails: what a line may say beside what is known, and batches of those that are new."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from models import stored
from models.brought import BroughtBooking, BroughtMail, BroughtRows
from models.mails import identity
from models.stored import StoredMail
from resolvers.importing.directory import OTHER_CONTENT
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.known import Agency, Mailbox, find_mailbox, find_user

if TYPE_CHECKING:
    from models.database import Unit
    from resolvers.importing.addressees import Addressees
    from resolvers.importing.directory import Directory
    from resolvers.importing.lines import BookingPart, MailLine

MAILS = 2_000
CHARACTERS = 4_000_000
"""So many e-mails, or characters of their texts, wait to be written together."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An e-mail that is not written yet, and the line it came with."""

    number: int
    agency: Agency
    mail: BroughtMail

    def facts(self) -> StoredMail:
        """Return what its content is compared by."""
        mail = self.mail
        return StoredMail(
            mail.content.mail_date,
            frozenset(
                (each.mailbox_id, each.part.value, each.decisive_at, each.user_id) for each in mail.bookings
            ),
            frozenset((contact, property_) for _, contact, property_ in mail.entries()),
        )


class Post:
    """Takes lines one by one; `added` and `skipped` count those that were compared with what is stored."""

    def __init__(self, unit: Unit, directory: Directory, addressees: Addressees) -> None:
        self._unit = unit
        self._directory = directory
        self._addressees = addressees
        self._waiting: dict[tuple[UUID, str], _Waiting] = {}
        self._characters = 0
        self._under_way: asyncio.Task[None] | None = None
        self.added = 0
        self.skipped = 0

    async def take(self, number: int, line: MailLine) -> None:
        """Take an e-mail. Raises `LineRefusedError`, for a line before this one perhaps."""
        agency = await self._directory.agency(line.agency)
        addresses = line.content.addresses
        booked = [_booked_mailbox(agency, place, part) for place, part in enumerate(line.bookings)]
        if len({mailbox.id for mailbox in booked}) < len(booked):
            raise LineRefusedError("bookings: A mailbox has one booking of an e-mail.")
        bookings = [
            _booking(agency, mailbox, place, part)
            for place, (mailbox, part) in enumerate(zip(booked, line.bookings, strict=True))
        ]
        mail = _brought(agency, line, addresses, bookings, booked)
        self._addressees.name(agency, number, addresses, line.later)
        waiting, key = _Waiting(number, agency, mail), (agency.id, mail.identity)
        if key in self._waiting:
            if self._waiting[key].facts() != waiting.facts():
                raise LineRefusedError(OTHER_CONTENT)
            self.skipped += 1
            return
        for mailbox, booking in zip(booked, bookings, strict=True):
            mailbox.take_booking(booking.decisive_at)
        self._waiting[key] = waiting
        self._characters += len(mail.content.text)
        if len(self._waiting) >= MAILS or self._characters >= CHARACTERS:
            await self._begin_to_write()

    async def compare(self) -> None:
        """Drop those that are stored already. Raises `LineRefusedError` for the first that is, with other content."""
        await self._written()
        found: dict[tuple[UUID, str], StoredMail] = {}
        for agency_id in {agency_id for agency_id, _ in self._waiting}:
            identities = [identity for other_id, identity in self._waiting if other_id == agency_id]
            mails = await stored.mails(self._unit, agency_id, identities)
            found.update({(agency_id, identity): mail for identity, mail in mails.items()})
        for key in [key for key in self._waiting if key in found]:
            waiting = self._waiting.pop(key)
            if waiting.facts() != found[key]:
                raise LineRefusedError(OTHER_CONTENT, waiting.number)
            self.skipped += 1

    async def write(self) -> None:
        """Write what waits, and before it the users and mailboxes that it refers to."""
        await self._begin_to_write()
        await self._written()

    async def close(self) -> None:
        """Let what is being written come to an end: the transaction can't end before."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def _begin_to_write(self) -> None:
        """Have what waits written while further lines are read."""
        await self._directory.write()
        await self.compare()
        rows = BroughtRows()
        for waiting in self._waiting.values():
            rows.add(waiting.mail)
            waiting.agency.added["mail"] += 1
        self.added += len(self._waiting)
        self._waiting.clear()
        self._characters = 0
        self._under_way = asyncio.create_task(rows.write(self._unit))

    async def _written(self) -> None:
        if self._under_way is not None:
            await self._under_way
            self._under_way = None


def _booked_mailbox(agency: Agency, place: int, part: BookingPart) -> Mailbox:
    mailbox = find_mailbox(agency, part.mailbox)
    if mailbox is None:
        raise LineRefusedError(f"bookings.{place}.mailbox: The agency has no mailbox with this address.")
    return mailbox


def _booking(agency: Agency, mailbox: Mailbox, place: int, part: BookingPart) -> BroughtBooking:
    user_id = None
    if part.user is not None:
        person = find_user(agency, part.user)
        if person is None:
            raise LineRefusedError(f"bookings.{place}.user: The agency has no user with this login.")
        user_id = person.id
        if not mailbox.was_assigned(user_id, part.decisive_at):
            raise LineRefusedError(
                f"bookings.{place}.user: The user was not assigned to the mailbox at this moment."
            )
    return BroughtBooking(mailbox.id, mailbox.address, part.part, part.decisive_at, user_id)


def _brought(
    agency: Agency,
    line: MailLine,
    addresses: list[str],
    bookings: list[BroughtBooking],
    booked: list[Mailbox],
) -> BroughtMail:
    content = line.content
    if not line.later <= set(addresses) - {mailbox.address for mailbox in booked}:
        raise LineRefusedError("laterMailboxes: They are among sender and recipients and have no booking.")
    own = [
        agency.mailboxes[address]
        for address in addresses
        if address in agency.mailboxes and address not in line.later
    ]
    audience: set[UUID] = set()
    if len(bookings) > 1:
        for mailbox, booking in zip(booked, bookings, strict=True):
            audience.update(mailbox.audience(booking.decisive_at))
    return BroughtMail(
        agency_id=agency.id,
        identity=identity(
            content.message_id, content.sender, content.recipients, content.subject, content.text
        ),
        content=content,
        bookings=bookings,
        references=line.references,
        own=[mailbox.id for mailbox in own],
        guarded=any(mailbox.content.vip for mailbox in (*own, *booked)),
        stands_alone=line.stands_alone,
        audience=sorted(audience),
    )
