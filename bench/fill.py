"""Fills a database, so that it can be looked at, or keeps one for several measurements.

    python -m bench fill --entries N --database URL
    python -m bench fill --entries N

With a database it is migrated and filled; a role that is no superuser takes some five times as long, since every trigger looks at
every row. Without one a private PostgreSQL is filled and kept until Ctrl-C; the measurements take its URL as --database.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from bench.data.filling import fill
from bench.data.world import World, today
from bench.databases import cluster


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench fill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", help="sqlite:///PATH or postgresql://…, empty")
    chosen = parser.parse_args(arguments)
    if chosen.database:
        asyncio.run(fill(chosen.database, World(today()), chosen.entries))
        return
    with cluster() as data:
        print(data.filled(chosen.entries), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
