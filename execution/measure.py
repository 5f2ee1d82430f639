"""Measures the operations of a document, before validation, in time linear in the document.

A fragment is measured once, however often it is spread. Nothing is refused here but what limits say: fragments
that spread themselves or are not there, fields and types that the schema does not know count as what they are
written as, and are left to validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_object_type,
)

T = TypeVar("T")

PAGE = ("first", "last")
"""The arguments that say how many entries of a list are asked for."""
WRAPPED = ("__Type", "ofType")
"""Every second type at the most is wrapped in another, and so on: introspection asks nine times."""
MOST = 2**31 - 1
"""Nothing is counted beyond this: fragments within fragments would make numbers as long as the document."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many entries a list is taken to have: a page that does not say, any other list, lists of introspection by field."""

    page: int = 50
    other: int = 3
    introspection: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: GraphQLSchema, *, page: int = 50) -> Sizes:
        """Return the sizes for a schema: its own lists have the length that they have on the whole."""
        types = [each for each in schema.type_map.values() if is_object_type(each)]
        columns = [column for each in types for column in each.fields.values()]
        arguments = sum(len(column.args) for column in columns)
        named = len(schema.type_map)
        return cls(
            page=page,
            introspection={
                "__Schema.types": named,
                "__Schema.directives": len(schema.directives),
                "__Type.fields": _mean(len(columns), named),
                "__Field.args": _mean(arguments, len(columns)),
            },
        )


def _mean(total: int, of: int) -> int:
    return max(1, round(total / max(1, of)))


@dataclass(slots=True)
class _Count:
    """What a selection has. What `each` costs comes once for every entry of the list that it is selected of."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    directives_at_once: int = 0
    list_items: int = 0
    cost: int = 0
    each: int = 0

    def add(self, other: _Count) -> None:
        self.depth = max(self.depth, other.depth)
        self.fields = min(MOST, self.fields + other.fields)
        self.aliases = min(MOST, self.aliases + other.aliases)
        self.directives = min(MOST, self.directives + other.directives)
        self.directives_at_once = max(self.directives_at_once, other.directives_at_once)
        self.list_items = max(self.list_items, other.list_items)
        self.cost = min(MOST, self.cost + other.cost)
        self.each = min(MOST, self.each + other.each)

    def leaf(self, node: FieldNode) -> None:
        """Add a field without arguments and anything below it: of whichever type, it is one."""
        self.depth = self.depth or 1
        self.fields = min(MOST, self.fields + 1)
        self.cost = min(MOST, self.cost + 1)
        if node.alias is not None:
            self.aliases = min(MOST, self.aliases + 1)
        if node.directives:
            self.direct(node.directives)

    def direct(self, directives: Sequence[DirectiveNode] | None) -> None:
        """Count the directives on one place."""
        number = len(directives or ())
        self.directives += number
        self.directives_at_once = max(self.directives_at_once, number)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted of one operation, by the names of `Limits`."""

    name: str | None
    counted: dict[str, int]


class Measure:
    """One pass over a document. `used` names the variables that what was counted depends on."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        *,
        secrets: frozenset[str] = frozenset(),
        sizes: Sizes | None = None,
    ) -> None:
        self.used: set[str] = set()
        self._schema = schema
        self._secrets = secrets
        self._sizes = sizes or Sizes.of(schema)
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        operations: list[OperationDefinitionNode] = []
        for each in document.definitions:
            if isinstance(each, OperationDefinitionNode):
                operations.append(each)
            elif isinstance(each, FragmentDefinitionNode):
                self._fragments.setdefault(each.name.value, each)
        self._order = _in_order(self._fragments)
        # Of a variable with several defaults the greatest counts, so that a fragment costs one number in all operations.
        self._variables = {**_defaults(operations), **variables}
        self._done: dict[str, _Count] = {}
        self._roots: dict[str, tuple[int, int]] = {}
        for name in self._order:
            self._done[name] = self._fragment(self._fragments[name])
            self._roots[name] = self._direct(self._fragments[name].selection_set)
        self.operations = [self._operation(each) for each in operations]

    def _operation(self, node: OperationDefinitionNode) -> Measured:
        root = self._schema.get_root_type(node.operation)
        count = self._selection(node.selection_set, root)
        fields, secrets = self._direct(node.selection_set)
        count.direct(node.directives)
        for variable in node.variable_definitions or ():
            count.direct(variable.directives)
            if variable.default_value is not None:
                count.list_items = max(count.list_items, self._longest(variable.default_value))
        counted = {
            "depth": count.depth,
            "fields": count.fields,
            "aliases": count.aliases,
            "directives": count.directives,
            "directives_at_once": count.directives_at_once,
            "list_items": count.list_items,
            "cost": min(MOST, count.cost + count.each),
            "root_fields": fields,
            "secrets": secrets if node.operation is OperationType.MUTATION else 0,
        }
        return Measured(None if node.name is None else node.name.value, counted)

    def _direct(self, node: SelectionSetNode) -> tuple[int, int]:
        """Count the fields of a selection itself, through its fragments, and those of them that bear a secret."""
        fields = secrets = 0
        for each in node.selections:
            if isinstance(each, FieldNode):
                found = (1, int(each.name.value in self._secrets))
            elif isinstance(each, InlineFragmentNode):
                found = self._direct(each.selection_set)
            else:
                found = self._roots.get(_spread(each), (0, 0))
            fields, secrets = min(MOST, fields + found[0]), min(MOST, secrets + found[1])
        return fields, secrets

    def _fragment(self, node: FragmentDefinitionNode) -> _Count:
        count = self._selection(node.selection_set, self._schema.get_type(node.type_condition.name.value))
        count.direct(node.directives)
        return count

    def _selection(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> _Count:
        count = _Count()
        for each in node.selections:
            if isinstance(each, FieldNode):
                if each.selection_set is None and not each.arguments:
                    count.leaf(each)
                else:
                    count.add(self._field(each, parent))
            elif isinstance(each, InlineFragmentNode):
                condition = each.type_condition
                inside = parent if condition is None else self._schema.get_type(condition.name.value)
                found = self._selection(each.selection_set, inside)
                found.direct(each.directives)
                count.add(found)
            else:
                # One that spreads itself, or is not there, is left to validation.
                count.add(self._done.get(_spread(each), _Count()))
                count.direct(each.directives)
        return count

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Count:
        definition = self._definition(parent, node.name.value)
        of_list = definition is not None and is_list_type(get_nullable_type(definition.type))
        inside = _Count()
        if node.selection_set is not None:
            named = None if definition is None else get_named_type(definition.type)
            inside = self._selection(node.selection_set, named if is_composite_type(named) else None)
        size = self._size(node, parent, definition)
        count = _Count(
            depth=inside.depth + 1,
            fields=inside.fields + 1,
            aliases=inside.aliases + (node.alias is not None),
            directives=inside.directives,
            directives_at_once=inside.directives_at_once,
            list_items=inside.list_items,
            cost=1,
        )
        count.direct(node.directives)
        for argument in node.arguments or ():
            count.list_items = max(count.list_items, self._longest(argument.value))
        if parent is not None and (parent.name, node.name.value) == WRAPPED:
            count.cost = 1 + (inside.cost + inside.each) // 2
        elif not of_list:
            # Only lists are as long as the page that this field is one of: of anything else there is one.
            count.cost = min(MOST, 1 + inside.cost + inside.each * (size or 1))
        elif size is not None:
            count.cost = min(MOST, 1 + (inside.cost + inside.each) * size)
        else:
            count.each = min(MOST, inside.cost + inside.each)
        return count

    def _definition(self, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
        if parent is None or not is_composite_type(parent):
            return None
        return self._schema.get_field(parent, name)

    def _size(
        self, node: FieldNode, parent: GraphQLNamedType | None, definition: GraphQLField | None
    ) -> int | None:
        """Return how many entries there are at most: of a page as asked, of a list by what it is asked for; else None."""
        if parent is None or definition is None:
            return None
        arguments = {each.name.value: each for each in node.arguments or ()}
        pages = [name for name in PAGE if name in definition.args]
        if pages:
            asked = [self._number(arguments[name]) for name in pages if name in arguments]
            return max([each for each in asked if each is not None], default=self._sizes.page)
        if not is_list_type(get_nullable_type(definition.type)):
            return None
        known = self._sizes.introspection.get(f"{parent.name}.{node.name.value}")
        if known is not None:
            return known
        lists = [self._length(each) for name, each in arguments.items() if _takes_list(definition, name)]
        if lists:
            return max(lists)
        # Within a page the list of its entries is as long as the page; elsewhere a list has a few.
        return None if _is_page_list(parent, node.name.value) else self._sizes.other

    def _number(self, argument: ArgumentNode) -> int | None:
        """Return what a page's argument says, None where that is nothing."""
        value: object = None
        if isinstance(argument.value, IntValueNode):
            # A longer number is none that an Int holds.
            value = int(argument.value.value[:11])
        elif isinstance(argument.value, VariableNode):
            name = argument.value.name.value
            self.used.add(name)
            value = self._variables.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return min(MOST, max(1, value))

    def _length(self, argument: ArgumentNode) -> int:
        value = argument.value
        if isinstance(value, ListValueNode):
            return len(value.values)
        if isinstance(value, VariableNode):
            self.used.add(value.name.value)
            given = self._variables.get(value.name.value)
            return len(given) if isinstance(given, list) else 1
        return 1

    def _longest(self, value: ValueNode) -> int:
        """Return the length of the longest list that is written in a value."""
        if isinstance(value, ListValueNode):
            return max([len(value.values), *map(self._longest, value.values)])
        if isinstance(value, ObjectValueNode):
            return max((self._longest(each.value) for each in value.fields), default=0)
        return 0


def longest_list(values: Iterable[Any]) -> int:
    """Return the length of the longest list in what variables hold."""
    longest = 0
    pending = [*values]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            longest = max(longest, len(each))
            pending.extend(each)
        elif isinstance(each, dict):
            pending.extend(each.values())
    return longest


def _spread(node: SelectionNode) -> str:
    return node.name.value if isinstance(node, FragmentSpreadNode) else ""


def _defaults(operations: Iterable[OperationDefinitionNode]) -> dict[str, Any]:
    """Return what variables are when they are not given: numbers and lists, which is what is counted."""
    found: dict[str, Any] = {}
    for variable in (each for node in operations for each in node.variable_definitions or ()):
        name, value = variable.variable.name.value, variable.default_value
        if isinstance(value, IntValueNode):
            found[name] = max(int(value.value[:11]), _or(found.get(name), 0))
        elif isinstance(value, ListValueNode):
            found[name] = max([*value.values], _or(found.get(name), []), key=len)
    return found


def _or(found: Any, other: T) -> T:
    return found if isinstance(found, type(other)) else other


def _takes_list(definition: GraphQLField, name: str) -> bool:
    argument = definition.args.get(name)
    return argument is not None and is_list_type(get_nullable_type(argument.type))


def _is_page_list(parent: GraphQLNamedType, name: str) -> bool:
    return parent.name.endswith("Connection") and name in {"nodes", "edges"}


def _in_order(fragments: Mapping[str, FragmentDefinitionNode]) -> list[str]:
    """Return the names of the fragments, each after those that it spreads; a way back into a circle is left out."""
    spreads = {name: _spreads(node.selection_set) for name, node in fragments.items()}
    order: list[str] = []
    seen: set[str] = set()
    for start in fragments:
        if start in seen:
            continue
        seen.add(start)
        way = [(start, iter(spreads[start]))]
        while way:
            name, rest = way[-1]
            for each in rest:
                if each in spreads and each not in seen:
                    seen.add(each)
                    way.append((each, iter(spreads[each])))
                    break
            else:
                order.append(name)
                way.pop()
    return order


def _spreads(node: SelectionSetNode) -> list[str]:
    """Return the names of the fragments that are spread anywhere in a selection."""
    found: list[str] = []
    pending = [node]
    while pending:
        for each in pending.pop().selections:
            if isinstance(each, FragmentSpreadNode):
                found.append(each.name.value)
            elif isinstance(each, FieldNode | InlineFragmentNode) and each.selection_set is not None:
                pending.append(each.selection_set)
    return found
