"""What sets up a mail program on a mailbox: for everybody who reads the mailbox, since it holds no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mail.client_setup import settings
from mail.client_setup.profile import profile_url as url_of
from mail.client_setup.qr import thunderbird_account
from resolvers import mailboxes

if TYPE_CHECKING:
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """User name and servers, and the mailbox that they are of."""

    mailbox: Mailbox
    username: str
    incoming: tuple[settings.MailServer, ...]
    outgoing: tuple[settings.MailServer, ...]


def of_mailbox(request: Request, mailbox: Mailbox) -> ClientSettings:
    """Return what a mail program is told, the same as in every document that sets one up."""
    told = settings.client_settings(request.services.servers, mailbox.address)
    return ClientSettings(mailbox, told.username, told.incoming, told.outgoing)


def profile_url(request: Request, found: ClientSettings) -> str:
    """Return where Apple's devices get a configuration profile."""
    return url_of(request.services.correspondent.public_url, found.username)


async def thunderbird_code(request: Request, found: ClientSettings) -> str | None:
    """Return the text of a QR code that adds the account to Thunderbird's mobile app, with the viewer's sender name.

    None for what its format can't say.
    """
    told = settings.client_settings(request.services.servers, found.username)
    name = await mailboxes.effective_email_name(request, found.mailbox, None)
    try:
        return thunderbird_account(told, name=name)
    except ValueError:
        return None
