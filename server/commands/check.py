"""`postfach check`: verifies settings, database, keys and mail servers, and says in plain words what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from tortoise.exceptions import OperationalError

from mail.doveadm import DoveadmError, doveadm_at
from mail.handing import Outcome
from models import clock
from models.database import UNAVAILABLE, Database, DatabaseUnavailableError, Unit
from models.sealed import SealedError, check_keys
from server.key_files import FILES
from server.setting_values import DEFAULT_PORTS
from server.settings import PREFIX, Settings, SettingsError
from server.transports import transport_of

REACH_SECONDS = 5
SMTP_SECONDS = 20
"""For an answer and a sign-in, which some servers hold back on purpose."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("check", help="verify settings, database, keys and mail server")
    parser.set_defaults(run=run, settings=False)


def run(arguments: argparse.Namespace, settings: None) -> int:  # noqa: ARG001 (every sub-command's signature)
    """Print a line for each thing that is wrong; the exit code is 1 when there is one."""
    try:
        loaded = Settings.load()
    except SettingsError as error:
        problems = error.problems
    else:
        problems = asyncio.run(_problems(loaded))
    for problem in problems:
        print(" ".join(problem.split()), file=sys.stderr)
    if not problems:
        print("All is well.")
    return 1 if problems else 0


async def _problems(settings: Settings) -> list[str]:
    return [
        *_key_problems(settings),
        *_certificate_problems(settings),
        *[problem async for problem in _database_problems(settings)],
        *[problem async for problem in _server_problems(settings)],
    ]


def _key_problems(settings: Settings) -> list[str]:
    """Look at the files that hold keys: nobody else may read them."""
    found = []
    for name in FILES.values():
        file = settings.data_dir / name
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                found.append(f"{file}: others on this machine can read the keys, expected mode 0600")
    return found


def _certificate_problems(settings: Settings) -> list[str]:
    """Look whether devices would believe what signs their profiles."""
    if settings.profile_signing is None:
        return []
    expires_at = settings.profile_signing.signer().expires_at
    if expires_at > clock.now():
        return []
    return [f"{PREFIX}PROFILE_CERTIFICATE_FILE: the certificate has run out on {expires_at:%Y-%m-%d}"]


async def _database_problems(settings: Settings) -> AsyncIterator[str]:
    url = settings.database_url
    if settings.embedded and not os.path.exists(url.path):  # noqa: ASYNC240, PTH110 (one look at one file)
        yield f"{url}: not there yet, postfach serve makes it"
        return
    try:
        database = await Database.open(url, 1)
    except DatabaseUnavailableError as error:
        yield f"{url}: the database does not answer: {error}"
        return
    try:
        if await database.pending_migrations():
            yield f"{url}: the tables are not up to date, postfach serve brings them up to date"
        elif (problem := await _write_problem(database)) is not None:
            yield f"{url}: can't be written: {problem}"
        else:
            try:
                await check_keys(database, settings.sealing_keys)
            except SealedError as error:
                yield f"{PREFIX}SEALING_KEYS: {error}"
    finally:
        await database.close()


class _UndoneError(Exception):
    """Takes back what was written to see whether it can be."""


async def _write_problem(database: Database) -> str | None:
    async def work(unit: Unit) -> None:
        await unit.execute("UPDATE sessions SET generation = generation WHERE id IS NULL")
        raise _UndoneError

    try:
        await database.transact(work)
    except _UndoneError:
        return None
    except (
        DatabaseUnavailableError,
        OperationalError,
        sqlite3.Error,
        asyncpg.PostgresError,
        *UNAVAILABLE,
    ) as error:
        return str(error)
    return None


async def _server_problems(settings: Settings) -> AsyncIterator[str]:
    """Try to reach the mail servers that were set."""
    wanted = {
        f"{PREFIX}{name}": (server.host, server.port)
        for name, server in (
            ("IMAP", settings.imap),
            ("POP3", settings.pop3),
            ("SUBMISSION", settings.submission),
        )
        if server not in settings.guessed_servers
    }
    if settings.smtp is not None:
        wanted["POSTFACH_SMTP_URL"] = (settings.smtp.host, settings.smtp.port)
    if settings.doveadm_url is not None:
        parts = urlsplit(settings.doveadm_url)
        wanted["POSTFACH_DOVEADM_URL"] = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
    for name, (host, port) in wanted.items():
        try:
            async with asyncio.timeout(REACH_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
        except OSError as error:
            yield f"{name}: {host}:{port} can't be reached: {_reason(error)}"
        else:
            if name == "POSTFACH_DOVEADM_URL" and (problem := await _doveadm_problem(settings)) is not None:
                yield f"{name}: {host}:{port} does not end sessions: {problem}"
            if name == "POSTFACH_SMTP_URL" and (problem := await _smtp_problem(settings)) is not None:
                yield f"{name}: {host}:{port} takes no letters: {problem}"


async def _doveadm_problem(settings: Settings) -> str | None:
    doveadm = doveadm_at(settings.doveadm_url, settings.doveadm_key)
    try:
        if doveadm is not None:
            await doveadm.check()
    except DoveadmError as error:
        return str(error)
    return None


async def _smtp_problem(settings: Settings) -> str | None:
    """Go as far as can be gone without a letter: connect, encrypt and sign in."""
    transport = transport_of(settings)
    try:
        async with asyncio.timeout(SMTP_SECONDS):
            found = await transport.check()
    except TimeoutError:
        return "no answer in time"
    await transport.close()
    return None if found.outcome is Outcome.ACCEPTED else found.words


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno) if error.errno else "no answer in time"
