"""Objects that the database writes: entries and mailboxes with what belongs to them, as JSON where they are read.

Here are the fields that it can write, by their names. Everybody who may read the object may read these, but for the users
assigned to a mailbox, whose condition is said here as well. What a client selects of them, the schema puts together
(`schema.writing`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models import json_text
from models.json_text import WRITTEN, JsonText
from resolvers.node_ids import NodeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.json_text import Json

SELDOM, REMEMBERED = 2, 1_000
"""How often objects are not written before they are, and of how many expressions that is remembered.

What is written for one selection is a statement of its own, and planning it costs more than it saves when it is asked for once.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """How an object is read where the database writes it: the expression of its JSON, and what makes an object of a row.

    Each is only like itself, and puts its texts together once: they are long.
    """

    write: JsonText
    expression: str
    read: Callable[[Mapping[str, Any]], Any]
    read_all: Callable[[Json | None], Any] | None = None
    """What makes the list of all objects of a page; None where each object is wanted by itself."""

    _columns: dict[object, str] = field(default_factory=dict, repr=False)

    def columns(self, before: str = "") -> str:
        """Return what is selected: the JSON behind these columns, each of which ends with a comma."""
        columns = self._columns.get(before)
        if columns is None:
            columns = self._columns[before] = f"{before}{self.expression} AS {WRITTEN}"
        return columns

    def columns_on_page(self, order: str, size: int, before: str = "") -> str:
        """Return the same for a page of this order and size in one row (`JsonText.page`)."""
        key = before, order, size
        columns = self._columns.get(key)
        if columns is None:
            one = self.write.on_page(self.expression, order, size)
            columns = self._columns[key] = f"{before}{one} AS {WRITTEN}"
        return columns


_asked: OrderedDict[str, int] = OrderedDict()


def is_often(writer: Writer) -> bool:
    """Whether objects have been asked for so often, this time counted, that it is worth to have them written."""
    times = _asked.pop(writer.expression, 0) + 1
    _asked[writer.expression] = times
    if len(_asked) > REMEMBERED:
        _asked.popitem(last=False)
    return times > SELDOM


@dataclass(frozen=True, slots=True)
class Fields:
    """What a database writes of a user `p`, a mailbox `o`, a booking `b`, and an entry `a` with its e-mail `m`."""

    write: JsonText
    user: Mapping[str, str]
    mailbox: Mapping[str, str]
    booking: Mapping[str, str]
    entry: Mapping[str, str]

    @staticmethod
    def booking_user(one: str) -> str:
        """Return the user `p` of a booking; `null` where there is none."""
        return f"CASE WHEN p.id IS NULL THEN 'null' ELSE {one} END"

    def assigned_users(self, one: str, size: int, *, administers: bool) -> str:
        """Return the page of the users assigned to a mailbox `o` now, each written by an expression of user `p`.

        `null` for whoever may not read them (`mailboxes.reads_assigned_users`): `$1` is the viewer; an
        assignment is of its mailbox's agency.
        """
        columns = (
            "u.id, u.login, u.first_name, u.last_name, u.fold_name, u.email_name, u.language, u.role, u.state"
        )
        page = (
            f"(SELECT {columns} FROM assignments s JOIN users u ON u.id = s.user_id WHERE s.mailbox_id = o.id "
            f"AND s.until IS NULL ORDER BY u.fold_name, u.login LIMIT {size}) p"
        )
        found = self.write.collected(one, page, "p.fold_name, p.login", is_sorted=True)
        if administers:
            return found
        own = "SELECT 1 FROM assignments own WHERE own.mailbox_id = o.id AND own.user_id = $1 AND own.until IS NULL"
        return f"CASE WHEN EXISTS ({own}) THEN {found} END"


def _fields(write: JsonText) -> Fields:
    return Fields(
        write,
        user={
            "node_id": write.global_id(NodeKind.USER, "p.id"),
            "login": write.text("p.login"),
            "first_name": write.line("p.first_name"),
            "last_name": write.line("p.last_name"),
            "name": write.line("(p.first_name || ' ' || p.last_name)"),
            "email_name": write.optional(write.text("p.email_name")),
            "language": write.text("p.language"),
            "role": write.word("p.role"),
            "state": write.word("p.state"),
        },
        mailbox={
            "node_id": write.global_id(NodeKind.MAILBOX, "o.id"),
            "address": write.text("o.address"),
            "email_name": write.optional(write.text("o.email_name")),
            "vip": write.boolean("o.vip"),
            "active": write.boolean("o.active"),
            "receiving_stops_at": write.optional(write.instant("o.receiving_stops_at")),
            "automatic_booking": write.boolean("o.automatic_booking"),
        },
        booking={
            "part": write.word("b.part"),
            "decisive_at": write.instant("b.decisive_at"),
        },
        entry={
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
        },
    )


_ON_POSTGRESQL, _ON_SQLITE = _fields(json_text.POSTGRESQL), _fields(json_text.SQLITE)


def fields_of(*, is_sqlite: bool) -> Fields:
    """Return what a database writes."""
    return _ON_SQLITE if is_sqlite else _ON_POSTGRESQL
