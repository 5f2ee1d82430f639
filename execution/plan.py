"""An operation made ready to be run: its selection, its shapes, and the plans for each choice of included fields."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, OperationDefinitionNode, OperationType
from strawberry.types.graphql import OperationType as StrawberryType

from execution.inputs import Variables
from execution.selections import Selections, conditions
from execution.shapes import Objects
from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import DocumentNode
    from graphql.execution.values import VariableValues
    from strawberry import Schema

KINDS = {
    OperationType.QUERY: StrawberryType.QUERY,
    OperationType.MUTATION: StrawberryType.MUTATION,
}


class Plan:
    """One operation with one choice of included fields. `fields` is how many it has, and so its size.

    Its parts lead to each other in circles. When it is no longer kept, and no run is under way, it undoes them itself: else it
    would stay until the next search for garbage, which comes seldom.
    """

    def __init__(self, strawberry: Schema, selections: Selections, root: GraphQLObjectType) -> None:
        self.strawberry = strawberry
        self.schema = selections.schema
        self.selections = selections
        self.fields = 0
        self.root = Objects(self, root, selections.of_root(root), None)
        self.is_single = len(self.root.members) == 1
        self._runs = 0
        self._is_over = False
        self.is_serial = selections.operation.operation is OperationType.MUTATION

    def enter(self) -> None:
        """A run begins."""
        self._runs += 1

    def leave(self) -> None:
        """It has ended."""
        self._runs -= 1
        if self._is_over and not self._runs:
            self.root.clear()

    def end(self) -> None:
        """Nobody will be given the plan any more."""
        self._is_over = True
        if not self._runs:
            self.root.clear()


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
        self.variables = Variables(self.schema, operation)
        self.executor = strawberry.execution_context_class
        self._strawberry = strawberry
        self._root = root
        self._conditions = conditions(document)
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self._kept: Kept | None = None

    def plan(self, variables: VariableValues, kept: Kept) -> Plan:
        """Return the plan for these variables, made when its choice of fields is first asked for."""
        choice = tuple(variables.coerced.get(name) for name in self._conditions)
        plan = self.plans.get(choice)
        if plan is None:
            selections = Selections(self.schema, self.document, self.node, variables)
            plan = self.plans[choice] = Plan(self._strawberry, selections, self._root)
            self._kept = kept
            kept.add(plan, lambda: self.plans.pop(choice, None))
        else:
            kept.touch(plan)
        return plan

    def forget(self) -> None:
        """Have no plan kept: the document is not kept any more either."""
        for plan in tuple(self.plans.values()):
            if self._kept is not None:
                self._kept.drop(plan)


class Kept:
    """The plans of all operations, the one last used at the end; the first go when there are too many fields in all."""

    def __init__(self, most_fields: int) -> None:
        self._most = most_fields
        self._plans: OrderedDict[Plan, tuple[int, Callable[[], object]]] = OrderedDict()
        self.fields = 0

    def add(self, plan: Plan, forget: Callable[[], object]) -> None:
        """Keep a plan until `forget` takes it from its operation."""
        self._plans[plan] = plan.fields, forget
        self.fields += plan.fields
        while self.fields > self._most:
            self.drop(next(iter(self._plans)))

    def drop(self, plan: Plan) -> None:
        """Keep a plan no longer. It counts as much as when it came, whatever was added to it since."""
        found = self._plans.pop(plan, None)
        if found is not None:
            fields, forget = found
            self.fields -= fields
            forget()
            plan.end()

    def touch(self, plan: Plan) -> None:
        """Note that a plan was used; one that is no longer kept serves whoever holds it."""
        if plan in self._plans:
            self._plans.move_to_end(plan)
