"""The milter protocol, version 6, as far as Postfix and Sendmail speak it to a filter that looks at header fields.

A packet is four bytes of length, one of command, and data. What the mail server may leave out it is asked to leave out:
connect, HELO, recipients, body. Written here because what there is in pure Python was not kept for years, and the rest
needs a compiler.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LARGEST_PACKET = 1024 * 1024
"""Postfix cuts a header field at 100 KiB."""
VERSION = 6
LEAST_VERSION = 2

CHANGES_HEADERS = 0x10
LEFT_OUT = 0x01 | 0x02 | 0x08 | 0x10 | 0x100 | 0x200
"""No connect, HELO, recipient, body, unknown command, DATA."""

CONTINUE = b"c"
TEMPORARY_FAILURE = b"t"


class ProtocolError(Exception):
    """The other side does not speak the protocol, or not enough of it; the connection is closed."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A command and its data."""

    command: bytes
    data: bytes


def packed(content: bytes) -> bytes:
    """Return a packet: a command or an answer, with its data behind it."""
    return struct.pack("!I", len(content)) + content


def length(head: bytes) -> int:
    """Return how many bytes follow these four; raises `ProtocolError`."""
    (size,) = struct.unpack("!I", head)
    if not 1 <= size <= LARGEST_PACKET:
        raise ProtocolError("a packet of an impossible length")
    return int(size)


def negotiated(data: bytes) -> bytes:
    """Return the answer to what the mail server offers; raises `ProtocolError` where it offers too little."""
    if len(data) < 12:  # noqa: PLR2004 (three numbers)
        raise ProtocolError("an offer that is too short")
    version, actions, steps = struct.unpack("!III", data[:12])
    if version < LEAST_VERSION or not actions & CHANGES_HEADERS:
        raise ProtocolError("a mail server that lets nobody change header fields")
    return b"O" + struct.pack("!III", min(version, VERSION), CHANGES_HEADERS, steps & LEFT_OUT)


def macros(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the command that macros belong to, and the macros; raises `ProtocolError`."""
    texts = [each.decode("utf-8", "surrogateescape") for each in _texts(data[1:])]
    if not data or len(texts) % 2:
        raise ProtocolError("macros without values")
    return data[:1], {name.strip("{}"): value for name, value in zip(texts[::2], texts[1::2], strict=True)}


def header(data: bytes) -> tuple[bytes, bytes]:
    """Return the name and the value of a header field; raises `ProtocolError`."""
    texts = _texts(data)
    if len(texts) != 2:  # noqa: PLR2004 (name and value)
        raise ProtocolError("a header field without a name or a value")
    return texts[0], texts[1]


def refusal(code: int, words: str) -> bytes:
    """Return the answer that refuses with an SMTP reply of one line; `%` is doubled, as libmilter has it."""
    return f"y{code} {words}".replace("%", "%%").encode("ascii", "replace") + b"\0"


def changed(name: str, number: int, value: str) -> bytes:
    """Return the modification that gives a header field another value; the empty one removes it."""
    return b"m" + struct.pack("!I", number) + f"{name}\0{value}\0".encode("ascii")


def _texts(data: bytes) -> list[bytes]:
    """Return texts that each end in NUL."""
    if not data:
        return []
    if not data.endswith(b"\0"):
        raise ProtocolError("a text without an end")
    return data[:-1].split(b"\0")
