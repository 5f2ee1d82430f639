"""Databases to measure on: a private PostgreSQL, durable and with room for what is asked often, or one that is there already."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from bench.data.filling import fill
from bench.data.world import World, today
from tests import peers

SETTINGS = (
    "shared_buffers=2GB",
    "effective_cache_size=4GB",
    "max_wal_size=4GB",
    "shared_preload_libraries=pg_stat_statements",
)


class Cluster(peers.PostgreSQL):
    """A private PostgreSQL with its own superuser, which goes with the measurement."""

    def filled(self, entries: int) -> str:
        """Return the URL of a new database with the world in it."""
        url = self.fresh_database()
        self.run_sql(f"ALTER ROLE {self.user} SUPERUSER")
        begun = time.monotonic()
        asyncio.run(fill(url, World(today()), entries))
        self.run_sql(f"ALTER ROLE {self.user} NOSUPERUSER")
        print(f"{entries} entries stored in {time.monotonic() - begun:.0f} s", flush=True)
        return url

    def copied(self, url: str) -> str:
        """Return the URL of a copy of a database that nobody is connected to."""
        return self.fresh_database(template=peers.database_name(url))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A private cluster, gone afterwards."""
    postgres = peers.find("postgresql")
    if postgres is None:
        sys.exit("PostgreSQL is not installed")
    found = Cluster(postgres, durable=True, settings=SETTINGS)
    try:
        yield found
    finally:
        found.stop()


def machine() -> str:
    """Say what it was measured on, and how busy that was with other things."""
    load = ", ".join(f"{each:.1f}" for each in psutil.getloadavg())
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} processors, {memory:.0f} GiB of memory, load of the machine before: {load}"
