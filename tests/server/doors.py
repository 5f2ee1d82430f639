"""The application in this process, on a database with one agency and two people, for the tests of the doors."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
from starlette.applications import Starlette
from strawberry import Schema
from tortoise.backends.base.executor import EXECUTOR_CACHE

from models import clock
from models.tables.agencies import Agency
from models.tables.users import Role, User
from resolvers.hashing import Hasher
from schema import schema as postfach
from server.app import create_app
from server.runtime import Runtime
from server.settings import Settings
from tests import evidence, storage
from tests.client import Answer, Client
from tests.databases import settings_environment
from tests.resolvers.signing_in import PASSWORD

HOST = "postfach.test"
SIGN_IN = """
mutation ($login: String!, $password: String!, $session: SessionKind) {
  signIn(login: $login, password: $password, session: $session) {
    accessToken refreshToken expiresAt viewer { login email } errors { __typename code message path }
  }
}
"""
REFRESH = """
mutation ($token: String) {
  refreshSession(refreshToken: $token) {
    accessToken refreshToken expiresAt viewer { login email } errors { __typename code message path }
  }
}
"""
SIGN_OUT = "mutation ($everywhere: Boolean) { signOut(everywhere: $everywhere) { errors { code } } }"
WHO = "{ viewer { login } }"


@cache
def stored_hash() -> str:
    """A hash of PASSWORD as servers make it in this process, made once."""
    return Hasher().hash_now(PASSWORD)


@dataclass
class Doors:
    """A started application, and who may come in."""

    app: Starlette
    settings: Settings
    runtime: Runtime
    nord: Agency
    anna: User
    ben: User

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client with cookies of its own."""
        scheme = "https" if self.settings.secure else "http"
        async with httpx.AsyncClient(
            base_url=f"{scheme}://{HOST}",
            transport=httpx.ASGITransport(app=self.app, client=("192.0.2.7", 1)),
        ) as http:
            yield Client(http)

    async def ask(self, query: str = WHO, *, token: str | None = None, **headers: str) -> Answer:
        """What one request without cookies is answered; header names have _ for -."""
        async with self.client() as client:
            client.token = token
            return await client.execute(
                query, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

    async def session(self, who: User) -> UUID:
        """A new session of this user."""
        return (await storage.viewer(who)).session_id

    async def token(self, who: User) -> str:
        """An access token of a new session."""
        return self.token_of(await self.session(who))

    def token_of(self, session_id: UUID) -> str:
        """An access token of a session."""
        return self.runtime.services.tokens.pair(session_id, 1, clock.now() + timedelta(days=1)).access

    def signed(self, claims: Mapping[str, Any]) -> str:
        """A token that the server could have signed."""
        name, key = self.settings.token_keys.first
        return jwt.encode(dict(claims), key, "HS256", headers={"kid": name})


@asynccontextmanager
async def doors(
    url: str, folder: Path, *, schema: Schema = postfach, **changes: str | None
) -> AsyncIterator[Doors]:
    """The application with these settings, names without the prefix, on a database that is up to date."""
    settings = Settings.load(settings_environment(url, folder, **changes))
    app = create_app(settings, schema)
    # Tortoise keeps its statements by the connection's name, and every database here has the same.
    EXECUTOR_CACHE.clear()
    async with app.router.lifespan_context(app):
        nord = await storage.agency("nord")
        anna = await storage.user(
            nord, "anna", role=Role.ADMINISTRATOR, password_hash=stored_hash(), email="anna@home.example"
        )
        ben = await storage.user(nord, "ben", password_hash=stored_hash())
        yield Doors(app, settings, app.state.runtime, nord, anna, ben)
        evidence.metrics(app.state.runtime.metrics.registry)
