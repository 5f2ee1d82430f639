"""`postfach dns [DOMAIN …]`: prints the records by which mail programs find their servers."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from mail.client_setup.dns import NoZoneError, zone
from mail.client_setup.domains import domain_name
from models.database import Database
from server.commands import CommandError
from server.settings import PREFIX, PublicSettings


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("dns", help="print the DNS records that set up mail programs")
    parser.add_argument(
        "domains",
        metavar="DOMAIN",
        nargs="*",
        type=_domain,
        help="a domain (default: every domain of every agency)",
    )
    parser.set_defaults(run=run, settings=False)


def run(arguments: argparse.Namespace, settings: None) -> int:  # noqa: ARG001 (every sub-command's signature)
    """Print the records of each domain; the database is asked only where none is named."""
    # No key is read, and none is made: the records hold no secret.
    chosen = PublicSettings.load()
    domains = arguments.domains or asyncio.run(_domains(chosen))
    try:
        zones = [zone(chosen.servers, chosen.public_url, domain) for domain in domains]
    except NoZoneError as error:
        raise CommandError(f"{PREFIX}{error.setting.upper()}: expected {error}") from None
    sys.stdout.write("\n".join(zones))
    return 0


def _domain(text: str) -> str:
    name = domain_name(text)
    if name is None:
        message = f"no domain: {text!r}"
        raise argparse.ArgumentTypeError(message)
    return name


async def _domains(settings: PublicSettings) -> list[str]:
    url = settings.database_url
    if url.dialect == "sqlite" and not Path(url.path).exists():  # noqa: ASYNC240 (one look at one file)
        raise CommandError(f"{url.path}: there is no database yet")
    database = await Database.open(url, 1)
    try:
        if await database.pending_migrations():
            raise CommandError("the database is not up to date; postfach serve brings it there")
        return [row["name"] for row in await database.fetch("SELECT name FROM domains ORDER BY name")]
    finally:
        await database.close()
