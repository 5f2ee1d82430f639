"""What an operation selects, object type by object type, decided once for all its requests.

GraphQL's own algorithm collects the fields (fragments, type conditions, merging, `@skip` and `@include`), so that a plan
has just the fields that its executor would have found. What depends on variables is the inclusion of fields alone:
`conditions` names these variables, and a plan holds for one choice of their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)

from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from graphql import DocumentNode
    from graphql.execution.values import VariableValues

INCLUSION = ("skip", "include")
INTROSPECTION = ("__schema", "__type")


@dataclass(frozen=True, slots=True)
class Selected:
    """One field of an answer: its key and the nodes that ask for it, at least one."""

    key: str
    details: list[FieldDetails]

    @property
    def nodes(self) -> list[FieldNode]:
        """Return the nodes, in the order of the document."""
        return [each.node for each in self.details]

    @property
    def name(self) -> str:
        """Return the field's name in the schema."""
        return self.details[0].node.name.value


class Selections:
    """The fields that one operation of a document selects, for one choice of the conditions' values."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self.schema = schema
        self.operation = operation
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._details = {name: FragmentDetails(each) for name, each in self.fragments.items()}
        self._variables = variables

    def of_root(self, root: GraphQLObjectType) -> list[Selected]:
        """Return the operation's own fields."""
        return _selected(collect_fields(self.schema, self._details, self._variables, root, self.operation))

    def of_object(self, parent: Selected, runtime: GraphQLObjectType) -> list[Selected]:
        """Return the fields below a field, of an object of this type."""
        return _selected(
            collect_subfields(
                self.schema, self._details, self._variables, self.operation, runtime, parent.details
            )
        )


def _selected(collected: CollectedFields) -> list[Selected]:
    if collected.new_defer_usages:
        raise NotCompilableError("@defer")
    return [Selected(key, details) for key, details in collected.grouped_field_set.items()]


def conditions(document: DocumentNode) -> tuple[str, ...]:
    """Return the names of the variables that decide which fields are included, in the order of their names.

    Raises `NotCompilableError` for a directive other than `@skip` and `@include`, for fragments with variables, and for
    introspection: whether it is allowed is asked for each request, on the way that is not compiled.
    """
    names: set[str] = set()
    pending: list[Any] = [*document.definitions]
    for definition in document.definitions:
        variables = getattr(definition, "variable_definitions", None) or ()
        if variables and isinstance(definition, FragmentDefinitionNode):
            raise NotCompilableError("variables of a fragment")
        pending += variables
    while pending:
        node = pending.pop()
        for directive in node.directives or ():
            names.update(_conditions(directive))
        if isinstance(node, FieldNode) and node.name.value in INTROSPECTION:
            raise NotCompilableError(node.name.value)
        selection: SelectionSetNode | None = getattr(node, "selection_set", None)
        if selection is not None:
            pending += selection.selections
    return tuple(sorted(names))


def _conditions(node: DirectiveNode) -> Iterator[str]:
    """Name the variables that a directive depends on."""
    if node.name.value not in INCLUSION:
        raise NotCompilableError(f"@{node.name.value}")
    for argument in node.arguments or ():
        if isinstance(argument.value, VariableNode):
            yield argument.value.name.value
        elif not isinstance(argument.value, BooleanValueNode):
            raise NotCompilableError(f"an argument of @{node.name.value}")
