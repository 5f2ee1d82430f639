"""The keys that the embedded database's server makes for itself, in files of the data folder."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from models.keys import KeyRing, KeyRingError
from models.seals import SealError, key_id_of

BUSY_SECONDS = 2
FILES = {"SEALING_KEYS": "sealing.keys", "TOKEN_KEYS": "token.keys"}


class KeyFileError(Exception):
    """The data folder or a key file in it can't be made or read."""


def keep_keys(folder: Path, rings: Mapping[str, KeyRing | None]) -> dict[str, KeyRing]:
    """Return the rings; one that is None comes from its file in `folder`, made with a new key if need be.

    The folder is made with mode 0700, a file with 0600. Of two processes that make a file at once, both get
    what the first wrote.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"{folder} can't be made: {error.strerror}") from error
    return {name: ring or _kept(folder / FILES[name]) for name, ring in rings.items()}


def require_no_seals(folder: Path, database: str) -> None:
    """Refuse to make new sealing keys where the database holds what lost ones sealed."""
    file = folder / FILES["SEALING_KEYS"]
    if file.exists() or not Path(database).is_file():
        return
    try:
        token = _a_token(database)
    except sqlite3.OperationalError:
        raise KeyFileError(
            f"{file} is missing, and the database can't be asked whether its key sealed something; put the file back"
        ) from None
    if token is not None:
        try:
            key_id = key_id_of(token)
        except SealError:
            key_id = "of an unknown id"
        raise KeyFileError(
            f"{file} is missing, but the database holds passwords that its key {key_id} sealed; "
            "put the file back or set POSTFACH_SEALING_KEYS"
        )


def _a_token(database: str) -> str | None:
    """Return one of the stored tokens, or None where there is none, no table for them, or no database in the file.

    Raises `sqlite3.OperationalError` where that can't be seen: it is locked, say.
    """
    try:
        with closing(
            sqlite3.connect(f"{Path(database).absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        ) as connection:
            table = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'mailbox_passwords'"
            ).fetchone()
            row = (
                None
                if table is None
                else connection.execute("SELECT sealed FROM mailbox_passwords LIMIT 1").fetchone()
            )
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        # No database at all: whoever opens it says so.
        return None
    return None if row is None else str(row[0])


def _kept(file: Path) -> KeyRing:
    try:
        if not file.exists():
            _make(file)
        return KeyRing.parse(file.read_text("ascii"))
    except OSError as error:
        raise KeyFileError(f"{file} can't be made or read: {error.strerror}") from error
    except (KeyRingError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, KeyRingError) else "it is not text"
        raise KeyFileError(f"{file} holds no key ring: {reason}") from error


def _make(file: Path) -> None:
    """Write a new ring beside the file, safely to the disk, then give it its name if nobody else has."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123 (a descriptor, opened with its mode)
            stream.write(KeyRing.generate().text().encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
