"""Runs one measurement by its name; `make bench` runs the quick one, ARGS="NAME --help" explains another."""

from __future__ import annotations

import sys

from bench import compare, feed, fill, import_million

MEASUREMENTS = {"compare": compare.main, "feed": feed.main, "fill": fill.main, "import": import_million.main}


def main() -> None:
    name, *arguments = sys.argv[1:] or ["feed"]
    if name not in MEASUREMENTS:
        sys.exit(f"{name}: what there is to measure is {', '.join(MEASUREMENTS)}")
    MEASUREMENTS[name](arguments)


main()
