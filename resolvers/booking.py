"""Booking an e-mail: recording that a mailbox wrote or read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import booking_at_once, bookings, visibility
from models.booking_at_once import Wanted
from models.bookings import MailContent, References
from models.mails import same_address
from models.tables.mails import MailPart
from resolvers import activities, listeners, mail_input, node_ids
from resolvers.acting import acting_user
from resolvers.errors import ForbiddenError, InvalidInputError, NotFoundError
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.bookings import Booked
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
    if request.database.is_sqlite:
        return await book_by_steps(request, asked)
    agency_id, mailbox_id = _place(request, asked)
    try:
        content, references = _content(asked), _references(asked)
    except InvalidInputError:
        # Rights come before input, and have not been looked at.
        return await book_by_steps(request, asked)
    viewer = request.signed_in()
    wanted = Wanted(
        viewer.session_id, viewer.stored(), agency_id, mailbox_id, asked.part, content, references
    )
    entries = await _book_at_once(request, wanted)
    # Whoever was given other rights since the request began acts by those.
    return await book_by_steps(request, asked) if entries is None else entries


async def _book_at_once(request: Request, wanted: Wanted) -> list[Entry] | None:
    """Return what `book_mail` does; None where the viewer is another one by now, and nothing was done."""
    events = request.services.events
    topic = listeners.BOOKED if events.tells_with_commit else None

    def tell(made: Booked) -> None:
        events.tell(listeners.BOOKED, _event(wanted.agency_id, made))

    done = await booking_at_once.book(request.database, wanted, topic, tell)
    match done.outcome:
        case booking_at_once.OTHER:
            return None
        case booking_at_once.NO_MAILBOX:
            raise _no_such_mailbox()
        case booking_at_once.NOT_ASSIGNED:
            raise _not_assigned()
        case booking_at_once.NOT_SENDER:
            raise _not_sender()
    return [activities.read(row) for row in done.rows]


async def book_by_steps(request: Request, asked: BookMail) -> list[Entry]:
    """Do what `book_mail` does, on either database, in a statement for each step."""
    agency_id, mailbox_id = _place(request, asked)

    async def work(unit: Unit) -> list[Entry]:
        await unit.lock_agency(agency_id)
        acting = await acting_user(unit, request)
        mailbox = await _assigned_mailbox(unit, agency_id, mailbox_id, acting.id)
        content, references = _content(asked), _references(asked)
        if asked.part is MailPart.SENDING and same_address(content.sender) != mailbox["address"]:
            raise _not_sender()
        made = await bookings.book(unit, mailbox, asked.part, acting.id, content, references)
        if made.position is not None:
            await request.services.events.publish(unit, listeners.BOOKED, _event(agency_id, made))
        seer = activities.reader(acting)
        rows = [] if seer is None else await visibility.visible_of_mail(unit, seer, made.mail_id)
        return [activities.read(row) for row in rows]

    return await request.database.transact(work)


def _place(request: Request, asked: BookMail) -> tuple[UUID, UUID]:
    """Return the viewer's agency and the mailbox, which may be of another one."""
    viewer = request.signed_in()
    mailbox_id = node_ids.decode_as(NodeKind.MAILBOX, asked.mailbox_id)
    if mailbox_id is None or viewer.agency_id is None:
        raise _no_such_mailbox()
    return viewer.agency_id, mailbox_id


def _event(agency_id: UUID, made: Booked) -> dict[str, Any]:
    return {"agency_id": str(agency_id), "mail_id": str(made.mail_id), "position": made.position}


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
        raise _not_assigned()
    return mailbox


def _no_such_mailbox() -> NotFoundError:
    return NotFoundError("There is no such mailbox.", ["input", "mailboxId"])


def _not_assigned() -> ForbiddenError:
    return ForbiddenError(
        "Only who is assigned to the mailbox now books its e-mails.", ["input", "mailboxId"]
    )


def _not_sender() -> InvalidInputError:
    return InvalidInputError("A mailbox that sends is the e-mail's sender.", ["input", "sender"])


def _content(asked: BookMail) -> MailContent:
    given = mail_input.MailInput(
        asked.message_id, asked.sender, asked.recipients, asked.subject, asked.text, asked.mail_date
    )
    return mail_input.content(given, ["input"])


def _references(asked: BookMail) -> References:
    return mail_input.references(asked.contact_references or [], asked.property_references or [], ["input"])
