"""Import: a world from JSON Lines, all or nothing.

A line is read (`records`, `lines`), held against what is known (`known`, `directory`, `post`) and its rows are written
with those of others. What is kept in memory are users, mailboxes and periods; e-mails pass through in batches, so that
a million of them need no more than a thousand. Only adds: a line whose key is stored with equal content is skipped.

Beside the keys that operators know, a line of type mail may have two that only exports write, for what bookings one after
the other bring about: `laterMailboxes` (addresses among sender and recipients that were no mailboxes yet when the e-mail
was first booked) and `activityWithoutContact` (true where it was first booked without any reference).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models import audit, bulk, clock, stored
from resolvers.importing.addressees import Addressees
from resolvers.importing.directory import Directory
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.known import Known
from resolvers.importing.lines import (
    AgencyLine,
    AnyLine,
    AssignmentLine,
    LineReader,
    MailboxLine,
    MailLine,
    UserLine,
)
from resolvers.importing.post import Post
from resolvers.importing.records import LINE_BYTES, parse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from models.database import Unit
    from models.seals import Seals
    from resolvers.hashing import Hasher

__all__ = ["TYPES", "LineRefusedError", "Summary", "bring", "read_line"]

TYPES = ("agency", "user", "mailbox", "assignment", "mail")
"""The types of lines, in the order in which they refer to each other."""

LINES_AT_A_TIME = 16
MANY = 2_000
"""So many e-mails change how the database should look things up."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many lines of each type added something, and how many were stored already."""

    added: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


def read_line(stream: BinaryIO) -> bytes:
    """Return the next line of a stream, empty at its end; of one that is too long the beginning, which is refused."""
    return stream.readline(LINE_BYTES + 1)


async def bring(unit: Unit, lines: Iterable[bytes], hasher: Hasher, seals: Seals) -> Summary:
    """Add to the database what these lines say; blank ones say nothing.

    No other import runs meanwhile, and nobody else writes for an agency that was named. Raises `LineRefusedError`, with its
    number, for the first line that can't be taken: the unit then has to undo everything.
    """
    await stored.lock_imports(unit)
    importer = _Importer(unit, hasher, seals)
    try:
        return await importer.run(lines)
    finally:
        await importer.close()


class _Importer:
    def __init__(self, unit: Unit, hasher: Hasher, seals: Seals) -> None:
        now = clock.now()
        self._unit = unit
        self._known = Known(unit)
        self._reader = LineReader(now)
        self._addressees = Addressees()
        self._directory = Directory(unit, self._known, hasher, seals, now, self._addressees)
        self._post = Post(unit, self._directory, self._addressees)
        self._summary = Summary()

    async def run(self, lines: Iterable[bytes]) -> Summary:
        await self._known.open()
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                await self._take_numbered(number, line)
            if number % LINES_AT_A_TIME == 0:
                # What is being written meanwhile goes on.
                await asyncio.sleep(0)
        await self._post.write()
        await self._directory.write_moments()
        if self._post.added >= MANY:
            await bulk.count_anew(self._unit)
        await self._record()
        self._summary.added["mail"], self._summary.skipped["mail"] = self._post.added, self._post.skipped
        return self._summary

    async def close(self) -> None:
        self._directory.close()
        self._addressees.close()
        await self._post.close()

    async def _take_numbered(self, number: int, line: bytes) -> None:
        try:
            await self._take(number, self._reader.read(parse(line)))
        except LineRefusedError as refused:
            if refused.number is None:
                refused.number = number
                # Passwords and e-mails that wait come from lines before this one: the first that is wrong is told.
                await self._directory.settle()
                await self._post.compare()
            raise

    async def _take(self, number: int, line: AnyLine) -> None:
        match line:
            case MailLine():
                await self._post.take(number, line)
            case AssignmentLine():
                self._count("assignment", await self._directory.take_assignment(line, self._post.write))
            case MailboxLine():
                self._count("mailbox", await self._directory.take_mailbox(line, number))
            case UserLine():
                self._count("user", await self._directory.take_user(line))
            case AgencyLine():
                self._count("agency", await self._directory.take_agency(line))

    def _count(self, kind: str, added: bool) -> None:  # noqa: FBT001 (the answer of what was done)
        (self._summary.added if added else self._summary.skipped)[kind] += 1

    async def _record(self) -> None:
        """Write a row of the audit for each agency that the import added to, and another for the e-mails among it.

        Administrators read the first. The second would tell of e-mails that they may not see.
        """
        agencies = [(agency.id, agency.added) for agency in self._known.agencies.values()]
        for agency_id, added in [*agencies, (None, self._directory.account_managers)]:
            for action, kinds in (("import", TYPES[:-1]), (audit.MAILS_IMPORTED, TYPES[-1:])):
                if any(added[kind] for kind in kinds):
                    await audit.record(
                        self._unit,
                        action,
                        agency_id=agency_id,
                        actor_id=None,
                        remote_address=None,
                        details={kind: added[kind] for kind in kinds if added[kind]},
                    )
