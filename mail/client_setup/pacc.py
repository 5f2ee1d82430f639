"""PACC, automatic configuration as draft-ietf-mailmaint-pacc has it: one document, and its digest in the DNS.

It knows TLS on the ports of the standards alone; what is elsewhere is left out. A program believes the document
only where its SHA-256 is what the domain publishes, so the bytes never change unless the settings do.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import orjson

from mail.client_setup.domains import shortened
from mail.client_setup.settings import ConnectionSecurity, MailProtocol, client_settings

if TYPE_CHECKING:
    from mail.servers import MailServers

MEDIA_TYPE = "application/json"
PATH = "/.well-known/user-agent-configuration.json"
LONGEST_NAME = 60
_PORTS = {MailProtocol.IMAP: 993, MailProtocol.POP3: 995, MailProtocol.SMTP: 465}
# The draft has called submission "smtp" until its second edition and "submit" since its third; what a program does not
# know it passes over.
_NAMES = {
    MailProtocol.IMAP: ("imap",),
    MailProtocol.POP3: ("pop3",),
    MailProtocol.SMTP: ("smtp", "submit"),
}


def pacc(servers: MailServers, provider: str) -> bytes | None:
    """Return the document of a provider, whose host this is: one for all domains.

    None where mail can't be both read and sent by what PACC knows.
    """
    settings = client_settings(servers, "")
    protocols = {
        name: {"host": server.host}
        for server in (*settings.incoming, *settings.outgoing)
        if server.security is ConnectionSecurity.TLS and server.port == _PORTS[server.protocol]
        for name in _NAMES[server.protocol]
    }
    if not {"imap", "pop3"} & set(protocols) or "submit" not in protocols:
        return None
    document = {
        "authentication": {"password": True},
        "info": {"provider": {"name": shortened(provider, LONGEST_NAME)}},
        "protocols": protocols,
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def digest_record(document: bytes) -> str:
    """Return what the domain publishes of the document, as TXT at `_ua-auto-config`."""
    return f"v=UAAC1; a=sha256; d={base64.b64encode(hashlib.sha256(document).digest()).decode()}"
