"""The message that leaves (RFC 5322, MIME), read back and compared before anybody gets it.

No name that a person chose stands in a header unless it is one that `models.names` lets stand beside an address. And
whatever a library makes of it: what was written is parsed by other code, and unless it has exactly the headers and parts
that were meant there is no message.
"""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING

import idna

from mail.letters.letter import LetterError
from mail.letters.rendering import render
from models import names

if TYPE_CHECKING:
    from email.message import Message

    from mail.letters.letter import Letter

PROFILE_TYPE = "application/x-apple-aspen-config"
_LINE_BYTES = 998
"""RFC 5322, section 2.1.1, without CRLF."""
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_LOCAL_PART = re.compile(r"""[^\s\x00-\x20\x7f"(),:;<>@\[\\\]]+""")
"""A dot-atom (RFC 5322, section 3.2.3) of ASCII or, by RFC 6532, of any script."""
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a message that is no container: its type, and what is in it."""

    type: str
    content: bytes


def compose(letter: Letter, profile: bytes | None = None) -> bytes:
    """Return the message of a letter, with CRLF; `profile` is an Apple configuration profile to attach.

    The same letter gives another boundary each time, so bytes that may be sent again are kept. An address whose local part is
    not ASCII makes it one that needs SMTPUTF8 (RFC 6531). Raises `LetterError`.
    """
    letter.check()
    said = render(letter)
    to, sender = _wire_address(letter.to), _wire_address(letter.sender)
    name = letter.agency.strip() if names.problem(letter.agency) is None else ""
    if not _ID.fullmatch(letter.message_id):
        raise LetterError("the Message-ID is none")
    headers = {
        "From": _mailbox(name, sender),
        "To": _mailbox("", to),
        "Subject": said.subject,
        "Date": format_datetime(letter.date),
        "Message-ID": letter.message_id,
        # RFC 3834: no vacation notice answers it.
        "Auto-Submitted": "auto-generated",
        "Content-Language": said.language,
    }
    if "=?" in said.subject or "?=" in said.subject:
        raise LetterError("what looks like an encoded word in the subject")
    is_international = not (to + sender).isascii()
    message = EmailMessage(policy=policy.SMTPUTF8 if is_international else policy.SMTP)
    message.set_content(said.text, cte="quoted-printable")
    message.add_alternative(said.html, subtype="html", cte="quoted-printable")
    parts = [_Part("text/plain", said.text.encode()), _Part("text/html", said.html.encode())]
    if profile is not None:
        maintype, _, subtype = PROFILE_TYPE.partition("/")
        message.add_attachment(
            profile, maintype=maintype, subtype=subtype, filename=f"{letter.address}.mobileconfig"
        )
        parts.append(_Part(PROFILE_TYPE, profile))
    # Last: a body that is put into a container takes the headers named Content-… with it.
    for header, value in headers.items():
        message[header] = value
    raw = message.as_bytes()
    meant = {header: str(value) for header, value in headers.items()}
    meant["From"], meant["To"] = (name, sender), ("", to)  # type: ignore[assignment]
    _compare(raw, meant, parts, is_ascii=not is_international)
    return raw


def _wire_address(address: str) -> str:
    """Return an address with its domain in ASCII. Whether it is one was asked where it came in; this is about syntax."""
    local, _, domain = address.rpartition("@")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        domain = ""
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise LetterError("an address is none")
    return f"{local}@{domain}"


def _mailbox(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


# ---------------------------------------------------------------- reading back


def _compare(raw: bytes, headers: dict[str, str], parts: list[_Part], *, is_ascii: bool) -> None:
    """Raise `LetterError` unless these bytes are a message with exactly these headers and parts."""
    if _BARE.search(raw) or any(len(line) > _LINE_BYTES for line in raw.split(b"\r\n")):
        raise LetterError("what was written has lines that no message may have")
    if is_ascii and not raw.isascii():
        raise LetterError("what was written is not ASCII")
    read = email.message_from_bytes(raw, policy=policy.compat32)
    containers = ["MIME-Version", "Content-Type"]
    written = {name: value.encode("ascii", "surrogateescape").decode() for name, value in read.raw_items()}
    if sorted(read.keys()) != sorted([*headers, *containers]):
        raise LetterError("what was written has other headers")
    for name, meant in headers.items():
        value = written[name]
        found = _address(value) if name in {"From", "To"} else _decoded(value)
        if found != meant:
            raise LetterError(f"what was written has another {name}")
    leaves = [part for part in read.walk() if not part.is_multipart()]
    if [_read(part) for part in leaves] != parts or any(part.defects for part in read.walk()):
        raise LetterError("what was written has other parts")


def _decoded(value: str) -> str:
    return str(make_header(decode_header(re.sub(r"\r\n(?=[ \t])", "", value))))


def _address(value: str) -> tuple[str, str]:
    name, address = parseaddr(re.sub(r"\r\n(?=[ \t])", "", value))
    return _decoded(name), address


def _read(part: Message) -> _Part:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)  # noqa: S101 (no container)
    is_text = part.get_content_maintype() == "text"
    return _Part(part.get_content_type(), content.replace(b"\r\n", b"\n") if is_text else content)
