"""`postfach export FILE`: writes everything but the audit and the sessions, in the import's format."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from models.database import Database
from models.snapshot import snapshot
from resolvers import exporting
from resolvers.importing import TYPES
from server.commands import CommandError
from server.commands.import_ import PLURALS
from server.settings import Settings

STANDARD_OUTPUT = "-"
OWNER_ONLY = 0o600


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("export", help="write everything that an import elsewhere needs")
    parser.add_argument("file", metavar="FILE", help="the file, - for standard output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the file; where one of this name was, it stays until the new one is whole."""
    if settings.embedded and not Path(settings.database_url.path).exists():
        raise CommandError(f"{settings.database_url.path}: there is no database yet")
    if arguments.file == STANDARD_OUTPUT:
        asyncio.run(_export(settings, sys.stdout.buffer))
        return 0
    with written_whole(Path(arguments.file)) as stream:
        counts = asyncio.run(_export(settings, stream))
    for kind in TYPES:
        print(f"{PLURALS[kind]:<12}{counts[kind]:>9}")
    return 0


async def _export(settings: Settings, stream: BinaryIO) -> Counter[str]:
    database = await Database.open(settings.database_url)
    try:
        if await database.pending_migrations():
            raise CommandError("the database is not up to date; postfach serve brings it there")
        counts: Counter[str] = Counter()
        with tqdm(desc="export", unit=" lines", file=sys.stderr, disable=not sys.stderr.isatty()) as progress:
            async with snapshot(database) as statements:
                async for kind, line in exporting.lines(statements):
                    stream.write(line)
                    counts[kind] += 1
                    progress.update()
        stream.flush()
        return counts
    finally:
        await database.close()


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that only its owner reads, and that takes its name when it is whole."""
    if path.exists() and not path.is_file():
        # A device or a pipe has no name to take.
        with path.open("wb") as stream:
            yield stream
        return
    path = path.resolve()
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        opened = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(opened, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
