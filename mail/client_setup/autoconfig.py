"""The configuration file that Thunderbird, K-9, Evolution, KMail and others ask a domain for.

Format 1.1, which draft-ietf-mailmaint-autoconfig calls compatible with its own. The user name is a placeholder that the
program fills in, so the document is the same for every address of a domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mail.client_setup.domains import shortened
from mail.client_setup.settings import ConnectionSecurity, client_settings

if TYPE_CHECKING:
    from mail.client_setup.settings import MailServer
    from mail.servers import MailServers

MEDIA_TYPE = "text/xml"
ADDRESS = "%EMAILADDRESS%"
LONGEST_NAME = 60
LONGEST_SHORT_NAME = 20
_SOCKETS = {
    ConnectionSecurity.TLS: "SSL",
    ConnectionSecurity.STARTTLS: "STARTTLS",
    ConnectionSecurity.UNENCRYPTED: "plain",
}


def autoconfig(servers: MailServers, domain: str) -> bytes:
    """Return the document for the addresses of a domain, whether it is one of ours or not."""
    settings = client_settings(servers, ADDRESS)
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=domain)
    SubElement(provider, "domain").text = domain
    SubElement(provider, "displayName").text = shortened(domain, LONGEST_NAME)
    SubElement(provider, "displayShortName").text = shortened(domain, LONGEST_SHORT_NAME)
    for server in settings.incoming:
        _server(provider, "incomingServer", server, settings.username)
    for server in settings.outgoing:
        _server(provider, "outgoingServer", server, settings.username)
    indent(root)
    found: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return found + b"\n"


def _server(provider: Element, name: str, server: MailServer, username: str) -> None:
    element = SubElement(provider, name, type=server.protocol.lower())
    SubElement(element, "hostname").text = server.host
    SubElement(element, "port").text = str(server.port)
    SubElement(element, "socketType").text = _SOCKETS[server.security]
    SubElement(element, "authentication").text = "password-cleartext"
    SubElement(element, "username").text = username
