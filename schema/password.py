"""Passwords of mailboxes: showing and renewing them."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from resolvers import passwords, renewals
from schema.assignment import MailboxId
from schema.connections import given
from schema.context import Info
from schema.mailbox import Mailbox
from schema.marks import BEARS_SECRET
from schema.payloads import Answers, Payload
from schema.permissions import signed_in


@strawberry.type(description="A mailbox's password, for the viewer's eyes.")
class RevealMailboxPasswordPayload(Payload):
    """Made by `Answers`."""

    password: str | None = strawberry.field(
        description="The password as it is now; null when there are errors.", default=None
    )


@strawberry.type(description="A mailbox after its password was renewed.")
class GenerateMailboxPasswordPayload(Payload):
    """Made by `Answers`."""

    mailbox: Mailbox | None = strawberry.field(
        description="The mailbox; null when there are errors.", default=None
    )
    effective: bool | None = strawberry.field(
        description=(
            "True once the old password fails and its sessions are ended on the mail servers. False while sessions "
            "opened with it may still be going on: it fails for new ones all the same. Null when there are errors."
        ),
        default=None,
    )


async def _reveal_mailbox_password(
    info: Info,
    mailbox_id: MailboxId,
    current_password: Annotated[str, strawberry.argument(description="The viewer's own password.")],
) -> Any:
    return await passwords.reveal(info.context.request, mailbox_id, current_password)


async def _generate_mailbox_password(
    info: Info,
    mailbox_id: MailboxId,
    request_id: Annotated[
        str | None,
        strawberry.argument(
            description=(
                "What the client calls this request, 1 to 64 printable characters: repeated by the same viewer at the same "
                "mailbox within 24 hours it renews once."
            )
        ),
    ] = strawberry.UNSET,
) -> Any:
    return await renewals.generate(info.context.request, mailbox_id, given(request_id))


@strawberry.type
class PasswordMutation:
    """Showing and renewing passwords of mailboxes."""

    reveal_mailbox_password: RevealMailboxPasswordPayload = strawberry.field(
        resolver=_reveal_mailbox_password,
        metadata=BEARS_SECRET,
        description=(
            "Shows the mailbox's password to the viewer, who proves themself with their own (WRONG_PASSWORD). Users assigned "
            "now and, where the mailbox is not VIP, administrators. Asked ten times by a viewer or twenty times at a "
            "mailbox within ten minutes, whatever came of it: RATE_LIMITED."
        ),
        extensions=[*signed_in(), Answers("password")],
    )
    generate_mailbox_password: GenerateMailboxPasswordPayload = strawberry.field(
        resolver=_generate_mailbox_password,
        metadata=BEARS_SECRET,
        description=(
            "Makes a new password; the old one is invalid at once. Users assigned now and administrators, who of a VIP "
            "mailbox don't see it. Of several renewals at once one wins (the others: CONFLICT). Repeated with the same "
            "requestId within 24 hours it renews once. Ten renewals at a mailbox or a hundred by a viewer within ten "
            "minutes: RATE_LIMITED."
        ),
        extensions=[*signed_in(), Answers()],
    )
