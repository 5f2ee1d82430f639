"""A request whose header fields are looked up without reading all of them each time."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope

T = TypeVar("T")


class Sent(Headers):
    """The header fields of a request, by their names in small letters."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        # Of several the first one counts.
        self._first: dict[bytes, bytes] = dict(reversed(self.raw))

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the value of a field."""
        value = self._first.get(key.encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def getlist(self, key: str) -> list[str]:
        """Return every value of a field."""
        return super().getlist(key) if key.encode("latin-1") in self._first else []


class SentRequest(Request):
    """A request of which many header fields are asked for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._sent = Sent(scope)

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return self._sent
