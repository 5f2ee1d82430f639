"""What a field finds in `info.context`: the request, and the cookies of the client that sent it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry

from execution.limits import Limits
from resolvers.request import Request
from resolvers.tokens import TokenPair
from schema.documents import Operation


@dataclass(slots=True)
class CookieJar:
    """The client's cookies of a session: what it sent, and what the answer does with them.

    `signs_in` says that the viewer is known by them.
    """

    refresh_token: str | None = field(default=None, repr=False)
    signs_in: bool = False
    kept: TokenPair | None = None
    emptied: bool = False

    def keep(self, tokens: TokenPair) -> None:
        """Put new tokens in with the answer."""
        self.kept, self.emptied = tokens, False

    def empty(self) -> None:
        """Take the tokens out with the answer."""
        self.kept, self.emptied = None, True


@dataclass(slots=True)
class Context:
    """One operation's context. Without `cookies` the client can't keep any: a WebSocket, a foreign page.

    `takes_json` says that the data goes out by orjson, so that parts of it may be JSON already.
    `written` says of expressions whether they are worth to be written by the database in this operation (`schema.writing`).
    `operation` is known once the document was validated, `cost` once it was parsed: what was counted of it.
    """

    request: Request
    cookies: CookieJar | None = None
    introspection: bool = True
    operation: Operation | None = None
    limits: Limits = field(default_factory=Limits)
    cost: dict[str, int] | None = None
    takes_json: bool = False
    written: dict[str, bool] = field(default_factory=dict)


Info: TypeAlias = strawberry.Info[Context, None]
