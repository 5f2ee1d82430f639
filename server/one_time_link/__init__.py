"""`/credentials`: the page behind a letter's one-time link, and what its button asks for.

The token stands in the address's fragment, which a browser sends to nobody: no log, no proxy and no scanner that opens links
sees it. The page shows nothing by itself. Its button posts the token, and only that answer holds the password. The page is
one answer without anything from elsewhere: its policy lets in its own script and style sheet by their hashes, asks of
this server alone, and has no referrer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mail.client_setup.profile import profile_url
from mail.client_setup.qr import qr_svg, thunderbird_account
from mail.client_setup.settings import client_settings
from mail.letters.languages import accepted, languages
from models.database import DatabaseUnavailableError
from resolvers import one_time_links
from resolvers.errors import ErrorCode, NotFoundError, RateLimitedError
from resolvers.request import Request as Asking
from server.answers import BAD_REQUEST, JSON, RefusedError, refuse, respond
from server.bodies import parse, read_body
from server.graphql import remote_address, unavailable
from server.origins import Origin, origin_of

if TYPE_CHECKING:
    from mail.letters.languages import Language
    from mail.servers import MailServer, MailServers
    from resolvers.one_time_links import Shown
    from server.runtime import Runtime
    from server.settings import Settings

PATH: Final = "/credentials"
METHODS: Final = ["GET", "HEAD", "POST"]


def one_time_link_route(runtime: Runtime) -> Route:
    """Return the route of the page and of its button."""
    door = _Door(runtime)
    return Route(PATH, door.answer, methods=METHODS)


class _Door:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._pages = {tag: _page(language) for tag, language in languages().items()}

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            language = accepted(request.headers.get("accept-language", ""))
            return HTMLResponse(
                self._pages[language.tag], headers={**_HEADERS, "Content-Language": language.tag}
            )
        try:
            async with asyncio.timeout(self._settings.operation_seconds):
                shown = await self._show(request)
            self._count("shown")
            return respond(shown, HTTPStatus.OK, JSON)
        except NotFoundError as error:
            self._count(error.code)
            return refuse(RefusedError(HTTPStatus.NOT_FOUND, error.code, error.message))
        except RateLimitedError as error:
            self._count(error.code)
            headers = {"Retry-After": str(error.retry_after)}
            return refuse(RefusedError(HTTPStatus.TOO_MANY_REQUESTS, error.code, error.message, headers))
        except RefusedError as error:
            return refuse(error)
        except (DatabaseUnavailableError, TimeoutError):
            return refuse(unavailable())

    def _count(self, outcome: str) -> None:
        self._runtime.metrics.one_time_links.labels(outcome).inc()

    async def _show(self, request: Request) -> dict[str, Any]:
        _require_own_page(request, self._settings)
        asked = parse(await read_body(request))
        if not isinstance(asked, dict) or asked.keys() != {"token"} or not isinstance(asked["token"], str):
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, BAD_REQUEST, "A request is an object with token, a text."
            )
        asking = Asking(
            database=self._runtime.database,
            services=self._runtime.services,
            remote_address=remote_address(request),
        )
        shown = await one_time_links.show(asking, asked["token"])
        # Drawing takes long enough for others to notice.
        return await asyncio.to_thread(
            _answer, shown, self._runtime.services.servers, self._settings.public_url
        )


def _answer(shown: Shown, servers: MailServers, public_url: str) -> dict[str, Any]:
    """Return what the page shows: the password, where it is entered, and what sets up a phone."""
    settings = client_settings(servers, shown.address)
    profile = profile_url(public_url, shown.address)
    try:
        account = _drawing(thunderbird_account(settings, name=shown.email_name))
    except ValueError:
        account = None
    return {
        "address": shown.address,
        "password": shown.password,
        "servers": {
            "imap": _told(servers.imap),
            "pop3": _told(servers.pop3),
            "submission": _told(servers.submission),
        },
        "profileUrl": profile,
        "profileCode": _drawing(profile),
        "accountCode": account,
    }


def _require_own_page(request: Request, settings: Settings) -> None:
    """Refuse what our own page does not send: a browser says whose page it is, in one header at least."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # A browser that hides the origin still says that it is the same.
    is_hidden = origin in {None, "null"} and site == "same-origin"
    if site not in {None, "same-origin"} or not (
        is_hidden or origin_of(request.headers, settings) is Origin.OURS
    ):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, ErrorCode.FORBIDDEN, "Only the page at this address may ask."
        )


def _told(server: MailServer) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "security": server.security}


def _drawing(text: str) -> str:
    """Return a QR code as the address of an image."""
    return f"data:image/svg+xml;base64,{base64.b64encode(qr_svg(text)).decode()}"


# ---------------------------------------------------------------- the page

_FILES = resources.files(__name__)
_STYLE, _SCRIPT = (_FILES.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
_TEMPLATE = Environment(
    loader=PackageLoader(__name__, "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("page.html.j2")


def _page(language: Language) -> str:
    """Return the page as it first shows, with every language's sentences in it: changing it loads nothing anew."""
    everything = languages()
    return _TEMPLATE.render(
        language=language,
        languages=[everything[tag] for tag in sorted(everything)],
        say=language.page,
        sentences={tag: dict(each.page) for tag, each in everything.items()},
        style=Markup(_STYLE),  # noqa: S704 (ours)
        script=Markup(_SCRIPT),  # noqa: S704 (ours)
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(_SCRIPT)}",
            f"style-src {_hash(_STYLE)}",
            "connect-src 'self'",
            # The QR codes, which come with the password.
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Language",
}
"""The rest of them, no-referrer among them, is the same for all answers (`server.surroundings`)."""
