"""The three roots, put together from what each subject brings; and the schema itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import FieldNode, GraphQLError, get_operation_ast
from graphql import OperationType as Kind
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

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
    from collections.abc import AsyncGenerator, Iterable

    from graphql import OperationDefinitionNode
    from strawberry.types import ExecutionContext
    from strawberry.types.graphql import OperationType

    from execution.compiled import Ready
    from execution.limits import Limits
    from execution.plan import Operation
    from schema.context import Context


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


NOTES = 100
"""How many operations of one document are remembered: clients name those that there are not, too."""
compiled = Compiled(
    lambda context: batches.stop(context.request), lambda context: batches.begin_alone(context.request)
)
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
        if root_value is None and not operation_extensions:
            ready = self._ready(
                query, variable_values, context_value, operation_name, allowed_operation_types
            )
            if ready is not None:
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

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Return the results of an operation: of what can be compiled the one that `execute` gives, of any other Strawberry's."""
        if root_value is None and not operation_extensions:
            ready = self._ready(
                query, variable_values, context_value, operation_name, allowed_operation_types
            )
            if ready is not None:
                return self._result(ready.operation, variable_values, context_value)
        return await super().stream(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            operation_extensions,
            allowed_operation_types,
        )

    def _ready(
        self,
        query: str | None,
        variables: dict[str, Any] | None,
        context: Context,
        name: str | None,
        kinds: Iterable[OperationType] | None,
    ) -> Ready | None:
        """Return an operation of these kinds that can be compiled, and tell the context which it is; None for any other."""
        ready = compiled.ready(self, query, variables, context.limits, name) if query else None
        if ready is None or (kinds is not None and ready.operation.kind not in kinds):
            return None
        context.cost = ready.cost
        context.operation = named(ready.operation.node)
        return ready

    async def _result(
        self, operation: Operation, variables: dict[str, Any] | None, context: Context
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the result of a compiled operation, a crash too: results are not ended by an exception."""
        try:
            result = await execute(compiled, self, operation, variables, context)
        except Exception as error:  # noqa: BLE001 (as Strawberry has it)
            crash = presented(GraphQLError(str(error), original_error=error))
            result = ExecutionResult(data=None, errors=[crash])
        yield result

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Replace each error by what a client may see, in place: Strawberry asks this of every result, once.

        They come in an order that tells nothing of what happened when: by their places in lists, then in the document.
        Nothing is logged but crashes, and of these no message and no value.
        """
        errors[:] = [presented(error) for error in sorted(errors, key=_place)]

    def asks_itself(self, operation: OperationDefinitionNode | None) -> bool:
        """Whether an operation changes nothing before it has asked who the viewer is: a query, or marked mutations."""
        if operation is None or operation.operation is Kind.QUERY:
            return operation is not None
        selected = operation.selection_set.selections
        return operation.operation is Kind.MUTATION and all(
            isinstance(each, FieldNode) and each.name.value in self._asking for each in selected
        )


def _place(error: GraphQLError) -> tuple[list[int], list[tuple[int, int]], list[str]]:
    path = error.path or []
    return (
        [each for each in path if isinstance(each, int)],
        [(each.line, each.column) for each in error.locations or []],
        [each for each in path if isinstance(each, str)],
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
    key = "asks itself", name
    rides = known.notes.get(key)
    if rides is None:
        rides = not known.errors and schema.asks_itself(get_operation_ast(known.parsed, name))
        if len(known.notes) < NOTES:
            known.notes[key] = rides
    return rides


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*NODE_TYPES, *ERROR_TYPES],
    config=StrawberryConfig(scalar_map={datetime: DATE_TIME}, disable_field_suggestions=True),
)
