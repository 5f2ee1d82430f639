"""Activities.

What e-mails leave behind, and how they are booked. The objects behind these types are
`resolvers.activities`' and `resolvers.activity_lists`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID

import strawberry

from execution.fields import together
from execution.lookahead import selects
from models.tables.mails import ActivityKind, MailDirection, MailPart
from resolvers import activities, activity_lists, booking, feed, mailboxes, users
from resolvers.activities import NOTHING_EARLY, Early
from resolvers.activity_lists import Entries, Wanted
from resolvers.node_ids import NodeKind
from resolvers.windows import Arguments
from schema.connections import After, Before, Connection, First, Last, arguments, given
from schema.context import Info
from schema.inputs import plain
from schema.marks import ASKS_ITSELF
from schema.node import Node, loads_early
from schema.payloads import Payload, answering
from schema.permissions import signed_in
from schema.writing import entries_writer, entry_writer

if TYPE_CHECKING:
    from schema.mailbox import Mailbox
    from schema.user import User


# ---------------------------------------------------------------- types


async def _booking_mailboxes(info: Info, roots: Sequence[activities.Booking]) -> Any:
    return await mailboxes.by_ids(info.context.request, [root.mailbox_id for root in roots])


@together(_booking_mailboxes)
async def _booking_mailbox(root: strawberry.Parent[activities.Booking], info: Info) -> Any:
    return await mailboxes.by_id(info.context.request, root.mailbox_id)


async def _booking_users(info: Info, roots: Sequence[activities.Booking]) -> Any:
    return await users.by_ids(info.context.request, [root.user_id for root in roots])


@together(_booking_users)
async def _booking_user(root: strawberry.Parent[activities.Booking], info: Info) -> Any:
    return None if root.user_id is None else await users.by_id(info.context.request, root.user_id)


@strawberry.type(
    description=(
        "A mailbox's part in an e-mail, and the moment that decides who may see it: "
        "writing when it sent, reading when it received."
    )
)
class Booking:
    """`resolvers.activities.Booking`."""

    mailbox: Annotated[Mailbox, strawberry.lazy("schema.mailbox")] = strawberry.field(
        resolver=_booking_mailbox, description="The mailbox that sent or received it."
    )
    part: MailPart = strawberry.field(description="Whether it sent or received.")
    decisive_at: datetime = strawberry.field(
        description="The moment of writing, of the first reading, or of automatic booking; set by the server, never changed."
    )
    user: Annotated[User, strawberry.lazy("schema.user")] | None = strawberry.field(
        resolver=_booking_user, description="Who wrote or read it; null when it was booked automatically."
    )


async def _remarks(info: Info, roots: Sequence[activities.Entry]) -> Any:
    return await activities.remarks(info.context.request, [root.mail_id for root in roots])


@together(_remarks)
async def _remark(root: strawberry.Parent[activities.Entry], info: Info) -> str:
    return await activities.remark(info.context.request, root.mail_id)


async def _all_bookings(info: Info, roots: Sequence[activities.Entry]) -> Any:
    return await activities.bookings_of(info.context.request, roots)


@together(_all_bookings)
async def _bookings(root: strawberry.Parent[activities.Entry], info: Info) -> Any:
    return await activities.bookings(info.context.request, root)


@strawberry.type(
    description="An entry that an e-mail left behind: an activity at a contact or an agents-log entry at a property."
)
class Activity(Node):
    """`resolvers.activities.Entry`."""

    kind: ActivityKind = strawberry.field(description="Where it is kept.")
    direction: MailDirection = strawberry.field(
        description="Which way the e-mail went; a later reading can make it INTERNAL."
    )
    subject: str = strawberry.field(description="The e-mail's subject.")
    preview: str = strawberry.field(
        description="The beginning of the text on one line, at most 160 characters."
    )
    remark: str = strawberry.field(resolver=_remark, description="The e-mail's text.")
    sender: str = strawberry.field(description="The address that the e-mail came from.")
    recipients: list[str] = strawberry.field(description="The addresses of To and Cc, never of blind copies.")
    message_id: str = strawberry.field(description="The e-mail's Message-ID, without angle brackets.")
    mail_date: datetime | None = strawberry.field(
        description="The e-mail's own Date header: shown, never trusted."
    )
    occurred_at: datetime = strawberry.field(
        description="The earliest decisive moment; the order of every list of activities."
    )
    vip: bool = strawberry.field(description="Guarded: true while one of its mailboxes is VIP.")
    contact_reference: str | None = strawberry.field(description="The contact that an ACTIVITY is kept at.")
    property_reference: str | None = strawberry.field(
        description="The property that an AGENTS_LOG entry is kept at."
    )
    bookings: list[Booking] = strawberry.field(
        resolver=_bookings, description="By decisive moment, then address."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Whether the object is an entry."""
        return isinstance(obj, activities.Entry)


def _early(info: Info, *before: tuple[str, ...]) -> Early:
    """Return what an operation asks for of the entries that these paths lead to."""

    def asks(*names: str) -> bool:
        return selects(info, *((*path, "bookings", *names) for path in before))

    return Early(asks(), asks("mailbox"), asks("user"))


async def _load(info: Info, identifier: UUID) -> Any:
    writer = entry_writer(info)
    early = _early(info, ()) if writer is None else NOTHING_EARLY
    return await activities.entry(info.context.request, identifier, early, writer)


loads_early(NodeKind.ACTIVITY, _load)


@strawberry.input(
    description="What a list of activities is narrowed to; everything that is given holds at once."
)
class ActivityFilter:
    """`resolvers.activity_lists.Wanted`."""

    kind: ActivityKind | None = strawberry.field(default=strawberry.UNSET, description="Only this kind.")
    direction: MailDirection | None = strawberry.field(
        default=strawberry.UNSET, description="Only this direction."
    )
    mailbox_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The mailbox of one of its bookings; so in Mailbox.activities."
    )
    contact_reference: str | None = strawberry.field(
        default=strawberry.UNSET, description="Kept at this contact; compared exactly."
    )
    property_reference: str | None = strawberry.field(
        default=strawberry.UNSET, description="Kept at this property; compared exactly."
    )
    occurred_from: datetime | None = strawberry.field(default=strawberry.UNSET, description="Is in.")
    occurred_until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Is not.")
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "At most 200 characters. Every word of it occurs, whatever its case, within subject, remark, sender or recipients; "
            "no wildcards."
        ),
    )

    def wanted(self) -> Wanted:
        """Return the filter for the resolvers; null and absent are both None."""
        return Wanted(
            kind=given(self.kind),
            direction=given(self.direction),
            mailbox_id=given(self.mailbox_id),
            contact_reference=given(self.contact_reference),
            property_reference=given(self.property_reference),
            occurred_from=given(self.occurred_from),
            occurred_until=given(self.occurred_until),
            search=given(self.search),
        )


Narrowed: TypeAlias = Annotated[
    ActivityFilter | None, strawberry.argument(description="Only what fits this.")
]


async def entries(
    info: Info,
    page: Arguments,
    narrowed: ActivityFilter | None,
    mailbox: mailboxes.Mailbox | None = None,
) -> Entries:
    """Return a list of activities, of all mailboxes or of one."""
    request, wanted = info.context.request, given(narrowed)
    chosen = await activity_lists.narrow(request, None if wanted is None else wanted.wanted())
    writer = entries_writer(info)
    early = _early(info, ("nodes",), ("edges", "node")) if writer is None else NOTHING_EARLY
    return Entries(request, page, chosen, None if mailbox is None else mailbox.id, early, writer)


# ---------------------------------------------------------------- queries


async def _activities(
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: Narrowed = strawberry.UNSET,
) -> Any:
    return await entries(info, arguments(first, after, last, before), filter)


async def activities_of_mailbox(
    root: strawberry.Parent[mailboxes.Mailbox],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: Narrowed = strawberry.UNSET,
) -> Any:
    """Resolve `Mailbox.activities`."""
    return await entries(info, arguments(first, after, last, before), filter, root)


@strawberry.type
class ActivityQuery:
    """Reading activities."""

    activities: Connection[Activity] = strawberry.field(
        resolver=_activities,
        description="The activities that the viewer may see, newest first.",
        extensions=signed_in(),
    )


# ---------------------------------------------------------------- mutations


@plain
@strawberry.input(description="An e-mail that a mailbox wrote or read.")
class BookMailInput:
    """`resolvers.booking.BookMail`."""

    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox; the viewer is assigned to it now.")
    part: MailPart = strawberry.field(description="SENDING when the mailbox wrote it: then it is the sender.")
    message_id: str = strawberry.field(
        description=(
            "Without angle brackets, at most 998 characters. A booking equal to an earlier one of this mailbox "
            "(Message-ID, sender, recipients, subject, text) is that one."
        )
    )
    sender: str = strawberry.field(description="The address of the sender.")
    recipients: list[str] = strawberry.field(
        description="To and Cc, never blind copies; at most 1000 addresses."
    )
    subject: str = strawberry.field(description="At most 2000 characters.")
    text: str = strawberry.field(description="At most 500000 characters.")
    mail_date: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The e-mail's own Date header: shown, never trusted."
    )
    contact_references: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="One activity each, at most 100; one without a contact when both lists are empty.",
    )
    property_references: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="One agents-log entry each, at most 100."
    )


@strawberry.type(description="Its activities are those of the e-mail that the viewer may see.")
class BookMailPayload(Payload):
    """What `bookMail` answers."""

    activities: list[Activity] = strawberry.field(
        description="The e-mail's activities that the viewer may see, activities before agents-log entries."
    )


@answering(BookMailPayload, "activities")
async def _book_mail(
    info: Info,
    input: Annotated[BookMailInput, strawberry.argument(description="The e-mail and its mailbox.")],
) -> Any:
    asked = booking.BookMail(
        mailbox_id=input.mailbox_id,
        part=input.part,
        message_id=input.message_id,
        sender=input.sender,
        recipients=input.recipients,
        subject=input.subject,
        text=input.text,
        mail_date=given(input.mail_date),
        contact_references=given(input.contact_references),
        property_references=given(input.property_references),
    )
    return await booking.book_mail(info.context.request, asked)


@strawberry.type
class ActivityMutation:
    """Booking."""

    book_mail: BookMailPayload = strawberry.field(
        resolver=_book_mail,
        description=(
            "Books an e-mail of a mailbox that the viewer is assigned to: the moment of the call is the moment of writing or "
            "reading. An equal e-mail that another mailbox booked before is joined."
        ),
        metadata=ASKS_ITSELF,
    )


# ---------------------------------------------------------------- subscription


async def _activity_booked(info: Info, filter: Narrowed = strawberry.UNSET) -> Any:
    wanted = given(filter)
    request = info.context.request
    chosen = await activity_lists.narrow(request, None if wanted is None else wanted.wanted())
    async for entry in feed.booked(request, chosen):
        yield entry


@strawberry.type
class ActivitySubscription:
    """What is booked while a client listens."""

    activity_booked: Activity = strawberry.subscription(
        resolver=_activity_booked,
        description=(
            "Each entry once, when a booking made it visible to the viewer, by the rights at delivery; ends with the session, "
            "not with the access token."
        ),
        extensions=signed_in(),
    )
