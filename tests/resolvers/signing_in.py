"""People with passwords, and what signing in needs, for the tests of sessions and of the doors before them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from mail.endings import Endings
from models.database import Database
from models.keys import KeyRing
from models.tables.agencies import Agency
from models.tables.sessions import SessionKind
from models.tables.users import Role, User
from resolvers import sessions
from resolvers.errors import UnauthenticatedError
from resolvers.events import events_of
from resolvers.hashing import Hasher
from resolvers.request import Request
from resolvers.services import Services
from resolvers.sessions import SignedIn
from resolvers.tokens import Tokens
from tests import evidence, storage
from tests.surroundings import CORRESPONDENT, SERVERS, outbox, seals

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "a staple and a lamp"
ADDRESS = "192.0.2.7"


def quick_hasher() -> Hasher:
    """One that spends a thousandth of what the product's does."""
    return Hasher(passes=1, memory_kib=256, lanes=1)


@cache
def hashed(password: str = PASSWORD) -> str:
    """A hash of the password, made once."""
    return quick_hasher().hash_now(password)


async def person(of: Agency | None, name: str, **columns: object) -> User:
    """An active user whose password is PASSWORD."""
    return await storage.user(of, name, **({"password_hash": hashed()} | columns))


@dataclass
class House:
    """A database with one agency and its administrator Anna, and the services on it.

    `outcomes` are the attempts to sign in, as they were counted.
    """

    nord: Agency
    anna: User
    database: Database
    keys: KeyRing
    services: Services
    outcomes: list[str] = field(default_factory=list)

    def request(self, signed_in: SignedIn | None = None) -> Request:
        """A request of nobody, or of somebody who signed in before."""
        viewer = None if signed_in is None else signed_in.viewer
        return Request(self.database, self.services, viewer, ADDRESS)

    async def sign_in(
        self,
        login: str,
        password: str = PASSWORD,
        new_password: str | None = None,
        kind: SessionKind = SessionKind.BEARER,
    ) -> SignedIn:
        """Sign in as a client would."""
        evidence.sent({"password": password, "newPassword": new_password})
        return await sessions.sign_in(self.request(), login, password, new_password, kind)

    async def refresh(self, token: str | None) -> SignedIn:
        """Trade a refresh token as a client would."""
        return await sessions.refresh(self.request(), token)

    async def holds(self, signed_in: SignedIn) -> bool:
        """Whether the access token still signs in."""
        try:
            await sessions.viewer_of_token(self.database, self.services, signed_in.tokens.access)
        except UnauthenticatedError:
            return False
        return True

    async def audit(self, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of the audit, in the order in which it was written."""
        rows = await self.database.fetch(f"SELECT {', '.join(columns)} FROM audit_events ORDER BY at")
        return [tuple(row[column] for column in columns) for row in rows]

    async def sessions(self) -> list[dict[str, Any]]:
        """Every stored session, oldest first."""
        return [dict(row) for row in await self.database.fetch("SELECT * FROM sessions ORDER BY opened_at")]


@asynccontextmanager
async def house_of(database: Database) -> AsyncIterator[House]:
    """The services of a server on this database."""
    keys = KeyRing.generate()
    outcomes: list[str] = []
    sealing, events = seals(), events_of(database.url)
    services = Services(
        quick_hasher(),
        Tokens(keys, timedelta(minutes=15), timedelta(days=30)),
        events,
        sealing,
        SERVERS,
        Endings(None),
        CORRESPONDENT,
        outbox(sealing, events),
        outcomes.append,
    )
    nord = await storage.agency("nord")
    anna = await person(nord, "anna", role=Role.ADMINISTRATOR)
    await services.events.open()
    try:
        yield House(nord, anna, database, keys, services, outcomes)
    finally:
        await services.events.close()
        services.hasher.close()
