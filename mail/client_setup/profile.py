"""Apple's configuration profile, which sets up Mail on iPhone, iPad and Mac once its user agrees.

Payloads as Apple's device management documents them: `Configuration` around `com.apple.mail.managed`. The same
account has the same identifiers each time, so a profile that is installed again replaces the first. It never holds a
password: the device asks for it.
"""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import NAMESPACE_URL, uuid5

from mail.client_setup.settings import ConnectionSecurity

if TYPE_CHECKING:
    from mail.client_setup.settings import ClientSettings

MEDIA_TYPE = "application/x-apple-aspen-config"
FILE_NAME = "mail.mobileconfig"
PATH = "/mail/profile.mobileconfig"


def profile_url(public_url: str, address: str) -> str:
    """Return where a device gets the profile of an address."""
    return f"{public_url}{PATH}?emailaddress={quote(address, safe='@')}"


def profile(settings: ClientSettings, public_url: str, *, name: str | None = None) -> bytes:
    """Return the profile, not signed: the same bytes for the same arguments.

    `name` is the sender name; without one the device asks for it or leaves the address alone.
    """
    identity = uuid5(NAMESPACE_URL, profile_url(public_url, settings.username))
    host = urlsplit(public_url).hostname or ""
    identifier = f"{'.'.join(reversed(host.split('.')))}.mail.{identity}"
    about = ", ".join(
        f"{server.protocol}: {server.host}" for server in (settings.incoming[0], settings.outgoing[0])
    )
    return plistlib.dumps(
        {
            "PayloadContent": [_account(settings, name, identifier)],
            "PayloadDescription": about,
            "PayloadDisplayName": settings.username,
            "PayloadIdentifier": identifier,
            "PayloadOrganization": host,
            "PayloadType": "Configuration",
            "PayloadUUID": str(identity).upper(),
            "PayloadVersion": 1,
        }
    )


def _account(settings: ClientSettings, name: str | None, identifier: str) -> dict[str, Any]:
    incoming, outgoing = settings.incoming[0], settings.outgoing[0]
    account = {
        "EmailAccountDescription": settings.username,
        "EmailAccountType": f"EmailType{incoming.protocol}",
        "EmailAddress": settings.username,
        "OutgoingPasswordSameAsIncomingPassword": True,
        "PayloadDisplayName": settings.username,
        "PayloadIdentifier": f"{identifier}.account",
        "PayloadType": "com.apple.mail.managed",
        "PayloadUUID": str(uuid5(NAMESPACE_URL, f"{identifier}.account")).upper(),
        "PayloadVersion": 1,
    }
    for direction, server in (("Incoming", incoming), ("Outgoing", outgoing)):
        account |= {
            f"{direction}MailServerAuthentication": "EmailAuthPassword",
            f"{direction}MailServerHostName": server.host,
            f"{direction}MailServerPortNumber": server.port,
            # Of STARTTLS too: which of the two it is the device finds by the port.
            f"{direction}MailServerUseSSL": server.security is not ConnectionSecurity.UNENCRYPTED,
            f"{direction}MailServerUsername": settings.username,
        }
    return account if name is None else {**account, "EmailAccountName": name}
