"""The three roots, put together from what each subject brings; and the schema itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from execution.documents import Documents, Prepared
from schema.activity import Activity, ActivityMutation, ActivityQuery, ActivitySubscription
from schema.agency import Agency, AgencyMutation, AgencyQuery
from schema.assignment import AssignmentMutation, MailboxAssignment
from schema.audit_event import AuditEvent, AuditQuery
from schema.documents import OneOperation
from schema.errors import ERROR_TYPES
from schema.failures import presented
from schema.mailbox import Mailbox, MailboxMutation, MailboxQuery
from schema.mailbox_event import MailboxEvent
from schema.node import NodeQuery
from schema.password import PasswordMutation
from schema.scalars import DATE_TIME
from schema.secret_bearing import bearers
from schema.session import SessionMutation
from schema.user import User, UserMutation, UserQuery

if TYPE_CHECKING:
    from graphql import GraphQLError
    from strawberry.types import ExecutionContext


@strawberry.type(
    description="What can be read. Without a session every field but viewer is an error, UNAUTHENTICATED."
)
class Query(UserQuery, AgencyQuery, MailboxQuery, ActivityQuery, NodeQuery, AuditQuery):
    """Every subject's queries."""


@strawberry.type(
    description="What can be changed. Errors that the caller can act on are in the payload; then nothing was changed."
)
class Mutation(
    SessionMutation,
    UserMutation,
    AgencyMutation,
    MailboxMutation,
    AssignmentMutation,
    PasswordMutation,
    ActivityMutation,
):
    """Every subject's mutations."""


@strawberry.type(
    description="What can be listened to. Without a session every field is an error, UNAUTHENTICATED."
)
class Subscription(ActivitySubscription):
    """Every subject's subscriptions."""


NODE_TYPES = (User, Agency, Mailbox, MailboxAssignment, MailboxEvent, Activity, AuditEvent)
"""Reached through `Node`, whether or not a field names them."""


class Schema(strawberry.Schema):
    """Strawberry's schema, with limits on what is asked, and errors as clients may see them."""

    def __init__(self, query: type, **named: Any) -> None:
        super().__init__(query, extensions=[Prepared, OneOperation], **named)
        self.documents = Documents(self._schema, secrets=bearers(named.get("mutation")))

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Replace each error by what a client may see, in place: Strawberry asks this of every result, once.

        Nothing is logged but crashes, and of these no message and no value.
        """
        errors[:] = [presented(error) for error in errors]


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*NODE_TYPES, *ERROR_TYPES],
    config=StrawberryConfig(scalar_map={datetime: DATE_TIME}, disable_field_suggestions=True),
)
