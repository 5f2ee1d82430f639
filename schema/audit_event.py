"""The audit, for administrators. The objects behind these types are `resolvers.audit_events`'."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry

from resolvers import audit_events, users
from resolvers.audit_events import AuditEvent as AuditEventRecord
from resolvers.audit_events import Wanted
from resolvers.node_ids import NodeKind
from schema.connections import After, Before, Connection, First, Last, arguments, given
from schema.context import Info
from schema.node import Node, find, loads
from schema.permissions import Administers, null_unless, signed_in
from schema.user import User


async def _actor(root: strawberry.Parent[AuditEventRecord], info: Info) -> Any:
    return None if root.actor_id is None else await users.by_id(info.context.request, root.actor_id)


async def _object(root: strawberry.Parent[AuditEventRecord], info: Info) -> Any:
    name = root.object_node_id
    return None if name is None else await find(info, name)


@strawberry.type(
    description="Who did what, when, to what, from where. It never changes and is never deleted."
)
class AuditEvent(Node):
    """`resolvers.audit_events.AuditEvent`."""

    at: datetime = strawberry.field(description="When, by the server's clock.")
    action: str = strawberry.field(
        description="What was done, in two words with a dot between them: mailbox.vip_on, user.rights, session.sign_in."
    )
    actor: User | None = strawberry.field(
        resolver=_actor, description="Who did it; null when nobody of the agency did, or nobody signed in."
    )
    done_to: Node | None = strawberry.field(
        name="object",
        resolver=_object,
        description="What it was done to: a user, a mailbox, an assignment, the agency; null for a session.",
    )
    remote_address: str | None = strawberry.field(
        description="From which address; null for what the server or a command did."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, AuditEventRecord)


@strawberry.input(
    description="What the audit is narrowed to; everything that is given holds at once. An id that names nothing has no event."
)
class AuditEventFilter:
    """`resolvers.audit_events.Wanted`."""

    actor_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Done by this user."
    )
    object_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Done to this user, mailbox, assignment or agency."
    )
    action: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Exactly this action; one that ends with a dot, as mailbox., is every action that begins so.",
    )
    from_: datetime | None = strawberry.field(name="from", default=strawberry.UNSET, description="Is in.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Is not.")

    def wanted(self) -> Wanted:
        """Return the filter for the resolvers; null and absent are both None."""
        return Wanted(
            given(self.actor_id),
            given(self.object_id),
            given(self.action),
            given(self.from_),
            given(self.until),
        )


def _audit_events(
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: Annotated[
        AuditEventFilter | None, strawberry.argument(description="What the list is narrowed to.")
    ] = strawberry.UNSET,
) -> Any:
    narrowed = given(filter)
    wanted = Wanted() if narrowed is None else narrowed.wanted()
    return audit_events.list_all(info.context.request, arguments(first, after, last, before), wanted)


@strawberry.type
class AuditQuery:
    """Reading the audit."""

    audit_events: Connection[AuditEvent] | None = strawberry.field(
        resolver=_audit_events,
        description=(
            "The audit of the viewer's agency, newest first: changes, sign-ins, and what was asked for and refused; nothing of "
            "e-mails. Administrators only: null for everybody else."
        ),
        extensions=[*null_unless(Administers()), *signed_in()],
    )


loads(NodeKind.AUDIT_EVENT, audit_events.by_id)
