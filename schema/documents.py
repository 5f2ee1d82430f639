"""What is asked of a document beside GraphQL's own validation, and what the log learns of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    Visitor,
    get_operation_ast,
    visit,
)
from strawberry.extensions import SchemaExtension

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTROSPECTION = re.compile(r"__(?:schema|type)\b")
_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation of a document that is executed: `query`, `mutation` or `subscription`, and its name if any."""

    kind: str
    name: str | None


class OneOperation(SchemaExtension):
    """Refuses a document that does not say which operation is meant, and introspection where it is switched off.

    Goes behind every other extension that validates.
    """

    def on_validate(self) -> Iterator[None]:
        """Look at a document that GraphQL's own rules found nothing wrong with."""
        execution = self.execution_context
        document = execution.graphql_document
        if document is not None and not execution.pre_execution_errors:
            context = execution.context
            # Strawberry's own property falls back to the document's first operation.
            asked = execution._provided_operation_name  # noqa: SLF001 (it has no public name)
            error = _ambiguous(document, asked) or (
                None if context.introspection else _introspects(document, execution.query or "")
            )
            if error is not None:
                execution.pre_execution_errors = [error]
            elif (node := get_operation_ast(document, execution.operation_name)) is not None:
                context.operation = named(node)
        yield


def named(node: OperationDefinitionNode) -> Operation:
    """Return what the log learns of an operation."""
    name = None if node.name is None else node.name.value[:_NAME_LENGTH]
    return Operation(node.operation.value, name)


def _ambiguous(document: DocumentNode, name: str | None) -> GraphQLError | None:
    if name is not None:
        return None
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) == 1:
        return None
    return GraphQLError("A document with several operations needs an operationName.", operations)


def _introspects(document: DocumentNode, text: str) -> GraphQLError | None:
    if not _INTROSPECTION.search(text):
        return None
    found = _Introspection()
    visit(document, found)
    return None if found.field is None else GraphQLError("Introspection is switched off.", found.field)


class _Introspection(Visitor):
    """Finds the first field that asks for the schema."""

    field: FieldNode | None = None

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Look at the field's name."""
        if self.field is None and _INTROSPECTION.fullmatch(node.name.value):
            self.field = node
