"""What is around every request: its id, the security headers of the answer, and an answer even to a crash."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from contextvars import ContextVar

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answers import RefusedError, refuse

log = logging.getLogger("postfach.server")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request or the socket that the running code belongs to."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""An answer that says otherwise itself, as the playground does, keeps its own words."""
NAME_BYTES, NAMES_AT_ONCE = 8, 256
ONLY_HTTPS = "max-age=31536000"


class Names:
    """Random names: 16 hexadecimal digits that tell nothing, not even how many requests there were.

    The system is asked for many at once.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0

    def next(self) -> str:
        """Return another one."""
        if self._used == len(self._bytes):
            self._bytes, self._used = secrets.token_bytes(NAME_BYTES * NAMES_AT_ONCE), 0
        start, self._used = self._used, self._used + NAME_BYTES
        return self._bytes[start : self._used].hex()


class Surroundings:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, direct: Mapping[str, ASGIApp], *, secure: bool) -> None:
        """Stand before the application, and before those doors of it that are reached by exactly these paths."""
        self._app = app
        self._names = Names()
        self._direct = direct
        headers = HEADERS | ({"Strict-Transport-Security": ONLY_HTTPS} if secure else {})
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._names_of_headers = frozenset(name for name, _ in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name = self._names.next()
        token = request_id.set(name)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                started = True
                own = message["headers"]
                added = self._headers
                if not self._names_of_headers.isdisjoint([header for header, _ in own]):
                    said = {header for header, _ in own}
                    added = [each for each in added if each[0] not in said]
                # The application itself names no request.
                message["headers"] = [*own, (b"x-request-id", name.encode()), *added]
            await send(message)

        app = self._app
        if scope["type"] == "http" and not scope.get("root_path"):
            app = self._direct.get(scope["path"], app)
        try:
            await app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("the client went away")
        except Exception:
            # Without the message, which may hold what the client sent.
            log.exception("crash", extra={"door": scope["type"]})
            if scope["type"] == "http" and not started:
                crash = RefusedError(500, "INTERNAL", f"Internal error {name}.")
                await refuse(crash)(scope, receive, send_with_headers)
        finally:
            request_id.reset(token)
