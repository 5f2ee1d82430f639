"""Whatever has a global id, and the way to it. A subject registers how its nodes are loaded for a viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from resolvers import batches, node_ids
from resolvers.errors import InvalidInputError
from resolvers.node_ids import NodeKind
from resolvers.request import Request
from schema.context import Info
from schema.permissions import signed_in

MOST_NODES = 100

Loader = Callable[[Request, UUID], Awaitable[Any]]
EarlyLoader = Callable[[Info, UUID], Awaitable[Any]]
_LOADERS: dict[NodeKind, EarlyLoader] = {}


@strawberry.interface(description="Whatever has a global id.")
class Node:
    """The object behind it has `node_id`."""

    node_id: strawberry.ID = strawberry.field(
        name="id", description="The global id: opaque, and never another's."
    )


def loads(kind: NodeKind, loader: Loader) -> None:
    """Say how nodes of a kind are loaded: None for what is absent or hidden, together with the others of a level."""
    loads_early(kind, lambda info, identifier: loader(info.context.request, identifier))


def loads_early(kind: NodeKind, loader: EarlyLoader) -> None:
    """Say the same where the loader looks at what is selected of a node, and brings that along."""
    _LOADERS[kind] = loader


async def find(info: Info, global_id: str) -> Any:
    """Return the node with this id, or None where it is malformed, absent or hidden."""
    named = node_ids.decode(global_id)
    loader = None if named is None else _LOADERS.get(named[0])
    return None if named is None or loader is None else await loader(info, named[1])


async def _node(
    info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
) -> Any:
    return await find(info, id)


async def _nodes(
    info: Info,
    ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 global ids.")],
) -> list[Any]:
    if len(ids) > MOST_NODES:
        raise InvalidInputError(f"At most {MOST_NODES} ids.", ["ids"])
    batches.expect_several(info.context.request)
    return list(await asyncio.gather(*(find(info, one) for one in ids)))


@strawberry.type
class NodeQuery:
    """The way to nodes."""

    node: Node | None = strawberry.field(
        resolver=_node,
        description="The node with this id. Null, without an error, when the id is malformed, absent or hidden.",
        extensions=signed_in(),
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=_nodes,
        description="The nodes with these ids, in their order; null as in node. At most 100.",
        extensions=signed_in(),
    )
