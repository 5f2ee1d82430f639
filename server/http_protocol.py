"""Uvicorn's HTTP protocol, which sends an answer's head and body in one piece.

The original writes them one after the other, and the event loop hands each to the system at once: two calls, two packets, and a
client that is woken for a head alone. That takes as long as everything else around a small answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Joined:
    """A transport that holds back what is written until more comes, or until the loop's next turn: nothing waits longer."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._turn: asyncio.Handle | None = None
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever else a transport has)
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Write, in one piece with what was held back."""
        if self._held is None:
            self._held = data
            self._turn = self._loop.call_soon(self._let_go)
        else:
            data, self._held = self._held + data, None
            if self._turn is not None:
                self._turn.cancel()
            self.transport.write(data)

    def close(self) -> None:
        """Close, after what was written."""
        self._let_go()
        self.transport.close()

    def _let_go(self) -> None:
        if self._held is not None:
            data, self._held = self._held, None
            if not self.transport.is_closing():
                self.transport.write(data)


class OnePiece(HttpToolsProtocol):
    """Answers in one piece each."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a connection."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection itself to the other protocol, which has messages and no answers."""
        self.transport = cast("Joined", self.transport).transport
        super().handle_websocket_upgrade()
