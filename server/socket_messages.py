"""What is said on a socket of `graphql-transport-ws`: messages of a client as they should be, and why the server closes.

Close codes are part of the API: docs/api.md lists them.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from resolvers.events import EventsLostError, SlowReaderError
from server.answers import RefusedError
from server.bodies import LARGEST_BYTES, parse

PROTOCOL = "graphql-transport-ws"
ID_LENGTH = 128


class Close(Enum):
    """Why the server closes a socket: the code, and words for people."""

    BAD_MESSAGE = 4400, "Bad message"
    NOT_INITIALISED = 4401, "Unauthorized"
    SESSION_ENDED = 4401, "Session ended"
    TOKEN_REFUSED = 4403, "Forbidden"
    NO_PROTOCOL = 4406, "Subprotocol not acceptable"
    NO_INIT = 4408, "Connection initialisation timeout"
    ID_TAKEN = 4409, "Subscriber already exists"
    SECOND_INIT = 4429, "Too many initialisation requests"
    CRASH = 1011, "Internal error"
    EVENTS_LOST = 1012, "Events may be missing"
    SLOW_READER = 1013, "Too slow"
    UNAVAILABLE = 1013, "The database does not answer"


ENDED_BY = {SlowReaderError.code: Close.SLOW_READER, EventsLostError.code: Close.EVENTS_LOST}
"""Codes of errors after which a socket is closed, so that the client comes back."""


class ClosedError(Exception):
    """Something happened that ends the socket."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.value[1])
        self.close = close


def message_of(text: str | None) -> dict[str, Any]:
    """Return the object in a text frame. As the others, it raises `ClosedError` where that is not what it should be."""
    if text is None or len(text) > LARGEST_BYTES:
        raise ClosedError(Close.BAD_MESSAGE)
    try:
        message = parse(text)
    except RefusedError as error:
        raise ClosedError(Close.BAD_MESSAGE) from error
    if not isinstance(message, dict):
        raise ClosedError(Close.BAD_MESSAGE)
    return message


def name_of(message: dict[str, Any]) -> str:
    """Return the name of the operation that a message is about."""
    name = message.get("id")
    if not isinstance(name, str) or not 1 <= len(name) <= ID_LENGTH:
        raise ClosedError(Close.BAD_MESSAGE)
    return name


def payload_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a message; absent or null is empty."""
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise ClosedError(Close.BAD_MESSAGE)
    return payload
