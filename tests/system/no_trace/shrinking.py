"""Makes an operation smaller as long as it still shows what was found."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Node,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

TRIES = 200


async def shrink(document: str, shows: Callable[[str], Awaitable[bool]]) -> str:
    """Return the smallest document found that `shows` it still; the one given where nothing can be left out."""
    place = 0
    for _ in range(TRIES):
        tree = parse(document)
        parts = list(_parts(tree))
        if place >= len(parts):
            break
        smaller = print_ast(_tidied(_without(tree, {id(parts[place])})))
        if await shows(smaller):
            document = smaller
        else:
            place += 1
    return document


def _parts(node: Node) -> Iterator[Node]:
    """What can be left out: selections beside others, arguments, directives; the largest first."""
    selection_set = getattr(node, "selection_set", None)
    selections = () if selection_set is None else selection_set.selections
    if len(selections) > 1:
        yield from selections
    for each in selections:
        yield from _parts(each)
    if isinstance(node, FieldNode):
        yield from node.arguments or ()
    yield from getattr(node, "directives", None) or ()
    if isinstance(node, DocumentNode):
        for each in node.definitions:
            yield from _parts(each)


class _Without(Visitor):
    def __init__(self, unwanted: set[int]) -> None:
        super().__init__()
        self._unwanted = unwanted

    def enter(self, node: Node, *_: Any) -> Any:  # noqa: ANN401 (a visitor's answer)
        return REMOVE if id(node) in self._unwanted else None


def _without(tree: DocumentNode, unwanted: set[int]) -> DocumentNode:
    left: DocumentNode = visit(tree, _Without(unwanted))
    return left


def _tidied(tree: DocumentNode) -> DocumentNode:
    """Leave out fragments and variables that nothing uses any more."""
    while True:
        spread = {node.name.value for node in _nodes(tree) if isinstance(node, FragmentSpreadNode)}
        unused = {
            id(each)
            for each in tree.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value not in spread
        }
        if not unused:
            break
        tree = _without(tree, unused)
    declared = [node for node in _nodes(tree) if isinstance(node, VariableDefinitionNode)]
    own = {id(each.variable) for each in declared}
    named = {
        node.name.value for node in _nodes(tree) if isinstance(node, VariableNode) and id(node) not in own
    }
    return _without(tree, {id(each) for each in declared if each.variable.name.value not in named})


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for key in node.keys:
        value = getattr(node, key, None)
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Node):
                yield from _nodes(each)
