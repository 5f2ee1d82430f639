"""`postfach password LOGIN`: sets a user's password from standard input and ends the user's sessions."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from typing import Any

from models.database import Database
from resolvers import sessions
from resolvers.errors import CallerError
from server.commands import CommandError
from server.runtime import services_of
from server.settings import Settings


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "password",
        help="set a user's password from standard input and end the user's sessions",
        description=(
            "Sets a user's password, 12 to 128 characters from standard input, and ends the user's sessions. "
            "Since somebody else set it, the user has to change it with the next sign-in."
        ),
    )
    parser.add_argument("login", metavar="LOGIN", help="the user's login")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Set the password. A running server sees it at once."""
    password = _read()
    asyncio.run(_set(settings, arguments.login, password))
    return 0


def _read() -> str:
    """Return what stands on standard input, without one line end; on a terminal it is not shown."""
    if sys.stdin.isatty():
        return getpass.getpass("New password: ")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError("standard input: expected text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


async def _set(settings: Settings, login: str, password: str) -> None:
    services = services_of(settings)
    database = await Database.open(settings.database_url)
    try:
        await database.migrate()
        await sessions.set_password(database, services, login, password)
    except CallerError as error:
        where = login if error.path is None else "standard input"
        raise CommandError(f"{where}: {error.message}") from error
    finally:
        services.hasher.close()
        await database.close()
