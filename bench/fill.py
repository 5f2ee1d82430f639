"""Fills a database with the data of the measurements, to be looked at.

    python -m bench fill --entries N --database URL
    python -m bench fill --entries N

With a database it is migrated and filled; a role that is no superuser takes some five times as long, since every trigger looks at
every row. Without one a private PostgreSQL is filled, its URL is printed, and it is kept until Ctrl-C.
"""

from __future__ import annotations

import asyncio
import signal

from bench import commands
from bench.data.filling import fill
from bench.data.world import World, today
from bench.databases import cluster


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = commands.parser("fill", __doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", help="sqlite:///PATH or postgresql://…, empty")
    chosen = parser.parse_args(arguments)
    if chosen.database:
        asyncio.run(fill(chosen.database, World(today()), chosen.entries))
        return
    with cluster() as data:
        print(data.filled(chosen.entries), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
