"""What the database is to write of an object, put together from what a client selects of it.

Only where everything that is selected can be written (`resolvers.writing`), and nothing else stands before it: no argument, no
permission. Whatever else is selected has the objects themselves read as ever.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from execution.written import TYPENAME, Written, WrittenList, shape_below
from models import visibility
from models.json_text import WRITTEN
from resolvers import writing
from resolvers.windows import DEFAULT_SIZE, LARGEST_SIZE
from resolvers.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from execution.shapes import Objects
    from execution.written import Chosen
    from resolvers.writing import Fields
    from schema.context import Info

    Make: TypeAlias = Callable[[Fields, Objects], str]
    MakeGuarded: TypeAlias = Callable[[Fields, Chosen], str]


LONGEST = 6_000
"""Of an expression. PostgreSQL's connection keeps no statement of more than 15 KiB, and would have it planned each time."""


class _UnwritableError(Exception):
    """Something is selected that the database does not write."""


def entry_writer(info: Info) -> Writer | None:
    """Return how the entry that a field leads to is written; None where it can't be."""
    return _writer(info, shape_below(info, kind="Activity"), _entry)


def entries_writer(info: Info) -> Writer | None:
    """Return how the entries of a connection are written; None where they can't be, or are selected more than once."""
    return _page_writer(info, _entry_of_many)


def mailboxes_writer(info: Info) -> Writer | None:
    """Return how the mailboxes of a connection are written; None where they can't be, or are selected more than once."""
    viewer = info.context.request.viewer
    administers = viewer is not None and viewer.administers
    return _page_writer(info, _mailbox_for_administrators if administers else _mailbox_for_others)


def _page_writer(info: Info, make: Make) -> Writer | None:
    """Return how the items of a connection are written; None where they are selected twice, or as nodes and of edges."""
    page = shape_below(info)
    chosen = [] if page is None else [each.name for each in page.chosen if each.name in {"nodes", "edges"}]
    if chosen == ["nodes"]:
        return _writer(info, shape_below(info, "nodes"), make, is_whole=True)
    return _writer(info, shape_below(info, "edges", "node"), make) if chosen == ["edges"] else None


def _writer(info: Info, shape: Objects | None, make: Make, *, is_whole: bool = False) -> Writer | None:
    context = info.context
    if shape is None or not context.takes_json:
        return None
    is_sqlite = context.request.database.is_sqlite
    note = make, is_sqlite
    if note not in shape.notes:
        shape.notes[note] = _made(writing.fields_of(is_sqlite=is_sqlite), shape, make, is_whole=is_whole)
    found: Writer | None = shape.notes[note]
    if found is None:
        return None
    # Once for all objects of an operation: of those of one level, all are written or none.
    is_often = context.written.get(found.expression)
    if is_often is None:
        is_often = context.written[found.expression] = writing.is_often(found)
    return found if is_often else None


def _made(fields: Fields, shape: Objects, make: Make, *, is_whole: bool) -> Writer | None:
    """Return a writer by what `make` makes; None where that can't be made, or is too long."""
    try:
        expression = make(fields, shape)
    except _UnwritableError:
        return None
    if len(expression) > LONGEST:
        return None
    finished = fields.write.finished
    return Writer(
        fields.write,
        expression,
        lambda row: Written(shape, finished(row[WRITTEN])),
        (lambda written: WrittenList(shape, written)) if is_whole else None,
    )


def _entry(fields: Fields, shape: Objects) -> str:
    return _object(fields, shape, fields.entry, {"bookings": partial(_bookings, of_many=False)})


def _entry_of_many(fields: Fields, shape: Objects) -> str:
    return _object(fields, shape, fields.entry, {"bookings": partial(_bookings, of_many=True)})


def _bookings(fields: Fields, shape: Objects, *, of_many: bool) -> str:
    one = _object(fields, shape, fields.booking, {"mailbox": _mailbox, "user": _booking_user})
    return visibility.written_bookings(fields.write, one, of_many=of_many)


def _booking_user(fields: Fields, shape: Objects) -> str:
    return fields.booking_user(_object(fields, shape, fields.user, {}))


def _mailbox(fields: Fields, shape: Objects) -> str:
    return _object(fields, shape, fields.mailbox, {})


def _mailbox_for_administrators(fields: Fields, shape: Objects) -> str:
    assigned = partial(_assigned_users, administers=True)
    return _object(fields, shape, fields.mailbox, {}, {"assigned_users": assigned})


def _mailbox_for_others(fields: Fields, shape: Objects) -> str:
    assigned = partial(_assigned_users, administers=False)
    return _object(fields, shape, fields.mailbox, {}, {"assigned_users": assigned})


def _assigned_users(fields: Fields, chosen: Chosen, *, administers: bool) -> str:
    """Return a page from the list's beginning: nothing but its users, or nothing where they may not be read."""
    given = {name: value for name, value in (chosen.arguments or {}).items() if value is not None}
    size = given.pop("first", DEFAULT_SIZE)
    page = chosen.objects.chosen if chosen.objects is not None else []
    if chosen.arguments is None or given or not 1 <= size <= LARGEST_SIZE or len(page) != 1:
        raise _UnwritableError(chosen.name)
    (nodes,) = page
    if nodes.name != "nodes" or nodes.objects is None:
        raise _UnwritableError(nodes.name)
    one = _object(fields, nodes.objects, fields.user, {})
    users = fields.assigned_users(one, size, administers=administers)
    return fields.write.optional(f"'{{\"{nodes.key}\":' || {users} || '}}'")


def _object(
    fields: Fields,
    shape: Objects,
    leaves: Mapping[str, str],
    objects: Mapping[str, Make],
    guarded: Mapping[str, MakeGuarded] | None = None,
) -> str:
    """Return the expression of an object: leaves, objects that anybody may read with it, and what has conditions or arguments."""

    def value(chosen: Chosen) -> str:
        if guarded is not None and chosen.name in guarded:
            return guarded[chosen.name](fields, chosen)
        if chosen.name == TYPENAME:
            return f"'\"{shape.kind.name}\"'"
        if chosen.is_plain:
            if chosen.name in leaves:
                return leaves[chosen.name]
            if chosen.name in objects and chosen.objects is not None:
                return objects[chosen.name](fields, chosen.objects)
        raise _UnwritableError(chosen.name)

    return fields.write.made([(each.key, value(each)) for each in shape.chosen])
