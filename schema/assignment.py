"""Assignments. The objects behind these types are `resolvers.assignments`'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from execution.fields import together
from resolvers import assignments, mailboxes, users
from resolvers.assignments import Assignment as AssignmentRecord
from resolvers.node_ids import NodeKind
from schema.context import Info
from schema.node import Node, loads
from schema.payloads import Answers, FollowedPayload, RenewPasswords, followed
from schema.permissions import signed_in
from schema.user import User

if TYPE_CHECKING:
    from schema.mailbox import Mailbox


async def _users(info: Info, roots: Sequence[AssignmentRecord]) -> Any:
    return await users.by_ids(info.context.request, [root.user_id for root in roots])


@together(_users)
async def _user(root: strawberry.Parent[AssignmentRecord], info: Info) -> Any:
    return await users.by_id(info.context.request, root.user_id)


async def _mailboxes(info: Info, roots: Sequence[AssignmentRecord]) -> Any:
    return await mailboxes.by_ids(info.context.request, [root.mailbox_id for root in roots])


@together(_mailboxes)
async def _mailbox(root: strawberry.Parent[AssignmentRecord], info: Info) -> Any:
    return await mailboxes.by_id(info.context.request, root.mailbox_id)


@strawberry.type(
    description="One period in which a user was assigned to a mailbox: from is in it, until is not."
)
class MailboxAssignment(Node):
    """`resolvers.assignments.Assignment`."""

    user: User = strawberry.field(resolver=_user, description="Who was assigned.")
    mailbox: Annotated[Mailbox, strawberry.lazy("schema.mailbox")] = strawberry.field(
        resolver=_mailbox, description="The mailbox."
    )
    since: datetime = strawberry.field(name="from", description="Its beginning, set by the server's clock.")
    until: datetime | None = strawberry.field(
        description="Its end; null while the user is assigned. Once set it never changes."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, AssignmentRecord)


@strawberry.type(description="A period as it is after the mutation.")
class MailboxAssignmentPayload(FollowedPayload):
    """Made by `Answers`."""

    assignment: MailboxAssignment | None = strawberry.field(
        description="The period; null when there are errors.", default=None
    )


MailboxId = Annotated[strawberry.ID, strawberry.argument(description="The mailbox.")]
UserId = Annotated[strawberry.ID, strawberry.argument(description="The user.")]


async def _assign_user(info: Info, mailbox_id: MailboxId, user_id: UserId) -> Any:
    return await assignments.assign(info.context.request, mailbox_id, user_id)


async def _unassign_user(
    info: Info, mailbox_id: MailboxId, user_id: UserId, renew_passwords: RenewPasswords = False
) -> Any:
    found = await assignments.unassign(
        info.context.request, mailbox_id, user_id, renew_passwords=bool(renew_passwords)
    )
    return followed("assignment", found)


@strawberry.type
class AssignmentMutation:
    """Assigning users to mailboxes."""

    assign_user: MailboxAssignmentPayload = strawberry.field(
        resolver=_assign_user,
        description=(
            "Assigns a user to a mailbox from now on. Administrators. Only active users are newly assigned "
            "(CONFLICT); of a user who is assigned it answers the period and changes nothing."
        ),
        extensions=[*signed_in(), Answers("assignment")],
    )
    unassign_user: MailboxAssignmentPayload = strawberry.field(
        resolver=_unassign_user,
        description=(
            "Ends a user's assignment to a mailbox now. Administrators. Of a user who is not assigned any more it "
            "answers the last period and changes nothing; of one who never was, NOT_FOUND. Says whether the mailbox's "
            "password should be renewed because the user knows it, or renews it."
        ),
        extensions=[*signed_in(), Answers()],
    )


loads(NodeKind.MAILBOX_ASSIGNMENT, assignments.by_id)
