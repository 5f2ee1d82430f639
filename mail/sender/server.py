"""The filter as a server: connections of mail servers, each a conversation."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mail.sender import protocol
from mail.sender.conversation import Conversation
from mail.sender.protocol import Packet, ProtocolError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mail.sender.rule import Sender

log = logging.getLogger("postfach.sender")

IDLE_SECONDS = 3600
"""A mail server keeps a connection as long as its client keeps its own."""


@asynccontextmanager
async def filtering(
    listener: socket.socket, find: Callable[[str], Awaitable[Sender | None]]
) -> AsyncIterator[None]:
    """Filter what comes in on a bound socket within the block; connections are closed at its end."""
    under_way: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (asyncio runs it as one)
        under_way[task] = writer
        try:
            await _converse(reader, writer, Conversation(find))
        finally:
            del under_way[task]
            writer.close()

    server = await asyncio.start_server(accept, sock=listener)
    try:
        yield
    finally:
        server.close()
        for writer in under_way.values():
            writer.close()
        if under_way:
            await asyncio.wait(list(under_way))


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, conversation: Conversation
) -> None:
    """Answer until the other side ends. Whatever goes wrong closes the connection: the mail is put off then."""
    try:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                size = protocol.length(await reader.readexactly(4))
                content = await reader.readexactly(size)
            answers = await conversation.answer(Packet(content[:1], content[1:]))
            if answers is None:
                return
            writer.writelines([protocol.packed(each) for each in answers])
            await writer.drain()
    except ProtocolError as error:
        log.warning("a connection was closed: %s", error)
    except (asyncio.IncompleteReadError, TimeoutError, OSError):
        return
    except Exception:
        log.exception("a connection was closed")
