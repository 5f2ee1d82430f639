"""What services need that no test is about: seals with a key of their own, cheap hashes, mail servers that are not there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mail.endings import Endings
from mail.handing import Handed, Outcome
from mail.outbox import Outbox
from mail.servers import Correspondent, MailServer, MailServers
from models.keys import KeyRing
from models.seals import Seals
from resolvers.deliveries import teller
from resolvers.events import LocalEvents
from resolvers.hashing import Hasher
from resolvers.services import Services
from resolvers.tokens import Tokens
from tests.hashing import CHEAP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mail.handing import Outgoing
    from resolvers.events import Events

SERVERS = MailServers(
    MailServer("imap.mail.example", 993, "tls"),
    MailServer("pop3.mail.example", 995, "tls"),
    MailServer("smtp.mail.example", 587, "starttls"),
)


CORRESPONDENT = Correspondent("postfach@crm.example", "https://crm.example")


class Nowhere:
    """A transport that takes every letter and keeps none."""

    async def hand_over(self, letter: Outgoing, still_ours: Callable[[], Awaitable[bool]]) -> Handed:  # noqa: ARG002
        return Handed(Outcome.ACCEPTED if await still_ours() else Outcome.NOT_OURS)

    async def check(self) -> Handed:
        return Handed(Outcome.ACCEPTED)

    async def close(self) -> None:
        pass


def outbox(sealing: Seals, events: Events) -> Outbox:
    """An outbox in which letters wait until it is running."""
    return Outbox(Nowhere(), sealing, teller(events))


def seals() -> Seals:
    """Seals that open nothing of another test."""
    return Seals(KeyRing.generate())


def services() -> Services:
    """Services for changes that tell nobody but this process, with users' passwords that cost little."""
    tokens = Tokens(KeyRing.generate(), timedelta(minutes=15), timedelta(days=30))
    events = LocalEvents()
    return Services(
        HASHER, tokens, events, SEALS, SERVERS, Endings(None), CORRESPONDENT, outbox(SEALS, events)
    )


HASHER = Hasher(**CHEAP)
RING = KeyRing.generate()
SEALS = Seals(RING)
