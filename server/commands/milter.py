"""`postfach milter`: sets the From of what mailboxes send, asked by the mail server for each mail."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any

from mail.sender.directory import Directory
from mail.sender.server import filtering
from server.commands import CommandError
from server.commands.serve import listening
from server.logs import configure_logs
from server.settings import DatabaseSettings

SOCKET_MODE = 0o666
"""The folder decides who may connect."""


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("milter", help="set the sender names of what mailboxes send, for Postfix")
    parser.add_argument(
        "--listen",
        type=_place,
        default=("127.0.0.1", 8025),
        help="HOST:PORT or unix:PATH (default: 127.0.0.1:8025)",
    )
    parser.set_defaults(run=run, settings=False)


def run(arguments: argparse.Namespace, settings: None) -> int:  # noqa: ARG001 (every sub-command's signature)
    """Filter until a signal comes."""
    # No key is read: this needs none, and its role in the database sees one view.
    chosen = DatabaseSettings.load()
    configure_logs(chosen.log_format)
    place = arguments.listen
    with contextlib.ExitStack() as closing:
        if isinstance(place, Path):
            listener = closing.enter_context(_unix(place))
            closing.callback(place.unlink, missing_ok=True)
            words = f"unix:{place}"
        else:
            listener = closing.enter_context(listening(*place))
            host, port = listener.getsockname()[:2]
            words = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        asyncio.run(_filter(listener, chosen, f"Postfach sets sender names on {words}"))
    return 0


async def _filter(listener: socket.socket, settings: DatabaseSettings, words: str) -> None:
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    directory = Directory(settings.database_url)
    try:
        async with filtering(listener, directory.find):
            print(words, file=sys.stderr, flush=True)
            await ended.wait()
    finally:
        await directory.close()


def _unix(path: Path) -> socket.socket:
    """Bind a socket file; one that was left behind is replaced, one that somebody listens on is not."""
    where = f"--listen unix:{path}"
    if path.exists():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise CommandError(f"{where}: something else is there")
            if probe.connect_ex(str(path)) == 0:
                raise CommandError(f"{where}: is in use")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
    except OSError as error:
        listener.close()
        raise CommandError(f"{where}: can't be used: {error.strerror or error}") from error
    return listener


def _place(text: str) -> Path | tuple[str, int]:
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Path(text.removeprefix("unix:"))
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+):([0-9]{1,5})", text)
    if not found or int(found[2]) > 65_535:  # noqa: PLR2004 (the largest port)
        raise argparse.ArgumentTypeError("expected HOST:PORT or unix:PATH")
    return found[1].strip("[]"), int(found[2])
