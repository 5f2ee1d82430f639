"""A session's tokens in cookies that scripts cannot read and other sites cannot send.

Both cookies last as long as the refresh token: an access token that has expired is then still sent, answered 401
and taken away, and the client knows that it has to refresh.
"""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response

from models import clock
from resolvers.tokens import TokenPair
from schema.context import CookieJar
from server.settings import Settings


class SessionCookies:
    """The names of the cookies and how they are set; `__Host-` and Secure where clients come by https."""

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.secure
        prefix = "__Host-" if settings.secure else ""
        self.access = f"{prefix}postfach_access"
        self.refresh = f"{prefix}postfach_refresh"

    def write(self, response: Response, jar: CookieJar) -> None:
        """Do with the answer what was decided about the client's cookies."""
        if jar.kept is not None:
            self._keep(response, jar.kept)
        elif jar.emptied:
            self.clear(response, self.access)
            self.clear(response, self.refresh)

    def clear(self, response: Response, name: str) -> None:
        """Take one away."""
        self._set(response, name, "", 0)

    def _keep(self, response: Response, tokens: TokenPair) -> None:
        seconds = _seconds_until(tokens.lasts_until)
        self._set(response, self.access, tokens.access, seconds)
        self._set(response, self.refresh, tokens.refresh, seconds)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="strict"
        )


def _seconds_until(moment: datetime) -> int:
    return max(0, int((moment - clock.now()).total_seconds()))
