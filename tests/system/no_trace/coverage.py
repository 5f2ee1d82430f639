"""Which parts of the schema were answered with something: so that the fuzzer can't become blind without anybody's noticing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
)

from tests.system.no_trace.parsing import parsed

Composite = GraphQLObjectType | GraphQLInterfaceType


class Coverage:
    """Counts what was drawn and answered: fields with a value, arguments of such fields, mutations that were done."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.fields: Counter[str] = Counter()
        self.arguments: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()

    def add(self, other: "Coverage") -> None:
        """Count what was counted elsewhere."""
        self.fields += other.fields
        self.arguments += other.arguments
        self.codes += other.codes
        self.operations += other.operations

    def all_fields(self) -> set[str]:
        """Every field of every type of the schema, as `Type.field`."""
        return {f"{kind.name}.{name}" for kind in self._objects() for name in kind.fields}

    def all_arguments(self) -> set[str]:
        """Every argument of every field, as `Type.field(argument)`."""
        return {
            f"{kind.name}.{name}({argument})"
            for kind in self._objects()
            for name, definition in kind.fields.items()
            for argument in definition.args
        }

    def _objects(self) -> Iterator[GraphQLObjectType]:
        for name, kind in self._schema.type_map.items():
            if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
                yield kind

    def note(self, document: str, data: Mapping[str, Any] | None) -> None:
        """Count what an answer has of what was asked."""
        tree = parsed(document)
        roots: dict[OperationType, GraphQLObjectType | None] = {
            OperationType.QUERY: self._schema.query_type,
            OperationType.MUTATION: self._schema.mutation_type,
            OperationType.SUBSCRIPTION: self._schema.subscription_type,
        }
        for definition in tree.definitions:
            if isinstance(definition, OperationDefinitionNode):
                root = roots[definition.operation]
                self.operations[definition.operation.value] += 1
                if root is not None and data is not None:
                    self._walk(tree, root, definition.selection_set, data)

    def _walk(
        self, tree: DocumentNode, kind: Composite, selection: SelectionSetNode, value: Mapping[str, Any]
    ) -> None:
        runtime = self._schema.type_map.get(value.get("__typename", kind.name), kind)
        if not isinstance(runtime, GraphQLObjectType | GraphQLInterfaceType):
            return
        for node in selection.selections:
            if isinstance(node, FieldNode):
                self._field(tree, runtime, node, value)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._fits(condition.name.value, runtime):
                    self._walk(tree, runtime, node.selection_set, value)
            elif isinstance(node, FragmentSpreadNode):
                fragment = next(
                    each
                    for each in tree.definitions
                    if isinstance(each, FragmentDefinitionNode) and each.name.value == node.name.value
                )
                if self._fits(fragment.type_condition.name.value, runtime):
                    self._walk(tree, runtime, fragment.selection_set, value)

    def _fits(self, name: str, runtime: Composite) -> bool:
        return name == runtime.name or name in {each.name for each in runtime.interfaces}

    def _field(self, tree: DocumentNode, kind: Composite, node: FieldNode, value: Mapping[str, Any]) -> None:
        name = node.name.value
        found = value.get(node.alias.value if node.alias else name)
        if name.startswith("__") or name not in kind.fields or found is None:
            return
        if name == "code":
            self.codes[str(found)] += 1
        if kind is self._schema.mutation_type and found.get("errors") != []:
            # The errors count, the mutation does not: `Drawing` always asks for them.
            name = f"{name} refused"
        self.fields[f"{kind.name}.{name}"] += 1
        for argument in node.arguments or ():
            self.arguments[f"{kind.name}.{name}({argument.name.value})"] += 1
        named = get_named_type(kind.fields[node.name.value].type)
        if node.selection_set is not None and is_composite_type(named):
            for each in _flat(found):
                self._walk(tree, named, node.selection_set, each)  # type: ignore[arg-type]


def _flat(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 (any JSON)
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, dict):
        yield value
