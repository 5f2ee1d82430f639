"""The application: the doors on their paths."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from strawberry import Schema

from schema import schema as postfach
from server.client_setup import client_setup_routes
from server.graphql import GraphQLOverHttp
from server.health import health_routes
from server.logs import silence
from server.one_time_link import one_time_link_route
from server.outbox_page import outbox_routes
from server.playground import playground_assets
from server.runtime import Runtime
from server.settings import Settings
from server.surroundings import Surroundings
from server.websocket import GraphQLOverWebSocket


def create_app(settings: Settings, schema: Schema = postfach) -> Starlette:
    """Return the application. Its lifespan opens the database, brings it up to date, and closes it."""
    silence()
    runtime = Runtime(settings, schema)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with runtime.open():
            yield

    graphql = GraphQLOverHttp(runtime)
    app = Starlette(
        routes=[
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", GraphQLOverWebSocket(runtime)),
            one_time_link_route(runtime),
            *outbox_routes(settings),
            *health_routes(runtime),
            *client_setup_routes(runtime),
            runtime.metrics.route(),
            *([playground_assets()] if settings.graphiql else []),
        ],
        lifespan=lifespan,
    )
    # Starlette's own outermost layer answers crashes; ours does, so that it would never be asked.
    layers: ASGIApp = Surroundings(
        ExceptionMiddleware(app.router), {"/graphql": graphql}, secure=settings.secure
    )
    app.middleware_stack = layers if runtime.tracing is None else runtime.tracing.around(layers)
    app.state.runtime = runtime
    app.router.redirect_slashes = False
    return app
