"""Uvicorn's WebSocket protocol, which lets go of a peer that has stopped reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

LAST_WORDS_SECONDS = 10
"""How long a peer has to read what was sent, and the code behind that, once the connection is to end."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Ends a connection some seconds after its close frame was written, whether the peer reads or not.

    The original waits without end: for room in the transport before it writes the close frame, then until the
    transport is empty.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a close frame goes out behind what is already waiting."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self._end_soon()
        await super().send(message)

    def shutdown(self) -> None:
        """End with the server."""
        super().shutdown()
        self._end_soon()

    def keepalive_timeout(self) -> None:
        """End because no ping was answered."""
        super().keepalive_timeout()
        self._end_soon()

    def _end_soon(self) -> None:
        self.loop.call_later(LAST_WORDS_SECONDS, self.transport.abort)
