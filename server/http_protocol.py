"""Uvicorn's HTTP protocol, which sends a whole answer in one piece.

The original writes head and body one after the other, and the event loop hands each to the system at once: two calls, two
packets, and a client that is woken for a head alone. That takes as long as everything else around a small answer. And it looks
through every header field of each answer, though most are the same in all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

LENGTH = b"content-length"
ELSEWHERE = frozenset({b"connection", b"transfer-encoding"})
"""Header fields that say more than that they are sent: the original knows what."""
PASSING = frozenset(
    {LENGTH, b"x-request-id", b"set-cookie", b"date", b"retry-after", b"etag", b"last-modified"}
)
"""Header fields whose values are rarely seen again."""
KEPT = 256

_lines: dict[tuple[bytes, bytes], bytes] = {}


def _line(field: tuple[bytes, bytes]) -> bytes | None:
    """Return the line of a header field, None where the original has to look at it."""
    line = _lines.get(field)
    if line is not None:
        return line
    name, value = field[0].lower(), field[1]
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value) or name in ELSEWHERE:
        return None
    line = b"%b: %b\r\n" % (name, value)
    if name not in PASSING and len(_lines) < KEPT:
        _lines[field] = line
    return line


class Cycle(RequestResponseCycle):
    """A request and its answer, whose head waits for the first part of its body: so ASGI has it."""

    _start: dict[str, Any] | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Send the next part of the answer."""
        if not self.response_started and message["type"] == "http.response.start" and not self.access_log:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._start = cast("dict[str, Any]", message)
            return
        start, self._start = self._start, None
        if start is not None:
            if not self.disconnected and not self.flow.write_paused and self._send_whole(start, message):
                return
            self.response_started = False
            await super().send(cast("ASGISendEvent", start))
        await super().send(message)

    def _send_whole(self, start: dict[str, Any], message: Any) -> bool:  # noqa: ANN401 (an event of ASGI's)
        """Send head and body where this is all of the body and nothing is unusual; return whether it was sent."""
        if message["type"] != "http.response.body" or message.get("more_body", False) or not self.keep_alive:
            return False
        body = message.get("body", b"")
        content, length = [STATUS_LINE[start["status"]]], None
        for field in (*self.default_headers, *start["headers"]):
            line = _line(field)
            if line is None:
                return False
            if field[0] == LENGTH:
                length = field[1]
            content.append(line)
        if length != b"%d" % len(body) or self.scope["method"] == "HEAD":
            return False
        content += (b"\r\n", body)
        self.transport.write(b"".join(content))
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True


class OnePiece(HttpToolsProtocol):
    """Serves connections, with answers in one piece."""


# The protocol makes its cycles by this name.
httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]  # it has no other place for it
