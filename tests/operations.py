"""Random operations drawn from a schema: valid ones, most of them, with everything that a document can hold.

Arguments come from `values`, by the argument's name, else at random by type. Fields, aliases, fragments (inline and named, on
interfaces and on their types), `@skip` and `@include`, variables with and without defaults, `__typename`, merged fields.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

Composite = GraphQLObjectType | GraphQLInterfaceType
# A value as JSON holds it, whatever its type.
Json = Any
DEFAULT_DEPTH = 5


@dataclass
class Drawn:
    """A document with one operation, and the variables to send with it."""

    text: str
    variables: dict[str, Any] = field(default_factory=dict)


class Generator:
    """Draws operations. `skipped` names root fields that are left out."""

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        values: Mapping[str, Sequence[Any]],
        *,
        skipped: frozenset[str] = frozenset(),
        depth: int = DEFAULT_DEPTH,
    ) -> None:
        self._schema = schema
        self._random = random
        self._values = values
        self._skipped = skipped
        self._depth = depth
        self._begin()

    def _begin(self) -> None:
        self._variables: dict[str, tuple[str, Any]] = {}
        self._sent: dict[str, Any] = {}
        self._fragments: list[str] = []
        self._aliases = 0
        self._left = 60

    def draw(self, kind: str = "query") -> Drawn:
        """Return an operation of this kind: `query` or `mutation`."""
        self._begin()
        root = self._schema.query_type if kind == "query" else self._schema.mutation_type
        if root is None:
            raise LookupError(kind)
        selection = self._selection(root, self._depth if kind == "query" else self._depth - 1, is_root=True)
        definitions = ", ".join(f"${name}: {of}{default}" for name, (of, default) in self._variables.items())
        head = f"{kind} Drawn{f'({definitions})' if definitions else ''} "
        return Drawn("\n".join([head + selection, *self._fragments]), self._sent)

    # ---------------------------------------------------------------- selections

    def _selection(self, kind: Composite, depth: int, *, is_root: bool = False) -> str:
        random = self._random
        names = [name for name in kind.fields if not (is_root and name in self._skipped)]
        chosen = self._choose(kind, names, min(len(names), random.randint(1, 2 if is_root else 5)))
        parts = [part for name in chosen if (part := self._field(name, kind.fields[name], depth))]
        if random.random() < 0.2:
            parts.append("__typename")
        if not is_root and parts and random.random() < 0.2:
            parts.append(self._fragment(kind, depth - 1))
        if is_abstract_type(kind) and depth > 0:
            possible = list(self._schema.get_possible_types(kind))
            parts += [
                f"... on {each.name}{self._directive()} {self._selection(each, depth - 1)}"
                for each in random.sample(possible, min(2, len(possible)))
            ]
        random.shuffle(parts)
        return f"{{ {' '.join(parts or ['__typename'])} }}"

    def _choose(self, kind: Composite, names: list[str], count: int) -> list[str]:  # noqa: ARG002 (for those who prefer some)
        """Return so many of a type's fields."""
        return self._random.sample(names, count)

    def _known(self, name: str) -> Sequence[Any] | None:
        """Return the values that an argument of this name is given, None where any will do."""
        return self._values.get(name)

    def _fragment(self, kind: Composite, depth: int) -> str:
        inner = self._selection(kind, max(depth, 0))
        way = self._random.randrange(3)
        if way == 0:
            return f"...{self._directive()} {inner}"
        if way == 1:
            return f"... on {kind.name}{self._directive()} {inner}"
        name = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {kind.name} {inner}")
        return f"...{name}{self._directive()}"

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str:
        named = get_named_type(definition.type)
        composite = not is_leaf_type(named)
        self._left -= 1
        if composite and (depth <= 0 or self._left <= 0):
            return ""
        arguments = self._arguments(definition)
        text = name + arguments
        # Equal keys with other arguments would be a conflict: such a field gets a name of its own.
        if arguments or self._random.random() < 0.2:
            self._aliases += 1
            text = f"a{self._aliases}: {text}"
        text += self._directive()
        if composite:
            if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
                return f"{text} {{ __typename }}"
            text += " " + self._selection(named, depth - 1)
        return text

    def _directive(self) -> str:
        if self._random.random() > 0.1:
            return ""
        name = self._random.choice(["skip", "include"])
        condition = self._random.choice([True, False])
        if self._random.random() < 0.5:
            return f" @{name}(if: {str(condition).lower()})"
        return f" @{name}(if: ${self._variable('Boolean!', condition)})"

    # ---------------------------------------------------------------- arguments

    def _arguments(self, definition: GraphQLField) -> str:
        return self._written(
            {
                name: argument
                for name, argument in definition.args.items()
                if is_required_argument(argument) or self._random.random() >= 0.6
            }
        )

    def _written(self, arguments: Mapping[str, GraphQLArgument]) -> str:
        """Return these arguments with values, some of them as variables."""
        parts = []
        for name, argument in arguments.items():
            value = self._value(name, argument.type)
            if self._random.random() < 0.4:
                text = f"${self._variable(str(argument.type), value, argument)}"
            else:
                text = literal(value, argument.type)
            parts.append(f"{name}: {text}")
        return f"({', '.join(parts)})" if parts else ""

    def _variable(self, of: str, value: Json, argument: GraphQLArgument | None = None) -> str:
        name = f"v{len(self._variables)}"
        default = ""
        if argument is not None and not of.endswith("!") and self._random.random() < 0.2:
            default = f" = {literal(value, argument.type)}"
        self._variables[name] = of, default
        if not default or self._random.random() < 0.5:
            self._sent[name] = value
        return name

    def _value(self, name: str, kind: GraphQLInputType, depth: int = 2) -> Json:
        random = self._random
        if isinstance(kind, GraphQLNonNull):
            return self._value(name, kind.of_type, depth)
        if random.random() < 0.05:
            return None
        return self._some(name, kind, depth)

    def _some(self, name: str, kind: GraphQLInputType, depth: int) -> Json:
        random = self._random
        if isinstance(kind, GraphQLList):
            return [self._some(name, _bare(kind.of_type), depth) for _ in range(random.randint(0, 3))]
        if isinstance(kind, GraphQLInputObjectType):
            return {
                key: self._some(key, _bare(each.type), depth - 1)
                for key, each in kind.fields.items()
                if is_required_input_field(each) or (depth > 0 and random.random() < 0.4)
            }
        known = self._known(name)
        if known is not None:
            return random.choice(list(known))
        if isinstance(kind, GraphQLEnumType):
            return random.choice(list(kind.values))
        by_type: dict[str, list[Any]] = {
            "Int": [0, 1, 2, 5, -1, 101],
            "Boolean": [True, False],
            "DateTime": ["2026-01-01T00:00:00Z", "2026-05-05T12:00:00.000001+02:00", "yesterday"],
            "Float": [0.5, 1.0],
        }
        return random.choice(by_type.get(str(kind), ["", "a", "none such", "ä"]))


def _bare(kind: GraphQLInputType) -> Json:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def literal(value: Json, kind: GraphQLInputType) -> str:
    """Write a value as it stands in a document."""
    kind = _bare(kind)
    if value is None:
        return "null"
    if isinstance(kind, GraphQLList):
        return f"[{', '.join(literal(each, kind.of_type) for each in value)}]"
    if isinstance(kind, GraphQLInputObjectType):
        inner = ", ".join(f"{key}: {literal(each, kind.fields[key].type)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(kind, GraphQLEnumType):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
