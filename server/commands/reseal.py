"""`postfach reseal`: seals every mailbox password with the first key of the ring."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from models import sealed
from models.database import Database
from models.seals import Seals
from server.commands import CommandError
from server.commands.import_ import with_database
from server.settings import Settings


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "reseal", help="seal every mailbox password with the first key of the ring"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (every sub-command's signature)
    """Seal them and say how many; may be interrupted and repeated, beside a running server too."""

    async def work(database: Database) -> sealed.Resealed:
        return await sealed.reseal(database, Seals(settings.sealing_keys))

    done = asyncio.run(with_database(settings, work))
    print(f"{done.sealed} sealed with the key {settings.sealing_keys.first[0]}, {done.current} were already")
    if done.spoilt:
        raise CommandError(f"{done.spoilt} stored tokens don't open and stay as they are")
    return 0
