"""The way by which letters leave."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mail.smtp import SmtpTransport
from mail.trial import FolderTransport

if TYPE_CHECKING:
    from mail.handing import Transport
    from server.settings import Settings


def transport_of(settings: Settings) -> Transport:
    """Return the way to the SMTP server that is set or, where none is, into a folder."""
    if settings.smtp is None:
        return FolderTransport(settings.outbox_folder)
    name = urlsplit(settings.public_url).hostname or ""
    return SmtpTransport(settings.smtp, sender=settings.smtp_from, name=name)
