"""Plays a page: asks its operations one after the other in the demonstration, and tells what is answered.

The demonstration is as if it had been filled at `FILLED`; each operation is asked a minute after the last one.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, OperationType, parse

from models import clock
from models.seals import Seals
from models.tables.sessions import SessionKind
from resolvers import sessions
from resolvers.request import Request, Viewer
from schema import schema
from schema.context import Context, CookieJar
from server.bodies import Asked
from server.commands.import_ import bring_lines, with_database
from server.demonstration import LOGINS, lines
from server.execution import execute, executed_of
from server.runtime import Runtime
from server.settings import Settings
from tests.docs.pages import Example, Fence, examples
from tests.docs.words import Json, Words

FILLED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIRST_ASKED = FILLED + timedelta(minutes=30, microseconds=417)
BROWSER = "browser"
LOGIN_OF = {each.login.partition("@")[0]: each for each in LOGINS}


@dataclass(frozen=True)
class Outcome:
    """What stands beside an operation, and what should."""

    place: str
    fence: Fence
    written: Json
    told: Json

    @property
    def is_true(self) -> bool:
        """Whether they are the same, the order of fields too."""
        return json.dumps(self.written) == json.dumps(self.told)


@contextmanager
def standing_clock() -> Iterator[list[datetime]]:
    """Stop the server's clock; it shows the last moment of the list."""
    shown, running = [FILLED], clock.now
    clock.now = lambda: shown[-1]
    try:
        yield shown
    finally:
        clock.now = running


async def fill(settings: Settings) -> None:
    """Fill a new database with the demonstration of `FILLED`."""
    world, seals = [line.encode() for line in lines(FILLED)], Seals(settings.sealing_keys)
    await with_database(
        settings,
        lambda database: database.transact(lambda unit: bring_lines(unit, "the demonstration", world, seals)),
    )


async def play(page: Path, settings: Settings) -> list[Outcome]:
    """Play a page in a filled database, with a standing clock.

    Asked are operations with an answer, and subscriptions that say who listens.
    """
    runtime = Runtime(settings, schema)
    with standing_clock() as shown:
        async with runtime.open(), _Player(runtime).playing() as player:
            asked = [
                each for each in examples(page) if each.answer or (each.who and _subscribes(each.document))
            ]
            for number, example in enumerate(asked):
                shown.append(FIRST_ASKED + number * timedelta(minutes=1))
                await player.play(example)
            return player.outcomes


class _Player:
    """Everybody who asks in a page, and what they were told."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._sessions: dict[str, Viewer] = {}
        self._jar = CookieJar()
        self._words = Words()
        self._listening: asyncio.Task[Json] | None = None
        self.outcomes: list[Outcome] = []

    @asynccontextmanager
    async def playing(self) -> AsyncIterator["_Player"]:
        """Let go of a subscription at the end."""
        try:
            yield self
        finally:
            if self._listening is not None:
                self._listening.cancel()
                with suppress(asyncio.CancelledError):
                    await self._listening

    async def play(self, example: Example) -> None:
        """Ask one operation; then look at what a subscription before it has heard."""
        variables = self._words.meant(json.loads(example.variables.text)) if example.variables else {}
        context = await self._context(example.who)
        if _subscribes(example.document):
            await self._listen(example.document, variables, context)
            return
        assert example.answer is not None, f"{example.place}: an event needs an answer before it"
        done = await execute(self._runtime, Asked(example.document, variables, None), context)
        if context.cookies is self._jar and self._jar.kept is not None:
            self._jar.refresh_token = self._jar.kept.refresh
        self._note(example, example.answer, done.body)
        if example.event is not None:
            assert self._listening is not None, f"{example.place}: nobody listens"
            self._note(example, example.event, await asyncio.wait_for(self._listening, 10))

    def _note(self, example: Example, fence: Fence, body: Json) -> None:
        written = json.loads(fence.text)
        # As a client gets it: an enum is its name then.
        sent = json.loads(json.dumps(body))
        self.outcomes.append(Outcome(example.place, fence, written, self._words.told(sent, written)))

    async def _listen(self, document: str, variables: dict[str, Any], context: Context) -> None:
        results = await self._runtime.schema.subscribe(document, variables, context)

        async def first() -> Json:
            return executed_of(await anext(results)).body

        self._listening = asyncio.create_task(first())
        while self._runtime.services.listeners.number == 0:
            assert not self._listening.done(), self._listening.result()
            await asyncio.sleep(0)

    async def _context(self, who: str | None) -> Context:
        if who is None:
            return Context(self._request(None), CookieJar())
        if who == BROWSER:
            kept = self._jar.kept
            viewer = None
            if kept is not None:
                viewer = await sessions.viewer_of_token(
                    self._runtime.database, self._runtime.services, kept.access
                )
            return Context(self._request(viewer), self._jar)
        return Context(self._request(await self._viewer(who)))

    async def _viewer(self, who: str) -> Viewer:
        """Somebody as he or she is now, signed in anew where the session has ended."""
        known = self._sessions.get(who)
        found = known and await sessions.viewer_of_session(self._runtime.database, known.session_id)
        if not found:
            login = LOGIN_OF[who]
            opened = await sessions.sign_in(
                self._request(None), login.login, login.password, None, SessionKind.BEARER
            )
            found = opened.viewer
        self._sessions[who] = found
        return found

    def _request(self, viewer: Viewer | None) -> Request:
        return Request(self._runtime.database, self._runtime.services, viewer, "192.0.2.7")


def _subscribes(document: str) -> bool:
    (operation,) = (each for each in parse(document).definitions if isinstance(each, OperationDefinitionNode))
    return operation.operation is OperationType.SUBSCRIPTION
