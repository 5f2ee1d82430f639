"""`postfach serve`: brings the database up to date, then serves with one process or several."""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.database import Database
from models.sealed import give_passwords
from models.seals import Seals
from server.commands import CommandError
from server.commands.import_ import require_keys
from server.logs import configure_logs
from server.serving import serve
from server.settings import Settings
from server.workers import supervise

BACKLOG = 2048


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("serve", help="serve the API; SIGTERM finishes what is under way")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="the port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        help="processes; more than one needs PostgreSQL (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until a signal comes; the exit code is 0 when everything under way was finished."""
    if arguments.workers > 1 and settings.embedded:
        raise CommandError("--workers: more than one process needs PostgreSQL, see POSTFACH_DATABASE_URL")
    if settings.outbox_page and not _is_loopback(arguments.host):
        raise CommandError(
            f"POSTFACH_OUTBOX_PAGE: on is refused with --host {arguments.host}, expected a loopback address"
        )
    configure_logs(settings.log_format)
    with only_server(settings), listening(arguments.host, arguments.port) as listener:
        asyncio.run(_migrate(settings))
        announce = _announcement(settings, listener)
        if arguments.workers > 1:
            return supervise(settings, listener, arguments.workers, announce)
        serve(settings, listener, announce)
    return 0


async def _migrate(settings: Settings) -> None:
    database = await Database.open(settings.database_url)
    try:
        await database.migrate()
        await require_keys(database, settings)
        await give_passwords(database, Seals(settings.sealing_keys))
    finally:
        await database.close()


@contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Hold the embedded database against a second server. However this process ends, the system lets go."""
    if not settings.embedded:
        yield
        return
    lock = f"{settings.database_url.path}-server"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"{settings.database_url}: another postfach serve has this database") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind the address; it is listened on when the server is ready."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise CommandError(f"--host {host}: expected an address of this machine") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            # Two sockets may be bound to one address, but only one may listen.
            listener.listen(BACKLOG)
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
            raise CommandError(f"{_address(host, port)} {reason}") from error
        listener.set_inheritable(True)
        yield listener


def _announcement(settings: Settings, listener: socket.socket) -> Callable[[], None]:
    host, port = listener.getsockname()[:2]
    url = f"http://{_address(host, port)}"
    page = settings.public_url if ipaddress.ip_address(host).is_unspecified else url

    def announce() -> None:
        words = f"Postfach serves {url}"
        if settings.graphiql:
            words += f", GraphiQL is at {page}/graphql"
        if settings.outbox_page:
            words += f", letters are at {page}/outbox"
        print(words, file=sys.stderr, flush=True)

    return announce


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65_535:  # noqa: PLR2004 (the largest port)
        raise argparse.ArgumentTypeError("expected a port from 0 to 65535; 0 takes a free one")
    return int(text)


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 64:  # noqa: PLR2004 (processes of one machine)
        raise argparse.ArgumentTypeError("expected a number from 1 to 64")
    return int(text)
