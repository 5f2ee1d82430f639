"""Who asks, looked up with the first thing that is asked.

A token says which session it is of and nothing more; who that is now, the database knows. Asking it costs a statement, and
mostly the answer is the one of the last request. So a query begins with the viewer as last looked up, and its first statement
asks as well whether that still holds: that the session lives, and that its user is active and has the same role and levels.
Until that is known no other statement of the query begins, and where it does not hold what was read is thrown away here. So
whoever was locked, signed out or given other rights before the request came is treated as such, as with a statement of its own.

So does a mutation that asks by itself, under its locks and before it changes anything (`schema.marks`): where the viewer is
another one it changes nothing, and begins again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from models import sessions
from models.database import Database
from models.faults import OutcomeUnknownError
from models.sessions import HOLDS
from resolvers.errors import UnauthenticatedError
from resolvers.request import viewer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from models.database import T, Unit
    from models.functions import Function
    from resolvers.request import Viewer

REMEMBERED = 10_000


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


@lru_cache(maxsize=1024)
def _asking(statement: str, first: int) -> str:
    """Return a statement that asks as well whether the viewer is the same, with parameters from this number on."""
    return f"SELECT x.*, {sessions.still(first)} AS {HOLDS} FROM ({statement}) x"


class Door:
    """Lets one in at a time, as a lock does; where nobody is in, without waiting and without anything made for it."""

    __slots__ = ("_is_taken", "_waiting")

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[asyncio.Future[None]] | None = None

    def enter(self) -> bool:
        """Go in, where nobody is; return whether."""
        if self._is_taken:
            return False
        self._is_taken = True
        return True

    async def wait(self) -> None:
        """Go in when nobody is in."""
        while not self.enter():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting = self._waiting or []
            self._waiting.append(waiter)
            try:
                await waiter
            except BaseException:
                # Whoever was let in and does not come lets in another one.
                if not self._is_taken:
                    self._let_in()
                raise

    def leave(self) -> None:
        """Go out."""
        self._is_taken = False
        if self._waiting:
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            waiter = self._waiting.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return


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
        self._first = Door()

    def _is_asked(self) -> bool:
        return self._holds is not None

    @property
    def is_known_to_hold(self) -> bool:
        """Whether it was asked already, and the viewer is the same."""
        return self._holds is True

    async def holds(self) -> bool:
        """Whether the viewer is who he or she was: asked by a statement of its own, where none has been asked with."""
        if self._holds is None:
            if not self._first.enter():
                await self._first.wait()
            try:
                if not self._is_asked():
                    row = await sessions.viewer(self.database, self._viewer.session_id)
                    self._holds = row is not None and viewer_of(row, self._viewer.session_id) == self._viewer
            finally:
                self._first.leave()
        return self._holds is True

    async def fetch(self, statement: str, *parameters: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
        """Return the rows of a statement. Raises `UnauthenticatedError` where the viewer is no longer the same."""
        if self._holds is None:
            if not self._first.enter():
                await self._first.wait()
            try:
                if not self._is_asked() and statement.startswith("SELECT "):
                    return await self._fetch_with(statement, parameters)
            finally:
                self._first.leave()
        if not await self.holds():
            raise UnauthenticatedError
        return await self.database.fetch(statement, *parameters)

    async def _fetch_with(self, statement: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        who = self._viewer
        values = sessions.still_values(who.session_id, who.likeness)
        rows = await self.database.fetch(_asking(statement, len(parameters) + 1), *parameters, *values)
        if not rows:
            # Nobody has been asked about: the next statement asks.
            return rows
        self._holds = bool(rows[0][HOLDS])
        if not self._holds:
            raise UnauthenticatedError
        return rows

    async def call(
        self,
        function: Function,
        *parameters: Any,  # noqa: ANN401 (any value that a statement takes)
        then: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a function that is a unit of work and asks itself, before it changes anything: they have `HOLDS`."""
        if self._holds is None:
            if not self._first.enter():
                await self._first.wait()
            try:
                if not self._is_asked():
                    return await self._call_with(function, parameters, then)
            finally:
                self._first.leave()
        if not await self.holds():
            raise UnauthenticatedError
        return await self.database.call(function, *parameters, then=then)

    async def _call_with(
        self,
        function: Function,
        parameters: Sequence[Any],
        then: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> Sequence[Mapping[str, Any]]:
        try:
            rows = await self.database.call(function, *parameters, then=then)
        except OutcomeUnknownError:
            # Perhaps it was found that the viewer is the same, and done: that has to be said, whoever hears it.
            self._holds = True
            raise
        self._holds = bool(rows[0][HOLDS])
        if not self._holds:
            raise UnauthenticatedError
        return rows

    async def transact(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work, when the viewer is known to be the same."""
        if not await self.holds():
            raise UnauthenticatedError
        return await self.database.transact(work)
