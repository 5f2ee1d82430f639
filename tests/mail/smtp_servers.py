"""SMTP servers that refuse, hold back and break off at each step, and keep what they have taken."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from mail.smtp import SmtpServer
from tests.mail.client_setup.certificates import issue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

STEPS: Final = ("connect", "ehlo", "auth", "mail", "rcpt", "data", "content")
"""Where a server can do something: at `data` before it says go on, at `content` after the last dot."""
DROP: Final = "drop"
TAKE_AND_DROP: Final = "take and drop"
TAKE_AND_HOLD: Final = "take and hold"
USER, PASSWORD = "postfach", "s3cret"


@dataclass(frozen=True)
class Taken:
    """A letter that a server took."""

    sender: str
    to: tuple[str, ...]
    content: bytes


@dataclass
class Post:
    """What a server is told to do, step by step, and what it took.

    `script` has for each step what is done at the next times: an answer such as `450 later`, or one of the constants; nothing
    means that it goes well, unless `whim` says something. While `gate` is closed a server holds back at the step `held_at`.
    `unheard` are letters that it took and nobody was told of.
    """

    port: int = 0
    script: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    whim: Callable[[str], str | None] = lambda _: None
    taken: list[Taken] = field(default_factory=list)
    unheard: list[bytes] = field(default_factory=list)
    connections: int = 0
    held_at: str | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    password: str = PASSWORD
    has_utf8: bool = True
    has_auth: bool = True

    def then(self, step: str, *actions: str) -> None:
        """Do these at the next times at a step."""
        self.script[step].extend(actions)

    def address(
        self,
        security: Literal["none", "starttls", "tls"] = "none",
        *,
        user: bool = False,
        host: str = "127.0.0.1",
    ) -> SmtpServer:
        """How the server is set."""
        return SmtpServer(host, self.port, security, USER if user else None, PASSWORD if user else None)

    # ---------------------------------------------------------------- what aiosmtpd asks

    def authenticate(self, *asked: object) -> AuthResult:
        """Whether user and password are right."""
        right = LoginPassword(USER.encode(), self.password.encode())
        return AuthResult(success=asked[-1] == right, handled=False)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: ANN401, N802 (aiosmtpd's)
        """Take a letter, unless it is told otherwise."""
        action = await self.next_at("content")
        if action in {None, TAKE_AND_DROP, TAKE_AND_HOLD}:
            content = envelope.original_content
            assert content is not None
            self.taken.append(Taken(str(envelope.mail_from), tuple(envelope.rcpt_tos), bytes(content)))
        if action == TAKE_AND_DROP:
            self.unheard.append(self.taken[-1].content)
        if action in {DROP, TAKE_AND_DROP}:
            server.transport.abort()
            return "451 gone"
        if action == TAKE_AND_HOLD:
            self.arrived.set()
            await self.gate.wait()
        return "250 taken" if action in {None, TAKE_AND_HOLD} else str(action)

    async def next_at(self, step: str) -> str | None:
        """Return what is to be done at a step, after holding back there."""
        if self.held_at == step:
            self.arrived.set()
            await self.gate.wait()
        return self.script[step].popleft() if self.script[step] else self.whim(step)


class _Server(SMTP):
    """aiosmtpd's server, which does at each step as the post says."""

    def __init__(self, post: Post, **more: Any) -> None:  # noqa: ANN401 (aiosmtpd's)
        super().__init__(
            post,
            hostname="mail.test",
            ident="test",
            enable_SMTPUTF8=post.has_utf8,
            # Without TLS it is then not offered.
            auth_require_tls=not post.has_auth,
            authenticator=post.authenticate,
            data_size_limit=0,
            timeout=600,
            **more,
        )
        self._post = post

    async def end(self) -> None:
        """Break off, and wait for whoever talks."""
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    async def _handle_client(self) -> None:
        self._post.connections += 1
        if not await self._meddles("connect"):
            await super()._handle_client()

    async def _meddles(self, step: str) -> bool:
        """Do what is to be done at a step; return whether that was something."""
        action = await self._post.next_at(step)
        if action is None:
            return False
        if action == DROP:
            self.transport.abort()  # type: ignore[union-attr]
        else:
            await self.push(action)
            if step == "connect":
                self.transport.close()  # type: ignore[union-attr]
        return True

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 (aiosmtpd's)
        if not await self._meddles("ehlo"):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if not await self._meddles("auth"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if not await self._meddles("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if not await self._meddles("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not await self._meddles("data"):
            await super().smtp_DATA(arg)


def encrypted(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS, and that of a client that trusts it. The authority's certificate is `root.pem` in the folder."""
    root = issue("Root", authority=True)
    leaf = issue("mail", root, host=host)
    certificate, key = folder / "mail.pem", folder / "mail.key"
    certificate.write_bytes(leaf.pem)
    key.write_bytes(leaf.key_pem)
    (folder / "root.pem").write_bytes(root.pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cadata=root.pem.decode())


@asynccontextmanager
async def serving(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Post]:
    """A server on a free port, with STARTTLS or TLS from the first byte where there is a context."""
    post, loop = Post(), asyncio.get_running_loop()
    post.gate.set()
    opened: list[_Server] = []

    def open_one() -> _Server:
        opened.append(_Server(post, tls_context=starttls, loop=loop))
        return opened[-1]

    server = await loop.create_server(open_one, "127.0.0.1", 0, ssl=tls)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        for each in opened:
            await each.end()
