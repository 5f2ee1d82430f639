"""What a mail program needs besides the password, as clients of the API and every set-up document are told it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mail import servers
    from mail.servers import MailServers


class MailProtocol(StrEnum):
    """What is spoken with a server."""

    IMAP = "IMAP"
    POP3 = "POP3"
    SMTP = "SMTP"


class ConnectionSecurity(StrEnum):
    """How a connection is kept from others."""

    TLS = "TLS"
    STARTTLS = "STARTTLS"
    UNENCRYPTED = "UNENCRYPTED"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where one protocol is spoken, and how safely."""

    protocol: MailProtocol
    host: str
    port: int
    security: ConnectionSecurity


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """User name and servers, the one to prefer first. The user name is always the whole address."""

    username: str
    incoming: tuple[MailServer, ...]
    outgoing: tuple[MailServer, ...]


def client_settings(servers: MailServers, address: str) -> ClientSettings:
    """Return what a mail program is told for this address, whether there is such a mailbox or not."""
    return ClientSettings(
        address,
        (_server(MailProtocol.IMAP, servers.imap), _server(MailProtocol.POP3, servers.pop3)),
        (_server(MailProtocol.SMTP, servers.submission),),
    )


def _server(protocol: MailProtocol, server: servers.MailServer) -> MailServer:
    return MailServer(protocol, server.host, server.port, ConnectionSecurity[server.security.upper()])
