"""A cable between the server and PostgreSQL, which can be pulled out and put in again."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CANCEL = struct.pack("!ll", 16, 80877102)
"""How a CancelRequest begins (PostgreSQL's protocol 3.0)."""


class Cable:
    """Lies between the server and PostgreSQL, and can be pulled or blocked."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0
        self.loses_cancellations = False
        self.lost = 0

    async def plug(self) -> None:
        """Let connections through, at the same port each time."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        """Cut every connection, and let no new ones through."""
        assert self._server is not None
        self._server.close()
        self.thaw()
        for end in tuple(self._ends):
            end.transport.abort()

    def freeze(self) -> None:
        """Let nothing through any more, without a word to either side."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything through that waits, and what comes."""
        self._flows.set()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._copy(reader, there), self._copy(there_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                if self.loses_cancellations and data.startswith(CANCEL):
                    self.lost += 1
                    break
                writer.write(data)
                await writer.drain()
        self._ends.discard(writer)
        writer.transport.abort()


@asynccontextmanager
async def cabled(url: str) -> AsyncIterator[tuple[Cable, str]]:
    """A cable to this database, and the URL at its other end."""
    start, _, rest = url.rpartition("@")
    address, _, name = rest.partition("/")
    host, _, port = address.partition(":")
    cable = Cable(host, int(port))
    await cable.plug()
    yield cable, f"{start}@127.0.0.1:{cable.port}/{name}"
    await cable.pull()
