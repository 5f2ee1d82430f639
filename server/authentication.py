"""Who asks: the viewer of a request, by the Authorization header or by the session's cookies."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import HTTPConnection

from resolvers import sessions
from resolvers.errors import ErrorCode
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


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says that holds by itself: which session it is of. Whether that lives, and who it is, is to be asked."""

    runtime: Runtime
    session_id: UUID
    by_cookie: bool

    def last_viewer(self) -> Viewer | None:
        """Return who it was when this process asked last."""
        return self.runtime.viewers.last(self.session_id)

    async def viewer(self) -> Viewer:
        """Return who it is now. Raises `TokenRefusedError` where the session has ended or the user may not come in."""
        viewer = await sessions.viewer_of_session(self.runtime.database, self.session_id)
        self.runtime.viewers.keep(self.session_id, viewer)
        if viewer is None:
            raise TokenRefusedError(sessions.REFUSED, by_cookie=self.by_cookie)
        return viewer


def authenticate(
    connection: HTTPConnection, runtime: Runtime, cookies: SessionCookies, origin: Origin
) -> tuple[Claim | None, CookieJar | None]:
    """Return what the request's token says, None without one, and the cookies that the request may use.

    A header comes before cookies. Raises `TokenRefusedError` for a token that does not hold by itself, `RefusedError` (403) where
    a foreign page has the browser send cookies.
    """
    header = connection.headers.get("authorization")
    # Reading none takes as long as reading some.
    sent = {} if connection.headers.get("cookie") is None else connection.cookies
    if not origin.may_use_cookies:
        if header is None and (cookies.access in sent or cookies.refresh in sent):
            raise RefusedError(403, ErrorCode.FORBIDDEN, "This page may not use the session in the cookies.")
        jar = None
    else:
        jar = CookieJar(sent.get(cookies.refresh), signs_in=header is None and cookies.access in sent)
    if header is not None:
        return _claim(runtime, bearer_token(header), by_cookie=False), jar
    if jar is not None and jar.signs_in:
        return _claim(runtime, sent[cookies.access], by_cookie=True), jar
    return None, jar


def _claim(runtime: Runtime, token: str, *, by_cookie: bool) -> Claim:
    session_id = runtime.services.tokens.read_access(token)
    if session_id is None:
        raise TokenRefusedError(sessions.REFUSED, by_cookie=by_cookie)
    return Claim(runtime, session_id, by_cookie)


def bearer_token(header: str) -> str:
    """Return the token of a header's value; of another scheme nothing, which does not hold."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == BEARER else ""
