"""Who asks: the viewer of a request, by the Authorization header or by the session's cookies."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from resolvers import sessions
from resolvers.errors import ErrorCode, UnauthenticatedError
from resolvers.request import Viewer
from schema.context import CookieJar
from server.answers import RefusedError
from server.cookies import SessionCookies
from server.origins import Origin
from server.runtime import Runtime

BEARER = "bearer"


class TokenRefusedError(RefusedError):
    """A token was sent and does not hold. `by_cookie` says where it was."""

    def __init__(self, message: str, *, by_cookie: bool) -> None:
        super().__init__(401, ErrorCode.UNAUTHENTICATED, message, {"WWW-Authenticate": "Bearer"})
        self.by_cookie = by_cookie


async def authenticate(
    connection: HTTPConnection, runtime: Runtime, cookies: SessionCookies, origin: Origin
) -> tuple[Viewer | None, CookieJar | None]:
    """Return the viewer, None without a token, and the cookies that the request may use.

    A header comes before cookies. Raises `TokenRefusedError` for a token that does not hold, `RefusedError` (403) where a foreign
    page has the browser send cookies.
    """
    header = connection.headers.get("authorization")
    sent = connection.cookies
    if not origin.may_use_cookies:
        if header is None and (cookies.access in sent or cookies.refresh in sent):
            raise RefusedError(403, ErrorCode.FORBIDDEN, "This page may not use the session in the cookies.")
        jar = None
    else:
        jar = CookieJar(sent.get(cookies.refresh), signs_in=header is None and cookies.access in sent)
    if header is not None:
        return await viewer_of(runtime, bearer_token(header)), jar
    if jar is not None and jar.signs_in:
        return await viewer_of(runtime, sent[cookies.access], by_cookie=True), jar
    return None, jar


async def viewer_of(runtime: Runtime, token: str, *, by_cookie: bool = False) -> Viewer:
    """Return whom a token signs in. Raises `TokenRefusedError`."""
    try:
        return await sessions.viewer_of_token(runtime.database, runtime.services, token)
    except UnauthenticatedError as error:
        raise TokenRefusedError(error.message, by_cookie=by_cookie) from error


def bearer_token(header: str) -> str:
    """Return the token of a header's value; of another scheme nothing, which does not hold."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == BEARER else ""
