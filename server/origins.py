"""Whose page sends a request: ours, an allowed front end's, or a stranger's."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from server.answers import Answer
from server.setting_values import DEFAULT_PORTS
from server.settings import Settings

PREFLIGHT_SECONDS = 600
EXPOSED = "Retry-After, X-Request-Id"


class Origin(Enum):
    """Where a request comes from, by its header."""

    NONE = "no page: a program, or a browser's own navigation"
    OURS = "a page of this server"
    ALLOWED = "a page of an allowed front end"
    FOREIGN = "any other page"

    @property
    def may_use_cookies(self) -> bool:
        """Whether the session in the client's cookies is for this page to use."""
        return self is not Origin.FOREIGN


def origin_of(headers: Headers, settings: Settings) -> Origin:
    """Return whose page sends a request. A page is ours when its host is the one that the request goes to."""
    text = headers.get("origin")
    if text is None:
        return Origin.NONE
    if text in settings.allowed_origins:
        return Origin.ALLOWED
    parts = urlsplit(settings.public_url)
    if text == f"{parts.scheme}://{parts.netloc}" or _host(text) == _host(
        f"http://{headers.get('host', '')}"
    ):
        return Origin.OURS
    return Origin.FOREIGN


def _host(url: str) -> tuple[str, int | None] | str:
    """Return host and port of a URL; a port that its scheme implies is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    if not parts.hostname:
        return url
    return parts.hostname, None if port in (*DEFAULT_PORTS.values(), None) else port


def allow_origin(response: Response, origin: Origin, text: str | None) -> None:
    """Let a page of an allowed front end read the answer."""
    if isinstance(response, Answer):
        # Nothing of those varies yet.
        response.raw_headers.append((b"vary", b"Origin"))
    else:
        response.headers.add_vary_header("Origin")
    if origin is Origin.ALLOWED and text is not None:
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = text
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = EXPOSED


def preflight_headers(origin: Origin) -> dict[str, str]:
    """Return what a browser wants to know before it lets a page of another origin post."""
    if origin is not Origin.ALLOWED:
        return {}
    return {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
