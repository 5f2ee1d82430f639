"""Whether the fields of a document that are answered together are the same, and not too much for GraphQL's rules to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    get_named_type,
    print_ast,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import FragmentDefinitionNode, GraphQLNamedType, SelectionSetNode

TYPENAME = "__typename"
MOST_FIELDS = 1_000
"""Of a document with its fragments in place."""
MOST_COMPARED = 100_000
"""What the rules may have to compare, pair by pair, of what is answered together: they give up on five times as much."""
PAIR, SPREAD = 7, 4
"""What the rules count at the most for a pair of fields without arguments, and for a spread beside each selection."""


class DoubtError(Exception):
    """The rules have to say."""


class Level(NamedTuple):
    """A selection, and of which type."""

    node: SelectionSetNode
    parent: GraphQLNamedType


class Merging:
    """Whether the fields of the same key, with all fragments in place, are the same: as if any could be of the same object.

    Each is compared with the first of its key alone. The rules compare each with each, also selections and fragments, and refuse
    a document with too much to compare. So that is counted here too, each time as the most that it can be.
    """

    def __init__(
        self, types: Mapping[str, GraphQLNamedType], fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._types = types
        self._fragments = fragments
        self._left = MOST_FIELDS
        self._compared = 0

    def check(self, levels: list[Level]) -> None:
        """Look at selections that are answered together, and at those below them."""
        for alike in self._by_key(levels).values():
            first, parent = alike[0]
            self._count(len(alike) * (len(alike) - 1) // 2 * (PAIR + len(first.arguments or ())))
            if first.name.value == TYPENAME:
                if any(node.name.value != TYPENAME for node, _ in alike):
                    raise DoubtError
                continue
            definition = parent.fields[first.name.value]
            if len(alike) > 1:
                written, kind = _written(first), str(definition.type)
                for node, other in alike[1:]:
                    if node.name.value != first.name.value or _written(node) != written:
                        raise DoubtError
                    if str(other.fields[node.name.value].type) != kind:
                        raise DoubtError
            below = [node.selection_set for node, _ in alike if node.selection_set is not None]
            if below:
                named = get_named_type(definition.type)
                self.check([Level(each, named) for each in below])

    def _by_key(self, levels: list[Level]) -> dict[str, list[tuple[FieldNode, Any]]]:
        found: dict[str, list[tuple[FieldNode, Any]]] = {}
        seen: set[str] = set()
        pending = levels
        selections, spreads, before = len(levels), 0, self._left
        while pending:
            level = pending.pop()
            for each in level.node.selections:
                self._left -= 1
                if self._left < 0:
                    raise DoubtError
                if isinstance(each, FieldNode):
                    found.setdefault((each.alias or each.name).value, []).append((each, level.parent))
                elif isinstance(each, InlineFragmentNode):
                    condition = each.type_condition
                    inside = level.parent if condition is None else self._types[condition.name.value]
                    pending.append(Level(each.selection_set, inside))
                elif isinstance(each, FragmentSpreadNode):
                    spreads += 1
                    if each.name.value not in seen:
                        seen.add(each.name.value)
                        fragment = self._fragments[each.name.value]
                        inside = self._types[fragment.type_condition.name.value]
                        pending.append(Level(fragment.selection_set, inside))
        selections += len(seen)
        self._count(selections * (before - self._left + SPREAD * spreads) + 2 * spreads * spreads)
        return found

    def _count(self, compared: int) -> None:
        self._compared += compared
        if self._compared > MOST_COMPARED:
            raise DoubtError


def _written(node: FieldNode) -> dict[str, str]:
    return {each.name.value: print_ast(each.value) for each in node.arguments or ()}
