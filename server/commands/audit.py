"""`postfach audit verify [FILE]` and `postfach audit export FILE`: the chains of the audit."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson

from models import audit, audit_chain
from models.database import Database, Statements
from models.fields import instant_to_text
from models.snapshot import snapshot
from server.commands import CommandError
from server.commands.export import STANDARD_OUTPUT, written_whole
from server.settings import Settings

NOBODY = "no agency"


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("audit", help="verify the chains of the audit, or export it")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="look whether an event was changed, removed or inserted")
    verify.add_argument("file", metavar="FILE", nargs="?", help="an earlier export, which must still be true")
    verify.set_defaults(run=run_verify)
    export = actions.add_parser("export", help="write every event, one JSON object a line")
    export.add_argument("file", metavar="FILE", help="the file, - for standard output")
    export.set_defaults(run=run_export)


def run_verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a line for each chain; 1 when one does not hold."""
    _require(settings)
    known = None if arguments.file is None else _read(Path(arguments.file))
    return asyncio.run(_verify(settings, known))


def run_export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the file; where one of this name was, it stays until the new one is whole."""
    _require(settings)
    if arguments.file == STANDARD_OUTPUT:
        asyncio.run(_export(settings, sys.stdout.buffer))
        return 0
    with written_whole(Path(arguments.file)) as stream:
        total = asyncio.run(_export(settings, stream))
    print(f"{total} events")
    return 0


def _require(settings: Settings) -> None:
    if settings.embedded and not Path(settings.database_url.path).exists():
        raise CommandError(f"{settings.database_url.path}: there is no database yet")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Statements]:
    """The database as it is at one moment."""
    database = await Database.open(settings.database_url)
    try:
        if await database.pending_migrations():
            raise CommandError("the database is not up to date; postfach serve brings it there")
        async with snapshot(database) as statements:
            yield statements
    finally:
        await database.close()


async def _verify(settings: Settings, known: dict[tuple[str | None, int], str] | None) -> int:
    bad = 0
    async with _opened(settings) as statements:
        names = await _names(statements)
        for agency_id in await audit_chain.owners(statements):
            place, digest, wrong = await audit_chain.finding(statements, agency_id)
            if wrong is None and known is not None:
                wrong = await _against(statements, agency_id, known)
            name = names.get(agency_id, str(agency_id))
            bad += wrong is not None
            print(f"{name}: {place} events, {digest}" if wrong is None else f"{name}: {wrong}")
        for agency, place in sorted(known or (), key=str):
            # What is left was not found.
            bad += 1
            print(f"{names.get(_uuid(agency), agency)}: event {place} of the export is gone")
    return 1 if bad else 0


async def _against(
    statements: Statements, agency_id: UUID | None, known: dict[tuple[str | None, int], str]
) -> str | None:
    """Return what differs from an export; takes out of it what is still there."""
    wrong = None
    async for row in audit_chain.events(statements, agency_id):
        said = known.pop((None if agency_id is None else str(agency_id), row["place"]), row["digest"])
        if said != row["digest"] and wrong is None:
            wrong = f"event {row['place']} is another one than in the export"
    return wrong


async def _export(settings: Settings, stream: BinaryIO) -> int:
    total = 0
    async with _opened(settings) as statements:
        for agency_id in await audit_chain.owners(statements):
            async for row in audit_chain.events(statements, agency_id):
                stream.write(orjson.dumps(_line(row), option=orjson.OPT_APPEND_NEWLINE))
                total += 1
    stream.flush()
    return total


def _line(row: audit_chain.Row) -> dict[str, Any]:
    return {
        "agencyId": row["agency_id"],
        "place": row["place"],
        "id": row["id"],
        "at": instant_to_text(row["at"]),
        "actorId": row["actor_id"],
        "action": row["action"],
        "objectType": row["object_type"],
        "objectId": row["object_id"],
        "details": row["details"],
        "remoteAddress": row["remote_address"],
        "digest": row["digest"],
    }


def _read(path: Path) -> dict[tuple[str | None, int], str]:
    """Return the digests in an export by agency and place."""
    found: dict[tuple[str | None, int], str] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = orjson.loads(line)
                found[event["agencyId"], int(event["place"])] = str(event["digest"])
            except (ValueError, KeyError, TypeError):
                raise CommandError(f"{path}:{number}: this is no line of an export of the audit") from None
    return found


async def _names(statements: Statements) -> dict[UUID | None, str]:
    rows = await statements.fetch("SELECT id, key FROM agencies")
    return {None: NOBODY, **{row["id"]: row["key"] for row in rows}}


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return audit.NOBODYS
