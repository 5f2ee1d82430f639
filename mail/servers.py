"""The mail servers, as mail programs are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that mail programs are told of: TLS from the first byte, or by STARTTLS."""

    host: str
    port: int
    security: Literal["tls", "starttls"]


@dataclass(frozen=True, slots=True)
class MailServers:
    """Where mail is fetched (IMAP, POP3) and where it is handed in (SMTP submission, RFC 6409)."""

    imap: MailServer
    pop3: MailServer
    submission: MailServer


@dataclass(frozen=True, slots=True)
class Correspondent:
    """As whom letters are written: the address they come from, and the URL that their links begin with."""

    sender: str
    public_url: str
