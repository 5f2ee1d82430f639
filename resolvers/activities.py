"""Reading entries.

What is visible is decided in `models.visibility`; here are arguments, pages and batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from models import visibility
from models.tables import ActivityKind, MailDirection, MailPart
from models.visibility import END, START, Beside, Filter, Position, Reader, Stretch
from resolvers import batches, mailboxes, node_ids, paging, text, users
from resolvers.cursors import Kind
from resolvers.errors import InvalidInputError, NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind
from resolvers.records import maker
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer
    from resolvers.users import User
    from resolvers.writing import Writer

    Row = Mapping[str, Any]

REFERENCE_LENGTH = 200
ORDER = Listing(
    columns="",
    source="",
    where="",
    order=(Key("occurred_at", Kind.INSTANT), Key("id", Kind.ID)),
    descending=True,
)
"""The order of every list of entries, newest first; the statement is `models.visibility`'s."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that the viewer may see. `vip` says that it is guarded.

    All of it is of one instant: `booked` is the position of the newest booking that the e-mail had then.
    """

    id: UUID
    agency_id: UUID
    mail_id: UUID
    kind: ActivityKind
    direction: MailDirection
    contact_reference: str | None
    property_reference: str | None
    occurred_at: datetime
    vip: bool
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    preview: str
    mail_date: datetime | None
    booked: int

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return node_ids.encode(NodeKind.ACTIVITY, self.id)


@dataclass(frozen=True, slots=True)
class Booking:
    """A mailbox's part in the e-mail of a visible entry."""

    mailbox_id: UUID
    part: MailPart
    decisive_at: datetime
    user_id: UUID | None
    position: int


_entry, _made_booking = maker(Entry), maker(Booking)
_KINDS = {each.value: each for each in ActivityKind}
_DIRECTIONS = {each.value: each for each in MailDirection}
_PARTS = {each.value: each for each in MailPart}


def read(row: Row) -> Entry:
    """Return the entry in a row of `visibility.ENTRY_COLUMNS`."""
    recipients = row["recipients"]
    return _entry(
        row["id"],
        row["agency_id"],
        row["mail_id"],
        _KINDS[row["kind"]],
        _DIRECTIONS[row["direction"]],
        row["contact_reference"],
        row["property_reference"],
        row["occurred_at"],
        row["guarded"],
        row["message_id"],
        row["sender"],
        recipients.split("\n") if recipients else [],
        row["subject"],
        row["preview"],
        row["mail_date"],
        row["booked"],
    )


@dataclass(frozen=True, slots=True)
class Early:
    """What will be asked for of entries, and so is read with them: their bookings, and the mailboxes and users of these."""

    bookings: bool = False
    mailboxes: bool = False
    users: bool = False

    def beside(self, viewer: Viewer) -> Beside | None:
        """Return what the entries' statement reads besides."""
        if not self.bookings:
            return None
        columns = []
        if self.mailboxes:
            columns.append(mailboxes.columns("$1", "o", "mailbox__"))
        if self.users:
            columns.append(users.columns("p", "user__"))
        return Beside(tuple(columns), (viewer.id,) if self.mailboxes else ())


NOTHING_EARLY = Early()
_read_mailbox, _read_user = mailboxes.reading("mailbox__"), users.reading("user__")


def _keep(request: Request, rows: Sequence[Row], early: Early) -> list[Row]:
    """Keep what was read beside entries for the fields that will ask for it. Return one row of each entry."""
    if not early.bookings:
        return list(rows)
    entries: list[Row] = []
    found: dict[UUID, list[Booking]] = {}
    boxes: dict[UUID, Mailbox] = {}
    people: dict[UUID, User] = {}
    for row in rows:
        if not entries or entries[-1]["id"] != row["id"]:
            entries.append(row)
            found[row["mail_id"]] = []
        booking = _booking(row)
        found[row["mail_id"]].append(booking)
        if early.mailboxes and booking.mailbox_id not in boxes:
            boxes[booking.mailbox_id] = _read_mailbox(row)
        if early.users and booking.user_id is not None and booking.user_id not in people:
            people[booking.user_id] = _read_user(row)
    loading = _bookings_batch(request)
    # What another field read may be newer: bookings are only ever added.
    loading.keep({key: new for key, new in found.items() if len(new) >= len(loading.known(key) or ())})
    mailboxes.by_id_batch(request).keep(boxes)
    users.by_id_batch(request).keep(people)
    return entries


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


def reader(viewer: Viewer) -> Reader | None:
    """Return the viewer as the rule looks at one, or None for an account manager, who reads no entries."""
    if viewer.agency_id is None:
        return None
    return Reader(viewer.id, viewer.agency_id, viewer.activity_read_level, viewer.agents_log_read_level)


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
            columns = _columns_written_by(writer)
            if is_whole:
                columns = writer.columns_on_page(stretch.order("a"), window.size, _PLACE_COLUMNS)

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
                rows = _keep(self._request, all_rows, early)
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


_PLACE, _PLACE_COLUMNS = ("occurred_at", "id"), "a.occurred_at, a.id, "


def _columns_written_by(writer: Writer) -> str:
    """Return what is selected of an entry `a` that the database writes: its place in a list, and its JSON."""
    return writer.columns(_PLACE_COLUMNS)


def _parents(mailbox_ids: list[UUID | None]) -> list[UUID] | None:
    chosen = [mailbox_id for mailbox_id in mailbox_ids if mailbox_id is not None]
    return chosen or None


async def entry(
    request: Request, activity_id: UUID, early: Early = NOTHING_EARLY, writer: Writer | None = None
) -> Any:  # noqa: ANN401 (an `Entry`, or what the writer makes of its row)
    """Return one entry, or None where it does not exist or is hidden. With `writer` the database writes it."""
    viewer = request.signed_in()
    seer = reader(viewer)
    if seer is None:
        return None

    async def load(ids: list[UUID]) -> dict[UUID, Any]:
        if writer is not None:
            columns = _columns_written_by(writer)
            rows = await visibility.visible(request.database, seer, ids, columns=columns, rights_known=True)
            return {row["id"]: writer.read(row) for row in rows}
        beside = early.beside(viewer)
        rows = await visibility.visible(request.database, seer, ids, beside=beside, rights_known=True)
        return {row["id"]: read(row) for row in _keep(request, rows, early)}

    return await batches.batch(request, ("entry", early, writer), load).get(activity_id)


async def remark(request: Request, mail_id: UUID) -> str:
    """Return the text of the e-mail of a visible entry."""
    return (await remarks(request, [mail_id]))[0]


async def remarks(request: Request, mail_ids: list[UUID]) -> list[str]:
    """Return the texts of the e-mails of visible entries, in their order."""

    async def load(mail_ids: list[UUID]) -> dict[UUID, str]:
        return await visibility.texts(request.database, mail_ids)

    return [text or "" for text in await batches.batch(request, "remark", load).get_all(mail_ids)]


async def bookings(request: Request, entry: Entry) -> list[Booking]:
    """Return the bookings that the e-mail of a visible entry had when the entry was read, by decisive moment, then address."""
    return (await bookings_of(request, [entry]))[0]


async def bookings_of(request: Request, entries: Sequence[Entry]) -> list[list[Booking]]:
    """Return what `bookings` returns for each entry, in their order."""
    loaded = await _bookings_batch(request).get_all([entry.mail_id for entry in entries])
    return [
        [each for each in found or () if each.position <= entry.booked]
        for entry, found in zip(entries, loaded, strict=True)
    ]


def _bookings_batch(request: Request) -> batches.Batch[UUID, list[Booking]]:
    async def load(mail_ids: list[UUID]) -> dict[UUID, list[Booking]]:
        found = await visibility.bookings(request.database, mail_ids)
        return {mail_id: [_booking(row) for row in rows] for mail_id, rows in found.items()}

    return batches.batch(request, "bookings", load)


def _booking(row: Row) -> Booking:
    return _made_booking(
        row["mailbox_id"], _PARTS[row["part"]], row["decisive_at"], row["user_id"], row["position"]
    )


async def still_visible(request: Request, narrowed: Filter, activity_ids: list[UUID]) -> list[Entry]:
    """Return those of these entries of an e-mail that the viewer may see and the filter lets through, by kind and reference."""
    seer = reader(request.signed_in())
    if seer is None:
        return []
    entries = [read(row) for row in await visibility.visible(request.database, seer, activity_ids, narrowed)]
    return sorted(
        entries, key=lambda each: (each.kind, each.contact_reference or each.property_reference or "")
    )
