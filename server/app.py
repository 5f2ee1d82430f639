"""The application: the doors on their paths."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from server.health import health_routes
from server.playground import playground_assets
from server.runtime import Runtime
from server.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """Return the application. Its lifespan opens the database, brings it up to date, and closes it."""
    runtime = Runtime(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with runtime.open():
            yield

    routes = [*health_routes(runtime), playground_assets()]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app
