"""What the filter answers one mail server in one connection, from packet to packet.

Nothing passes unlooked at: without a login, without a sender of that login now, with a field that could be read as another
one, a mail is refused; without a database it is put off. What a mail sends as is decided at its end, so that a session
whose password was renewed meanwhile can finish no mail.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from mail.sender import protocol
from mail.sender.protocol import CONTINUE, ProtocolError
from mail.sender.rule import WATCHED, Change, Field, RefusedError, Sender, changes
from models.database import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mail.sender.protocol import Packet

log = logging.getLogger("postfach.sender")

NO_LOGIN = protocol.refusal(530, "5.7.0 Sign in first.")
REPLACED = protocol.refusal(550, "5.7.1 The password was replaced: sign in again.")
PUT_OFF = protocol.refusal(451, "4.3.0 The names of senders can't be looked up now, please try again.")
UNREADABLE = "A header field holds NUL or a carriage return, or has no proper name."
FIELDS = 1000
UNHEARD = frozenset({b"D", b"A", b"K"})
IGNORED = frozenset({b"C", b"H", b"R", b"T", b"N", b"B", b"U"})

_NAME = re.compile(rb"[!-9;-~]+")
_LETTERS = re.compile(rb"[^A-Za-z-]")


class Conversation:
    """The state of one connection: the mail that is under way."""

    def __init__(self, find: Callable[[str], Awaitable[Sender | None]]) -> None:
        self._find = find
        self._macros: dict[str, str] = {}
        self._forget()

    async def answer(self, packet: Packet) -> list[bytes] | None:
        """Return the answers to a packet, an empty list where none is wanted, None at the end.

        Raises `ProtocolError`.
        """
        data = packet.data
        match packet.command:
            case b"O":
                return [protocol.negotiated(data)]
            case b"E":
                answers = await self._at_the_end()
                self._forget()
                return answers
            case b"Q":
                return None
        if packet.command in UNHEARD:
            self._note(packet.command, data)
            return []
        if packet.command == b"M":
            return [self._begin()]
        if packet.command == b"L":
            self._take(*protocol.header(data))
        elif packet.command not in IGNORED:
            raise ProtocolError("an unknown command")
        return [CONTINUE]

    def _note(self, command: bytes, data: bytes) -> None:
        """Take what wants no answer: macros, the end of a mail that was given up, the end of a session."""
        if command == b"D":
            belongs_to, given = protocol.macros(data)
            if belongs_to == b"M":
                self._macros = given
            return
        self._forget()
        if command == b"K":
            self._macros = {}

    def _begin(self) -> bytes:
        self._forget()
        # Macros are of one mail: the next one brings its own.
        self._login = self._macros.get("auth_authen", "")
        self._macros = {}
        return CONTINUE if self._login else NO_LOGIN

    def _forget(self) -> None:
        self._login = ""
        self._fields: list[Field] = []
        self._numbers: dict[str, int] = {}
        self._problem: str | None = None

    def _take(self, name: bytes, value: bytes) -> None:
        """Keep a field that is watched; note one that could be taken for it, or that could bring others."""
        plain = _LETTERS.sub(b"", name).decode("ascii").lower()
        if not _NAME.fullmatch(name) or b"\r" in value or re.search(rb"\n(?![ \t])", value):
            self._problem = UNREADABLE
        elif plain in WATCHED:
            if plain != name.decode("ascii").lower() or len(self._fields) == FIELDS:
                self._problem = UNREADABLE
                return
            self._numbers[plain] = self._numbers.get(plain, 0) + 1
            self._fields.append(Field(name.decode("ascii"), self._numbers[plain], value))

    async def _at_the_end(self) -> list[bytes]:
        login = self._login
        if not login:
            return [NO_LOGIN]
        try:
            sender = await self._find(login)
        except DatabaseUnavailableError as error:
            log.warning("senders can't be looked up, mail is put off: %s", error)
            return [PUT_OFF]
        if sender is None:
            return [REPLACED]
        try:
            if self._problem is not None:
                raise RefusedError(self._problem)  # noqa: TRY301 (one way to refuse)
            wanted = changes(sender, self._fields)
        except RefusedError as error:
            log.info("a mail was refused: %s", error)
            return [protocol.refusal(550, f"5.7.1 {error}")]
        return [*map(_modification, wanted), CONTINUE]


def _modification(change: Change) -> bytes:
    return protocol.changed(change.name, change.number, change.value)
