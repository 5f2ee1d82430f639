"""One request's run of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from graphql import DocumentNode, ExecutionResult, OperationDefinitionNode, SelectionSetNode, execute
from graphql.execution import MiddlewareManager
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.utils.await_maybe import await_maybe

from execution.waiting import all_of

if TYPE_CHECKING:
    from graphql import FieldNode, GraphQLError
    from graphql.execution.values import VariableValues

    from execution.fields import Asked, Field
    from execution.members import Member
    from execution.plan import Operation, Plan


class Run:
    """The state of one request: its variables and context."""

    def __init__(self, plan: Plan, variables: VariableValues, context: Any) -> None:
        self.plan = plan
        self.variables = variables
        self.context = context
        self._asked: dict[Field, Asked] = {}

    def asked(self, field: Field) -> Asked:
        """Return what a field's resolver is called with."""
        asked = self._asked.get(field)
        if asked is None:
            asked = self._asked[field] = field.ask(self)
        return asked

    def begin(self) -> dict[str, Any]:
        """Return the operation's data without what has to be resolved."""
        data: dict[str, Any] = self.plan.root.begin(self, [None])[0]
        return data

    async def query(self) -> dict[str, Any]:
        """Return a query's data. Raises whatever is not as in an answer without errors."""
        data = self.begin()
        members = self.plan.root.members
        if len(members) == 1:
            await members[0].fill_async(self, [None], [data])
        elif members:
            await all_of([member.fill_async(self, [None], [data]) for member in members])
        return data


@dataclass(slots=True)
class Outcome:
    """What a root field's resolver gave: a value, or an exception; `is_there` once it has."""

    value: Any = None
    error: BaseException | None = None
    is_there: bool = False

    async def of(self, run: Run, member: Member) -> Any:
        """Resolve a root field, and keep what it gives."""
        try:
            self.value = (await member.values(run, [None]))[0]
        except Exception as error:
            self.error = error
            raise
        finally:
            self.is_there = True
        return self.value

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        """Stand before each resolver of the executor, and give for the root field what it gave before."""
        if info.path.prev is not None or not self.is_there:
            return next_(source, info, **arguments)
        if self.error is not None:
            raise self.error
        return self.value


async def mutate(run: Run, operation: Operation, raw_variables: dict[str, Any] | None) -> ExecutionResult:
    """Make the mutations of an operation one after the other, each of them once whatever becomes of its answer.

    The answer of one that has an error is made by GraphQL's own executor, of what the mutation gave.
    """
    data = run.begin()
    errors: list[GraphQLError] = []
    for member in run.plan.root.members:
        outcome = Outcome()
        key = member.field.key
        try:
            value = await outcome.of(run, member)
            data[key] = (await member.shape.complete_async(run, [value]))[0]
        except Exception:  # noqa: BLE001 (whatever it is, the executor says it in GraphQL's words)
            result = await replay(
                operation, raw_variables, run.context, nodes=member.field.selected.nodes, outcome=outcome
            )
            errors += result.errors or []
            if result.data is None:
                return ExecutionResult(None, errors)
            data[key] = result.data[key]
    return ExecutionResult(data, errors or None)


async def replay(
    operation: Operation,
    raw_variables: dict[str, Any] | None,
    context: Any,
    *,
    nodes: list[FieldNode] | None = None,
    outcome: Outcome | None = None,
) -> ExecutionResult:
    """Execute an operation by GraphQL's own executor: all of it, or the root field of `nodes` with the outcome that it had."""
    document, name = operation.document, operation.node.name
    if nodes is not None:
        alone = replace(operation.node, selection_set=SelectionSetNode(selections=tuple(nodes)))
        others = [each for each in document.definitions if not isinstance(each, OperationDefinitionNode)]
        document = DocumentNode(definitions=(alone, *others))
    result: ExecutionResult = await await_maybe(
        execute(
            operation.schema,
            document,
            middleware=None if outcome is None else MiddlewareManager(outcome),
            variable_values=raw_variables,
            operation_name=None if name is None else name.value,
            context_value=context,
            is_awaitable=cast("Any", optimized_is_awaitable),
            executor_class=cast("Any", operation.executor),
            operation_extensions=None,
        )
    )
    return result
