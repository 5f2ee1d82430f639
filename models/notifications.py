"""PostgreSQL's notifications: text that a transaction sends with its commit, and a connection that hears it.

The connection is one of its own, since the pool's go from hand to hand. When it breaks, whatever was sent in
between is lost: the listener says so and connects again.

Telling costs PostgreSQL a good part of a booking: commits wait for each other, and every process is woken. So bookings are told
only while a process *attends*, that is, has somebody who could listen to them. It holds a lock that each booking tries; and it
attends once those that may have tried before have committed, for whoever asks then sees what they did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from models.database import UNAVAILABLE, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.database import Unit
    from models.database_url import DatabaseUrl

log = logging.getLogger("postfach.notifications")

CHANNEL = "postfach_events"
CONNECT_SECONDS = 10
PROBE_SECONDS = 10
"""How often, and how long, the connection is asked whether it lives: a cable that was pulled tells nobody."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
BROKEN = (*UNAVAILABLE, asyncpg.PostgresError, TimeoutError)


_PLACE: Final = 0x706F7374
_ATTENDED, _TELLING = f"{_PLACE}, 1", f"{_PLACE}, 2"
"""Locks: who attends shares the first one, who is about to tell and to commit the second one."""
_ATTEND = f"SELECT pg_advisory_lock_shared({_ATTENDED})"
_LET_COMMIT = f"SELECT pg_advisory_xact_lock({_TELLING})"
_LEAVE = "SELECT pg_advisory_unlock_all()"
"""The listener's connection has no other locks."""


def telling(text: str) -> str:
    """Return the last steps of a function in PL/pgSQL: send `text`, an expression, with the commit, where a process attends."""
    return (
        f"PERFORM pg_advisory_xact_lock_shared({_TELLING});\n"
        f"IF (CASE WHEN pg_try_advisory_lock({_ATTENDED}) THEN NOT pg_advisory_unlock({_ATTENDED}) ELSE true END) THEN\n"
        f"PERFORM pg_notify('{CHANNEL}', {text});\n"
        "END IF;"
    )


async def notify(unit: Unit, text: str) -> None:
    """Send `text`, less than 8000 bytes, to every listener when the unit commits."""
    await unit.execute("SELECT pg_notify($1, $2)", CHANNEL, text)


class Listener:
    """Hears what every process sends, its own too. Both callbacks run in the event loop and must be quick."""

    def __init__(self, url: DatabaseUrl, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._lost = lost
        self._connection: asyncpg.Connection[Any] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = 0
        self._attends = False
        # The connection takes one statement at a time.
        self._turn = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def hears(self) -> bool:
        """Whether nothing is missed at the moment, as far as it is known."""
        return self._connection is not None and not self._connection.is_closed()

    async def open(self) -> None:
        """Begin to listen. Raises `DatabaseUnavailableError`."""
        try:
            await self._connect()
        except BROKEN as error:
            raise DatabaseUnavailableError(str(error)) from error
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End listening."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait((self._keeper,))
        await self._disconnect()

    async def attend(self) -> None:
        """Have bookings told from now on, until `leave`. That the way is broken (`hears`), this does not say.

        Raises `DatabaseUnavailableError` where that can't be had.
        """
        self._wanted += 1
        if self._attends:
            return
        try:
            async with self._turn:
                if self._connection is not None and not self._attends:
                    await self._begin_to_attend(self._connection)
        except BROKEN as error:
            self._wanted -= 1
            raise DatabaseUnavailableError(str(error)) from error
        except BaseException:
            self._wanted -= 1
            raise

    def leave(self) -> None:
        """Take back one `attend`."""
        self._wanted -= 1
        if not self._wanted and self._attends:
            task = asyncio.create_task(self._leave())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _leave(self) -> None:
        async with self._turn:
            if self._wanted or not self._attends or self._connection is None:
                return
            self._attends = False
            # Where it fails, the connection is gone, or more is told than anybody wants.
            with contextlib.suppress(*BROKEN):
                await self._connection.execute(_LEAVE, timeout=PROBE_SECONDS)

    async def _begin_to_attend(self, connection: asyncpg.Connection[Any]) -> None:
        await connection.execute(_ATTEND, timeout=PROBE_SECONDS)
        await connection.execute(_LET_COMMIT, timeout=PROBE_SECONDS)
        self._attends = True

    async def _connect(self) -> None:
        connection = await asyncpg.connect(
            host=self._url.host,
            port=self._url.port,
            user=self._url.user,
            password=self._url.password or None,
            database=self._url.name,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "postfach events"},
        )
        try:
            await connection.add_listener(CHANNEL, self._receive)
            if self._wanted:
                await self._begin_to_attend(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._attends = False
        if connection is not None:
            with contextlib.suppress(*BROKEN):
                await connection.close(timeout=1)

    def _receive(self, _connection: object, _pid: int, _channel: str, text: object) -> None:
        self._heard(str(text))

    async def _keep(self) -> None:
        """Watch the connection for ever, and make a new one when it broke."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self._connection is None:
                try:
                    await self._connect()
                except BROKEN:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    continue
                log.info("hears the other processes again")
                pause = FIRST_PAUSE_SECONDS
            await self._until_broken(self._connection)
            log.warning("the way to the other processes broke, subscribers have to come back")
            await self._disconnect()
            self._lost()

    async def _until_broken(self, connection: asyncpg.Connection[Any] | None) -> None:
        broken = asyncio.Event()
        if connection is None:
            return
        connection.add_termination_listener(lambda _: broken.set())
        while not connection.is_closed():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await broken.wait()
            except TimeoutError:
                try:
                    async with self._turn:
                        await connection.fetchval("SELECT 1", timeout=PROBE_SECONDS)
                except BROKEN:
                    return
