"""Tells of most valid documents that they are valid, in a fraction of the time that GraphQL's rules take.

One pass with one visit of each node stands for all the rules together. It says yes to a document only where each of the rules has
nothing against it; whatever is wrong, or is merely rare, it leaves to the rules, so that every error is theirs. Rare are here:
several operations, subscriptions, introspection, directives other than `@skip` and `@include`, input objects of which one field
is to be given, and fields of the same key that differ, if only on types that exclude each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    VariableNode,
    do_types_overlap,
    get_named_type,
    is_composite_type,
    is_input_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    specified_rules,
    type_from_ast,
)
from graphql.utilities import validate_input_literal
from graphql.validation.rules.variables_in_allowed_position import allowed_variable_usage
from strawberry.schema.schema import validate_document
from strawberry.types.base import StrawberryMaybe

from execution.merging import TYPENAME, DoubtError, Level, Merging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import (
        ArgumentNode,
        ASTValidationRule,
        DocumentNode,
        GraphQLArgument,
        GraphQLError,
        GraphQLField,
        GraphQLInputType,
        GraphQLNamedType,
        GraphQLSchema,
        SelectionSetNode,
        ValueNode,
        VariableDefinitionNode,
    )

RULES = tuple(specified_rules)
"""The rules that are stood for, with those that Strawberry adds to them."""
MOST_FRAGMENTS = 50
DEFINITION = "strawberry-definition"


class _Usage(NamedTuple):
    """Where a variable stands."""

    name: str
    expected: GraphQLInputType
    default: Any


def errors_in(
    schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    """Return what these rules, and those that Strawberry adds, have against a document."""
    if rules == RULES and is_plainly_valid(schema, document):
        return []
    return validate_document(schema, document, rules)


def is_plainly_valid(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Whether no rule can have anything against a document; False where that is for the rules to say."""
    if (
        schema.get_directive("skip") is not GraphQLSkipDirective
        or schema.get_directive("include") is not GraphQLIncludeDirective
    ):
        return False
    try:
        _Validity(schema, document)
    except (DoubtError, RecursionError):
        return False
    return True


class _Validity:
    """Goes through a document and raises `DoubtError` at what is for the rules to judge."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._types = schema.type_map
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._usages: list[_Usage] = []
        self._spreads: dict[str, set[str]] = {}
        self._spread: set[str] = set()
        self._overlaps = False
        operation: OperationDefinitionNode | None = None
        for each in document.definitions:
            if isinstance(each, FragmentDefinitionNode) and each.name.value not in self._fragments:
                self._fragments[each.name.value] = each
            elif isinstance(each, OperationDefinitionNode) and operation is None:
                operation = each
            else:
                raise DoubtError
        if operation is None or len(self._fragments) > MOST_FRAGMENTS:
            raise DoubtError
        self._operation(operation)

    def _operation(self, node: OperationDefinitionNode) -> None:
        root = self._schema.get_root_type(node.operation)
        if root is None or node.operation is OperationType.SUBSCRIPTION or node.directives:
            raise DoubtError
        self._selection(node.selection_set, root, {})
        of_operation = self._spread
        for name, fragment in self._fragments.items():
            self._spread = self._spreads[name] = set()
            if fragment.directives or fragment.variable_definitions:
                raise DoubtError
            self._selection(fragment.selection_set, self._condition(fragment), {})
        self._check_spreads(of_operation)
        self._check_variables(node.variable_definitions or ())
        if self._overlaps:
            Merging(self._types, self._fragments).check([Level(node.selection_set, root)])

    # ---------------------------------------------------------------- selections

    def _selection(
        self, node: SelectionSetNode, parent: GraphQLNamedType, keys: dict[str, FieldNode]
    ) -> None:
        """Look at a selection. `keys` are those of its answer, so far."""
        if not node.selections:
            raise DoubtError
        is_union = not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        fields: Mapping[str, GraphQLField] = {} if is_union else parent.fields  # type: ignore[attr-defined]  # all others have them
        for each in node.selections:
            if each.directives:
                self._directives(each.directives)
            if isinstance(each, FieldNode):
                key = (each.alias or each.name).value
                if key in keys:
                    self._overlaps = True
                keys[key] = each
                self._field(each, fields)
            elif isinstance(each, InlineFragmentNode):
                inside = parent
                if each.type_condition is not None:
                    inside = self._condition(each)
                    self._check_overlap(inside, parent)
                self._selection(each.selection_set, inside, keys)
            elif isinstance(each, FragmentSpreadNode):
                fragment = self._fragments.get(each.name.value)
                if fragment is None or each.arguments:
                    raise DoubtError
                self._check_overlap(self._condition(fragment), parent)
                self._spread.add(each.name.value)
                self._overlaps = True
            else:
                raise DoubtError

    def _field(self, node: FieldNode, fields: Mapping[str, GraphQLField]) -> None:
        name = node.name.value
        definition = fields.get(name)
        if definition is None:
            if name != TYPENAME or node.arguments or node.selection_set is not None:
                raise DoubtError
            return
        if definition.args or node.arguments:
            self._arguments(node.arguments or (), definition.args)
        kind = get_named_type(definition.type)
        if is_leaf_type(kind):
            if node.selection_set is not None:
                raise DoubtError
        elif node.selection_set is None:
            raise DoubtError
        else:
            self._selection(node.selection_set, kind, {})

    def _condition(self, node: FragmentDefinitionNode | InlineFragmentNode) -> GraphQLNamedType:
        kind = None if node.type_condition is None else self._types.get(node.type_condition.name.value)
        if kind is None or not is_composite_type(kind):
            raise DoubtError
        return kind

    def _check_overlap(self, kind: GraphQLNamedType, parent: GraphQLNamedType) -> None:
        if kind is not parent and not do_types_overlap(self._schema, kind, parent):  # type: ignore[arg-type]  # both are composite
            raise DoubtError

    def _directives(self, nodes: Sequence[DirectiveNode]) -> None:
        names = {each.name.value for each in nodes}
        if len(names) != len(nodes) or not names <= {"skip", "include"}:
            raise DoubtError
        for each in nodes:
            self._arguments(each.arguments or (), GraphQLSkipDirective.args)

    def _check_spreads(self, of_operation: set[str]) -> None:
        """Every fragment is spread, and none within itself."""
        done: set[str] = set()
        way: set[str] = set()

        def follow(names: set[str]) -> None:
            for name in names:
                if name in way:
                    raise DoubtError
                if name not in done:
                    way.add(name)
                    follow(self._spreads[name])
                    way.discard(name)
                    done.add(name)

        follow(of_operation)
        if len(done) != len(self._fragments):
            raise DoubtError

    # ---------------------------------------------------------------- arguments, values and variables

    def _arguments(self, nodes: Sequence[ArgumentNode], known: Mapping[str, GraphQLArgument]) -> None:
        given = {each.name.value: each.value for each in nodes}
        if len(given) != len(nodes):
            raise DoubtError
        for name, argument in known.items():
            value = given.pop(name, None)
            if value is not None:
                if isinstance(value, NullValueNode) and _is_maybe(argument.extensions.get(DEFINITION)):
                    raise DoubtError
                default = argument.default if argument.default is not None else argument.default_value
                self._value(value, argument.type, default)
            elif is_required_argument(argument):
                raise DoubtError
        if given:
            raise DoubtError

    def _value(self, node: ValueNode, expected: GraphQLInputType, default: Any = Undefined) -> None:
        if isinstance(node, VariableNode):
            self._usages.append(_Usage(node.name.value, expected, default))
            return
        kind: Any = expected.of_type if isinstance(expected, GraphQLNonNull) else expected
        if isinstance(node, NullValueNode):
            if kind is not expected:
                raise DoubtError
        elif isinstance(node, ListValueNode):
            if not isinstance(kind, GraphQLList):
                raise DoubtError
            for each in node.values:
                self._value(each, kind.of_type)
        elif isinstance(node, ObjectValueNode):
            if not isinstance(kind, GraphQLInputObjectType) or _is_one_of(kind):
                raise DoubtError
            self._object(node, kind)
        elif is_leaf_type(kind):
            validate_input_literal(node, kind, _doubt)
        else:
            raise DoubtError

    def _object(self, node: ObjectValueNode, kind: GraphQLInputObjectType) -> None:
        given = {each.name.value: each.value for each in node.fields}
        if len(given) != len(node.fields):
            raise DoubtError
        if any(isinstance(each, NullValueNode) for each in given.values()) and _has_maybe(kind):
            raise DoubtError
        for name, field in kind.fields.items():
            value = given.pop(name, None)
            if value is not None:
                self._value(value, field.type)
            elif is_required_input_field(field):
                raise DoubtError
        if given:
            raise DoubtError

    def _check_variables(self, nodes: Sequence[VariableDefinitionNode]) -> None:
        """Every variable that is used is declared, the other way around, and fits where it stands."""
        declared: dict[str, tuple[Any, ValueNode | None]] = {}
        for each in nodes:
            kind = type_from_ast(self._schema, each.type)
            if each.directives or kind is None or not is_input_type(kind):
                raise DoubtError
            if each.default_value is not None:
                self._value(each.default_value, kind)
            declared[each.variable.name.value] = kind, each.default_value
        if len(declared) != len(nodes):
            raise DoubtError
        for usage in self._usages:
            found = declared.get(usage.name)
            if found is None:
                raise DoubtError
            if found[0] is not usage.expected and not allowed_variable_usage(
                self._schema, *found, usage.expected, usage.default
            ):
                raise DoubtError
        if len({usage.name for usage in self._usages}) != len(declared):
            raise DoubtError


def _is_one_of(kind: GraphQLInputObjectType) -> bool:
    # Strawberry says so by its own definition alone.
    return kind.is_one_of or getattr(kind.extensions.get(DEFINITION), "is_one_of", False) is True


def _is_maybe(definition: object) -> bool:
    """Whether this may be left out, and by a rule of Strawberry perhaps not be null."""
    return isinstance(getattr(definition, "type", None), StrawberryMaybe)


def _has_maybe(kind: GraphQLInputObjectType) -> bool:
    return any(map(_is_maybe, getattr(kind.extensions.get(DEFINITION), "fields", ())))


def _doubt(*_: object) -> None:
    raise DoubtError
