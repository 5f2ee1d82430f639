"""GraphQL over HTTP: POST for operations, GET for the playground of a browser.

Every answer to a POST is a GraphQL one, and no cache may keep it. What is wrong with a request, and an operation that
asks for too much, is 4xx with `extensions.code`; what is wrong with a document or its variables is 400 as
`application/graphql-response+json` and 200 as `application/json`. A token that does not hold is 401; a database that does
not answer, and an operation that takes too long, 503.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from functools import lru_cache

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from execution.limits import LIMIT_EXCEEDED
from execution.shares import Turn
from models.database import Database, DatabaseUnavailableError
from resolvers.request import Request as Asking
from resolvers.request import Viewer
from resolvers.riding import Riding
from schema.context import Context, CookieJar
from schema.failures import TIMED_OUT, UNAVAILABLE
from schema.root import Schema, may_ride
from server.answers import (
    BAD_REQUEST,
    GRAPHQL,
    JSON,
    RETRY_AFTER_SECONDS,
    RefusedError,
    media_type,
    refuse,
    respond,
    wants_page,
)
from server.authentication import Claim, TokenRefusedError, authenticate
from server.bodies import Asked, asked, parse, read_body
from server.cookies import SessionCookies
from server.deadline import UnlessGone, patience
from server.execution import Executed, execute, with_document
from server.origins import Origin, allow_origin, origin_of, preflight_headers
from server.playground import playground_page
from server.runtime import Runtime
from server.sent import SentRequest
from server.turns import BYTE_SECONDS, LARGE_BYTES, looked_at, read_at, turn_by

METHODS = "GET, POST, OPTIONS"
REFUSED = frozenset({BAD_REQUEST, LIMIT_EXCEEDED})
"""Codes of what is 400 as `application/json` too: GraphQL itself has nothing against it."""


class GraphQLOverHttp:
    """The ASGI application at `/graphql` for everything but WebSockets."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._cookies = SessionCookies(runtime.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = SentRequest(scope, receive)
        origin = origin_of(request.headers, self._settings)
        response = await self._answer(request, origin)
        allow_origin(response, origin, request.headers.get("origin"))
        await response(scope, receive, send)

    async def _answer(self, request: Request, origin: Origin) -> Response:
        if request.method == "POST":
            return await self._post(request, origin)
        if request.method in {"GET", "HEAD"}:
            return self._page(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": METHODS, **preflight_headers(origin)})
        return refuse(_posted())

    async def _post(self, request: Request, origin: Origin) -> Response:
        kind = JSON
        try:
            kind = media_type(request.headers)
            return await self._operation(request, origin, kind)
        except TokenRefusedError as error:
            response = refuse(error, kind)
            if error.by_cookie:
                # The refresh cookie stays: the client can go on with refreshSession.
                self._cookies.clear(response, self._cookies.access)
            return response
        except RefusedError as error:
            return refuse(error, kind)
        except DatabaseUnavailableError:
            return refuse(unavailable(), kind)

    def _page(self, request: Request) -> Response:
        """Return the playground to a browser that asks for a page."""
        if not wants_page(request.headers):
            return refuse(_posted())
        if not self._settings.graphiql:
            return refuse(RefusedError(404, BAD_REQUEST, "There is no page here: operations are posted."))
        return playground_page(self._settings)

    async def _operation(self, request: Request, origin: Origin, kind: str) -> Response:
        body = await read_body(request)
        if len(body) <= LARGE_BYTES:
            wanted = asked(parse(body))
        else:
            with UnlessGone(request.receive):
                wanted = await read_at(
                    self._turn(request, origin), self._settings, len(body), lambda: asked(parse(body))
                )
        wanted = with_document(self._runtime, wanted)
        claim, jar = authenticate(request, self._runtime, self._cookies, origin)
        with UnlessGone(request.receive):
            done = await self._executed(request, wanted, claim, jar)
        status, headers = 200, {}
        if UNAVAILABLE in done.codes:
            status, headers = 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
        elif TIMED_OUT in done.codes:
            status = 503
        elif done.refused and (kind == GRAPHQL or REFUSED.intersection(done.codes)):
            status = 400
        response = respond(done.body, status, kind, headers)
        if len(response.body) > LARGE_BYTES:
            turn = turn_by(
                self._runtime, None if claim is None else claim.last_viewer(), remote_address(request)
            )
            turn.charge(len(response.body) * BYTE_SECONDS)
        if jar is not None:
            self._cookies.write(response, jar)
        return response

    def _turn(self, request: Request, origin: Origin) -> Turn:
        """Return a turn of whoever sent a request, before it is read what is wanted."""
        viewer = None
        with suppress(RefusedError):
            # It is said in its place what is wrong.
            claim, _ = authenticate(request, self._runtime, self._cookies, origin)
            viewer = None if claim is None else claim.last_viewer()
        return turn_by(self._runtime, viewer, remote_address(request))

    async def _executed(
        self, request: Request, wanted: Asked, claim: Claim | None, jar: CookieJar | None
    ) -> Executed:
        """Execute what is wanted for whom the claim is of; mostly it asks who that is with its first statement."""
        database = self._runtime.database

        def context(viewer: Viewer | None, database: Database = database) -> Context:
            asking = Asking(database, self._runtime.services, viewer, remote_address(request))
            settings = self._settings
            return Context(
                asking,
                cookies=jar,
                introspection=settings.introspection,
                limits=settings.limits,
                takes_json=True,
            )

        if claim is None:
            return await execute(self._runtime, wanted, context(None))

        async def anew() -> Context:
            with patience(self._settings.operation_seconds):
                return context(await claim.viewer())

        known = claim.last_viewer()
        if known is None or not await self._may_ride(wanted, known):
            return await execute(self._runtime, wanted, await anew(), anew=anew)
        riding = Riding(database, known)

        async def renewed() -> Context | None:
            if riding.is_known_to_hold:
                return None
            with patience(self._settings.operation_seconds):
                return None if await riding.holds() else context(await claim.viewer())

        return await execute(self._runtime, wanted, context(known, riding), renewed, anew)

    async def _may_ride(self, wanted: Asked, viewer: Viewer) -> bool:
        """Whether who the viewer is can be asked with the first statement."""
        schema, text = self._runtime.schema, wanted.query

        def may() -> bool:
            return may_ride(schema, text, wanted.variables, self._settings.limits, wanted.operation_name)

        if text and isinstance(schema, Schema) and schema.documents.known(text) is None:
            return await looked_at(self._runtime.shares.turn(viewer.id), may)
        return may()


def _posted() -> RefusedError:
    return RefusedError(405, BAD_REQUEST, "Operations are posted.", {"Allow": METHODS})


def unavailable() -> RefusedError:
    """Return why nothing can be answered while the database is away."""
    return RefusedError(
        503,
        UNAVAILABLE,
        "The database does not answer: try again later.",
        {"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def remote_address(connection: HTTPConnection) -> str | None:
    """Return the client's address, None where there is none; a proxy's word was checked by the HTTP server."""
    client = connection.scope.get("client")
    return None if client is None else _address(client[0])


@lru_cache(maxsize=4096)
def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
