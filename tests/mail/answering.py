"""An HTTP server for one test: it answers POST as told, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = "k3y/geheim"


def ended(commands: list[Any]) -> bytes:
    """The answer of a Dovecot 2.3 that had sessions of everybody."""
    return orjson.dumps(
        [["doveadmResponse", [{"result": arguments["mask"][0]}], tag] for _, arguments, tag in commands]
    )


@dataclass
class Api:
    """Whoever speaks for Dovecot: `answer` makes the body, `gate` holds answers back while it is closed."""

    url: str = ""
    status: str = "200 OK"
    answer: Callable[[list[Any]], bytes] = ended
    asked: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            # Somebody looked whether anybody is there.
            writer.close()
            return
        headers = dict(line.lower().split(": ", 1) for line in head.strip().split("\r\n")[1:])
        body = await reader.readexactly(int(headers["content-length"]))
        wanted = f"X-Dovecot-API {base64.b64encode(KEY.encode()).decode()}"
        assert head.startswith("POST /doveadm/v1 HTTP/1.1\r\n")
        assert f"Authorization: {wanted}\r\n" in head
        commands = orjson.loads(body)
        self.asked.append([arguments["mask"][0] for _, arguments, _ in commands])
        self.arrived.set()
        await self.gate.wait()
        content = self.answer(commands)
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def answering() -> AsyncIterator[Api]:
    """A server that answers at once."""
    api = Api()
    api.gate.set()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield api
        server.close()
