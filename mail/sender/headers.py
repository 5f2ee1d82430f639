"""The header field From: read with suspicion, written by RFC 5322 and RFC 2047.

What is read counts for two questions only: which one address stands there, and which name. What is written never
repeats what was read.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import idna

LINE = 76
"""Bytes of a line that is written, its field's name included where it is the first."""
ENCODED_WORD = LINE - len("Resent-From: ")
"""RFC 2047 allows 75, and no line with one to be longer than 76."""
LONGEST = 16 * 1024

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_SPECIAL = frozenset(',;:<>"()\\')
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9-]+)(?:\*[A-Za-z0-9-]*)?\?([BbQq])\?([!->@-~]*)\?=")
_CHARSETS = re.compile(
    r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|gb18030|big5|euc-jp|euc-kr", re.IGNORECASE
)
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


class HeaderError(Exception):
    """The field can't be taken; says in one sentence why."""


@dataclass(frozen=True, slots=True)
class Originator:
    """What stands in a From: one address, and the name beside it as people see it, "" where there is none."""

    address: str
    name: str


def read(value: bytes) -> Originator:
    """Take a field's value apart; raises `HeaderError` unless it is one plain address, with a name perhaps.

    Refused are lists, groups, routes, quoted local parts, and whatever readers could understand differently.
    """
    if len(value) > LONGEST:
        raise HeaderError("it is too long")
    text = _FOLD.sub("", value.decode("utf-8", "surrogateescape"))
    if re.search(r"[\0\r\n]", text):
        raise HeaderError("it holds NUL or a line break")
    before, angle, after = _parts(text)
    if angle is None:
        # An address alone, its name in a comment perhaps: anna@nord.example (Anna Petersen)
        words = [each for each in before if each.kind == "text"]
        comments = [each.text for each in before if each.kind == "comment"]
        if len(words) != 1 or any(each.kind == "quoted" for each in before):
            raise HeaderError("it is not one plain address")
        return Originator(_address(words[0].text), _shown(" ".join(comments)))
    if any(each.kind != "comment" for each in after):
        raise HeaderError("something follows the address")
    words = [each for each in before if each.kind != "comment"]
    # What is quoted is no encoded word.
    name = " ".join(each.text if each.kind == "quoted" else _decoded(each.text) for each in words)
    if not words:
        name = " ".join(each.text for each in (*before, *after))
    return Originator(_address(angle), _shown(name))


def same_name(one: str, other: str) -> bool:
    """Whether two names are equal to a reader: composed by NFC, blanks trimmed and counted as one."""
    return _shown(one) == _shown(other)


def same_address(address: str, own: str) -> bool:
    """Whether an address is the mailbox's own, whose domain is stored in ASCII; case does not matter."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return False
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return False
    return f"{local}@{domain}".lower() == own.lower()


def write(field: str, name: str | None, address: str) -> str:
    """Return the value of a field with this address; its lines, joined by a line feed, are ASCII and short.

    A name without a blank may make a longer line, far below the 998 bytes that no line may have.
    """
    pieces = [*([] if not name else _phrase(name)), f"<{address}>" if name else address]
    lines, line = [], f"{field}:"
    for piece in pieces:
        if len(line) + 1 + len(piece) > LINE and line != f"{field}:":
            lines.append(line)
            line = ""
        line += f" {piece}"
    lines.append(line)
    return "\n".join(lines).removeprefix(f"{field}: ")


# ---------------------------------------------------------------- reading


class _Part(NamedTuple):
    kind: str
    text: str


def _parts(text: str) -> tuple[list[_Part], str | None, list[_Part]]:
    """Return what stands before the angle brackets, in them, and behind them."""
    sides: list[list[_Part]] = [[], []]
    angle: str | None = None
    at = 0
    while at < len(text):
        parts = sides[angle is not None]
        character = text[at]
        if character == '"':
            content, at = _until(text, at, '"')
            parts.append(_Part("quoted", content))
        elif character == "(":
            content, at = _until(text, at, ")")
            parts.append(_Part("comment", content))
        elif character == "<":
            end = text.find(">", at)
            if angle is not None or end < 0:
                raise HeaderError("it has unbalanced angle brackets or several addresses")
            angle, at = text[at + 1 : end], end + 1
        elif character in _SPECIAL:
            raise HeaderError("it is a list, a group, or not well-formed")
        else:
            end = at
            while end < len(text) and text[end] not in _SPECIAL:
                end += 1
            if word := text[at:end].strip(" \t"):
                parts.append(_Part("text", word))
            at = end
    return sides[0], angle, sides[1]


def _until(text: str, start: int, closing: str) -> tuple[str, int]:
    """Return what a quoted string or a comment holds, and where it ends. A comment in a comment is refused."""
    content: list[str] = []
    at = start + 1
    while at < len(text):
        character = text[at]
        if character == closing:
            return "".join(content), at + 1
        if character == "\\" and at + 1 < len(text):
            at += 1
            character = text[at]
        elif character == "(" and closing == ")":
            break
        content.append(character)
        at += 1
    raise HeaderError("it has a quote or a comment without an end, or a comment in a comment")


def _address(text: str) -> str:
    address = text.strip(" \t")
    local, _, domain = address.partition("@")
    if not local or not domain or "@" in domain or re.search(r'[\s\0-\x20\x7f,;:<>"()\\\[\]]', address):
        raise HeaderError("it is not one plain address")
    return address


def _decoded(text: str) -> str:
    """Return a phrase with its encoded words as people see them; one that can't be decoded stays as it is."""
    shown: list[str] = []
    raw, charset, end = b"", "", 0

    def flush() -> None:
        nonlocal raw
        shown.append(raw.decode(charset or "ascii", "replace"))
        raw = b""

    for found in _ENCODED_WORD.finditer(text):
        between = text[end : found.start()]
        if between.strip(" \t") or not end:
            flush()
            shown.append(between)
        elif charset != found[1].lower():
            flush()
        if not _CHARSETS.fullmatch(found[1]):
            flush()
            shown.append(found[0])
        else:
            charset = found[1].lower()
            try:
                raw += _bytes(found[2], found[3])
            except ValueError:
                flush()
                shown.append(found[0])
        end = found.end()
    flush()
    return "".join(shown) + text[end:]


def _bytes(encoding: str, text: str) -> bytes:
    if encoding in "Bb":
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    plain = text.replace("_", " ")
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), plain.encode("ascii"))


def _shown(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


# ---------------------------------------------------------------- writing


def _phrase(name: str) -> list[str]:
    """Return a name as pieces between which a line may break. It holds neither `"` nor a backslash."""
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return name.split(" ")
    if name.isascii():
        # A blank in quotes is kept where a line breaks at it; two in a row stay together.
        return re.split(r"(?<! ) (?! )", f'"{name}"')
    return _encoded_words(name)


def _encoded_words(name: str) -> list[str]:
    """Return a name in encoded words, none of which ends within a character."""
    q, b = _words(name, "Q"), _words(name, "B")
    return q if sum(map(len, q)) <= sum(map(len, b)) else b


def _words(name: str, encoding: str) -> list[str]:
    room = ENCODED_WORD - len("=?utf-8?Q??=")
    words, content = [], ""
    for character in name:
        if len(_content(content + character, encoding)) > room:
            words.append(content)
            content = ""
        content += character
    words.append(content)
    return [f"=?utf-8?{encoding}?{_content(each, encoding)}?=" for each in words]


def _content(text: str, encoding: str) -> str:
    raw = text.encode()
    if encoding == "B":
        return base64.b64encode(raw).decode()
    return "".join(chr(byte) if byte in _Q_PLAIN else f"={byte:02X}" for byte in raw).replace("=20", "_")
