"""What the database is to write of an object, put together from what a client selects of it.

Only where everything that is selected can be written (`resolvers.writing`), and nothing else stands before it: no argument, no
permission. Whatever else is selected has the objects themselves read as ever.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from execution.written import TYPENAME, Written, WrittenList, shape_below
from models import json_text as write
from models import visibility
from resolvers import writing
from resolvers.paging import DEFAULT_SIZE, LARGEST_SIZE
from resolvers.writing import BOOKING, ENTRY, MAILBOX, USER, WRITTEN, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from execution.shapes import Objects
    from execution.written import Chosen
    from schema.context import Info

    Make: TypeAlias = Callable[[Objects], str]
    MakeGuarded: TypeAlias = Callable[[Chosen], str]


LONGEST = 6_000
"""Of an expression. A connection keeps no statement of more than 15 KiB, and would have it planned at each request."""


class _UnwritableError(Exception):
    """Something is selected that the database does not write."""


def entry_writer(info: Info) -> Writer | None:
    """Return how the entry that a field leads to is written; None where it can't be."""
    return _writer(info, shape_below(info, kind="Activity"), _entry)


def entries_writer(info: Info) -> Writer | None:
    """Return how the entries of a connection are written; None where they can't be, or are selected more than once."""
    return _page_writer(info, _entry)


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
    if shape is None or not context.takes_json or context.request.database.is_sqlite:
        return None
    if make not in shape.notes:
        expression = _expression(shape, make)
        shape.notes[make] = expression and Writer(
            expression,
            lambda row: Written(shape, row[WRITTEN]),
            (lambda row: WrittenList(shape, row[WRITTEN])) if is_whole else None,
        )
    found: Writer | None = shape.notes[make]
    if found is None:
        return None
    # Once for all objects of an operation: of those of one level, all are written or none.
    is_often = context.written.get(found.expression)
    if is_often is None:
        is_often = context.written[found.expression] = writing.is_often(found)
    return found if is_often else None


def _expression(shape: Objects, make: Make) -> str | None:
    """Return what `make` makes; None where that can't be made, or is too long."""
    try:
        expression = make(shape)
    except _UnwritableError:
        return None
    return expression if len(expression) <= LONGEST else None


def _entry(shape: Objects) -> str:
    return _object(shape, ENTRY, {"bookings": _bookings})


def _bookings(shape: Objects) -> str:
    return visibility.written_bookings(_object(shape, BOOKING, {"mailbox": _mailbox, "user": _booking_user}))


def _booking_user(shape: Objects) -> str:
    return writing.booking_user(_object(shape, USER, {}))


def _mailbox(shape: Objects) -> str:
    return _object(shape, MAILBOX, {})


def _mailbox_for_administrators(shape: Objects) -> str:
    return _object(shape, MAILBOX, {}, {"assigned_users": partial(_assigned_users, administers=True)})


def _mailbox_for_others(shape: Objects) -> str:
    return _object(shape, MAILBOX, {}, {"assigned_users": partial(_assigned_users, administers=False)})


def _assigned_users(chosen: Chosen, *, administers: bool) -> str:
    """Return a page from the list's beginning: nothing but its users, or nothing where they may not be read."""
    given = {name: value for name, value in (chosen.arguments or {}).items() if value is not None}
    size = given.pop("first", DEFAULT_SIZE)
    page = chosen.objects.chosen if chosen.objects is not None else []
    if chosen.arguments is None or given or not 1 <= size <= LARGEST_SIZE or len(page) != 1:
        raise _UnwritableError(chosen.name)
    (nodes,) = page
    if nodes.name != "nodes" or nodes.objects is None:
        raise _UnwritableError(nodes.name)
    users = writing.assigned_users(_object(nodes.objects, USER, {}), size, administers=administers)
    return write.optional(f"'{{\"{nodes.key}\":' || {users} || '}}'")


def _object(
    shape: Objects,
    leaves: Mapping[str, str],
    objects: Mapping[str, Make],
    guarded: Mapping[str, MakeGuarded] | None = None,
) -> str:
    """Return the expression of an object: leaves, objects that anybody may read with it, and what has conditions or arguments."""
    return write.made(
        [(each.key, _value(shape, each, leaves, objects, guarded or {})) for each in shape.chosen]
    )


def _value(
    shape: Objects,
    chosen: Chosen,
    leaves: Mapping[str, str],
    objects: Mapping[str, Make],
    guarded: Mapping[str, MakeGuarded],
) -> str:
    if chosen.name in guarded:
        return guarded[chosen.name](chosen)
    if chosen.name == TYPENAME:
        return f"'\"{shape.kind.name}\"'"
    if chosen.is_plain:
        if chosen.name in leaves:
            return leaves[chosen.name]
        if chosen.name in objects and chosen.objects is not None:
            return objects[chosen.name](chosen.objects)
    raise _UnwritableError(chosen.name)
