"""Where the database is: its address as an operator writes it, and how Tortoise opens it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from models import tables

if TYPE_CHECKING:
    import asyncpg

SQLITE_CACHE_KIB = 16 * 1024
"""Of pages at hand: with SQLite's own 2 MiB a seventh of a list's time goes for reading pages again."""
SQLITE_BUSY_MILLISECONDS = 50
"""How long one statement waits for another process; a transaction asks again and again (`sqlite_engine.BUSY_SECONDS`)."""
SQLITE_SYNCHRONOUS = "FULL"
"""What is committed is on the disk."""


async def _nothing_to_reset(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Spare a round trip after each statement.

    What a connection is used for ends with its transaction: no setting, lock, cursor or channel outlives one.
    asyncpg itself rolls back a transaction that was left open.
    """


class DatabaseUrlError(ValueError):
    """The address of the database does not parse; says what was expected."""


@dataclass(frozen=True)
class DatabaseUrl:
    """Where the database is. `str()` never shows the password."""

    dialect: str
    path: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int = 5432
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Read `sqlite:///ABSOLUTE/PATH` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`."""
        try:
            parts = urlsplit(text)
            port = parts.port or 5432
        except ValueError as error:
            raise DatabaseUrlError(cls.expected()) from error
        if parts.query or parts.fragment:
            # Options such as sslmode are not passed on: who asks for one must not believe to have it.
            raise DatabaseUrlError(cls.expected())
        if (
            parts.scheme == "sqlite"
            and not parts.netloc
            and parts.path.startswith("/")
            and len(parts.path) > 1
        ):
            return cls("sqlite", path=unquote(parts.path))
        name = unquote(parts.path.removeprefix("/"))
        if parts.scheme == "postgresql" and parts.hostname and parts.username and name and "/" not in name:
            return cls(
                "postgresql",
                user=unquote(parts.username),
                password=unquote(parts.password or ""),
                host=parts.hostname,
                port=port,
                name=name,
            )
        raise DatabaseUrlError(cls.expected())

    @staticmethod
    def expected() -> str:
        """Say what an address looks like."""
        return "sqlite:///ABSOLUTE/PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"

    def __str__(self) -> str:
        if self.dialect == "sqlite":
            return f"sqlite://{self.path}"
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.name}"

    def may_be_file(self) -> bool:
        """Whether SQLite could open or make the file: its folder is there, and it is none itself."""
        path = Path(self.path)
        return path.parent.is_dir() and not path.is_dir()

    def tortoise_config(self, pool_size: int) -> dict[str, Any]:
        """Return Tortoise's configuration for this database."""
        if self.dialect == "sqlite":
            connection = {
                "engine": "models.sqlite_engine",
                "credentials": {
                    "file_path": self.path,
                    "journal_mode": "WAL",
                    "synchronous": SQLITE_SYNCHRONOUS,
                    "foreign_keys": "ON",
                    # Else REPLACE would delete rows without asking the triggers that refuse it.
                    "recursive_triggers": "ON",
                    "busy_timeout": SQLITE_BUSY_MILLISECONDS,
                    "cache_size": -SQLITE_CACHE_KIB,
                },
            }
        else:
            connection = {
                "engine": "models.postgres_engine",
                "credentials": {
                    "host": self.host,
                    "port": self.port,
                    "user": self.user,
                    "password": self.password or None,
                    "database": self.name,
                    "minsize": 1,
                    "maxsize": pool_size,
                    "reset": _nothing_to_reset,
                    "server_settings": {"application_name": "postfach", "timezone": "UTC"},
                },
            }
        return {
            "connections": {"default": connection},
            "apps": {
                "models": {
                    "models": [module.__name__ for module in tables.MODULES],
                    "default_connection": "default",
                    "migrations": "models.migrations",
                }
            },
            "use_tz": True,
            "timezone": "UTC",
        }
