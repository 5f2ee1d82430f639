"""Compiled execution: an operation is parsed, validated and made ready once, and run for every later request.

A schema asks `Compiled.ready` first: a document that is valid, known or not, is compiled and run without anything of Strawberry's
between, and what it was compiled to stays with it (`execution.documents`). Whatever else comes goes Strawberry's whole way, with
every extension and every rule, which says what is wrong; there `Compiling` takes over what can be compiled all the same. Where an
answer would have an error, GraphQL's own executor makes it: so errors are its own, to the letter, and the compiled way has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLError, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionResult

from execution.documents import cost_of
from execution.plan import Kept, Operation
from execution.running import Run, mutate, replay
from execution.trouble import NotCompilableError
from execution.validity import RULES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from strawberry import Schema

    from execution.documents import Document
    from execution.limits import Limits

MOST_FIELDS = 20_000
"""Of all plans together; a field takes about a kilobyte."""

COMPILED, REPLAYED, NOT_COMPILED = "compiled", "replayed", "not compiled"


class Ready(NamedTuple):
    """An operation that can be run, and what was counted of it."""

    operation: Operation
    cost: dict[str, int] | None


class Compiled:
    """The operations of one schema that are ready. `counts` says how many requests were executed in which way.

    `renew` makes a context as if nothing had been asked of it, before an operation is executed once more. `begin_alone` tells
    a context that a query has a single field at its root: until that is resolved no other is asked.
    """

    def __init__(
        self,
        renew: Callable[[Any], None] = lambda _: None,
        begin_alone: Callable[[Any], None] = lambda _: None,
        *,
        enabled: bool = True,
    ) -> None:
        self._renew = renew
        self._begin_alone = begin_alone
        self._kept = Kept(MOST_FIELDS)
        self.enabled = enabled
        self.counts = dict.fromkeys((COMPILED, REPLAYED, NOT_COMPILED), 0)

    @property
    def kept_fields(self) -> int:
        """How many fields all plans have together."""
        return self._kept.fields

    def ready(
        self, schema: Any, text: str, variables: dict[str, Any] | None, limits: Limits, name: str | None
    ) -> Ready | None:
        """Return the operation of a document that is valid and asks for no more than the limits; None for any other.

        What is to be said of any other, Strawberry's own way says.
        """
        if not self.enabled:
            return None
        try:
            document, measured = schema.documents.prepare(text, variables, limits, RULES)
        except GraphQLError:
            return None
        operation = None if document.errors else self.learn(schema, document, name)
        return None if operation is None else Ready(operation, cost_of(measured, operation.name))

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
        coerced = operation.variables.take(variables or {})
        way = REPLAYED
        if not isinstance(coerced, list):
            try:
                plan = operation.plan(coerced, self._kept)
            except NotCompilableError:
                way = NOT_COMPILED
            else:
                run = Run(plan, coerced, context)
                plan.enter()
                try:
                    if plan.is_serial:
                        result = await mutate(run, operation, variables)
                        self.counts[REPLAYED if result.errors else COMPILED] += 1
                        return result
                    if plan.is_single:
                        self._begin_alone(context)
                    data = await run.query()
                except Exception:
                    # Whatever it is, the executor says it in GraphQL's words.
                    if plan.is_serial:
                        raise
                else:
                    self.counts[COMPILED] += 1
                    return data
                finally:
                    plan.leave()
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
