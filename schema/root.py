"""The three roots, put together from what each subject brings; and the schema itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import FieldNode, GraphQLError, get_operation_ast
from graphql import OperationType as Kind
from strawberry.schema.config import StrawberryConfig

from execution.compiled import Compiled, Compiling, execute
from execution.documents import Documents, Prepared
from execution.validity import RULES
from resolvers import batches
from schema.activity import Activity, ActivityMutation, ActivityQuery, ActivitySubscription
from schema.agency import Agency, AgencyMutation, AgencyQuery
from schema.assignment import AssignmentMutation, MailboxAssignment
from schema.audit_event import AuditEvent, AuditQuery
from schema.delivery import CredentialDelivery, DeliveryMutation, DeliverySubscription
from schema.documents import OneOperation, named
from schema.errors import ERROR_TYPES
from schema.failures import presented
from schema.mailbox import Mailbox, MailboxMutation, MailboxQuery
from schema.mailbox_event import MailboxEvent
from schema.marks import ASKS_ITSELF, BEARS_SECRET, marked
from schema.node import NodeQuery
from schema.password import PasswordMutation
from schema.scalars import DATE_TIME
from schema.session import SessionMutation
from schema.user import User, UserMutation, UserQuery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import OperationDefinitionNode
    from strawberry.types import ExecutionContext, ExecutionResult
    from strawberry.types.graphql import OperationType

    from execution.limits import Limits


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
    DeliveryMutation,
    ActivityMutation,
):
    """Every subject's mutations."""


@strawberry.type(
    description="What can be listened to. Without a session every field is an error, UNAUTHENTICATED."
)
class Subscription(ActivitySubscription, DeliverySubscription):
    """Every subject's subscriptions."""


NODE_TYPES = (
    User,
    Agency,
    Mailbox,
    MailboxAssignment,
    MailboxEvent,
    CredentialDelivery,
    Activity,
    AuditEvent,
)
"""Reached through `Node`, whether or not a field names them."""


compiled = Compiled(lambda context: batches.stop(context.request))
"""How the schema's operations are run once they are known."""


class Schema(strawberry.Schema):
    """Strawberry's schema, with limits on what is asked, and errors as clients may see them."""

    def __init__(self, query: type, **named: Any) -> None:
        super().__init__(query, extensions=[Prepared, OneOperation, lambda: Compiling(compiled)], **named)
        mutation = named.get("mutation")
        self.documents = Documents(self._schema, secrets=marked(mutation, BEARS_SECRET))
        self._asking = frozenset(marked(mutation, ASKS_ITSELF))

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Execute an operation: what can be compiled by what was made of it, any other Strawberry's whole way."""
        ready = None
        if query and root_value is None and not operation_extensions:
            ready = compiled.ready(self, query, variable_values, context_value.limits, operation_name)
        if ready is not None and (
            allowed_operation_types is None or ready.operation.kind in allowed_operation_types
        ):
            context_value.cost = ready.cost
            context_value.operation = named(ready.operation.node)
            return await execute(compiled, self, ready.operation, variable_values, context_value)
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Replace each error by what a client may see, in place: Strawberry asks this of every result, once.

        Nothing is logged but crashes, and of these no message and no value.
        """
        errors[:] = [presented(error) for error in errors]

    def asks_itself(self, operation: OperationDefinitionNode | None) -> bool:
        """Whether an operation changes nothing before it has asked who the viewer is: a query, or marked mutations."""
        if operation is None or operation.operation is Kind.QUERY:
            return operation is not None
        selected = operation.selection_set.selections
        return operation.operation is Kind.MUTATION and all(
            isinstance(each, FieldNode) and each.name.value in self._asking for each in selected
        )


def may_ride(
    schema: strawberry.Schema,
    text: str | None,
    variables: dict[str, Any] | None,
    limits: Limits,
    name: str | None,
) -> bool:
    """Whether who the viewer is can be asked with the first statement of a valid operation (`resolvers.riding`).

    A document that is not known yet is looked at here.
    """
    if not text or not isinstance(schema, Schema):
        return False
    known = schema.documents.known(text)
    if known is None:
        try:
            known, _ = schema.documents.prepare(text, variables, limits, RULES)
        except GraphQLError:
            return False
    return not known.errors and schema.asks_itself(get_operation_ast(known.parsed, name))


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*NODE_TYPES, *ERROR_TYPES],
    config=StrawberryConfig(scalar_map={datetime: DATE_TIME}, disable_field_suggestions=True),
)
