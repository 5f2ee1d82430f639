"""Connections: pages of a list, as Relay has them. The objects behind these types are `resolvers.paging`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import strawberry

from execution.fields import together
from resolvers import paging
from resolvers.windows import Arguments
from schema.context import Info

T = TypeVar("T")

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="This many from the beginning, 1 to 100; 50 when neither first nor last is given."
    ),
]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Only what comes after this cursor.")
]
Last: TypeAlias = Annotated[
    int | None, strawberry.argument(description="This many from the end, 1 to 100; not together with first.")
]
Before: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Only what comes before this cursor.")
]
Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="At most 200 characters. Every word of it occurs, whatever its case; no wildcards."
    ),
]


def given(value: Any) -> Any:
    """Return an optional argument's value; null and absent are both None."""
    return None if value is strawberry.UNSET else value


def arguments(first: int | None, after: str | None, last: int | None, before: str | None) -> Arguments:
    """Return a connection's arguments for `resolvers.paging`."""
    return Arguments(given(first), given(after), given(last), given(before))


async def _have_next_page(info: Info, roots: Sequence[paging.PageInfo]) -> Any:
    return await paging.have_more([root.connection for root in roots], later=True)


async def _have_previous_page(info: Info, roots: Sequence[paging.PageInfo]) -> Any:
    return await paging.have_more([root.connection for root in roots], later=False)


def _know_next_page(roots: Sequence[paging.PageInfo]) -> Sequence[bool] | None:
    return paging.know_more([root.connection for root in roots], later=True)


def _know_previous_page(roots: Sequence[paging.PageInfo]) -> Sequence[bool] | None:
    return paging.know_more([root.connection for root in roots], later=False)


@together(_have_next_page, at_hand=_know_next_page)
async def _has_next_page(root: strawberry.Parent[paging.PageInfo]) -> bool:
    return await root.connection.has_next_page()


@together(_have_previous_page, at_hand=_know_previous_page)
async def _has_previous_page(root: strawberry.Parent[paging.PageInfo]) -> bool:
    return await root.connection.has_previous_page()


@strawberry.type(description="Where a page ends, and whether there is more.")
class PageInfo:
    """`resolvers.paging.PageInfo`."""

    has_next_page: bool = strawberry.field(
        resolver=_has_next_page, description="Whether the list goes on after this page."
    )
    has_previous_page: bool = strawberry.field(
        resolver=_has_previous_page, description="Whether the list has something before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the page's first entry; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the page's last entry; null on an empty page."
    )


@strawberry.type(description="An entry of a list and its place.")
class Edge(Generic[T]):
    """`resolvers.paging.Edge`."""

    node: T = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(
        description="The entry's place in this list, for after and before; opaque, and good even when the entry is not."
    )


async def _all_edges(info: Info, roots: Sequence[paging.Connection[Any]]) -> Any:
    await paging.load_pages(roots)
    return _edges_at_hand(roots)


async def _all_nodes(info: Info, roots: Sequence[paging.Connection[Any]]) -> Any:
    await paging.load_pages(roots)
    return _nodes_at_hand(roots)


async def _all_page_infos(info: Info, roots: Sequence[paging.Connection[Any]]) -> Any:
    await paging.load_pages(roots)
    return _page_infos_at_hand(roots)


def _edges_at_hand(roots: Sequence[paging.Connection[Any]]) -> Any:
    return [root.loaded_edges() for root in roots] if paging.are_loaded(roots) else None


def _nodes_at_hand(roots: Sequence[paging.Connection[Any]]) -> Any:
    return [root.loaded_nodes() for root in roots] if paging.are_loaded(roots) else None


def _page_infos_at_hand(roots: Sequence[paging.Connection[Any]]) -> Any:
    return [root.loaded_page_info() for root in roots] if paging.are_loaded(roots) else None


@together(_all_edges, at_hand=_edges_at_hand, first=paging.load_pages)
async def _edges(root: strawberry.Parent[paging.Connection[Any]]) -> Any:
    return await root.edges()


@together(_all_nodes, at_hand=_nodes_at_hand, first=paging.load_pages)
async def _nodes(root: strawberry.Parent[paging.Connection[Any]]) -> Any:
    return await root.nodes()


@together(_all_page_infos, at_hand=_page_infos_at_hand, first=paging.load_pages)
async def _page_info(root: strawberry.Parent[paging.Connection[Any]]) -> Any:
    return await root.page_info()


async def _total_count(root: strawberry.Parent[paging.Connection[Any]]) -> int:
    return await root.total_count()


@strawberry.type(description="A page of a list. Each field costs only when it is asked for.")
class Connection(Generic[T]):
    """`resolvers.paging.Connection`."""

    edges: list[Edge[T]] = strawberry.field(
        resolver=_edges, description="The page's entries with their cursors, in the list's order."
    )
    nodes: list[T] = strawberry.field(resolver=_nodes, description="The page's entries, in the list's order.")
    page_info: PageInfo = strawberry.field(resolver=_page_info, description="Where the page ends.")
    total_count: int = strawberry.field(
        resolver=_total_count, description="How many entries the whole list has for this viewer."
    )
