"""`/outbox`: the letters of a trial, which landed in a folder instead of the world.

For whoever runs a server on the own machine and nobody else: the page is there only where it was switched on, and answers
only on a loopback address under a loopback name, so that no other machine, and no page that a browser was led to under
another name for this address, reads a letter. A letter's HTML stands in a frame without scripts and without an origin.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from html import escape
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from mail.trial import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage
    from pathlib import Path

    from starlette.requests import Request

    from server.settings import Settings

PATH: Final = "/outbox"
NEWEST: Final = 100
"""So many letters are shown."""
NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f-]{36}")
_LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of the folder; `name` is that of its file."""

    name: str
    message: EmailMessage

    def header(self, name: str) -> str:
        """Return a header as it is read."""
        return str(self.message.get(name, ""))

    @property
    def text(self) -> str:
        """Return the plain text."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """Return the HTML with its pictures in it."""
        found = self._body("html")
        for part in self.message.walk():
            content_id = str(part.get("Content-ID", "")).strip("<>")
            if content_id and part.get_content_maintype() == "image":
                picture = base64.b64encode(part.get_payload(decode=True) or b"").decode()  # type: ignore[arg-type]
                found = found.replace(f"cid:{content_id}", f"data:{part.get_content_type()};base64,{picture}")
        return found

    @property
    def attachments(self) -> list[str]:
        """Return the names of what is attached."""
        return [str(part.get_filename()) for part in self.message.iter_attachments()]

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return "" if part is None else str(part.get_content())


def outbox_routes(settings: Settings) -> list[Route]:
    """Return the routes of the page; none where it is not switched on."""
    if not settings.outbox_page:
        return []
    page = _Page(settings.outbox_folder, by_mail=settings.smtp is not None)
    return [
        Route(PATH, _guarded(page.show), methods=["GET"]),
        Route(f"{PATH}/{{name}}/html", _guarded(page.frame), methods=["GET"]),
        Route(f"{PATH}/{{name}}{SUFFIX}", _guarded(page.file), methods=["GET"]),
    ]


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], object]:
    async def guarded(request: Request) -> Response:
        address = "" if request.client is None else request.client.host
        try:
            name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        except ValueError:
            name = ""
        if not (_is_loopback(address) and (name == "localhost" or _is_loopback(name))):
            return _nothing()
        return await run_in_threadpool(answer, request)

    return guarded


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def _nothing() -> Response:
    return PlainTextResponse("Not found", status_code=HTTPStatus.NOT_FOUND)


class _Page:
    """Reads the folder anew for each answer."""

    def __init__(self, folder: Path, *, by_mail: bool) -> None:
        self._folder = folder
        self._by_mail = by_mail

    def show(self, request: Request) -> Response:
        """Answer the list and, where one is chosen, a letter."""
        letters = [found for name in self._names() if (found := self._letter(name)) is not None]
        wanted = request.query_params.get("letter")
        chosen = next((each for each in letters if each.name == wanted), None)
        page = _TEMPLATE.render(
            letters=letters,
            chosen=chosen,
            by_mail=self._by_mail,
            newest=NEWEST,
            text="" if chosen is None else _linked(chosen.text),
            style=Markup(_STYLE),  # noqa: S704 (ours)
        )
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    def frame(self, request: Request) -> Response:
        """Answer a letter's HTML, for the frame."""
        found = self._letter(request.path_params["name"])
        if found is None:
            return _nothing()
        # A link that is followed opens a page of its own.
        return HTMLResponse(f'<base target="_blank">{found.html}', headers=_FRAME_HEADERS)

    def file(self, request: Request) -> Response:
        """Answer a letter as it left."""
        name = request.path_params["name"]
        content = self._content(name)
        if content is None:
            return _nothing()
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}{SUFFIX}"',
        }
        return Response(content, headers=headers, media_type="message/rfc822")

    def _names(self) -> list[str]:
        try:
            found = [file.stem for file in self._folder.iterdir() if file.suffix == SUFFIX]
        except OSError:
            return []
        return sorted((name for name in found if NAME.fullmatch(name)), reverse=True)[:NEWEST]

    def _letter(self, name: str) -> Letter | None:
        content = self._content(name)
        return None if content is None else Letter(name, message_from_bytes(content, policy=policy.default))

    def _content(self, name: str) -> bytes | None:
        if not NAME.fullmatch(name):
            return None
        try:
            return (self._folder / (name + SUFFIX)).read_bytes()
        except OSError:
            return None


def _linked(text: str) -> Markup:
    """Return a text whose links can be followed."""
    parts, last = [], 0
    for found in _LINK.finditer(text):
        url = escape(found[0])
        parts += [
            escape(text[last : found.start()]),
            f'<a href="{url}" target="_blank" rel="noopener">{url}</a>',
        ]
        last = found.end()
    return Markup("".join([*parts, escape(text[last:])]))  # noqa: S704 (escaped)


_STYLE = resources.files(__name__).joinpath("page.css").read_text("utf-8")
_TEMPLATE = Environment(
    loader=PackageLoader(__name__, "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("page.html.j2")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_STYLE_HASH}'",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FRAME_HEADERS = {
    "Cache-Control": "no-store",
    # A letter's style stands in its elements, and its picture is a part of it.
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
