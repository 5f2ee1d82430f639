"""The rule: who may see an entry. It is said here and nowhere else.

An entry's *audience* is everybody who, for one of its bookings, was assigned to the booking's mailbox at its
decisive moment. A *guarded* entry (one of its mailboxes is VIP) is visible to its audience and to nobody
else. Any other follows the user's read level for its kind: ALL, OFFICE_GROUP (the audience holds the user or
a mate), OWN (the audience holds the user), NOTHING.

The rule is written down in two forms, and the tests hold each against the other and both against the rule in
plain Python.

- `rule.permits`, a condition on one entry: for single entries, for search and for what is asked by reference; and what is left
  of it for a reader whose rights are known, `rule.permits_reader`.
- `lists.Listing.streams`, the same set as a union of index ranges that are already in a list's order: for pages and
  counts. A page reads one row of each range that could reach it, and more only where that row may be on the page,
  so what it costs does not grow with what the user may not see. With one booking an entry stands in the list at its
  decisive moment, so a period at a mailbox is one range. With several bookings it does not: for those entries the
  audience is stored (`activity_readers`).

A range is half open, from a row (instant, id) up to but not including another: a period's end, its begin and
a cursor all become such rows, and each scan has just one lower and one upper bound. Two upper bounds would
let it start at the wrong place.
"""

from models.visibility.asking import (
    Beside,
    bookings,
    count,
    entries,
    entries_collected,
    of_mail,
    opened_by_booking,
    texts,
    visible,
    visible_of_mail,
)
from models.visibility.rule import (
    BOOKING_COLUMNS,
    ENTRY_COLUMNS,
    ORDER_OF_MAIL,
    Reader,
    shown_to_booker,
    written_bookings,
)
from models.visibility.stretches import END, START, Filter, Position, Stretch

__all__ = [
    "BOOKING_COLUMNS",
    "END",
    "ENTRY_COLUMNS",
    "ORDER_OF_MAIL",
    "START",
    "Beside",
    "Filter",
    "Position",
    "Reader",
    "Stretch",
    "bookings",
    "count",
    "entries",
    "entries_collected",
    "of_mail",
    "opened_by_booking",
    "shown_to_booker",
    "texts",
    "visible",
    "visible_of_mail",
    "written_bookings",
]
