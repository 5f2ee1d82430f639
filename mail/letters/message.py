"""The message that leaves (RFC 5322, MIME), read back and compared before anybody gets it.

No name that a person chose stands in a header unless it is one that `models.names` lets stand beside an address. And
whatever was made of it: what was written is parsed by other code, and unless it has exactly the headers and parts that were
meant there is no message. The head is written here, since the library folds some names so that they read otherwise.
"""

from __future__ import annotations

import email
import re
import unicodedata
from dataclasses import dataclass, field
from email import policy
from email.header import Header, decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

import idna

from mail.client_setup import profile as apple
from mail.client_setup.qr import qr_png, thunderbird_account
from mail.client_setup.settings import client_settings
from mail.letters.letter import LetterError
from mail.letters.rendering import render
from mail.sender import headers as addresses
from mail.sender.headers import Originator
from models import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

    from mail.client_setup.settings import ClientSettings
    from mail.letters.letter import Letter
    from mail.letters.rendering import Rendered

PICTURE_TYPE = "image/png"
_LINE_BYTES = 998
"""RFC 5322, section 2.1.1, without CRLF."""
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_LOCAL_PART = re.compile(r"""[^\s\x00-\x20\x7f"(),:;<>@\[\\\]]+""")
"""A dot-atom (RFC 5322, section 3.2.3) of ASCII or, by RFC 6532, of any script."""
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a message that is no container: its type, what is in it, and how it is called."""

    type: str
    content: bytes = field(repr=False)
    file_name: str | None = None


def compose(letter: Letter, sign: Callable[[bytes], bytes] | None = None) -> bytes:
    """Return the message of a letter, with CRLF. Takes some 70 ms, most of it for the QR code: call it in a thread.

    `sign` signs the configuration profile that is attached, where there is a certificate. The same letter gives other
    boundaries each time, so bytes that may be sent again are kept. An address whose local part is not ASCII makes it a message
    that needs SMTPUTF8 (RFC 6531). Raises `LetterError`.
    """
    letter.check()
    to, sender = wire_address(letter.to), wire_address(letter.sender)
    if not _ID.fullmatch(letter.message_id):
        raise LetterError("the Message-ID is none")
    settings = client_settings(letter.servers, letter.address)
    profile = apple.profile(settings, letter.public_url, name=letter.email_name)
    if sign is not None:
        profile = sign(profile)
    picture = _picture(settings, letter.email_name)
    content_id = None if picture is None else f"qr.{letter.message_id[1:-1]}"
    said = render(letter, content_id)
    if "=?" in said.subject or "?=" in said.subject:
        raise LetterError("what looks like an encoded word in the subject")
    name = _name(letter.agency)
    message = EmailMessage(policy=policy.SMTP)
    parts = _fill(message, said, (profile, f"{letter.address}.mobileconfig"), (picture, content_id))
    plain = {
        "Subject": said.subject,
        "Date": format_datetime(letter.date),
        "Message-ID": letter.message_id,
        # RFC 3834: no vacation notice answers it.
        "Auto-Submitted": "auto-generated",
        "Content-Language": said.language,
    }
    head = {
        "From": addresses.write("From", name, sender),
        "To": addresses.write("To", None, to),
        **plain,
        "Subject": _encoded(said.subject),
    }
    raw = "".join(f"{field}: {value}\n" for field, value in head.items()).replace("\n", "\r\n").encode()
    raw += message.as_bytes()
    meant: dict[str, str | Originator] = {"From": Originator(sender, name), "To": Originator(to, ""), **plain}
    _compare(raw, meant, parts, is_ascii=(to + sender).isascii())
    return raw


def _fill(
    message: EmailMessage,
    said: Rendered,
    profile: tuple[bytes, str],
    picture: tuple[bytes | None, str | None],
) -> list[_Part]:
    """Put the bodies, the picture and the profile into a message; return its parts in their order."""
    message.set_content(said.text, cte="quoted-printable")
    message.add_alternative(said.html, subtype="html", cte="quoted-printable")
    parts = [_Part("text/plain", said.text.encode()), _Part("text/html", said.html.encode())]
    if picture[0] is not None:
        html = message.get_payload(1)
        assert isinstance(html, EmailMessage)  # noqa: S101 (put there above)
        html.add_related(picture[0], "image", "png", cid=f"<{picture[1]}>", disposition="inline")
        parts.append(_Part(PICTURE_TYPE, picture[0]))
    maintype, _, subtype = apple.MEDIA_TYPE.partition("/")
    message.add_attachment(profile[0], maintype=maintype, subtype=subtype, filename=profile[1])
    parts.append(_Part(apple.MEDIA_TYPE, *profile))
    return parts


def _picture(settings: ClientSettings, name: str | None) -> bytes | None:
    """Return the QR code that adds the account to Thunderbird on a phone; None where its format can't say it."""
    try:
        return qr_png(thunderbird_account(settings, name=name))
    except ValueError:
        return None


def _name(agency: str) -> str:
    """Return the agency as the name beside the sender, or "" where it can be none."""
    name = " ".join(unicodedata.normalize("NFC", agency).split())
    return "" if names.problem(name) else name


def wire_address(address: str) -> str:
    """Return an address with its domain in ASCII. Whether it is one was asked where it came in; this is about syntax."""
    local, _, domain = address.rpartition("@")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        domain = ""
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise LetterError("an address is none")
    return f"{local}@{domain}"


def _encoded(subject: str) -> str:
    """Return a subject by RFC 2047, on lines that are short."""
    charset = "us-ascii" if subject.isascii() else "utf-8"
    return Header(subject, charset, header_name="Subject").encode()


# ---------------------------------------------------------------- reading back


def _compare(
    raw: bytes, headers: Mapping[str, str | Originator], parts: list[_Part], *, is_ascii: bool
) -> None:
    """Raise `LetterError` unless these bytes are a message with exactly these headers and parts."""
    if _BARE.search(raw) or any(len(line) > _LINE_BYTES for line in raw.split(b"\r\n")):
        raise LetterError("what was written has lines that no message may have")
    if is_ascii and not raw.isascii():
        raise LetterError("what was written is not ASCII")
    read = email.message_from_bytes(raw, policy=policy.compat32)
    if sorted(read.keys()) != sorted([*headers, "MIME-Version", "Content-Type"]):
        raise LetterError("what was written has other headers")
    for name, value in read.raw_items():
        if name in headers and _header(value, headers[name]) != headers[name]:
            raise LetterError(f"what was written has another {name}")
    leaves = [part for part in read.walk() if not part.is_multipart()]
    if [_read(part) for part in leaves] != parts or any(part.defects for part in read.walk()):
        raise LetterError("what was written has other parts")


def _header(value: str, meant: str | Originator) -> str | Originator | None:
    """Return what a header says to a reader; None where it is no address and one was meant."""
    wire = value.encode("utf-8", "surrogateescape")
    if isinstance(meant, str):
        value = wire.decode("utf-8", "replace")
        return str(make_header(decode_header(re.sub(r"\r\n(?=[ \t])", "", value))))
    try:
        return addresses.read(wire)
    except addresses.HeaderError:
        return None


def _read(part: Message) -> _Part:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)  # noqa: S101 (no container)
    is_text = part.get_content_maintype() == "text"
    return _Part(
        part.get_content_type(),
        content.replace(b"\r\n", b"\n") if is_text else content,
        part.get_filename(),
    )
