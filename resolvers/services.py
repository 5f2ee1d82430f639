"""What resolvers need beside the database: hashing, tokens, events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from resolvers.events import Events
    from resolvers.hashing import Hasher
    from resolvers.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """One of each for a server process. `count_sign_in` is told what each attempt to sign in was answered."""

    hasher: Hasher
    tokens: Tokens
    events: Events
    count_sign_in: Callable[[str], None] = lambda _: None
