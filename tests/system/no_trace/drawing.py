"""Operations as somebody would draw them who looks for what is hidden: its ids, its words, its cursors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_abstract_type

from resolvers.node_ids import NodeKind
from tests.operations import Composite, Drawn, Generator, literal
from tests.oracle.world import PASSWORD
from tests.system.no_trace.door import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from graphql import GraphQLArgument, GraphQLInputType, GraphQLSchema

    from tests.system.no_trace.coverage import Coverage

KINDS = {
    "userId": NodeKind.USER,
    "actorId": NodeKind.USER,
    "mailboxId": NodeKind.MAILBOX,
    "objectId": NodeKind.MAILBOX,
    "agencyId": NodeKind.AGENCY,
    "deliveryId": NodeKind.CREDENTIAL_DELIVERY,
}
"""What an argument's id is of, most of the time."""
GARBAGE = ["", "VXNlcjox", "no id", "BgAAAAAAAAAAAAAAAAAAAAA"]
SIZES = [1, 2, 2, 3, 3, 5, 10, 100]
PAGES = ((), ("first",), ("last",), ("first", "after"), ("last", "before"), ("after",), ("before",))
"""Most pages are asked for as they may be."""
FIELDS = 25
"""So many in an operation, about."""
MANY = 12
"""Of a type with more fields than that up to so many are asked for at once."""
RARE = {"signIn", "signOut", "refreshSession", "changePassword"}
"""Mutations that say little of what is stored."""


@dataclass
class Pools:
    """What arguments are given: of both worlds, so that hidden things are among it."""

    ids: dict[NodeKind, list[str]] = field(default_factory=dict)
    own: dict[NodeKind, list[str]] = field(default_factory=dict)
    """Ids that the viewer is likely to do something with."""
    hidden: dict[NodeKind, list[str]] = field(default_factory=dict)
    """Ids of what only one world has."""
    cursors: dict[str, list[str]] = field(default_factory=dict)
    """By the name of the connection's type."""
    hidden_cursors: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    """By the argument's name."""

    def id_of(self, random: Random, kind: NodeKind | None) -> str:
        """An id of this kind, of any where there is none."""
        if random.random() < 0.05:
            return random.choice(GARBAGE)
        if kind is None:
            kind = NodeKind.ACTIVITY if random.random() < 0.5 else random.choice(list(self.ids))
        known = self.ids.get(kind) or GARBAGE
        own, hidden = self.own.get(kind), self.hidden.get(kind) or known
        return random.choice(random.choice((own, own, hidden, known) if own else (known, hidden, hidden)))

    def cursor_of(self, random: Random, kind: str) -> str:
        """A cursor of this type of connection, most of the time."""
        if random.random() < 0.1:
            kind = random.choice([*self.cursors, ""])
        known = self.cursors.get(kind) or ["", "WyJhIl0"]
        hidden = self.hidden_cursors.get(kind) or known
        # The ends of a list tell most.
        return random.choice(random.choice((known, hidden, hidden[:3], hidden[-3:])))


class Drawing(Generator):
    """Draws operations for a viewer, and more of those parts that were answered seldom so far."""

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        pools: Pools,
        coverage: Coverage,
        *,
        is_signed_in: bool = True,
    ) -> None:
        super().__init__(schema, random, {})
        self.pools = pools
        self._coverage = coverage
        self._within = ""
        self._is_plain = False
        self._is_signed_in = is_signed_in

    def again(self, asked: Asked) -> Asked:
        """The operation that was drawn last, asked with other values: what a document costs to check is paid once."""
        values = {}
        for name in asked.variables:
            if name in self._slots:
                argument, kind, self._within = self._slots[name]
                values[name] = self._value(argument, kind)
        return replace(asked, variables={**asked.variables, **values})

    def asked(self) -> Asked:
        """Draw an operation and how it is sent."""
        random = self._random
        # Nobody reads nothing, but may try to come in.
        kind = "mutation" if random.random() < (0.3 if self._is_signed_in else 0.7) else "query"
        self._depth = random.choice((4, 5, 6, 7)) if kind == "query" else random.choice((3, 4, 5))
        drawn = self.draw(kind)
        return Asked(
            drawn.text,
            drawn.variables,
            random.choice(("application/json", "application/json", "application/graphql-response+json")),
            tells_cost=random.random() < 0.1,
            socket=random.random() < 0.15,
            signed_in=random.random() > 0.02,
        )

    def subscription(self, arguments: str) -> Drawn:
        """Draw what is asked of each entry that a booking makes visible, its Message-ID too. Nothing in it can fail."""
        self._begin()
        self._is_plain = True
        try:
            kind = self._schema.type_map["Activity"]
            if not isinstance(kind, GraphQLObjectType):
                raise TypeError(kind)
            selection = self._selection(kind, 4)
        finally:
            self._is_plain = False
        declared = ", ".join(f"${name}: {of}{default}" for name, (of, default) in self._variables.items())
        head = f"subscription Drawn({declared})" if declared else "subscription Drawn"
        text = f"{head} {{ activityBooked{arguments} {{ fence: messageId {selection[1:]} }}"
        return Drawn("\n".join([text, *self._fragments]), self._sent)

    def _begin(self) -> None:
        super()._begin()
        self._left = FIELDS
        self._slots: dict[str, tuple[str, GraphQLInputType, str]] = {}

    # ---------------------------------------------------------------- what is chosen

    def _choose(self, kind: Composite, names: list[str], count: int) -> list[str]:
        if kind.name == "PageInfo":
            # Small, and what it tells is never beside the point.
            return names
        if self._is_plain:
            # A list may be longer by the time an event is delivered.
            names = [name for name in names if not _is_list(kind, name)]
            count = min(count, len(names))
        if len(names) > MANY and kind not in (self._schema.query_type, self._schema.mutation_type):
            count = min(len(names), self._random.randint(1, MANY))
        seen = self._coverage.fields
        weights = [self._weight(kind, name) / (1 + seen[f"{kind.name}.{name}"]) ** 0.3 for name in names]
        keyed = sorted(
            (
                (self._random.random() ** (1 / weight), name)
                for name, weight in zip(names, weights, strict=True)
            ),
            reverse=True,
        )
        return [name for _, name in keyed[:count]]

    def _weight(self, kind: Composite, name: str) -> float:
        if kind is self._schema.mutation_type:
            if (name in RARE) is self._is_signed_in:
                return 0.1
            return 4 if name == "bookMail" else 1
        if kind is self._schema.query_type:
            return 5 if name in {"activities", "node", "nodes"} else 2
        return (
            3 if _is_list(kind, name) or name in {"nodes", "edges", "node", "totalCount", "pageInfo"} else 1
        )

    def _selection(self, kind: Composite, depth: int, *, is_root: bool = False) -> str:
        text = super()._selection(kind, depth, is_root=is_root)
        # So that whoever reads the answer knows what it is of.
        if is_abstract_type(kind):
            text = f"{text[:-2]} __typename }}"
        if kind.name.endswith("Payload"):
            text = f"{text[:-2]} errors {{ __typename code message path }} }}"
        return text

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str:
        before, self._within = self._within, get_named_type(definition.type).name
        try:
            # An alias would hide the number that a viewer may be told (`comparing`).
            if name == "entriesOpened":
                return name
            return super()._field(name, definition, depth)
        finally:
            self._within = before

    def _arguments(self, definition: GraphQLField) -> str:
        self._within = get_named_type(definition.type).name
        if self._is_plain:
            return ""
        if {"first", "last", "after", "before"} <= set(definition.args) and self._random.random() < 0.95:
            page = self._random.choice(PAGES)
            others = definition.args.keys() - {"first", "last", "after", "before"}
            chosen = [*page, *(name for name in sorted(others) if self._random.random() < 0.4)]
            return self._written({name: definition.args[name] for name in chosen})
        return super()._arguments(definition)

    def _written(self, arguments: Mapping[str, GraphQLArgument]) -> str:
        parts = []
        for name, argument in arguments.items():
            value = self._value(name, argument.type)
            text = literal(value, argument.type)
            if self._random.random() < 0.8:
                variable = self._variable(str(argument.type), value, argument)
                self._slots[variable] = name, argument.type, self._within
                text = f"${variable}"
            parts.append(f"{name}: {text}")
        return f"({', '.join(parts)})" if parts else ""

    def _known(self, name: str) -> Sequence[Any] | None:
        random, pools = self._random, self.pools
        if name in {"after", "before"}:
            return [pools.cursor_of(random, self._within)]
        if name in {"first", "last"}:
            return SIZES if random.random() < 0.98 else [0, 101, -1]
        if name in {"id", "ids"} or name in KINDS:
            return [pools.id_of(random, KINDS.get(name) if random.random() < 0.95 else None)]
        return pools.values.get(name)


def _is_list(kind: Composite, name: str) -> bool:
    return bool(get_named_type(kind.fields[name].type).name.endswith("Connection"))


def passwords() -> dict[str, list[Any]]:
    """Passwords that change none: the viewer stays who he or she is."""
    return {
        "password": [PASSWORD, PASSWORD, "wrong-password-1"],
        "currentPassword": [PASSWORD, PASSWORD, "wrong-password-1"],
        "newPassword": [PASSWORD, "short", ""],
    }
