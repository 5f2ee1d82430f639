"""An answer goes out in one piece, and nothing of it waits for what comes later."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from server.serving import HttpServer, config_of

pytestmark = pytest.mark.asyncio
WAIT = 30
LARGE = 3_000_000
END = "end of the answer"


@asynccontextmanager
async def serving(go_on: asyncio.Event) -> AsyncIterator[tuple[str, int]]:
    """The address of a server whose second half of `/slow` comes when it may `go_on`."""

    async def small(_: Request) -> Response:
        return PlainTextResponse(f"The {END}")

    async def large(_: Request) -> Response:
        return PlainTextResponse("x" * LARGE + END)

    async def slow(_: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield "first,"
            await go_on.wait()
            yield END

        return StreamingResponse(parts())

    async def echo(request: Request) -> Response:
        return PlainTextResponse((await request.body()).decode() + END)

    app = Starlette(
        routes=[
            Route("/small", small),
            Route("/large", large),
            Route("/slow", slow),
            Route("/echo", echo, methods=["POST"]),
        ]
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listening = asyncio.Event()
        server = HttpServer(config_of(app), listening.set)
        running = asyncio.create_task(server.serve([listener]))
        await listening.wait()
        try:
            yield listener.getsockname()
        finally:
            go_on.set()
            server.end()
            await running


@asynccontextmanager
async def connected(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address, limit=2 * LARGE)
    try:
        async with asyncio.timeout(WAIT):
            yield reader, writer
    finally:
        writer.close()


def get(path: str, method: str = "GET", *more: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *more, "", ""]).encode()


async def test_head_and_body_come_together() -> None:
    def asked(address: tuple[str, int]) -> list[bytes]:
        """What a client that reads as fast as it can gets by its first look."""
        looks = []
        with socket.create_connection(address, WAIT) as connection:
            for _ in range(50):
                connection.sendall(get("/small"))
                looks.append(connection.recv(65536))
        return looks

    async with serving(asyncio.Event()) as address:
        for look in await asyncio.to_thread(asked, address):
            assert look.startswith(b"HTTP/1.1 200 OK\r\n")
            assert look.endswith(f"\r\n\r\nThe {END}".encode())


async def test_what_comes_later_holds_nothing_back() -> None:
    go_on = asyncio.Event()
    async with serving(go_on) as address, connected(address) as (reader, writer):
        writer.write(get("/slow"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readuntil(b"first,") == b"6\r\nfirst,"
        go_on.set()
        assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"\r\n11\r\n" + END.encode())


async def test_every_answer_is_whole_whatever_its_size_and_order() -> None:
    async with serving(asyncio.Event()) as address, connected(address) as (reader, writer):
        # All at once: the answers come in this order.
        writer.write(get("/small") + get("/large") + get("/small", "HEAD") + get("/small"))
        assert (await reader.readuntil(END.encode())).count(b"HTTP/1.1 200 OK") == 1
        large = await reader.readuntil(END.encode())
        assert large.endswith(b"\r\n\r\n" + b"x" * LARGE + END.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"content-length: {len(END) + 4}".encode() in head
        assert (await reader.readuntil(END.encode())).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_last_answer_is_whole_before_the_connection_ends(method: str) -> None:
    async with serving(asyncio.Event()) as address, connected(address) as (reader, writer):
        writer.write(get("/small", method, "Connection: close"))
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n" + (f"The {END}".encode() if method == "GET" else b""))


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with serving(asyncio.Event()) as address, connected(address) as (reader, writer):
        writer.write(get("/echo", "POST", "Content-Length: 5", "Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        assert (await reader.readuntil(END.encode())).endswith(b"\r\n\r\nhello" + END.encode())


async def test_clients_that_go_away_leave_the_server_as_it_was() -> None:
    async with serving(asyncio.Event()) as address:
        for path in ("/small", "/large", "/slow"):
            for _ in range(5):
                _, gone = await asyncio.open_connection(*address)
                gone.write(get(path))
                await asyncio.sleep(0)
                gone.transport.abort()
        async with connected(address) as (reader, writer):
            writer.write(get("/small"))
            assert await reader.readuntil(END.encode())
