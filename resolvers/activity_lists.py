"""Lists of entries: by what they are narrowed, and their pages.

What is visible is decided in `models.visibility`; one entry, and what belongs to it, is read by `activities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from models import visibility
from models.visibility import END, START, Filter, Position, Stretch
from resolvers import batches, node_ids, paging, text
from resolvers.activities import (
    NOTHING_EARLY,
    PLACE_COLUMNS,
    REFERENCE_LENGTH,
    Early,
    Entry,
    columns_written_by,
    keep,
    read,
    reader,
)
from resolvers.cursors import Kind
from resolvers.errors import InvalidInputError, NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from models.tables.mails import ActivityKind, MailDirection
    from resolvers.request import Request
    from resolvers.windows import Arguments
    from resolvers.writing import Writer

    Row = Mapping[str, Any]

ORDER = Listing(
    columns="",
    source="",
    where="",
    order=(Key("occurred_at", Kind.INSTANT), Key("id", Kind.ID)),
    descending=True,
)
"""The order of every list of entries, newest first; the statement is `models.visibility`'s."""
_PLACE = ("occurred_at", "id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list's filter as it came; None is absent."""

    kind: ActivityKind | None = None
    direction: MailDirection | None = None
    mailbox_id: str | None = None
    contact_reference: str | None = None
    property_reference: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    search: str | None = None


async def narrow(request: Request, wanted: Wanted | None) -> Filter:
    """Return the filter to ask by.

    Raises `InvalidInputError` for text that can't be, `NotFoundError` for a mailbox that the viewer can't
    read.
    """
    if wanted is None:
        return Filter()
    path = ["filter"]
    mailbox_id = None
    if wanted.mailbox_id is not None:
        mailbox_id = await _mailbox(request, wanted.mailbox_id)
    return Filter(
        kind=wanted.kind,
        direction=wanted.direction,
        mailbox_id=mailbox_id,
        contact_reference=_reference(wanted.contact_reference, [*path, "contactReference"]),
        property_reference=_reference(wanted.property_reference, [*path, "propertyReference"]),
        occurred_from=wanted.occurred_from,
        occurred_until=wanted.occurred_until,
        words=tuple(text.search(wanted.search, [*path, "search"])),
    )


def _reference(reference: str | None, path: list[str]) -> str | None:
    if reference is None:
        return None
    if not reference.strip():
        message = "A reference is not blank."
        raise InvalidInputError(message, path)
    return text.clean(reference.strip(), path, most=REFERENCE_LENGTH)


async def _mailbox(request: Request, global_id: str) -> UUID:
    """Return the id of a mailbox of the viewer's agency; asked once for all fields that filter by it."""
    viewer = request.signed_in()

    async def load(ids: list[UUID]) -> dict[UUID, bool]:
        rows = await request.database.fetch(
            "SELECT id FROM mailboxes WHERE agency_id = $1 AND id = ANY($2::uuid[])", viewer.agency_id, ids
        )
        return {row["id"]: True for row in rows}

    mailbox_id = node_ids.decode_as(NodeKind.MAILBOX, global_id)
    if mailbox_id is None or not await batches.batch(request, "readable mailboxes", load).get(mailbox_id):
        message = "There is no such mailbox."
        raise NotFoundError(message, ["filter", "mailboxId"])
    return mailbox_id


class Entries(paging.Connection[Entry]):
    """A list of the entries that the viewer may see: all of them, or those booked at a mailbox.

    Raises `InvalidInputError` at once for bad paging arguments.
    """

    def __init__(
        self,
        request: Request,
        arguments: Arguments,
        narrowed: Filter,
        mailbox_id: UUID | None = None,
        early: Early = NOTHING_EARLY,
        writer: Writer | None = None,
    ) -> None:
        super().__init__(
            request,
            ORDER,
            arguments,
            read,
            values=(),
            parent_id=mailbox_id,
            writer=writer,
        )
        self._early = early
        self._reader = reader(request.signed_in())
        self._narrowed = narrowed

    def position(self, row: Row) -> tuple[Any, ...]:
        """Return where an entry stands: at its moment and, of those at one moment, at its id."""
        return row["occurred_at"], row["id"]

    def page_batch(self) -> batches.Batch[UUID | None, paging.Slice] | None:
        """Return what loads the page; None for whoever reads no entries."""
        if self._reader is None:
            return None
        window, reader = self.window, self._reader
        stretch = Stretch(
            lower=START if window.before is None else Position(*window.before).successor(),
            upper=END if window.after is None else Position(*window.after),
            oldest_first=window.backwards,
            limit=window.size + 1,
        )

        early, beside = self._early, self._early.beside(self._request.signed_in())
        columns, writer = visibility.ENTRY_COLUMNS, self._writer
        is_whole = writer is not None and writer.read_all is not None and self._parent_id is None
        if writer is not None:
            columns = columns_written_by(writer)
            if is_whole:
                columns = writer.columns_on_page(stretch.order("a"), window.size, PLACE_COLUMNS)

        async def load(mailbox_ids: list[UUID | None]) -> dict[UUID | None, paging.Slice]:
            if writer is not None and is_whole:
                row = await visibility.entries_collected(
                    self._request.database,
                    reader,
                    self._narrowed,
                    stretch,
                    columns,
                    partial(writer.write.page, keys=_PLACE, size=window.size, backwards=window.backwards),
                )
                return {None: paging.Slice.written(writer, row, _PLACE, window)}
            found = await visibility.entries(
                self._request.database,
                reader,
                self._narrowed,
                stretch,
                _parents(mailbox_ids),
                beside,
                columns,
            )
            pages = {}
            for mailbox_id, all_rows in found.items():
                rows = keep(self._request, all_rows, early)
                page = rows[: window.size]
                if window.backwards:
                    page.reverse()
                pages[mailbox_id] = paging.Slice(page, more=len(rows) > window.size)
            return pages

        return self._batch_of(("page", stretch, early, self._writer), load)

    async def _exists(self, position: tuple[Any, ...], *, later: bool) -> bool:
        if self._reader is None:
            return False
        reader, place = self._reader, Position(*position)
        stretch = Stretch(upper=place.successor(), limit=1) if later else Stretch(lower=place, limit=1)

        async def load(mailbox_ids: list[UUID | None]) -> dict[UUID | None, bool]:
            found = await visibility.entries(
                self._request.database, reader, self._narrowed, stretch, _parents(mailbox_ids)
            )
            return {mailbox_id: bool(rows) for mailbox_id, rows in found.items()}

        return bool(await self._load(("exists", stretch), load))

    async def total_count(self) -> int:
        """Return how many there are for the viewer; costs what that number costs."""
        if self._reader is None:
            return 0
        reader = self._reader

        async def load(mailbox_ids: list[UUID | None]) -> dict[UUID | None, int]:
            return await visibility.count(
                self._request.database, reader, self._narrowed, _parents(mailbox_ids)
            )

        found: int | None = await self._load(("count",), load)
        return found or 0

    async def _load(self, what: tuple[Any, ...], load: Callable[[list[UUID | None]], Any]) -> Any:  # noqa: ANN401
        return await self._batch_of(what, load).get(self._parent_id)

    def _batch_of(
        self, what: tuple[Any, ...], load: Callable[[list[UUID | None]], Any]
    ) -> batches.Batch[UUID | None, Any]:
        nested = self._parent_id is not None
        return batches.batch(self._request, ("entries", self._narrowed, nested, *what), load)


def _parents(mailbox_ids: list[UUID | None]) -> list[UUID] | None:
    chosen = [mailbox_id for mailbox_id in mailbox_ids if mailbox_id is not None]
    return chosen or None
