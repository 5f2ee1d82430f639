"""The records that a domain publishes so that mail programs find their servers (RFC 6186, RFC 8314, and each document's own)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mail.client_setup import pacc
from mail.client_setup.domains import domain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mail.servers import MailServer, MailServers

SECONDS = 3600
NOWHERE = "0 0 0 ."
"""A service that is not offered, in the words of RFC 2782."""
HTTPS_PORT = 443
# Services by how they are reached, TLS from the first byte before STARTTLS, and the priority: POP3 after IMAP.
_SERVICES = (
    ("imap", ("_imaps", "_imap"), 0),
    ("pop3", ("_pop3s", "_pop3"), 10),
    ("submission", ("_submissions", "_submission"), 0),
)


class NoZoneError(Exception):
    """A setting has what no zone can say: `public_url`, or the field of a mail server. The text says what was expected."""

    def __init__(self, setting: str, expected: str) -> None:
        super().__init__(expected)
        self.setting = setting


def zone(servers: MailServers, public_url: str, domain: str) -> str:
    """Return the records of a domain, one a line with whole names, as zone files have them (RFC 1035).

    Raises `NoZoneError` where the servers have no names, or the documents are not at https on its own port: it is there
    that programs look.
    """
    parts = urlsplit(public_url)
    host = domain_name(parts.hostname or "")
    if host is None or parts.scheme != "https" or parts.port not in {None, HTTPS_PORT}:
        raise NoZoneError("public_url", "https://NAME without a port, since mail programs look there")
    for field, _, _ in _SERVICES:
        if domain_name(getattr(servers, field).host) is None:
            raise NoZoneError(field, "a server with a name in the DNS")
    lines = [
        f"{f'{name}.{domain}.':<{len(domain) + 22}} {SECONDS} IN {kind:<5} {text}"
        for name, kind, text in _records(servers, host, pacc.pacc(servers, parts.hostname or ""), domain)
    ]
    return "\n".join((f"; {domain}: how mail programs find their servers", *lines, ""))


def _records(
    servers: MailServers, host: str, document: bytes | None, domain: str
) -> Iterator[tuple[str, str, str]]:
    for name in ("autoconfig", "autodiscover", *(() if document is None else ("ua-auto-config",))):
        # A server of this very name has its addresses there already.
        if f"{name}.{domain}" != host:
            yield name, "CNAME", f"{host}."
    if document is not None:
        yield "_ua-auto-config", "TXT", f'"{pacc.digest_record(document)}"'
    yield "_autodiscover._tcp", "SRV", f"0 0 {HTTPS_PORT} {host}."
    for field, (direct, upgraded), priority in _SERVICES:
        server: MailServer = getattr(servers, field)
        there = f"{priority} 1 {server.port} {server.host}."
        yield f"{direct}._tcp", "SRV", there if server.security == "tls" else NOWHERE
        yield f"{upgraded}._tcp", "SRV", there if server.security == "starttls" else NOWHERE
