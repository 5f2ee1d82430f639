"""What an operation selects below a field, for a resolver that can fetch it in the same go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import FieldNode, FragmentSpreadNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import strawberry
    from graphql import FragmentDefinitionNode, SelectionSetNode

DEEPEST = 5
KEPT = 1_000

_kept: dict[tuple[int, ...], tuple[list[FieldNode], frozenset[tuple[str, ...]]]] = {}
"""By the places of the nodes, which are kept with them, so that no other node comes to lie there."""


def selects(info: strawberry.Info[Any, Any], *paths: tuple[str, ...]) -> bool:
    """Whether one of these paths of field names leads from the field to something that is selected.

    It may be left out all the same: for `@skip`, `@include` and the types that fragments are on, nobody looks here. So this is
    good for fetching something early, and for nothing else.
    """
    found = _below(info)
    return any(path in found for path in paths)


def _below(info: strawberry.Info[Any, Any]) -> frozenset[tuple[str, ...]]:
    raw = info._raw_info  # noqa: SLF001 (Strawberry's own way takes far longer)
    nodes = list(raw.field_nodes)
    key = tuple(map(id, nodes))
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= KEPT:
            _kept.clear()
        kept = _kept[key] = nodes, frozenset(_paths((), nodes, raw.fragments))
    return kept[1]


def _paths(
    path: tuple[str, ...], nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[tuple[str, ...]]:
    for node in nodes:
        if node.selection_set is not None and len(path) < DEEPEST:
            for field in _fields(node.selection_set, fragments):
                below = (*path, field.name.value)
                yield below
                yield from _paths(below, [field], fragments)


def _fields(
    selection: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    for node in selection.selections:
        if isinstance(node, FieldNode):
            yield node
        else:
            within: Any = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            yield from _fields(within.selection_set, fragments)
