"""Mailboxes. The objects behind these types are `resolvers.mailboxes`'."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry

from resolvers import (
    assignments,
    client_settings,
    deliveries,
    mailbox_events,
    mailbox_settings,
    mailboxes,
    password_knowledge,
    recipients,
)
from resolvers.mailboxes import Mailbox as MailboxRecord
from resolvers.node_ids import NodeKind
from schema.activity import Activity, activities_of_mailbox
from schema.assignment import MailboxAssignment, MailboxId
from schema.client_settings import ClientSettings
from schema.connections import After, Before, Connection, First, Last, Search, arguments, given
from schema.context import Info
from schema.delivery import CredentialDelivery, SuggestedRecipient
from schema.mailbox_event import MailboxEvent
from schema.node import Node, loads
from schema.payloads import Answers, FollowedPayload, RenewPasswords, followed
from schema.permissions import (
    AdministersAgencyOrIsAssigned,
    ReadsPeriodsOfMailbox,
    RevealsPasswordOfMailbox,
    null_unless,
    signed_in,
)
from schema.user import User
from schema.writing import mailboxes_writer

OtherUserId = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="A user of the agency, else NOT_FOUND; the viewer when absent."),
]


async def _effective_email_name(
    root: strawberry.Parent[MailboxRecord], info: Info, user_id: OtherUserId = strawberry.UNSET
) -> str | None:
    return await mailboxes.effective_email_name(info.context.request, root, given(user_id))


def _assigned_users(
    root: strawberry.Parent[MailboxRecord],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
) -> Any:
    return assignments.users_now(info.context.request, root, arguments(first, after, last, before))


def _assignments(
    root: strawberry.Parent[MailboxRecord],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
) -> Any:
    return assignments.of_mailbox(info.context.request, root, arguments(first, after, last, before))


def _events(
    root: strawberry.Parent[MailboxRecord],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
) -> Any:
    return mailbox_events.of_mailbox(info.context.request, root, arguments(first, after, last, before))


def _deliveries(
    root: strawberry.Parent[MailboxRecord],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
) -> Any:
    return deliveries.of_mailbox(info.context.request, root, arguments(first, after, last, before))


async def _suggested_recipients(root: strawberry.Parent[MailboxRecord], info: Info) -> Any:
    return await recipients.suggested(info.context.request, root)


async def _password_changed_at(root: strawberry.Parent[MailboxRecord], info: Info) -> datetime | None:
    found = await password_knowledge.of_mailbox(info.context.request, root)
    return None if found is None else found.changed_at


async def _password_rotation_recommended(root: strawberry.Parent[MailboxRecord], info: Info) -> bool:
    found = await password_knowledge.of_mailbox(info.context.request, root)
    return found is not None and found.is_renewal_recommended


def _client_settings(root: strawberry.Parent[MailboxRecord], info: Info) -> Any:
    return client_settings.of_mailbox(info.context.request, root)


def _viewer_can_administer(root: strawberry.Parent[MailboxRecord], info: Info) -> bool:
    return mailboxes.can_administer(info.context.request.signed_in(), root)


def _viewer_can_reveal(root: strawberry.Parent[MailboxRecord], info: Info) -> bool:
    return mailboxes.can_reveal(info.context.request.signed_in(), root)


def _viewer_is_assigned(root: strawberry.Parent[MailboxRecord]) -> bool:
    return root.is_assigned


@strawberry.type(description="An address of one of the agency's domains (Postfach).")
class Mailbox(Node):
    """`resolvers.mailboxes.Mailbox`."""

    address: str = strawberry.field(description="Its address, in lower case; it never changes.")
    email_name: str | None = strawberry.field(
        description="The mailbox's own sender name; null leaves the name to the user's basic data."
    )
    effective_email_name: str | None = strawberry.field(
        resolver=_effective_email_name,
        description=(
            "The name that recipients see when this user (the viewer by default) writes from this mailbox; "
            "null when the address stands alone."
        ),
    )
    vip: bool = strawberry.field(
        description="Whether its entries are guarded: only their audience may see them."
    )
    active: bool = strawberry.field(
        description=(
            "False once the mailbox was switched off: it takes in no more mail from receivingStopsAt on; "
            "sending goes on."
        )
    )
    receiving_stops_at: datetime | None = strawberry.field(
        description="From when on it takes in no more mail; null while it is switched on."
    )
    automatic_booking: bool = strawberry.field(
        description="Whether what it receives is to be booked without somebody reading it."
    )
    password_changed_at: datetime | None = strawberry.field(
        resolver=_password_changed_at,
        description=(
            "When its password was made; null also while it has none. Those who may reveal the password, as the one below."
        ),
        extensions=null_unless(RevealsPasswordOfMailbox()),
    )
    password_rotation_recommended: bool | None = strawberry.field(
        resolver=_password_rotation_recommended,
        description=(
            "True while the current password was shown or sent by somebody who may not reveal it now."
        ),
        extensions=null_unless(RevealsPasswordOfMailbox()),
    )
    client_settings: ClientSettings = strawberry.field(
        resolver=_client_settings,
        description="What a mail program needs besides the password. Everybody who reads the mailbox.",
    )
    assigned_users: Connection[User] | None = strawberry.field(
        resolver=_assigned_users,
        description=(
            "Users assigned now, by last name, first name, login. Administrators and those assigned now."
        ),
        extensions=null_unless(AdministersAgencyOrIsAssigned()),
    )
    assignments: Connection[MailboxAssignment] | None = strawberry.field(
        resolver=_assignments,
        description=(
            "Every period there ever was, newest first. Administrators and, for a VIP mailbox, those assigned now."
        ),
        extensions=null_unless(ReadsPeriodsOfMailbox()),
    )
    viewer_can_administer: bool = strawberry.field(
        resolver=_viewer_can_administer, description="May change settings and assignments."
    )
    viewer_can_reveal: bool = strawberry.field(
        resolver=_viewer_can_reveal, description="May be shown the password and have it sent."
    )
    viewer_is_assigned: bool = strawberry.field(
        resolver=_viewer_is_assigned, description="Is assigned now, so may book e-mails."
    )
    deliveries: Connection[CredentialDelivery] | None = strawberry.field(
        resolver=_deliveries,
        description=(
            "Letters with its credentials, newest first, those that the viewer may read; null where passwordChangedAt is."
        ),
        extensions=null_unless(RevealsPasswordOfMailbox()),
    )
    suggested_recipients: list[SuggestedRecipient] | None = strawberry.field(
        resolver=_suggested_recipients,
        description=(
            "Where a letter with its credentials might go: the active users assigned now, by name, whose private address is "
            "known and for the viewer to read, at most 100. Any other address is possible too. Null where passwordChangedAt is."
        ),
        extensions=null_unless(RevealsPasswordOfMailbox()),
    )
    events: Connection[MailboxEvent] | None = strawberry.field(
        resolver=_events,
        description=("What was switched, renewed, shown and sent, newest first; null where assignments is."),
        extensions=null_unless(ReadsPeriodsOfMailbox()),
    )
    activities: Connection[Activity] = strawberry.field(
        resolver=activities_of_mailbox,
        description=("The entries of e-mails booked at this mailbox that the viewer may see, newest first."),
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, MailboxRecord)


# ---------------------------------------------------------------- queries


async def _mailbox(
    info: Info,
    address: Annotated[str, strawberry.argument(description="The whole address, whatever its case.")],
) -> Any:
    return await mailboxes.by_address(info.context.request, address)


def _mailboxes(
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    search: Search = strawberry.UNSET,
) -> Any:
    page = arguments(first, after, last, before)
    return mailboxes.list_all(info.context.request, page, given(search), mailboxes_writer(info))


@strawberry.type
class MailboxQuery:
    """Reading mailboxes."""

    mailbox: Mailbox | None = strawberry.field(
        resolver=_mailbox,
        description=(
            "The mailbox of the viewer's agency with this address. Null, without an error, when the address is "
            "malformed, absent or another agency's."
        ),
        extensions=signed_in(),
    )
    mailboxes: Connection[Mailbox] = strawberry.field(
        resolver=_mailboxes,
        description=(
            "The mailboxes of the viewer's agency, by address. The search looks in address and e-mail name. "
            "Empty for an account manager."
        ),
        extensions=signed_in(),
    )


# ---------------------------------------------------------------- mutations


@strawberry.input(description="A new mailbox of the viewer's agency.")
class CreateMailboxInput:
    """See `resolvers.mailbox_settings.create`."""

    address: str = strawberry.field(
        description=(
            "An address in one of the agency's domains that nobody has yet, whatever the case. Before the @ at most "
            "64 letters, digits and . _ - between them."
        )
    )
    email_name: str | None = strawberry.field(
        description="The mailbox's own sender name, at most 128 characters; blank is none.",
        default=strawberry.UNSET,
    )
    vip: bool = strawberry.field(
        description="Whether it is VIP from the start; that needs the module VIP_MAILBOXES.", default=False
    )


@strawberry.type(description="A mailbox as it is after the mutation.")
class MailboxPayload(FollowedPayload):
    """Made by `Answers`."""

    mailbox: Mailbox | None = strawberry.field(
        description="The mailbox; null when there are errors.", default=None
    )


async def _create_mailbox(
    info: Info, input: Annotated[CreateMailboxInput, strawberry.argument(description="The new mailbox.")]
) -> Any:
    return await mailbox_settings.create(
        info.context.request, input.address, given(input.email_name), vip=input.vip
    )


async def _set_mailbox_email_name(
    info: Info,
    mailbox_id: MailboxId,
    email_name: Annotated[
        str | None, strawberry.argument(description="At most 128 characters; blank or null clears it.")
    ] = strawberry.UNSET,
) -> Any:
    return await mailbox_settings.set_email_name(info.context.request, mailbox_id, given(email_name))


async def _set_mailbox_vip(
    info: Info,
    mailbox_id: MailboxId,
    vip: Annotated[bool, strawberry.argument(description="Whether it is VIP from now on.")],
    confirm: Annotated[
        bool | None,
        strawberry.argument(description="That the entries may be opened; only for switching off."),
    ] = False,
    renew_passwords: RenewPasswords = False,
) -> Any:
    found = await mailbox_settings.set_vip(
        info.context.request,
        mailbox_id,
        vip=vip,
        confirm=bool(confirm),
        renew_passwords=bool(renew_passwords),
    )
    return followed("mailbox", found)


async def _set_mailbox_automatic_booking(
    info: Info,
    mailbox_id: MailboxId,
    automatic_booking: Annotated[
        bool, strawberry.argument(description="Whether e-mails are to be booked without a reader.")
    ],
) -> Any:
    return await mailbox_settings.set_automatic_booking(
        info.context.request, mailbox_id, automatic_booking=automatic_booking
    )


async def _set_mailbox_active(
    info: Info,
    mailbox_id: MailboxId,
    active: Annotated[bool, strawberry.argument(description="Whether it is switched on from now on.")],
) -> Any:
    return await mailbox_settings.set_active(info.context.request, mailbox_id, active=active)


@strawberry.type
class MailboxMutation:
    """Changing mailboxes."""

    create_mailbox: MailboxPayload = strawberry.field(
        resolver=_create_mailbox,
        description="Makes a mailbox of the viewer's agency with nobody assigned. Administrators.",
        extensions=[*signed_in(), Answers("mailbox")],
    )
    set_mailbox_email_name: MailboxPayload = strawberry.field(
        resolver=_set_mailbox_email_name,
        description="Changes the mailbox's own sender name. Administrators. A blank or null name clears it.",
        extensions=[*signed_in(), Answers("mailbox")],
    )
    set_mailbox_vip: MailboxPayload = strawberry.field(
        resolver=_set_mailbox_vip,
        description=(
            "Switches VIP. Administrators. Switching on guards the entries that are already there and needs the module "
            "VIP_MAILBOXES. Switching off opens what the setting hid: without confirm it answers CONFIRMATION_REQUIRED "
            "and says how many entries; asked ten times within ten minutes, RATE_LIMITED. Says whether the password should "
            "be renewed because somebody knows and may not reveal it, as administrators may not of a VIP mailbox, or renews it."
        ),
        extensions=[*signed_in(), Answers()],
    )
    set_mailbox_automatic_booking: MailboxPayload = strawberry.field(
        resolver=_set_mailbox_automatic_booking,
        description=(
            "Switches automatic booking. Administrators. Switching on needs the module AUTOMATIC_BOOKING."
        ),
        extensions=[*signed_in(), Answers("mailbox")],
    )
    set_mailbox_active: MailboxPayload = strawberry.field(
        resolver=_set_mailbox_active,
        description=(
            "Switches a mailbox off, which ends its receiving within 30 minutes, or on again. Administrators. "
            "Its assignments stay, and it can still send."
        ),
        extensions=[*signed_in(), Answers("mailbox")],
    )


loads(NodeKind.MAILBOX, mailboxes.by_id)
