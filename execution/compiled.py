"""Compiled execution: an operation is parsed, validated and made ready once, and run for every later request.

The first request of a document goes Strawberry's whole way, with every extension and every rule; when the document was
found valid, `Compiling` takes it over, and what it was compiled to stays with the document (`execution.documents`). Later
ones skip all that but the limits. Where an answer would have an error, GraphQL's own executor makes it: so errors are
its own, to the letter, and the compiled way has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult as GraphQLResult
from graphql import get_operation_ast
from graphql.execution.values import get_variable_values
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionResult

from execution.plan import Kept, Operation
from execution.running import Run, mutate, replay
from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from strawberry import Schema

    from execution.documents import Document

MOST_ERRORS = 50
MOST_FIELDS = 50_000
"""Of all plans together; a field takes about a kilobyte."""

COMPILED, REPLAYED, NOT_COMPILED = "compiled", "replayed", "not compiled"


class Compiled:
    """The operations of one schema that are ready. `counts` says how many requests were executed in which way.

    `renew` makes a context as if nothing had been asked of it, before an operation is executed once more.
    """

    def __init__(self, renew: Callable[[Any], None] = lambda _: None, *, enabled: bool = True) -> None:
        self._renew = renew
        self._kept = Kept(MOST_FIELDS)
        self.enabled = enabled
        self.counts = dict.fromkeys((COMPILED, REPLAYED, NOT_COMPILED), 0)

    @property
    def kept_fields(self) -> int:
        """How many fields all plans have together."""
        return self._kept.fields

    def find(self, document: Document | None, name: str | None) -> Operation | None:
        """Return the operation that a known document was compiled to, None where there is none."""
        return document.compiled.get(name) if self.enabled and document is not None else None

    def learn(self, schema: Schema, document: Document, name: str | None) -> Operation | None:
        """Return the operation of a valid document, compiled; None where it can't be."""
        if name not in document.compiled:
            node = get_operation_ast(document.parsed, name)
            try:
                operation = None if node is None else Operation(schema, document.parsed, node)
            except NotCompilableError:
                operation = None
            document.compiled[name] = operation
        return document.compiled[name]

    async def run(
        self,
        operation: Operation,
        variables: dict[str, Any] | None,
        context: Any,
    ) -> GraphQLResult | dict[str, Any]:
        """Run an operation; return a query's data or, where something went wrong and of mutations, a result."""
        definitions = operation.node.variable_definitions or ()
        coerced = get_variable_values(operation.schema, definitions, variables or {}, MOST_ERRORS)
        way = REPLAYED
        if not isinstance(coerced, list):
            try:
                run = Run(operation.plan(coerced, self._kept), coerced, context)
            except NotCompilableError:
                way = NOT_COMPILED
            else:
                if run.plan.is_serial:
                    result = await mutate(run, operation, variables)
                    self.counts[REPLAYED if result.errors else COMPILED] += 1
                    return result
                try:
                    data = await run.query()
                except Exception:  # noqa: BLE001, S110 (whatever it is, the executor says it in GraphQL's words)
                    pass
                else:
                    self.counts[COMPILED] += 1
                    return data
        self.counts[way] += 1
        # What is only read is read again: which of two errors is told may hang on which comes first.
        self._renew(context)
        return await replay(operation, variables, context)


class Compiling(SchemaExtension):
    """Runs a valid operation the compiled way within Strawberry's own. Goes behind every other extension."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    async def on_execute(self) -> AsyncIterator[None]:
        """Set the result, where the operation can be compiled."""
        execution = self.execution_context
        schema: Any = execution.schema
        known = schema.documents.known(execution.query or "") if self._compiled.enabled else None
        if known is not None and execution.result is None:
            name = execution._provided_operation_name  # noqa: SLF001 (it has no public name)
            operation = self._compiled.learn(schema, known, name)
            if operation is None:
                self._compiled.counts[NOT_COMPILED] += 1
            else:
                done = await self._compiled.run(operation, execution.variables, execution.context)
                execution.result = GraphQLResult(done, None) if isinstance(done, dict) else done
        yield


async def execute(
    compiled: Compiled,
    schema: Schema,
    operation: Operation,
    variables: dict[str, Any] | None,
    context: Any,
) -> ExecutionResult:
    """Execute a compiled operation as the schema itself would."""
    done = await compiled.run(operation, variables, context)
    if isinstance(done, dict):
        return ExecutionResult(data=done, errors=None)
    if done.errors:
        schema._process_errors(done.errors, None)  # noqa: SLF001 (it has no public name)
    return ExecutionResult(data=done.data, errors=done.errors)
