"""Reading entries, and what belongs to them.

What is visible is decided in `models.visibility`; here are records and batches, and in `activity_lists` pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models import visibility
from models.tables.mails import ActivityKind, MailDirection, MailPart
from models.visibility import Beside, Reader
from resolvers import batches, mailboxes, node_ids, users
from resolvers.node_ids import NodeKind
from resolvers.records import maker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from models.visibility import Filter
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer
    from resolvers.users import User
    from resolvers.writing import Writer

    Row = Mapping[str, Any]

REFERENCE_LENGTH = 200
PLACE_COLUMNS = "a.occurred_at, a.id, "
"""Where an entry `a` stands in a list."""


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


def keep(request: Request, rows: Sequence[Row], early: Early) -> list[Row]:
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


def reader(viewer: Viewer) -> Reader | None:
    """Return the viewer as the rule looks at one, or None for an account manager, who reads no entries."""
    if viewer.agency_id is None:
        return None
    return Reader(viewer.id, viewer.agency_id, viewer.activity_read_level, viewer.agents_log_read_level)


def columns_written_by(writer: Writer) -> str:
    """Return what is selected of an entry `a` that the database writes: its place in a list, and its JSON."""
    return writer.columns(PLACE_COLUMNS)


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
            columns = columns_written_by(writer)
            rows = await visibility.visible(request.database, seer, ids, columns=columns, rights_known=True)
            return {row["id"]: writer.read(row) for row in rows}
        beside = early.beside(viewer)
        rows = await visibility.visible(request.database, seer, ids, beside=beside, rights_known=True)
        return {row["id"]: read(row) for row in keep(request, rows, early)}

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
