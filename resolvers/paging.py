"""Lists by keyset: a page costs the same at every depth, and the lists of many parents cost as much as one.

A list has one total order. A cursor is a position in it: the values that the order compares, whether or not
something stands there. What a connection shows beyond its page (whether there is more, how many there are) is
asked for only when a field wants it, once for all parents of a level.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resolvers import batches
from resolvers.cursors import encode_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from resolvers.listings import Listing
    from resolvers.request import Request
    from resolvers.windows import Arguments, Window
    from resolvers.writing import Writer

    Row = Mapping[str, Any]

T = TypeVar("T")

_PARAMETER = re.compile(r"\$(\d+)")


class Edge(Generic[T]):
    """An item and its position, which becomes a cursor when it is asked for."""

    __slots__ = ("_connection", "_row", "node")

    def __init__(self, node: T, row: Row, connection: Connection[T]) -> None:
        self.node = node
        self._row = row
        self._connection = connection

    @property
    def cursor(self) -> str:
        """The item's place in its list."""
        return encode_cursor(self._connection.position(self._row))


@dataclass(frozen=True, slots=True)
class PageInfo:
    """A page's two ends; whether there is more beyond them is asked of the connection."""

    connection: Connection[Any]
    rows: list[Row]

    @property
    def start_cursor(self) -> str | None:
        """The cursor of the page's first item; None on an empty page."""
        return encode_cursor(self.connection.position(self.rows[0])) if self.rows else None

    @property
    def end_cursor(self) -> str | None:
        """The cursor of the page's last item; None on an empty page."""
        return encode_cursor(self.connection.position(self.rows[-1])) if self.rows else None


@dataclass(slots=True)
class Slice:
    """The rows of a page, and whether there are more."""

    rows: list[Row] = field(default_factory=list)
    more: bool = False
    whole: Any = None
    """The list of all items where the database wrote it as one; then `rows` has no more than the page's ends."""

    @classmethod
    def written(cls, writer: Writer, row: Row, keys: Sequence[str], window: Window) -> Slice:
        """Return what the database wrote in one row; `keys` are those of the order."""
        page = writer.write.read_page(row, keys, window.size, backwards=window.backwards)
        whole = None if writer.read_all is None else writer.read_all(page.written)
        return cls(list(page.ends), page.more, whole)


class Connection(Generic[T]):
    """One list as a field answers it.

    Every method costs at most one statement for all parents of a level, and none when it was asked before.

    `values` are the parameters of the listing's `where`; `read` makes an item of a row; `parent_id` goes with
    `Listing.parent`; with `writer` the database writes the items. Raises `InvalidInputError` at once for bad arguments.
    """

    def __init__(
        self,
        request: Request,
        listing: Listing,
        arguments: Arguments,
        read: Callable[[Row], T],
        *,
        values: Sequence[Any] = (),
        parent_id: UUID | None = None,
        writer: Writer | None = None,
    ) -> None:
        self.window = arguments.window(listing.kinds)
        self._request = request
        self._listing = listing
        self._read = read if writer is None else writer.read
        self._writer = writer
        self._values = tuple(values)
        self._parent_id = parent_id
        self._slice: Slice | None = None
        self._nodes: list[T] | None = None

    @classmethod
    def empty(cls, request: Request, listing: Listing, arguments: Arguments) -> Connection[T]:
        """Return a connection without anything and without a statement, but with the same errors."""
        return _Empty(request, listing, arguments, _nothing)

    def position(self, row: Row) -> tuple[Any, ...]:
        """Return where a row of the page stands in the list."""
        return self._listing.position(row)

    async def edges(self) -> list[Edge[T]]:
        """Return the page in the list's order, with cursors."""
        await self._page()
        return self.loaded_edges()

    async def nodes(self) -> list[T]:
        """Return the page's items in the list's order."""
        await self._page()
        return self.loaded_nodes()

    async def page_info(self) -> PageInfo:
        """Return the cursors of the page's ends, null for an empty page."""
        await self._page()
        return self.loaded_page_info()

    def loaded_edges(self) -> list[Edge[T]]:
        """Return the same as `edges`, when the page is loaded."""
        rows = self._loaded().rows
        return [Edge(node, row, self) for node, row in zip(self._read_all(rows), rows, strict=True)]

    def loaded_nodes(self) -> list[T]:
        """Return the same as `nodes`, when the page is loaded."""
        page = self._loaded()
        found: list[T] = self._read_all(page.rows) if page.whole is None else page.whole
        return found

    def loaded_page_info(self) -> PageInfo:
        """Return the same as `page_info`, when the page is loaded."""
        return PageInfo(self, self._loaded().rows)

    def _read_all(self, rows: list[Row]) -> list[T]:
        if self._nodes is None:
            read = self._read
            self._nodes = [read(row) for row in rows]
        return self._nodes

    async def has_next_page(self) -> bool:
        """Whether the list goes on after the page, or at or after `before`."""
        return await self.has_more(later=True)

    async def has_previous_page(self) -> bool:
        """Whether the list has something before the page, or at or before `after`."""
        return await self.has_more(later=False)

    async def has_more(self, *, later: bool) -> bool:
        """Whether the list has something beyond the page, on its later or on its earlier side."""
        edge, follows = self._edge_of(later=later)
        if follows and (await self._page()).more:
            return True
        return edge is not None and await self._exists(edge, later=later)

    def knows_more(self, *, later: bool) -> bool | None:
        """Return what `has_more` would, None where it would have to ask."""
        edge, follows = self._edge_of(later=later)
        if follows and self._slice is None:
            return None
        if follows and self._slice is not None and self._slice.more:
            return True
        return False if edge is None else None

    def _edge_of(self, *, later: bool) -> tuple[tuple[Any, ...] | None, bool]:
        """Return the position that the page was cut at on this side, and whether the page was read towards it."""
        window = self.window
        return (window.before, not window.backwards) if later else (window.after, window.backwards)

    @property
    def is_loaded(self) -> bool:
        """Whether the page is there."""
        return self._slice is not None

    @property
    def parent_id(self) -> UUID | None:
        """Whose list it is, where it is one of each parent."""
        return self._parent_id

    def take(self, page: Slice) -> None:
        """Have the page that was loaded with others."""
        self._slice = page

    async def total_count(self) -> int:
        """Return how many the whole list has, whatever the page."""
        found = await self._batch(("count",), self._load_counts).get(self._parent_id)
        return found or 0

    async def _page(self) -> Slice:
        if self._slice is None:
            page = self.page_batch()
            self._slice = (None if page is None else await page.get(self._parent_id)) or Slice()
        return self._slice

    def _loaded(self) -> Slice:
        if self._slice is None:
            raise AssertionError("the page is not loaded")
        return self._slice

    def page_batch(self) -> batches.Batch[UUID | None, Slice] | None:
        """Return what loads the page together with those of the level's other parents; None for an empty list."""
        return self._batch(("page", self.window), self._load_rows)

    async def _exists(self, position: tuple[Any, ...], *, later: bool) -> bool:
        async def load(parents: list[UUID | None]) -> dict[UUID | None, bool]:
            values = self._parameters(parents)
            rows = await self._fetch(self._listing.exists(position, values, later=later), values)
            return {row.get("parent_id"): True for row in rows}

        return bool(await self._batch(("exists", position, later), load).get(self._parent_id))

    async def _load_rows(self, parents: list[UUID | None]) -> dict[UUID | None, Slice]:
        values = self._parameters(parents)
        writer, window = self._writer, self.window
        if writer is not None and writer.read_all is not None and self._listing.parent is None:
            keys = self._listing.key_names
            statement = self._listing.page(window, values, writer)
            text = writer.write.page(statement, keys, window.size, backwards=window.backwards)
            (row,) = await self._fetch(text, values)
            return {None: Slice.written(writer, row, keys, window)}
        found: dict[UUID | None, Slice] = {}
        for row in await self._fetch(self._listing.page(self.window, values), values):
            page = found.setdefault(row.get("parent_id"), Slice())
            if len(page.rows) < self.window.size:
                page.rows.append(row)
            else:
                page.more = True
        if self.window.backwards:
            for page in found.values():
                page.rows.reverse()
        return found

    async def _load_counts(self, parents: list[UUID | None]) -> dict[UUID | None, int]:
        values = self._parameters(parents)
        rows = await self._fetch(self._listing.count(values), values)
        return {row.get("parent_id"): row["total"] for row in rows}

    async def _fetch(self, statement: str, values: list[Any]) -> Sequence[Row]:
        """Run a statement with the values that it uses: PostgreSQL wants to know the type of every one."""
        text, used = _with_used(statement)
        return await self._request.database.fetch(text, *[values[place] for place in used])

    def _parameters(self, parents: list[UUID | None]) -> list[Any]:
        return [*self._values, parents] if self._listing.parent is not None else [*self._values]

    def _batch(
        self, what: tuple[Any, ...], load: Callable[[list[UUID | None]], Any]
    ) -> batches.Batch[UUID | None, Any]:
        return batches.batch(self._request, (self._listing, self._values, *what), load)


@lru_cache(maxsize=256)
def _with_used(statement: str) -> tuple[str, tuple[int, ...]]:
    """Return a statement with its parameters numbered without a gap, and the places of those that it uses."""
    used = sorted({int(number) for number in _PARAMETER.findall(statement)})
    places = {str(number): f"${place}" for place, number in enumerate(used, 1)}
    text = _PARAMETER.sub(lambda found: places[found[1]], statement)
    return text, tuple(number - 1 for number in used)


async def load_pages(connections: Sequence[Connection[Any]]) -> None:
    """Load the pages of many lists, those of one level together, so that none of them has to be waited for by itself."""
    together: dict[batches.Batch[UUID | None, Slice], list[Connection[Any]]] = {}
    for connection in connections:
        if not connection.is_loaded:
            page = connection.page_batch()
            if page is None:
                connection.take(Slice())
            else:
                together.setdefault(page, []).append(connection)
    for page, waiting in together.items():
        slices = await page.get_all([connection.parent_id for connection in waiting])
        for connection, found in zip(waiting, slices, strict=True):
            connection.take(found or Slice())


def are_loaded(connections: Sequence[Connection[Any]]) -> bool:
    """Whether all pages are there."""
    return all(connection.is_loaded for connection in connections)


def know_more(connections: Sequence[Connection[Any]], *, later: bool) -> list[bool] | None:
    """Return what `has_more` returns for each list, None where one of them would have to ask."""
    known = [connection.knows_more(later=later) for connection in connections]
    return None if None in known else [each is True for each in known]


async def have_more(connections: Sequence[Connection[Any]], *, later: bool) -> list[bool]:
    """Return what `has_more` returns for each list; those that have to ask do so together."""
    known = [connection.knows_more(later=later) for connection in connections]
    asking = [
        connection.has_more(later=later)
        for connection, found in zip(connections, known, strict=True)
        if found is None
    ]
    asked = iter(await asyncio.gather(*asking) if asking else ())
    return [next(asked) if found is None else found for found in known]


class _Empty(Connection[T]):
    def page_batch(self) -> batches.Batch[UUID | None, Slice] | None:
        return None

    async def _exists(self, position: tuple[Any, ...], *, later: bool) -> bool:  # noqa: ARG002
        return False

    async def total_count(self) -> int:
        return 0


def _nothing(row: Row) -> Any:  # noqa: ANN401 (never called)
    raise AssertionError(row)
