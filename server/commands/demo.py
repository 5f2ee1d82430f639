"""`postfach demo`: fills the demonstration agency and says who can sign in."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from models import clock
from models.database import Unit
from models.seals import Seals
from models.stored import lock_imports
from server.commands.import_ import bring_lines, with_database
from server.demonstration import LOGINS, lines
from server.demonstration.people import ALSTER, NORDLICHT
from server.settings import Settings

TOLD = 2
"""So many logins are printed; docs/rule.md has them all."""

FILLED = "The demonstration agency is filled. Sign in with one of these:"
THERE = "The demonstration agency is there already and stays as it is. Sign in with one of these:"
NOT_EMPTY = "The database is not empty, so the demonstration agency was not filled."


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("demo", help="fill the demonstration agency")
    parser.add_argument("--once", action="store_true", help="do nothing unless the database is empty")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Fill the agency where it is missing, and print a login or two."""

    async def work(unit: Unit) -> str:
        # Whoever fills it at the same time has finished then.
        await lock_imports(unit)
        if await _finds(unit, "SELECT 1 AS one FROM agencies WHERE key IN ($1, $2)", NORDLICHT, ALSTER):
            return THERE
        if arguments.once and await _finds(
            unit, "SELECT 1 AS one FROM agencies UNION ALL SELECT 1 FROM users"
        ):
            return NOT_EMPTY
        world = (line.encode() for line in lines(clock.now()))
        await bring_lines(unit, "the demonstration", world, Seals(settings.sealing_keys))
        return FILLED

    done = asyncio.run(with_database(settings, lambda database: database.transact(work)))
    print(done)
    if done != NOT_EMPTY:
        for login in LOGINS[:TOLD]:
            print(f"  {login.login}  {login.password}  {login.sees}")
    return 0


async def _finds(unit: Unit, statement: str, *parameters: str) -> bool:
    return await unit.fetch_one(f"{statement} LIMIT 1", *parameters) is not None
