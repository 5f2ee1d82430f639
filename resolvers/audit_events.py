"""The audit of an agency, as its administrators read it: who did what, when, to what and from where.

Nothing in it speaks of an e-mail or an entry: an import of e-mails is not among it, nor are an event's details, which may hold
the number of entries that a VIP switch named to somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import audit
from models.lateral import Parameters
from resolvers import batches, text
from resolvers.cursors import Kind
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode, decode_as, encode
from resolvers.paging import Connection
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from resolvers.request import Request

OBJECTS = {
    "user": NodeKind.USER,
    "agency": NodeKind.AGENCY,
    "mailbox": NodeKind.MAILBOX,
    "assignment": NodeKind.MAILBOX_ASSIGNMENT,
}
"""What an event may have been done to that has a global id, by its name in the audit."""
_TYPES = {kind: name for name, kind in OBJECTS.items()}


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event of an agency's audit."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    object_type: str | None
    object_id: UUID | None
    remote_address: str | None

    @property
    def node_id(self) -> str:
        """Return the global id."""
        return encode(NodeKind.AUDIT_EVENT, self.id)

    @property
    def object_node_id(self) -> str | None:
        """Return the global id of what it was done to; None for what has none, a session say."""
        kind = OBJECTS.get(self.object_type or "")
        return None if kind is None or self.object_id is None else encode(kind, self.object_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None is everything."""

    actor_id: str | None = None
    object_id: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_READABLE = f"e.action <> '{audit.MAILS_IMPORTED}'"
_COLUMNS = "e.id, e.at, e.action, e.actor_id, e.object_type, e.object_id, e.remote_address"
_ORDER = (Key("e.at", Kind.INSTANT), Key("e.id", Kind.ID))


def _read(row: Mapping[str, Any]) -> AuditEvent:
    return AuditEvent(
        row["id"],
        row["at"],
        row["action"],
        row["actor_id"],
        row["object_type"],
        row["object_id"],
        row["remote_address"],
    )


def list_all(request: Request, arguments: Arguments, wanted: Wanted) -> Connection[AuditEvent]:
    """Return the audit of the viewer's agency, newest first. Whether the viewer is an administrator is not asked here.

    Of an id that names nothing, or another agency's, there is no event. Raises `InvalidInputError` for an action of more than 100
    characters.
    """
    member = request.member()
    parameters = Parameters()
    conditions = (
        ["false"] if member is None else [f"e.agency_id = {parameters.add(member[1], 'uuid')}", _READABLE]
    )
    if wanted.actor_id is not None:
        actor_id = decode_as(NodeKind.USER, wanted.actor_id)
        conditions.append("false" if actor_id is None else f"e.actor_id = {parameters.add(actor_id, 'uuid')}")
    if wanted.object_id is not None:
        conditions.append(_of_object(wanted.object_id, parameters))
    if wanted.action is not None:
        action = text.clean(wanted.action, ["filter", "action"], most=text.LINE_LENGTH)
        begins = f"substr(e.action, 1, {len(action)}) = {parameters.add(action)}"
        conditions.append(begins if action.endswith(".") else f"e.action = {parameters.add(action)}")
    if wanted.since is not None:
        conditions.append(f"e.at >= {parameters.add(wanted.since, 'timestamptz')}")
    if wanted.until is not None:
        conditions.append(f"e.at < {parameters.add(wanted.until, 'timestamptz')}")
    listing = Listing(_COLUMNS, "audit_events e", " AND ".join(conditions), _ORDER, descending=True)
    return Connection(request, listing, arguments, _read, values=parameters.values)


def _of_object(global_id: str, parameters: Parameters) -> str:
    named = decode(global_id)
    kind = None if named is None else _TYPES.get(named[0])
    if named is None or kind is None:
        return "false"
    return f"e.object_id = {parameters.add(named[1], 'uuid')} AND e.object_type = {parameters.add(kind)}"


async def by_id(request: Request, event_id: UUID) -> AuditEvent | None:
    """Return an event, loaded with the others of its level; None where the viewer may not read it."""
    return await batches.batch(request, "audit events by id", partial(_load, request)).get(event_id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, AuditEvent]:
    member = request.member()
    if member is None or not member[0].administers:
        return {}
    rows = await request.database.fetch(
        f"SELECT {_COLUMNS} FROM audit_events e "
        f"WHERE e.agency_id = $1 AND e.id = ANY($2::uuid[]) AND {_READABLE}",
        member[1],
        keys,
    )
    return {row["id"]: _read(row) for row in rows}
