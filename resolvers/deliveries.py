"""Letters with credentials, for those who asked for them or are assigned to the mailbox now; and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from models import sessions
from models.tables.letters import CredentialContent, DeliveryState
from resolvers import batches
from resolvers.cursors import Kind
from resolvers.errors import NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode_as, encode
from resolvers.paging import Connection
from resolvers.request import viewer_of
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from models.database import Unit
    from resolvers.events import Events
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request

CHANGED = "delivery_changed"
"""The topic: `delivery_id`."""


@dataclass(frozen=True, slots=True)
class CredentialDelivery:
    """A letter with a mailbox's credentials, and what became of it."""

    id: UUID
    mailbox_id: UUID
    to: str
    content: CredentialContent
    state: DeliveryState
    attempts: int
    failure: str | None
    requested_by_id: UUID
    requested_at: datetime
    expires_at: datetime | None
    sent_at: datetime | None
    opened_at: datetime | None

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return encode(NodeKind.CREDENTIAL_DELIVERY, self.id)


COLUMNS = (
    "d.id, d.mailbox_id, d.to_address, d.content, d.state, d.attempts, d.failure, d.requested_by_id, d.requested_at, "
    "d.expires_at, d.sent_at, d.opened_at"
)
"""What is selected of a delivery `d`."""
_READABLE = (
    "(d.requested_by_id = $2 OR EXISTS (SELECT 1 FROM assignments own "
    "WHERE own.mailbox_id = d.mailbox_id AND own.user_id = $2 AND own.until IS NULL))"
)
"""Whether the viewer `$2` may read a delivery `d` of the agency."""
_OF_MAILBOX = Listing(
    COLUMNS,
    "credential_deliveries d",
    f"d.agency_id = $1 AND {_READABLE}",
    (Key("d.requested_at", Kind.INSTANT), Key("d.id", Kind.ID)),
    descending=True,
    parent="d.mailbox_id",
)


def read(row: Mapping[str, Any]) -> CredentialDelivery:
    """Return the delivery in a row of `COLUMNS`."""
    return CredentialDelivery(
        row["id"],
        row["mailbox_id"],
        row["to_address"],
        CredentialContent(row["content"]),
        DeliveryState(row["state"]),
        row["attempts"],
        row["failure"],
        row["requested_by_id"],
        row["requested_at"],
        row["expires_at"],
        row["sent_at"],
        row["opened_at"],
    )


def of_mailbox(request: Request, mailbox: Mailbox, arguments: Arguments) -> Connection[CredentialDelivery]:
    """Return the letters about a mailbox that the viewer may read, newest first."""
    values = (mailbox.agency_id, request.signed_in().id)
    return Connection(request, _OF_MAILBOX, arguments, read, values=values, parent_id=mailbox.id)


async def by_id(request: Request, delivery_id: UUID) -> CredentialDelivery | None:
    """Return a letter, loaded with the others of its level; None where the viewer may not read it."""
    return await batches.batch(request, "deliveries by id", partial(_load, request)).get(delivery_id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, CredentialDelivery]:
    member = request.member()
    if member is None:
        return {}
    viewer, agency_id = member
    rows = await request.database.fetch(
        f"SELECT {COLUMNS} FROM credential_deliveries d "
        f"WHERE d.agency_id = $1 AND {_READABLE} AND d.id = ANY($3::uuid[])",
        agency_id,
        viewer.id,
        keys,
    )
    return {row["id"]: read(row) for row in rows}


# ---------------------------------------------------------------- what becomes of them


def teller(events: Events) -> Callable[[Unit, UUID], Awaitable[None]]:
    """Return what tells those who listen, in its unit, that something became of a letter."""

    async def tell(unit: Unit, delivery_id: UUID) -> None:
        await events.publish(unit, CHANGED, {"delivery_id": str(delivery_id)})

    return tell


async def changed(request: Request, delivery_id: str) -> AsyncIterator[CredentialDelivery]:
    """Yield a letter as it is after each change; at once where it is settled already.

    The viewer's rights are looked up for each change: what is not the viewer's to read any more is not told. Ends when the
    session has ended. Raises `NotFoundError` for what the viewer may not read at the beginning, and
    `resolvers.events.SubscriptionEndedError` when events were lost or too many wait.
    """
    viewer = request.signed_in()
    wanted = decode_as(NodeKind.CREDENTIAL_DELIVERY, delivery_id)
    # Listening before the first look: nothing that happens between the two is missed.
    with request.services.events.subscribe(
        CHANGED, lambda payload: payload["delivery_id"] == str(wanted)
    ) as events:
        told = None if wanted is None else await by_id(request, wanted)
        if wanted is None or told is None:
            raise NotFoundError("There is no such letter.", ["deliveryId"])
        if told.state is not DeliveryState.QUEUED:
            yield told
        async for _ in events:
            row = await sessions.viewer(request.database, viewer.session_id)
            if row is None:
                return
            request.viewer = viewer_of(row, viewer.session_id)
            # What was loaded for the last change may no longer be so, or no longer be this viewer's to read.
            batches.forget(request)
            found = await by_id(request, wanted)
            if found is not None and found != told:
                told = found
                yield found
