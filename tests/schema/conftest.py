"""Tests of what clients see execute the schema itself, on both databases, without a door in front of it."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from mail.endings import Endings
from models.database import Database
from models.keys import KeyRing
from resolvers.events import LocalEvents
from resolvers.hashing import Hasher
from resolvers.services import Services
from resolvers.tokens import Tokens
from schema.root import compiled
from tests.schema.asking import Asking
from tests.storage import database, storage_templates
from tests.surroundings import CORRESPONDENT, SERVERS, outbox, seals

__all__ = ["asking", "database", "storage_templates"]


@pytest.fixture(autouse=True)
def _executed_as_wanted() -> None:
    compiled.enabled = os.environ.get("POSTFACH_TEST_COMPILED") != "off"


@pytest_asyncio.fixture
async def asking(database: Database) -> AsyncIterator[Asking]:
    """Whoever asks the schema something."""
    hasher, events = Hasher(), LocalEvents()
    tokens = Tokens(KeyRing.generate(), timedelta(minutes=15), timedelta(days=30))
    sealing = seals()
    services = Services(
        hasher, tokens, events, sealing, SERVERS, Endings(None), CORRESPONDENT, outbox(sealing, events)
    )
    try:
        async with services.listeners.running(database, events):
            yield Asking(database, services)
    finally:
        await events.close()
        hasher.close()
