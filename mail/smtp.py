"""Handing letters in at an SMTP server (RFC 5321), each over a connection of its own.

Whose fault a refusal is depends on where it comes: before the envelope it is the server's or the settings', from the recipient on
the letter's. After the last dot the answer is waited for as long as the standard says, since a server that was slow has taken
the letter all the same. What a server says is kept without what may be of the letter.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPStatus,
    SMTPTimeoutError,
)

from mail.handing import Handed, Outcome
from mail.letters import LetterError
from mail.letters.message import wire_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mail.handing import Outgoing

CONNECT_SECONDS = 60
COMMAND_SECONDS = 300
LAST_ANSWER_SECONDS = 600
"""RFC 5321, section 4.5.3.2: at least so long."""
QUIT_SECONDS = 5
WORDS = 500
"""So many characters of a server's words are kept."""

_POSITIVE = 2
_PERMANENT = 500
_TOO_MUCH = {552, 555}
"""Refusals of a sender that are about the letter: too large, or a parameter that it needs."""
_SIGN_IN_FIRST = {530, 538}
_DOT = re.compile(rb"(?m)^\.")
"""RFC 5321, section 4.5.2."""
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|(?<!\r\n)\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]{25,}")
"""A server may repeat what it refuses: a link's token and a password are long words."""


@dataclass(frozen=True)
class SmtpServer:
    """Where letters are handed in. Without a user nobody signs in there."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    user: str | None
    password: str | None = field(repr=False)


class SmtpTransport:
    """Hands letters in at a server, from the address `sender`; `name` is the host that says so."""

    def __init__(
        self, server: SmtpServer, *, sender: str, name: str, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._sender = wire_address(sender)
        self._name = _greeting_name(name)
        self._context = context
        self._leaving: set[asyncio.Task[None]] = set()

    async def hand_over(self, letter: Outgoing, still_ours: Callable[[], Awaitable[bool]]) -> Handed:
        """Hand a letter in."""
        try:
            to = wire_address(letter.to)
        except LetterError:
            return Handed(Outcome.REFUSED, "The address is none.")
        if _BARE.search(letter.content):
            # Where servers disagree on what ends a line they disagree on what ends a letter.
            return Handed(Outcome.REFUSED, "The letter has lines that no message may have.")
        async with self._connection() as client:
            problem = await self._open(client) or await self._envelope(client, to)
            if problem is not None:
                return problem
            if not await still_ours():
                return Handed(Outcome.NOT_OURS)
            return await self._content(client, letter.content)

    async def check(self) -> Handed:
        """Connect, encrypt and sign in."""
        async with self._connection() as client:
            return await self._open(client) or Handed(Outcome.ACCEPTED)

    async def close(self) -> None:
        """Wait for connections to be closed."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        """Give a client for one connection, and close it: politely, unless whoever talks is cancelled."""
        client = await self._client()
        try:
            yield client
        except BaseException:
            if client.transport is not None:
                # Closing would still send what is buffered, the last dot perhaps.
                cast("asyncio.WriteTransport", client.transport).abort()
            client.close()
            raise
        self._leave(client)

    async def _client(self) -> SMTP:
        if self._context is None and self._server.security != "none":
            # It reads the system's certificates, which takes long.
            self._context = await asyncio.to_thread(ssl.create_default_context)
        return SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.security == "tls",
            # Never by itself, and never left out: it is done below where it is wanted.
            start_tls=False,
            tls_context=self._context if self._server.security != "none" else None,
            local_hostname=self._name,
            timeout=COMMAND_SECONDS,
        )

    async def _open(self, client: SMTP) -> Handed | None:
        """Connect, encrypt and sign in; return what stands in the way, None where nothing does."""
        server = self._server
        try:
            await client.connect(timeout=CONNECT_SECONDS)
            if server.security == "starttls":
                await client.starttls()
            if server.user is None:
                await client.ehlo()
            else:
                await client.login(server.user, server.password or "")
        except (SMTPException, OSError) as error:
            return _before_envelope(error)
        return None

    async def _envelope(self, client: SMTP, to: str) -> Handed | None:
        """Name sender and recipient; return what stands in the way."""
        options, encoding = [], "ascii"
        if not (self._sender + to).isascii():
            if not client.supports_extension("smtputf8"):
                return Handed(Outcome.REFUSED, "The mail server takes no international addresses (SMTPUTF8).")
            options, encoding = ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
        try:
            await client.mail(self._sender, options=options, encoding=encoding)
            await client.rcpt(to, encoding=encoding)
        except (SMTPException, OSError) as error:
            return _in_envelope(error)
        return None

    async def _content(self, client: SMTP, content: bytes) -> Handed:
        """Hand the content over. Two steps, since the same answer to the first of them would not mean that it was taken."""
        try:
            begun = await client.execute_command(b"DATA", timeout=COMMAND_SECONDS)
            if begun.code != SMTPStatus.start_input:
                return _blame_letter(SMTPDataError(begun.code, begun.message))
            protocol = client.protocol
            if protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            protocol.write(_DOT.sub(b"..", content) + b".\r\n")
            answer = await protocol.read_response(LAST_ANSWER_SECONDS)
        except (SMTPException, OSError) as error:
            # It may have been taken: the same bytes again are the lesser evil (RFC 5321, section 4.5.4.1).
            return _blame_letter(error)
        if answer.code // 100 == _POSITIVE:
            return Handed(Outcome.ACCEPTED)
        return _blame_letter(SMTPDataError(answer.code, answer.message))

    def _leave(self, client: SMTP) -> None:
        """Close a connection, politely where that can be, without anybody waiting for it."""
        task = asyncio.create_task(_quit(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _quit(client: SMTP) -> None:
    try:
        with suppress(SMTPException, OSError):
            await client.quit(timeout=QUIT_SECONDS)
    finally:
        client.close()


# ---------------------------------------------------------------- whose fault it is


def _before_envelope(error: SMTPException | OSError) -> Handed:
    if isinstance(error, SMTPResponseException):
        return Handed(Outcome.UNUSABLE if error.code >= _PERMANENT else Outcome.AWAY, _said(error))
    if isinstance(error, SMTPTimeoutError | SMTPServerDisconnected):
        return Handed(Outcome.AWAY, "The mail server broke off or did not answer in time.")
    if isinstance(error, OSError):
        return _unreachable(error)
    # STARTTLS or AUTH that the server does not offer.
    return Handed(Outcome.UNUSABLE, _plain(error.message))


def _in_envelope(error: SMTPException | OSError) -> Handed:
    if (
        isinstance(error, SMTPSenderRefused) and error.code >= _PERMANENT and error.code not in _TOO_MUCH
    ) or (isinstance(error, SMTPRecipientRefused) and error.code in _SIGN_IN_FIRST):
        return Handed(Outcome.UNUSABLE, _said(error))
    return _blame_letter(error)


def _blame_letter(error: SMTPException | OSError) -> Handed:
    """Say what becomes of a letter; a broken connection, or an answer that is none, leaves it open."""
    if not isinstance(error, SMTPResponseException):
        return Handed(Outcome.LATER, "The connection to the mail server broke off.")
    return Handed(Outcome.REFUSED if error.code >= _PERMANENT else Outcome.LATER, _said(error))


def _unreachable(error: Exception) -> Handed:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Handed(
            Outcome.UNUSABLE, f"The mail server's certificate does not hold: {_plain(cause.verify_message)}."
        )
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Handed(Outcome.UNUSABLE, "The mail server does not speak TLS as it should at this port.")
    return Handed(Outcome.AWAY, "The mail server can't be reached.")


def _said(error: SMTPResponseException) -> str:
    """Return a server's answer as one line that can be kept and shown."""
    return _plain(f"{error.code} {error.message}" if error.code > 0 else error.message)


def _plain(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return _SECRET.sub("…", line)[:WORDS]


def _greeting_name(host: str) -> str:
    """Return a host as a client names itself (RFC 5321, section 4.1.3)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"  # noqa: PLR2004
