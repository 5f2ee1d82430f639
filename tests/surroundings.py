"""What services need that no test is about: seals with a key of their own, cheap hashes, mail servers that are not there."""

from __future__ import annotations

from datetime import timedelta

from mail.endings import Endings
from mail.servers import MailServer, MailServers
from models.keys import KeyRing
from models.seals import Seals
from resolvers.events import LocalEvents
from resolvers.hashing import Hasher
from resolvers.services import Services
from resolvers.tokens import Tokens

SERVERS = MailServers(
    MailServer("imap.mail.example", 993, "tls"),
    MailServer("pop3.mail.example", 995, "tls"),
    MailServer("smtp.mail.example", 587, "starttls"),
)


def seals() -> Seals:
    """Seals that open nothing of another test."""
    return Seals(KeyRing.generate())


def services() -> Services:
    """Services for changes that tell nobody but this process, with users' passwords that cost little."""
    tokens = Tokens(KeyRing.generate(), timedelta(minutes=15), timedelta(days=30))
    return Services(HASHER, tokens, LocalEvents(), SEALS, SERVERS, Endings(None))


HASHER = Hasher(passes=1, memory_kib=8, lanes=1)
RING = KeyRing.generate()
SEALS = Seals(RING)
