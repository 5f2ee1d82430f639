"""Microsoft's Autodiscover for Outlook: plain old XML (MS-OXDSCLI), and the JSON before it that says where the XML is.

Only IMAP, POP3 and SMTP are answered. Exchange is not, since Outlook would then try nothing else.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mail.client_setup.settings import ConnectionSecurity, MailProtocol

if TYPE_CHECKING:
    from datetime import datetime

    from mail.client_setup.settings import ClientSettings, MailServer

MEDIA_TYPE = "text/xml"
PATH = "/autodiscover/autodiscover.xml"
LARGEST_BYTES = 8 * 1024
_SCHEMAS = "http://schemas.microsoft.com/exchange/autodiscover"
RESPONSE = f"{_SCHEMAS}/responseschema/2006"
OUTLOOK = f"{_SCHEMAS}/outlook/responseschema/2006a"
_ENCRYPTIONS = {
    ConnectionSecurity.TLS: "SSL",
    ConnectionSecurity.STARTTLS: "TLS",
    ConnectionSecurity.UNENCRYPTED: "None",
}


class AutodiscoverError(Exception):
    """A request that is answered with an error. `code` is its ErrorCode, the text its Message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid_request() -> AutodiscoverError:
    """Return the error of whatever is no request."""
    return AutodiscoverError(600, "Invalid Request")


def asked_address(body: bytes) -> str:
    """Return the text of the address that a request, in UTF-8 or UTF-16, is about.

    Raises `AutodiscoverError`: 600 for what is no request, 601 for another schema than Outlook's.
    """
    try:
        # As text, so that no encoding of Python's is found by the name that a body gives.
        is_utf16 = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        root: Element = fromstring(body.decode("utf-16" if is_utf16 else "utf-8-sig"), forbid_dtd=True)
    except (UnicodeDecodeError, ParseError, DefusedXmlException) as error:
        raise invalid_request() from error
    if _name(root) != "Autodiscover":
        raise invalid_request()
    request = next((each for each in root if _name(each) == "Request"), None)
    if request is None:
        raise invalid_request()
    addresses = [each.text for each in request if _name(each) == "EMailAddress"]
    wanted = [(each.text or "").strip() for each in request if _name(each) == "AcceptableResponseSchema"]
    if len(addresses) != 1 or not addresses[0] or not wanted:
        raise invalid_request()
    if OUTLOOK not in wanted:
        raise AutodiscoverError(601, "Provider is not available")
    return addresses[0].strip()


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def settings_response(settings: ClientSettings) -> bytes:
    """Return what Outlook sets up for an address."""
    root = Element("Autodiscover", xmlns=RESPONSE)
    response = SubElement(root, "Response", xmlns=OUTLOOK)
    user = SubElement(response, "User")
    SubElement(user, "DisplayName").text = settings.username
    account = SubElement(response, "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    for server in (*settings.incoming, *settings.outgoing):
        protocol = SubElement(account, "Protocol")
        for name, text in _protocol(server, settings.username).items():
            SubElement(protocol, name).text = text
    return _written(root)


def _protocol(server: MailServer, username: str) -> dict[str, str]:
    found = {
        "Type": str(server.protocol),
        "Server": server.host,
        "Port": str(server.port),
        "DomainRequired": "off",
        "LoginName": username,
        "SPA": "off",
        "SSL": "off" if server.security is ConnectionSecurity.UNENCRYPTED else "on",
        "Encryption": _ENCRYPTIONS[server.security],
        "AuthRequired": "on",
    }
    if server.protocol is MailProtocol.SMTP:
        found |= {"UsePOPAuth": "off", "SMTPLast": "off"}
    return found


def error_response(error: AutodiscoverError, at: datetime) -> bytes:
    """Return the answer to a request that can't be answered otherwise."""
    root = Element("Autodiscover", xmlns=RESPONSE)
    response = SubElement(root, "Response")
    # The id would be of one server among several: there is nothing to tell apart.
    element = SubElement(response, "Error", Time=at.strftime("%H:%M:%S.%f"), Id="0")
    SubElement(element, "ErrorCode").text = str(error.code)
    SubElement(element, "Message").text = str(error)
    SubElement(element, "DebugData")
    return _written(root)


def _written(root: Element) -> bytes:
    indent(root)
    found: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return found + b"\n"
