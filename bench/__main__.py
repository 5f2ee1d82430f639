"""Runs one measurement by its name: `make bench ARGS="NAME --help"` explains it."""

from __future__ import annotations

import sys

from bench import (
    booking,
    compare,
    embedded,
    fairness,
    feed,
    fill,
    first,
    import_million,
    memory,
    plain,
    shapes,
)

MEASUREMENTS = {
    "compare": (compare.main, "the four operations beside the limit, Mercurius and PostGraphile"),
    "booking": (booking.main, "bookMail beside the bare inserts"),
    "fairness": (fairness.main, "what others notice of one viewer's worst documents"),
    "feed": (feed.main, "pages of the feed in an agency that is all VIP, for each shape of user"),
    "fill": (fill.main, "no measurement: a database with the data, to be looked at"),
    "first": (first.main, "a document that was never seen"),
    "import": (import_million.main, "how long e-mails take into a database, and how much memory"),
    "memory": (memory.main, "what a worker holds under mixed load"),
    "plain": (plain.main, "a field that a resolver works out from its row"),
    "shapes": (shapes.main, "Q1 in the database at several sizes, for each shape of user"),
    "sqlite": (embedded.main, "Q1 on SQLite beside the same statement by hand"),
}


def main() -> None:
    """Run what the first word names; the quick one without any."""
    name, *arguments = sys.argv[1:] or ["feed"]
    if name not in MEASUREMENTS:
        lines = [f"  {each:10} {words}" for each, (_, words) in MEASUREMENTS.items()]
        text = "\n".join(["python -m bench NAME [--help]", *lines])
        if name in {"-h", "--help"}:
            print(text)
            return
        sys.exit(f"{name}: there is no such measurement\n{text}")
    MEASUREMENTS[name][0](arguments)


main()
