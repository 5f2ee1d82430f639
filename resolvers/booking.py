"""Booking an e-mail: recording that a mailbox wrote or read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import bookings, visibility
from models.bookings import MailContent, References
from models.mails import same_address
from models.tables import MailPart
from resolvers import activities, listeners, mail_input, node_ids
from resolvers.acting import acting_user
from resolvers.errors import ForbiddenError, InvalidInputError, NotFoundError
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.database import Unit
    from resolvers.activities import Entry
    from resolvers.request import Request


@dataclass(frozen=True, slots=True)
class BookMail:
    """What a client says of an e-mail, as it came."""

    mailbox_id: str
    part: MailPart
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    text: str
    mail_date: datetime | None = None
    contact_references: list[str] | None = None
    property_references: list[str] | None = None


async def book_mail(request: Request, asked: BookMail) -> list[Entry]:
    """Book an e-mail at a mailbox that the viewer is assigned to, now; return its entries that the viewer may see.

    An e-mail that was booked before at this mailbox stays as it was. Raises `NotFoundError` for a mailbox
    that the viewer can't read, `ForbiddenError` where the viewer is not assigned now, `InvalidInputError` for
    what no e-mail has.
    """
    viewer = request.signed_in()
    mailbox_id = node_ids.decode_as(NodeKind.MAILBOX, asked.mailbox_id)
    agency_id = viewer.agency_id
    if mailbox_id is None or agency_id is None:
        raise _no_such_mailbox()

    async def work(unit: Unit) -> list[Entry]:
        await unit.lock_agency(agency_id)
        acting = await acting_user(unit, request)
        mailbox = await _assigned_mailbox(unit, agency_id, mailbox_id, acting.id)
        content, references = _content(asked), _references(asked)
        if asked.part is MailPart.SENDING and same_address(content.sender) != mailbox["address"]:
            message = "A mailbox that sends is the e-mail's sender."
            raise InvalidInputError(message, ["input", "sender"])
        made = await bookings.book(unit, mailbox, asked.part, acting.id, content, references)
        if made.position is not None:
            await request.services.events.publish(
                unit,
                listeners.BOOKED,
                {"agency_id": str(agency_id), "mail_id": str(made.mail_id), "position": made.position},
            )
        seer = activities.reader(acting)
        rows = [] if seer is None else await visibility.visible_of_mail(unit, seer, made.mail_id)
        return [activities.read(row) for row in rows]

    return await request.database.transact(work)


async def _assigned_mailbox(
    unit: Unit, agency_id: UUID, mailbox_id: UUID, user_id: UUID
) -> Mapping[str, Any]:
    """Return the mailbox, locked.

    Whether the user is assigned is asked after the lock: an assignment may just have ended.
    """
    mailbox = await unit.fetch_one(
        "SELECT id, agency_id, address, last_moment FROM mailboxes WHERE id = $1 AND agency_id = $2 FOR NO KEY UPDATE",
        mailbox_id,
        agency_id,
    )
    if mailbox is None:
        raise _no_such_mailbox()
    assigned = await unit.fetch_one(
        "SELECT 1 AS found FROM assignments WHERE mailbox_id = $1 AND user_id = $2 AND until IS NULL",
        mailbox_id,
        user_id,
    )
    if assigned is None:
        message = "Only who is assigned to the mailbox now books its e-mails."
        raise ForbiddenError(message, ["input", "mailboxId"])
    return mailbox


def _no_such_mailbox() -> NotFoundError:
    return NotFoundError("There is no such mailbox.", ["input", "mailboxId"])


def _content(asked: BookMail) -> MailContent:
    given = mail_input.MailInput(
        asked.message_id, asked.sender, asked.recipients, asked.subject, asked.text, asked.mail_date
    )
    return mail_input.content(given, ["input"])


def _references(asked: BookMail) -> References:
    return mail_input.references(asked.contact_references or [], asked.property_references or [], ["input"])
