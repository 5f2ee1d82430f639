"""An SDL document as plain values: types, nullability and defaults exactly as they are printed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import (
    DirectiveDefinitionNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    Node,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    StringValueNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)

ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


@dataclass(frozen=True)
class Argument:
    """An argument or an input field. `default` is None where nothing is printed, `"null"` where null is."""

    type: str
    default: str | None

    @property
    def required(self) -> bool:
        """Whether a client that does not know it can no longer call."""
        return self.type.endswith("!") and self.default is None


@dataclass(frozen=True)
class Field:
    """A field of an object type or an interface."""

    type: str
    arguments: dict[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """A named type. `members` are a union's types or an enum's values."""

    kind: str
    interfaces: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    fields: dict[str, Field] = field(default_factory=dict)
    input_fields: dict[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """The types by name, the root types by operation, and the coordinates of what has no description."""

    types: dict[str, Definition]
    roots: dict[str, str]
    undescribed: tuple[str, ...]

    @property
    def coordinates(self) -> Iterator[str]:
        """Every type as `Type` and every field, input field and member as `Type.name`."""
        for name, definition in self.types.items():
            yield name
            for part in (*definition.fields, *definition.input_fields, *sorted(definition.members)):
                yield f"{name}.{part}"


def read(sdl: str) -> Document:
    """Read a document of whole definitions.

    Raises:
        graphql.GraphQLSyntaxError: it is not SDL.
        ValueError: it extends a type, which no printed schema does.
    """
    types: dict[str, Definition] = {}
    roots = ROOTS
    undescribed: list[str] = []
    for node in parse(sdl).definitions:
        match node:
            case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
                types[node.name.value] = Definition(
                    node.kind,
                    interfaces=frozenset(each.name.value for each in node.interfaces or ()),
                    fields={each.name.value: _field(each) for each in node.fields or ()},
                )
            case InputObjectTypeDefinitionNode():
                types[node.name.value] = Definition(node.kind, input_fields=_arguments(node.fields))
            case EnumTypeDefinitionNode():
                values = frozenset(each.name.value for each in node.values or ())
                types[node.name.value] = Definition(node.kind, members=values)
            case UnionTypeDefinitionNode():
                members = frozenset(each.name.value for each in node.types or ())
                types[node.name.value] = Definition(node.kind, members=members)
            case ScalarTypeDefinitionNode():
                types[node.name.value] = Definition(node.kind)
            case SchemaDefinitionNode():
                roots = {each.operation.value: each.type.name.value for each in node.operation_types}
                continue
            case DirectiveDefinitionNode():
                undescribed.extend(_undescribed(node, f"@{node.name.value}"))
                continue
            case _:
                message = f"a definition of the kind {node.kind} is not expected in a printed schema"
                raise ValueError(message)
        undescribed.extend(_undescribed(node, node.name.value))
    return Document(types, roots, tuple(undescribed))


def _field(node: FieldDefinitionNode) -> Field:
    return Field(print_ast(node.type), _arguments(node.arguments))


def _arguments(nodes: tuple[InputValueDefinitionNode, ...] | None) -> dict[str, Argument]:
    return {
        node.name.value: Argument(
            print_ast(node.type), None if node.default_value is None else print_ast(node.default_value)
        )
        for node in nodes or ()
    }


def _undescribed(node: Node, coordinate: str) -> Iterator[str]:
    description: StringValueNode | None = getattr(node, "description", None)
    if description is None or not description.value.strip():
        yield coordinate
    for each in getattr(node, "fields", None) or getattr(node, "values", None) or ():
        yield from _undescribed(each, f"{coordinate}.{each.name.value}")
    for each in getattr(node, "arguments", None) or ():
        yield from _undescribed(each, f"{coordinate}({each.name.value}:)")
