"""`postfach import FILE`: brings a world from JSON Lines, all or nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from types import FrameType
from typing import Any, BinaryIO, TypeVar

from tortoise.exceptions import IntegrityError
from tqdm import tqdm

from models.database import Database, Unit
from models.sealed import SealedError, check_keys
from models.seals import Seals
from resolvers.hashing import Hasher
from resolvers.importing import TYPES, LineRefusedError, Summary, bring, read_line
from server.commands import CommandError
from server.settings import PREFIX, Settings

T = TypeVar("T")

STANDARD_INPUT = "-"
PLURALS = {
    "agency": "agencies",
    "user": "users",
    "mailbox": "mailboxes",
    "assignment": "assignments",
    "mail": "mails",
}


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("import", help="bring a world from JSON Lines, all or nothing")
    parser.add_argument("file", metavar="FILE", help="the file, - for standard input")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Import the file and say what was added, and what was skipped because it was stored already."""
    if arguments.file == STANDARD_INPUT:
        summary = _import(settings, "standard input", sys.stdin.buffer)
    else:
        with open(arguments.file, "rb") as stream:  # noqa: PTH123 (the name in an error is the one that was given)
            summary = _import(settings, arguments.file, stream)
    for kind in TYPES:
        added, skipped = summary.added[kind], summary.skipped[kind]
        print(f"{PLURALS[kind]:<12}{added:>9} added{skipped:>9} skipped")
    return 0


def _import(settings: Settings, name: str, stream: BinaryIO) -> Summary:
    source = _Source(name, stream)
    seals = Seals(settings.sealing_keys)

    async def work(unit: Unit) -> Summary:
        return await bring_lines(unit, name, source.lines(), seals)

    before = signal.signal(signal.SIGINT, source.interrupt)
    try:
        return asyncio.run(with_database(settings, lambda database: database.transact(work)))
    except _InterruptedError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


async def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database, bring it up to date, do the work and close it again."""
    database = await Database.open(settings.database_url)
    try:
        await database.migrate()
        await require_keys(database, settings)
        return await work(database)
    finally:
        await database.close()


async def require_keys(database: Database, settings: Settings) -> None:
    """Stop where the sealing keys are not those of what is stored."""
    try:
        await check_keys(database, settings.sealing_keys)
    except SealedError as error:
        raise CommandError(f"{PREFIX}SEALING_KEYS: {error}") from None


async def bring_lines(unit: Unit, name: str, lines: Iterable[bytes], seals: Seals) -> Summary:
    """Import lines; a refusal becomes an error that says where, by the name of their source."""
    hasher = Hasher()
    try:
        return await bring(unit, lines, hasher, seals)
    except LineRefusedError as refused:
        raise CommandError(f"{name}:{refused.number}: {refused.reason}") from None
    except IntegrityError:
        # What was checked before rules this out, unless somebody writes to the tables past the server.
        raise CommandError(f"{name}: the database refused what it holds; nothing was imported") from None
    finally:
        hasher.close()


class _InterruptedError(Exception):
    """Somebody pressed Ctrl-C; the unit of work ends as with any other failure."""


class _Source:
    """A file that can be read again from its beginning, should the database ask for that, or a stream that can't.

    A unit of work runs to its end whatever becomes of its caller, so Ctrl-C ends the lines: at once where the stream is
    waited for, else before the next one.
    """

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self._name = name
        self._stream = stream
        self._is_used = False
        self._is_reading = False
        self._is_interrupted = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the signal of Ctrl-C; the second time without regard for anything."""
        if self._is_interrupted:
            raise KeyboardInterrupt
        self._is_interrupted = True
        if self._is_reading:
            raise _InterruptedError

    def lines(self) -> Iterator[bytes]:
        if self._is_used:
            if not self._stream.seekable():
                raise CommandError(f"{self._name}: the database was busy; nothing was imported, try again")
            self._stream.seek(0)
        self._is_used = True
        with closing(self._progress()) as progress:
            while line := self._read():
                progress.update(len(line))
                yield line

    def _read(self) -> bytes:
        if self._is_interrupted:
            raise _InterruptedError
        self._is_reading = True
        try:
            return read_line(self._stream)
        finally:
            self._is_reading = False

    def _progress(self) -> tqdm[Any]:
        found = os.fstat(self._stream.fileno())
        progress: tqdm[Any] = tqdm(
            total=found.st_size if stat.S_ISREG(found.st_mode) else None,
            desc="import",
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
        )
        return progress
