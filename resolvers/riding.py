"""Who asks, looked up with the first thing that is asked.

A token says which session it is of and nothing more; who that is now, the database knows. Asking it costs a statement, and
mostly the answer is the one of the last request. So a query begins with the viewer as last looked up, and its first statement
asks as well whether that still holds: that the session lives, and that its user is active and has the same role and levels.
Until that is known no other statement of the query begins, and where it does not hold what was read is thrown away here. So
whoever was locked, signed out or given other rights before the request came is treated as such, as with a statement of its own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from models import sessions
from models.database import Database
from resolvers.errors import UnauthenticatedError
from resolvers.request import viewer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from models.database import T, Unit
    from resolvers.request import Viewer

REMEMBERED = 10_000
HOLDS = "is_same_viewer"


class Viewers:
    """The viewers of sessions as they were last looked up. None of them is believed: each is asked for again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, Viewer] = OrderedDict()

    def last(self, session_id: UUID) -> Viewer | None:
        """Return who a session's viewer was."""
        return self._kept.get(session_id)

    def keep(self, session_id: UUID, viewer: Viewer | None) -> None:
        """Note who it is; nobody where the session does not hold."""
        self._kept.pop(session_id, None)
        if viewer is not None:
            self._kept[session_id] = viewer
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)


class Riding(Database):
    """The database for one query of a viewer who was looked up for another one."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        # Nothing of the original's: it is the original that runs the statements.
        self.url = database.url
        self.client = database.client
        self.is_sqlite = database.is_sqlite
        self.database = database
        self._viewer = viewer
        self._holds: bool | None = None
        self._first = asyncio.Lock()

    def _asked(self) -> bool:
        return self._holds is not None

    async def holds(self) -> bool:
        """Whether the viewer is who he or she was: asked by a statement of its own, where none has been asked with."""
        if not self._asked():
            async with self._first:
                if not self._asked():
                    row = await sessions.viewer(self.database, self._viewer.session_id)
                    self._holds = row is not None and viewer_of(row, self._viewer.session_id) == self._viewer
        return self._holds is True

    async def fetch(self, statement: str, *parameters: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
        """Return the rows of a statement. Raises `UnauthenticatedError` where the viewer is no longer the same."""
        if not self._asked():
            async with self._first:
                if not self._asked() and statement.startswith("SELECT "):
                    return await self._fetch_with(statement, parameters)
        if not await self.holds():
            raise UnauthenticatedError
        return await self.database.fetch(statement, *parameters)

    async def _fetch_with(self, statement: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        who = self._viewer
        known = (
            who.id,
            who.agency_id,
            who.login,
            who.role.value,
            who.activity_read_level.value,
            who.agents_log_read_level.value,
        )
        condition, values = sessions.still(who.session_id, known, len(parameters) + 1)
        rows = await self.database.fetch(
            f"SELECT x.*, {condition} AS {HOLDS} FROM ({statement}) x", *parameters, *values
        )
        if not rows:
            # Nobody has been asked about: the next statement asks.
            return rows
        self._holds = bool(rows[0][HOLDS])
        if not self._holds:
            raise UnauthenticatedError
        return rows

    async def transact(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work, when the viewer is known to be the same."""
        if not await self.holds():
            raise UnauthenticatedError
        return await self.database.transact(work)
