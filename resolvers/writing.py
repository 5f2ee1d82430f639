"""Objects that the database writes: entries and mailboxes with what belongs to them, as JSON where they are read.

Here are the fields that it can write, by their names. Everybody who may read the object may read these, but for the users
assigned to a mailbox, whose condition is said here as well. What a client selects of them, the schema puts together
(`schema.writing`).
PostgreSQL alone: SQLite writes no global id.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models import json_text as write
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WRITTEN = "written"
"""The column of a row that holds an object's JSON."""
SELDOM, REMEMBERED = 2, 1_000
"""How often objects are not written before they are, and of how many expressions that is remembered.

What is written for one selection is a statement of its own, and planning it costs more than it saves when it is asked for once.
"""


@dataclass(frozen=True, slots=True)
class Writer:
    """How an object is read where the database writes it: the expression of its JSON, and what makes an object of a row."""

    expression: str
    read: Callable[[Mapping[str, Any]], Any]
    read_all: Callable[[Mapping[str, Any]], Any] | None = None
    """What makes the whole list of objects of the only row that it comes in; None where each object is wanted by itself."""

    @property
    def column(self) -> str:
        """What is selected."""
        return f"{self.expression} AS {WRITTEN}"


def collected(statement: str, keys: Sequence[str], size: int, *, backwards: bool) -> str:
    """Return the statement of one row for a page: its objects in one list, and where it begins and ends.

    `statement` gives the rows of the page in the order in which they are read, with one row more where there is more, and each
    with its object and these keys. The row has their `number`, that of the one more as well, and each key of the first and
    the last object of the page under `first_` and `last_`. The list is null when an object is.
    """
    order = "q.place DESC" if backwards else "q.place"
    within = f"FILTER (WHERE q.place <= {size})"
    everything = f"'[' || coalesce(string_agg(q.{WRITTEN}, ',' ORDER BY {order}) {within}, '') || ']'"
    near = ", ".join(f"(array_agg(q.{key} ORDER BY q.place))[1] AS {{near}}_{key}" for key in keys)
    far = ", ".join(
        f"(array_agg(q.{key} ORDER BY q.place DESC) {within})[1] AS {{far}}_{key}" for key in keys
    )
    names = {"near": "last", "far": "first"} if backwards else {"near": "first", "far": "last"}
    return (
        f"SELECT count(*) AS number, CASE WHEN count(q.{WRITTEN}) = count(*) THEN {everything} END AS {WRITTEN}, "
        f"{near}, {far} ".format(**names)
        + f"FROM (SELECT p.*, row_number() OVER () AS place FROM ({statement}) p) q"
    )


def ends(row: Mapping[str, Any], keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return what a page's first and last row would hold of the keys; nothing of an empty page."""
    if not row["number"]:
        return []
    return [{key: row[f"{end}_{key}"] for key in keys} for end in ("first", "last")]


_asked: OrderedDict[str, int] = OrderedDict()


def is_often(writer: Writer) -> bool:
    """Whether objects have been asked for so often, this time counted, that it is worth to have them written."""
    times = _asked.pop(writer.expression, 0) + 1
    _asked[writer.expression] = times
    if len(_asked) > REMEMBERED:
        _asked.popitem(last=False)
    return times > SELDOM


USER = {
    "node_id": write.global_id(NodeKind.USER, "p.id"),
    "login": write.text("p.login"),
    "first_name": write.text("p.first_name"),
    "last_name": write.text("p.last_name"),
    "name": write.text("(p.first_name || ' ' || p.last_name)"),
    "email_name": write.optional(write.text("p.email_name")),
    "language": write.text("p.language"),
    "role": write.word("p.role"),
    "state": write.word("p.state"),
}
"""Of a user `p`."""
MAILBOX = {
    "node_id": write.global_id(NodeKind.MAILBOX, "o.id"),
    "address": write.text("o.address"),
    "email_name": write.optional(write.text("o.email_name")),
    "vip": write.boolean("o.vip"),
    "active": write.boolean("o.active"),
    "receiving_stops_at": write.optional(write.instant("o.receiving_stops_at")),
    "automatic_booking": write.boolean("o.automatic_booking"),
}
"""Of a mailbox `o`."""
BOOKING = {
    "part": write.word("b.part"),
    "decisive_at": write.instant("b.decisive_at"),
}
"""Of a booking `b`."""
ENTRY = {
    "node_id": write.global_id(NodeKind.ACTIVITY, "a.id"),
    "kind": write.word("a.kind"),
    "direction": write.word("a.direction"),
    "subject": write.text("m.subject"),
    "preview": write.text("m.preview"),
    "remark": write.text("m.remark"),
    "sender": write.text("m.sender"),
    "recipients": write.lines("m.recipients"),
    "message_id": write.text("m.message_id"),
    "mail_date": write.optional(write.instant("m.mail_date")),
    "occurred_at": write.instant("a.occurred_at"),
    "vip": write.boolean("a.guarded"),
    "contact_reference": write.optional(write.text("a.contact_reference")),
    "property_reference": write.optional(write.text("a.property_reference")),
}
"""Of an entry `a` and its e-mail `m`."""


def booking_user(one: str) -> str:
    """Return the user `p` of a booking; `null` where there is none."""
    return f"CASE WHEN p.id IS NULL THEN 'null' ELSE {one} END"


def assigned_users(one: str, size: int, *, administers: bool) -> str:
    """Return the page of the users assigned to a mailbox `o` now, each written by an expression of user `p`.

    `null` for whoever may not read them (`mailboxes.reads_assigned_users`): `$1` is the viewer, `$2` the agency of both.
    """
    page = (
        "SELECT u.* FROM assignments s JOIN users u ON u.id = s.user_id WHERE s.mailbox_id = o.id AND s.agency_id = $2 "
        f"AND s.until IS NULL ORDER BY u.fold_name, u.login LIMIT {size}"
    )
    found = f"(SELECT {write.collected(one, 'p.fold_name, p.login')} FROM ({page}) p)"
    if administers:
        return found
    own = (
        "SELECT 1 FROM assignments own WHERE own.mailbox_id = o.id AND own.user_id = $1 AND own.until IS NULL"
    )
    return f"CASE WHEN EXISTS ({own}) THEN {found} END"
