"""What services need that no test is about: seals with a key of their own, mail servers that are not there."""

from __future__ import annotations

from mail.servers import MailServer, MailServers
from models.keys import KeyRing
from models.seals import Seals

SERVERS = MailServers(
    MailServer("imap.mail.example", 993, "tls"),
    MailServer("pop3.mail.example", 995, "tls"),
    MailServer("smtp.mail.example", 587, "starttls"),
)


def seals() -> Seals:
    """Seals that open nothing of another test."""
    return Seals(KeyRing.generate())
