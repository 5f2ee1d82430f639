"""An operation made ready to be run: its selection, its shapes, and the plans for each choice of included fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, OperationDefinitionNode, OperationType
from strawberry.types.graphql import OperationType as StrawberryType

from execution.selections import Selections, conditions
from execution.shapes import Objects
from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from graphql import DocumentNode
    from graphql.execution.values import VariableValues
    from strawberry import Schema

KINDS = {
    OperationType.QUERY: StrawberryType.QUERY,
    OperationType.MUTATION: StrawberryType.MUTATION,
}
VARIANTS = 16
"""How many choices of included fields are kept for one operation."""


class Plan:
    """One operation with one choice of included fields."""

    def __init__(self, strawberry: Schema, selections: Selections, root: GraphQLObjectType) -> None:
        self.strawberry = strawberry
        self.schema = selections.schema
        self.selections = selections
        self.root = Objects(self, root, selections.of_root(root), None)
        self.is_serial = selections.operation.operation is OperationType.MUTATION


class Operation:
    """A valid operation of a document."""

    def __init__(
        self, strawberry: Schema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        root = strawberry._schema.get_root_type(operation.operation)  # noqa: SLF001 (it has no public name)
        if root is None or operation.operation is OperationType.SUBSCRIPTION:
            raise NotCompilableError("subscriptions")
        self.document = document
        self.node = operation
        self.kind = KINDS[operation.operation]
        self.name = None if operation.name is None else operation.name.value
        self.schema = strawberry._schema  # noqa: SLF001
        self.executor = strawberry.execution_context_class
        self._strawberry = strawberry
        self._root = root
        self._conditions = conditions(document)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def plan(self, variables: VariableValues) -> Plan:
        """Return the plan for these variables, made when its choice of fields is first asked for."""
        choice = tuple(variables.coerced.get(name) for name in self._conditions)
        plan = self._plans.get(choice)
        if plan is None:
            selections = Selections(self.schema, self.document, self.node, variables)
            plan = Plan(self._strawberry, selections, self._root)
            if len(self._plans) >= VARIANTS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[choice] = plan
        return plan
