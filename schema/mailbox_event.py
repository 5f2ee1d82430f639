"""What was done to mailboxes. The objects behind these types are `resolvers.mailbox_events`'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from execution.fields import together
from resolvers import mailbox_events, users
from resolvers.mailbox_events import MailboxEvent as MailboxEventRecord
from resolvers.node_ids import NodeKind
from schema.context import Info
from schema.enums import MailboxEventKind
from schema.node import Node, loads
from schema.user import User


async def _users(info: Info, roots: Sequence[MailboxEventRecord]) -> Any:
    return await users.by_ids(info.context.request, [root.user_id for root in roots])


@together(_users)
async def _user(root: strawberry.Parent[MailboxEventRecord], info: Info) -> Any:
    return None if root.user_id is None else await users.by_id(info.context.request, root.user_id)


@strawberry.type(description="What was switched, renewed, shown or sent at a mailbox.")
class MailboxEvent(Node):
    """`resolvers.mailbox_events.MailboxEvent`."""

    kind: MailboxEventKind = strawberry.field(description="What was done.")
    at: datetime = strawberry.field(description="When, by the server's clock.")
    user: User | None = strawberry.field(
        resolver=_user, description="Who did it; null when nobody of the agency did."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, MailboxEventRecord)


loads(NodeKind.MAILBOX_EVENT, mailbox_events.by_id)
