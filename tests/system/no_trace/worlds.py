"""One world of two: an application with a database of its own, in a context that keeps it apart from the other."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from unittest import mock

import tortoise.context
from starlette.applications import Starlette

from mail.outbox import Outbox
from models.database import Database, Unit
from models.outbox import look
from resolvers.cursors import encode_cursor
from resolvers.importing import bring
from resolvers.node_ids import NodeKind, encode
from server.runtime import Runtime
from tests import storage
from tests.application import started
from tests.databases import Template, settings_environment
from tests.oracle.world import World as Drawn
from tests.surroundings import HASHER
from tests.system.no_trace import chance, door
from tests.system.no_trace.door import Answered, Asked, Socket

T = TypeVar("T")

TABLES = {
    NodeKind.USER: "users",
    NodeKind.AGENCY: "agencies",
    NodeKind.MAILBOX: "mailboxes",
    NodeKind.MAILBOX_EVENT: "mailbox_events",
    NodeKind.MAILBOX_ASSIGNMENT: "assignments",
    NodeKind.ACTIVITY: "activities",
    NodeKind.CREDENTIAL_DELIVERY: "credential_deliveries",
    NodeKind.AUDIT_EVENT: "audit_events",
}


class World:
    """An application that answers, and what stands behind it."""

    def __init__(self, app: Starlette, context: contextvars.Context, luck: chance.Chance) -> None:
        self.app = app
        self.chance = luck
        self._context = context

    @property
    def runtime(self) -> Runtime:
        """What its doors share."""
        runtime: Runtime = self.app.state.runtime
        return runtime

    @property
    def database(self) -> Database:
        """The open database; used within `run` alone."""
        return self.runtime.database

    async def run(self, work: Coroutine[object, object, T]) -> T:
        """Do something as a part of this world: with its database, its chance and its time."""
        return await asyncio.get_running_loop().create_task(work, context=self._context)

    async def ask(self, asked: Asked, token: str | None) -> Answered:
        """Have an operation answered over HTTP."""
        return await self.run(door.post(self.app, asked, token))

    async def socket(self, token: str | None) -> Socket:
        """Open a WebSocket."""
        opened = Socket(self.app, self._context)
        await opened.open(token)
        return opened

    async def bring(self, drawn: Drawn) -> None:
        """Import."""
        runtime = self.runtime

        async def work(unit: Unit) -> None:
            await bring(
                unit, (line.encode() + b"\n" for line in drawn.lines()), HASHER, runtime.services.seals
            )

        await self.run(self.database.transact(work))

    async def send_letters(self) -> None:
        """Have the outbox send what waits: by itself it does nothing here, since nobody could say when."""

        async def work() -> None:
            async with RUNNING(self.runtime.services.outbox, self.database):
                while (await look(self.database)).number:  # noqa: ASYNC110 (it tells nobody when it is done)
                    await asyncio.sleep(0.001)

        if (await self.run(look(self.database))).number:
            await self.run(work())

    async def ids(self, kind: NodeKind) -> list[str]:
        """The global ids of everything of a kind, of all agencies."""
        if TABLES[kind] not in storage.TABLES:
            return []
        rows = await self.run(self.database.fetch(f"SELECT id FROM {TABLES[kind]} ORDER BY id"))
        return [encode(kind, row["id"]) for row in rows]

    async def places(self, agency: str | None) -> list[str]:
        """The cursors of all entries of an agency, of all agencies where there is none, the newest first."""
        rows = await self.run(
            self.database.fetch(
                "SELECT e.occurred_at, e.id FROM activities e JOIN agencies a ON a.id = e.agency_id "
                "WHERE $1::boolean OR a.key = $2 ORDER BY e.occurred_at DESC, e.id DESC",
                agency is None,
                agency,
            )
        )
        return [encode_cursor((row["occurred_at"], row["id"])) for row in rows]


SETTINGS = {
    # Longer than the steps of a viewer take by the clock of a world.
    "ACCESS_TOKEN_MINUTES": "1440",
    # On a busy machine one of two worlds may be slow.
    "OPERATION_SECONDS": "600",
}
RUNNING = Outbox.running


@asynccontextmanager
async def _resting(_outbox: Outbox, _database: Database) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def opened(environment: Mapping[str, str]) -> AsyncIterator[World]:
    """A world of these settings, until the end of the block."""
    luck = chance.Chance()
    context = contextvars.copy_context()
    context.run(chance.current.set, luck)
    context.run(tortoise.context.TortoiseContext().__enter__)
    ready: asyncio.Future[Starlette] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def serve() -> None:
        try:
            async with started(environment) as app:
                ready.set_result(app)
                await over.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    with (
        # A process of the product has one database, and says so to Tortoise; here are two.
        mock.patch.object(tortoise.context, "set_global_context"),
        mock.patch.object(Outbox, "running", _resting),
    ):
        serving = asyncio.get_running_loop().create_task(serve(), context=context)
        app = await ready
    try:
        yield World(app, context, luck)
    finally:
        over.set()
        await serving


@asynccontextmanager
async def copy_of(
    template: Template, folder: Path, name: str, secrets: Mapping[str, str]
) -> AsyncIterator[World]:
    """A world whose database is a copy, with the same keys as every other."""
    place = folder / name
    place.mkdir()
    with template.copied(place) as url:
        async with opened(settings_environment(url, place, **SETTINGS, **secrets)) as world:
            yield world
