"""Documents between their text and their execution: measured, parsed and validated once, and kept for the next time.

What is kept is bounded by the bytes that it takes, and by nothing that a client could choose.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
)
from strawberry.extensions import SchemaExtension

from execution.limits import Limits, exceeded
from execution.measure import Measure, Measured, Sizes, longest_list
from execution.validity import errors_in

if TYPE_CHECKING:
    from strawberry.types import ExecutionContext

    from execution.plan import Operation

KEPT_BYTES = 16 * 1024 * 1024
TOKEN_BYTES = 800
"""What a token takes as a part of a parsed document, more or less."""
CHARACTER_BYTES = 4
SHORT_CHARACTERS, SHORT_TOKENS = 2_000, 200
"""What is looked at before its turn has no more."""
PAGES_KEPT = 16
"""How many measurements of one document are kept: each size of a page is one."""
_TOO_MANY_TOKENS = "Document contains more than"


@dataclass(slots=True)
class Document:
    """A document that was parsed, what GraphQL's own rules found wrong with it, and what was counted."""

    parsed: DocumentNode
    errors: list[GraphQLError]
    bytes: int
    used: tuple[str, ...] = ()
    measured: dict[tuple[Any, ...], list[Measured]] = field(default_factory=dict)
    compiled: dict[str | None, Operation | None] = field(default_factory=dict)
    within: tuple[list[Measured], Limits] | None = None
    """What was counted, and the limits within which it was found."""
    declared: set[str] | None = None
    """The names of all variables."""
    notes: dict[Any, bool] = field(default_factory=dict)
    """What others found out about it."""


class Documents:
    """Prepares documents for one schema. `secrets` are the mutations of which a request has one at most."""

    def __init__(
        self, schema: GraphQLSchema, *, secrets: Iterable[str] = (), kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._schema = schema
        self._sizes = Sizes.of(schema)
        self._secrets = frozenset(secrets)
        self._most = kept_bytes
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._wrong: tuple[Any, ...] = ()
        self.bytes = 0

    def prepare(
        self, text: str, variables: Mapping[str, Any] | None, limits: Limits, rules: tuple[Any, ...]
    ) -> tuple[Document, list[Measured]]:
        """Return the document and what each of its operations counts.

        Raises the error of the limit that is exceeded, or of what does not parse. What GraphQL's rules have against it is in the
        document's `errors`.
        """
        given = variables or {}
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            measured = self._measured(known, given)
            _check(known, measured, given, limits)
            return known, measured
        # Whoever is told that something is wrong mostly asks once more what it is.
        asked = text, variables, limits, rules
        last, self._wrong = self._wrong, ()
        if last and all(one is other for one, other in zip(last[0], asked, strict=True)):
            if isinstance(last[1], GraphQLError):
                raise last[1]
            return last[1]  # type: ignore[no-any-return]  # what stands below
        try:
            document, measured = self._new(text, given, limits, rules)
        except GraphQLError as error:
            self._wrong = asked, error.with_traceback(None)
            raise
        if document.errors:
            self._wrong = asked, (document, measured)
        else:
            self._keep(text, document)
        return document, measured

    def _new(
        self, text: str, given: Mapping[str, Any], limits: Limits, rules: tuple[Any, ...]
    ) -> tuple[Document, list[Measured]]:
        parsed = _parse(text, limits)
        document = Document(parsed, [], len(text) * CHARACTER_BYTES + parsed.token_count * TOKEN_BYTES)
        measured = self._measured(document, given)
        _check(document, measured, given, limits)
        document.errors = errors_in(self._schema, parsed, rules)
        return document, measured

    def known(self, text: str) -> Document | None:
        """Return a document that was found valid and is kept."""
        return self._kept.get(text)

    def roots(self, text: str, variables: Mapping[str, Any] | None, cost: int) -> frozenset[str]:
        """Return the fields that all operations of a document consist of, where none costs more than this; else nothing.

        A document that is not known need not be valid, but short.
        """
        known = self._kept.get(text) or _short(text)
        if known is None or any(
            each.counted["cost"] > cost for each in self._measured(known, variables or {})
        ):
            return frozenset()
        operations = [each for each in known.parsed.definitions if isinstance(each, OperationDefinitionNode)]
        chosen = [each for operation in operations for each in operation.selection_set.selections]
        fields = [each.name.value for each in chosen if isinstance(each, FieldNode)]
        return frozenset(fields) if len(fields) == len(chosen) else frozenset()

    def _measured(self, document: Document, given: Mapping[str, Any]) -> list[Measured]:
        key = tuple(_size(given.get(name)) for name in document.used)
        found = document.measured.get(key) if document.measured else None
        if found is None:
            measure = Measure(self._schema, document.parsed, given, secrets=self._secrets, sizes=self._sizes)
            found = measure.operations
            document.used = tuple(sorted(measure.used))
            if len(document.measured) < PAGES_KEPT:
                document.measured[tuple(_size(given.get(name)) for name in document.used)] = found
        return found

    def _keep(self, text: str, document: Document) -> None:
        if document.bytes > self._most:
            return
        self._kept[text] = document
        self.bytes += document.bytes
        while self.bytes > self._most:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.bytes
            for operation in oldest.compiled.values():
                if operation is not None:
                    operation.forget()


def _size(value: object) -> object:
    """Return what a variable's value does to what is counted."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parse(text: str, limits: Limits) -> DocumentNode:
    if len(text) > limits.characters:
        raise exceeded("characters", len(text), limits.characters)
    try:
        return _forwards(parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.comments))
    except GraphQLSyntaxError as error:
        if not error.message.startswith(f"Syntax Error: {_TOO_MANY_TOKENS}"):
            raise
        # Reading ends at the first one too many.
        name = "comments" if error.message.endswith("comments. Parsing aborted.") else "tokens"
    allowed: int = getattr(limits, name)
    raise exceeded(name, allowed + 1, allowed)


def _forwards(document: DocumentNode) -> DocumentNode:
    """Return a parsed document whose tokens lead forwards alone: a circle stays until garbage is looked for, which is seldom."""
    token = None if document.loc is None else document.loc.start_token
    while token is not None:
        token.prev = None
        token = token.next
    return document


def _short(text: str) -> Document | None:
    """Return a short document that was parsed and nothing else."""
    if len(text) > SHORT_CHARACTERS:
        return None
    try:
        return Document(parse(text, max_lexical_tokens=SHORT_TOKENS), [], 0)
    except GraphQLError:
        return None


def _check(document: Document, measured: list[Measured], given: Mapping[str, Any], limits: Limits) -> None:
    # Mostly the same as last time.
    if document.within is None or document.within[0] is not measured or document.within[1] is not limits:
        for operation in measured:
            limits.check(operation.counted)
        document.within = measured, limits
    if given:
        declared = document.declared
        if declared is None:
            declared = document.declared = {
                variable.variable.name.value
                for each in document.parsed.definitions
                for variable in getattr(each, "variable_definitions", None) or ()
            }
        longest = longest_list([value for name, value in given.items() if name in declared])
        if longest > limits.list_items:
            raise exceeded("list_items", longest, limits.list_items)


class Prepared(SchemaExtension):
    """Has Strawberry execute what `Documents` prepared. The context carries `limits`, and is told the `cost`.

    Goes first into a schema's extensions, before whatever else looks at a document.
    """

    def on_parse(self) -> Iterator[None]:
        """Take the parsed document. Raises a GraphQLError where a limit is exceeded or the text does not parse."""
        execution = self.execution_context
        document, measured = self._prepare(execution)
        execution.graphql_document = document.parsed
        execution.context.cost = cost_of(measured, execution.operation_name)
        self._errors = document.errors
        yield

    def on_validate(self) -> Iterator[None]:
        """Tell what GraphQL's own rules found."""
        self.execution_context.pre_execution_errors = [*self._errors]
        yield

    @staticmethod
    def _prepare(execution: ExecutionContext) -> tuple[Document, list[Measured]]:
        documents: Documents = execution.schema.documents  # type: ignore[attr-defined]  # a schema that has them
        return documents.prepare(
            execution.query or "", execution.variables, execution.context.limits, execution.validation_rules
        )


def cost_of(measured: Iterable[Measured], name: str | None) -> dict[str, int] | None:
    """Return what was counted of an operation."""
    return next((each.counted for each in measured if each.name == name), None)
