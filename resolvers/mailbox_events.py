"""What was done to a mailbox: switched, renewed, shown and sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import clock
from models.tables.mailboxes import MailboxEventKind
from resolvers import batches
from resolvers.cursors import Kind
from resolvers.listings import Key, Listing
from resolvers.mailboxes import PERIODS_READABLE, Mailbox
from resolvers.node_ids import NodeKind, encode
from resolvers.paging import Connection
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.database import Unit
    from resolvers.request import Request


@dataclass(frozen=True, slots=True)
class MailboxEvent:
    """One event at a mailbox, and who did it."""

    id: UUID
    kind: MailboxEventKind
    at: datetime
    user_id: UUID | None

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return encode(NodeKind.MAILBOX_EVENT, self.id)


_COLUMNS = "e.id, e.kind, e.at, e.user_id"
_OF_MAILBOX = Listing(
    _COLUMNS,
    "mailbox_events e",
    "e.agency_id = $1",
    (Key("e.at", Kind.INSTANT), Key("e.id", Kind.ID)),
    descending=True,
    parent="e.mailbox_id",
)


def _read(row: Mapping[str, Any]) -> MailboxEvent:
    return MailboxEvent(row["id"], MailboxEventKind(row["kind"]), row["at"], row["user_id"])


def of_mailbox(request: Request, mailbox: Mailbox, arguments: Arguments) -> Connection[MailboxEvent]:
    """Return the events at a mailbox, newest first. Whether the viewer may read it is not asked here."""
    return Connection(
        request, _OF_MAILBOX, arguments, _read, values=(mailbox.agency_id,), parent_id=mailbox.id
    )


async def by_id(request: Request, event_id: UUID) -> MailboxEvent | None:
    """Return an event, loaded with the others of its level; None where the viewer may not read it."""
    return await batches.batch(request, "mailbox events by id", partial(_load, request)).get(event_id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, MailboxEvent]:
    member = request.member()
    if member is None:
        return {}
    viewer, agency_id = member
    rows = await request.database.fetch(
        f"SELECT {_COLUMNS} FROM mailbox_events e JOIN mailboxes m ON m.id = e.mailbox_id "
        f"WHERE e.agency_id = $3 AND e.id = ANY($4::uuid[]) AND {PERIODS_READABLE}",
        viewer.id,
        viewer.administers,
        agency_id,
        keys,
    )
    return {row["id"]: _read(row) for row in rows}


async def write(
    unit: Unit, mailbox: Mailbox, kind: MailboxEventKind, *, at: datetime, user_id: UUID | None
) -> None:
    """Write down what was done to a mailbox, in the unit that does it."""
    await unit.execute(
        "INSERT INTO mailbox_events (id, agency_id, mailbox_id, kind, at, user_id) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        uuid4(),
        mailbox.agency_id,
        mailbox.id,
        kind.value,
        at,
        user_id,
    )


async def write_next(
    unit: Unit, mailbox: Mailbox, kind: MailboxEventKind, *, after: datetime, user_id: UUID | None
) -> datetime:
    """Write an event at the next moment of a mailbox whose row the unit holds and whose newest moment is `after`.

    Returns that moment. So the mailbox's events, periods and bookings have one order.
    """
    moment = clock.next_moment(after)
    await unit.execute("UPDATE mailboxes SET last_moment = $2 WHERE id = $1", mailbox.id, moment)
    await write(unit, mailbox, kind, at=moment, user_id=user_id)
    return moment
