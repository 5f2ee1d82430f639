"""Who sends by a login, read from the view `mail_senders` and nothing else, whether the server is there or not."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

import asyncpg

from mail.sender.rule import Sender
from models.database import UNAVAILABLE, DatabaseUnavailableError

if TYPE_CHECKING:
    from models.database_url import DatabaseUrl

SECONDS = 5
CONNECTIONS = 4
_STATEMENT = "SELECT address, name, user_id, user_name FROM mail_senders WHERE login = $1 ORDER BY user_id"

Rows: TypeAlias = "list[tuple[str, str | None, object, str | None]]"


class Directory:
    """Looks senders up. A database that was away is asked anew each time."""

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def find(self, login: str) -> Sender | None:
        """Return who sends by a login: an address and the version of its password, `anna@nord.example-v3`.

        None for a login that is none now. Raises `DatabaseUnavailableError`.
        """
        if not login.isprintable():
            return None
        try:
            async with asyncio.timeout(SECONDS):
                rows = await (
                    self._sqlite(login) if self._url.dialect == "sqlite" else self._postgresql(login)
                )
        except (TimeoutError, sqlite3.Error, asyncpg.PostgresError, *UNAVAILABLE) as error:
            raise DatabaseUnavailableError(str(error) or type(error).__name__) from error
        if not rows:
            return None
        assigned = tuple(row[3] for row in rows if row[2] is not None)
        return Sender(rows[0][0], rows[0][1], assigned)

    async def close(self) -> None:
        """Close what is open."""
        if self._pool is not None:
            self._pool.terminate()

    async def _postgresql(self, login: str) -> Rows:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    host=self._url.host,
                    port=self._url.port,
                    user=self._url.user,
                    password=self._url.password or None,
                    database=self._url.name,
                    min_size=0,
                    max_size=CONNECTIONS,
                    server_settings={"application_name": "postfach-milter"},
                )
        return [(row[0], row[1], row[2], row[3]) for row in await self._pool.fetch(_STATEMENT, login)]

    async def _sqlite(self, login: str) -> Rows:
        return await asyncio.to_thread(self._read, login)

    def _read(self, login: str) -> Rows:
        # One slash, or what follows would be a host.
        path = quote("/" + self._url.path.lstrip("/"))
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=SECONDS)
        try:
            return connection.execute(_STATEMENT.replace("$1", "?"), (login,)).fetchall()
        finally:
            connection.close()
