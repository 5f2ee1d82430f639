"""What resolvers need beside the database: hashing, tokens, seals, events, the mail servers and their sessions, letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resolvers.lanes import Lanes
from resolvers.listeners import Listeners

if TYPE_CHECKING:
    from collections.abc import Callable

    from mail.client_setup.signing import Signing
    from mail.endings import Endings
    from mail.outbox import Outbox
    from mail.servers import Correspondent, MailServers
    from models.seals import Seals
    from resolvers.events import Events
    from resolvers.hashing import Hasher
    from resolvers.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """One of each for a server process.

    `count_sign_in` is told what each attempt to sign in was answered; `profile_signing` signs configuration profiles where a
    certificate is set; `lanes` are those of attempts to tell a password.
    """

    hasher: Hasher
    tokens: Tokens
    events: Events
    seals: Seals
    servers: MailServers
    endings: Endings
    correspondent: Correspondent
    outbox: Outbox
    count_sign_in: Callable[[str], None] = lambda _: None
    lanes: Lanes = field(default_factory=lambda: Lanes(at_once=4, most=200))
    listeners: Listeners = field(default_factory=Listeners)
    profile_signing: Signing | None = None
