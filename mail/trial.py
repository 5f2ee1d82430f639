"""Letters of a trial: without an SMTP server they land in a folder, a file each, and nowhere else."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

from mail.handing import Handed, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mail.handing import Outgoing

SUFFIX = ".eml"


class FolderTransport:
    """Writes letters into a folder. The same letter is the same file, however often it is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def hand_over(self, letter: Outgoing, still_ours: Callable[[], Awaitable[bool]]) -> Handed:
        """Write a letter: its file is there whole, and on the disk, or not at all."""
        if not await still_ours():
            return Handed(Outcome.NOT_OURS)
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as error:
            return Handed(
                Outcome.UNUSABLE,
                f"The folder for letters can't be written to: {os.strerror(error.errno or 0)}.",
            )
        return Handed(Outcome.ACCEPTED)

    async def check(self) -> Handed:
        """Find nothing wrong: the folder is made with the first letter."""
        return Handed(Outcome.ACCEPTED)

    async def close(self) -> None:
        """Do nothing: nothing stays open."""

    def _write(self, letter: Outgoing) -> None:
        # It holds a link or a password: it is for the eyes of whoever runs the server.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{letter.requested_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{letter.delivery_id}"
        unfinished = self._folder / f".{name}"
        with suppress(FileNotFoundError):
            unfinished.unlink()
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(letter.content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._folder / (name + SUFFIX))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
