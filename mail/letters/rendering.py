"""What a letter says, as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from mail.letters import languages

if TYPE_CHECKING:
    from mail.letters.languages import Language
    from mail.letters.letter import Letter
    from mail.servers import MailServer

_TEMPLATES = Environment(
    loader=PackageLoader("mail.letters"),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEXT, _HTML = _TEMPLATES.get_template("letter.txt.j2"), _TEMPLATES.get_template("letter.html.j2")
_STYLE = Markup(resources.files("mail.letters").joinpath("templates/letter.css").read_text("utf-8"))  # noqa: S704 (ours)
_INLINER = css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter's subject and its two bodies. Its representation shows none of them."""

    language: str
    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        return f"Rendered({self.language})"


def render(letter: Letter, picture: str | None) -> Rendered:
    """Return what a letter says, in its reader's language; `picture` is the Content-ID of the QR code."""
    language = languages.choose(letter.language)
    values = {
        "address": letter.address,
        "agency": letter.agency,
        "requested_by": letter.requested_by,
        "expires": "" if letter.expires_at is None else language.moment(letter.expires_at),
    }
    servers = letter.servers
    named = {"imap": servers.imap, "pop3": servers.pop3, "submission": servers.submission}
    context = {
        "letter": letter,
        "language": language,
        "servers": [(name, _said(language, server)) for name, server in named.items()],
        "picture": picture,
    }
    text = _TEXT.render(
        context, say=partial(language.text, **values), heading=lambda key: _underlined(language.text(key))
    )
    html = _HTML.render(context, say=partial(language.html, **values), style=_STYLE)
    # A body ends with a line break: the message would add one.
    return Rendered(
        language.tag, language.text("subject", **values), text, _INLINER.inline(html).rstrip() + "\n"
    )


def _underlined(heading: str) -> str:
    return f"{heading}\n{'=' * len(heading)}"


def _said(language: Language, server: MailServer) -> str:
    return language.text(
        "server", host=server.host, port=str(server.port), security=language.text(server.security)
    )
