"""What one server process has open: the database and the services, from its start to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.database import Database, DatabaseUnavailableError
from server.settings import Settings


class Runtime:
    """Holds what the doors share. `database` is there while `open` is entered."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The open database."""
        if self._database is None:
            raise DatabaseUnavailableError("it is not open")
        return self._database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the database and bring it up to date; close everything at the end."""
        database = await Database.open(self.settings.database_url)
        try:
            await database.migrate()
            self._database = database
            yield
        finally:
            self._database = None
            await database.close()
