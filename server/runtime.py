"""What one server process has open: the database and the services, from its start to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from strawberry import Schema

from execution.metering import metered_tasks
from execution.persisted import Persisted
from execution.shares import Shares
from mail.doveadm import doveadm_at
from mail.endings import Endings
from mail.outbox import Outbox
from models.database import Database, DatabaseUnavailableError
from models.seals import Seals
from resolvers.deliveries import teller
from resolvers.events import events_of
from resolvers.hashing import Hasher
from resolvers.riding import Viewers
from resolvers.services import Services
from resolvers.tokens import Tokens
from schema.root import compiled
from server.metrics import Metrics
from server.session_watch import SessionWatch
from server.settings import Settings
from server.transports import transport_of

if TYPE_CHECKING:
    from server.tracing import Tracing


class Runtime:
    """Holds what the doors share. `database` is there while `open` is entered."""

    def __init__(self, settings: Settings, schema: Schema) -> None:
        self.settings = settings
        self.schema = schema
        self.metrics = Metrics()
        self.persisted = Persisted(settings.trusted_documents, only=settings.only_trusted)
        compiled.enabled = settings.compiled
        self.metrics.watch_executions(compiled.counts)
        self.shares = Shares(self.metrics.held_up.inc)
        self.services = services_of(settings, self.metrics)
        self.watch = SessionWatch(self.services.events)
        self.viewers = Viewers()
        self.tracing = _tracing(settings)
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The open database."""
        if self._database is None:
            raise DatabaseUnavailableError("it is not open")
        return self._database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the database, bring it up to date and listen to its events; close everything at the end."""
        database = await Database.open(self.settings.database_url)
        try:
            await database.migrate()
            await self.services.events.open()
            self._database = database
            if self.tracing is not None:
                database.tracer = self.tracing.statement
            async with (
                self.watch.running(database),
                self.services.listeners.running(database, self.services.events),
                self.services.endings.running(database),
                self.services.outbox.running(database),
            ):
                with metered_tasks():
                    yield
        finally:
            self._database = None
            await self.services.events.close()
            self.services.hasher.close()
            await database.close()
            if self.tracing is not None:
                await self.tracing.close()


def _tracing(settings: Settings) -> Tracing | None:
    """Return what traces this process, None where it is not to be traced: then nothing of it is even imported."""
    if settings.traces_url is None:
        return None
    from server.tracing import Tracing  # noqa: PLC0415 (only where it is wanted)

    return Tracing(settings.traces_url, "sqlite" if settings.embedded else "postgresql")


def services_of(settings: Settings, metrics: Metrics | None = None) -> Services:
    """Return the services for a server, or for a command that needs them."""
    events, seals = events_of(settings.database_url), Seals(settings.sealing_keys)
    return Services(
        hasher=Hasher(),
        tokens=Tokens(settings.token_keys, settings.access_token_lifetime, settings.refresh_token_lifetime),
        events=events,
        seals=seals,
        servers=settings.servers,
        endings=Endings(
            doveadm_at(settings.doveadm_url, settings.doveadm_key),
            *(() if metrics is None else (metrics.open_session_endings.set,)),
        ),
        profile_signing=settings.profile_signing,
        correspondent=settings.correspondent,
        outbox=Outbox(
            transport_of(settings),
            seals,
            teller(events),
            observer=None if metrics is None else metrics.outbox_observer(),
        ),
        count_sign_in=(lambda _: None) if metrics is None else metrics.count_sign_in,
    )
