"""Letters with credentials. The objects behind these types are `resolvers.deliveries`' and `resolvers.recipients`'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from execution.fields import together
from resolvers import credentials, deliveries, mailboxes, users
from resolvers.deliveries import CredentialDelivery as DeliveryRecord
from resolvers.letter_requests import Sending
from resolvers.node_ids import NodeKind
from resolvers.recipients import Recipient
from schema.connections import given
from schema.context import Info
from schema.enums import CredentialContent, DeliveryState
from schema.marks import BEARS_SECRET
from schema.node import Node, loads
from schema.payloads import Answers, Payload
from schema.permissions import signed_in
from schema.user import User

if TYPE_CHECKING:
    from schema.mailbox import Mailbox


async def _mailboxes(info: Info, roots: Sequence[DeliveryRecord]) -> Any:
    return await mailboxes.by_ids(info.context.request, [root.mailbox_id for root in roots])


@together(_mailboxes)
async def _mailbox(root: strawberry.Parent[DeliveryRecord], info: Info) -> Any:
    return await mailboxes.by_id(info.context.request, root.mailbox_id)


async def _requesters(info: Info, roots: Sequence[DeliveryRecord]) -> Any:
    return await users.by_ids(info.context.request, [root.requested_by_id for root in roots])


@together(_requesters)
async def _requested_by(root: strawberry.Parent[DeliveryRecord], info: Info) -> Any:
    return await users.by_id(info.context.request, root.requested_by_id)


@strawberry.type(
    description=(
        "A letter with a mailbox's credentials. Read by whoever asked for it and those assigned to the mailbox now."
    )
)
class CredentialDelivery(Node):
    """`resolvers.deliveries.CredentialDelivery`."""

    mailbox: Annotated[Mailbox, strawberry.lazy("schema.mailbox")] = strawberry.field(
        resolver=_mailbox, description="The mailbox whose credentials it brings."
    )
    to: str = strawberry.field(description="Where it goes.")
    content: CredentialContent = strawberry.field(description="How it brings the password.")
    state: DeliveryState = strawberry.field(description="What became of it.")
    attempts: int = strawberry.field(description="How often it was tried to send it.")
    failure: str | None = strawberry.field(
        description="The mail server's last words, when it refused; or why it was not sent at all."
    )
    requested_by: User = strawberry.field(resolver=_requested_by, description="Who asked for it.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    expires_at: datetime | None = strawberry.field(
        description=(
            "When the one-time link stops working; null where the letter carries the password. The link dies earlier with the "
            "password's renewal, with a newer letter for the mailbox, and when whoever asked for it may no longer reveal."
        )
    )
    sent_at: datetime | None = strawberry.field(description="When the mail server took it.")
    opened_at: datetime | None = strawberry.field(description="When the one-time link was used.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, DeliveryRecord)


async def _recipients(info: Info, roots: Sequence[Recipient]) -> Any:
    return await users.by_ids(info.context.request, [root.user_id for root in roots])


@together(_recipients)
async def _recipient(root: strawberry.Parent[Recipient], info: Info) -> Any:
    return await users.by_id(info.context.request, root.user_id)


@strawberry.type(description="An address to which a letter with credentials might go.")
class SuggestedRecipient:
    """`resolvers.recipients.Recipient`."""

    address: str = strawberry.field(description="The user's private address.")
    user: User = strawberry.field(resolver=_recipient, description="Whose address that is.")


# ---------------------------------------------------------------- mutation


@strawberry.input(description="A letter with a mailbox's credentials.")
class SendMailboxCredentialsInput:
    """See `resolvers.credentials.send`."""

    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox.")
    to: str = strawberry.field(description="Where the letter goes: any e-mail address but the mailbox's own.")
    content: CredentialContent = strawberry.field(
        description="How it brings the password; the password itself only where the agency allows it.",
        default=CredentialContent.ONE_TIME_LINK,
    )
    language: str | None = strawberry.field(
        description="The reader's language, a tag of BCP 47; German when absent or unknown.",
        default=strawberry.UNSET,
    )
    request_id: str | None = strawberry.field(
        description=(
            "What the client calls this request, 1 to 64 printable characters: repeated by the same viewer at the same mailbox "
            "within 24 hours it sends one letter."
        ),
        default=strawberry.UNSET,
    )


@strawberry.type(description="The letter as it waits, or as it is when it was asked for before.")
class SendMailboxCredentialsPayload(Payload):
    """Made by `Answers`."""

    delivery: CredentialDelivery | None = strawberry.field(
        description="The letter; null when there are errors.", default=None
    )


async def _send_mailbox_credentials(
    info: Info,
    input: Annotated[
        SendMailboxCredentialsInput, strawberry.argument(description="The mailbox and the reader.")
    ],
) -> Any:
    asked = Sending(
        mailbox_id=input.mailbox_id,
        to=input.to,
        content=input.content,
        language=given(input.language),
        request_id=given(input.request_id),
    )
    return await credentials.send(info.context.request, asked)


@strawberry.type
class DeliveryMutation:
    """Sending credentials."""

    send_mailbox_credentials: SendMailboxCredentialsPayload = strawberry.field(
        resolver=_send_mailbox_credentials,
        metadata=BEARS_SECRET,
        description=(
            "Has a letter with the mailbox's credentials sent. Users assigned now and, where the mailbox is not VIP, "
            "administrators. FORBIDDEN for a password that the agency does not allow in letters, INVALID_INPUT for the "
            "mailbox itself. The same letter within a minute, a hundred letters by a viewer, ten about a mailbox or ten to an "
            "address within an hour: RATE_LIMITED. Repeated with the same requestId within 24 hours it sends one letter."
        ),
        extensions=[*signed_in(), Answers("delivery")],
    )


# ---------------------------------------------------------------- subscription


async def _credential_delivery_changed(
    info: Info, delivery_id: Annotated[strawberry.ID, strawberry.argument(description="The letter.")]
) -> Any:
    async for delivery in deliveries.changed(info.context.request, delivery_id):
        yield delivery


@strawberry.type
class DeliverySubscription:
    """What becomes of a letter while a client listens."""

    credential_delivery_changed: CredentialDelivery = strawberry.subscription(
        resolver=_credential_delivery_changed,
        description=(
            "The letter after each change, by the rights at delivery; at once where it is SENT or FAILED already. NOT_FOUND "
            "for what the viewer may not read. Ends with the session, not with the access token."
        ),
        extensions=signed_in(),
    )


loads(NodeKind.CREDENTIAL_DELIVERY, deliveries.by_id)
