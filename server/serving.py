"""One server process: uvicorn around the application, from the first connection to the last answer."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from starlette.applications import Starlette

from server.app import create_app
from server.http_protocol import OnePiece
from server.settings import Settings
from server.socket_protocol import BoundedWebSocket

LAST_ANSWERS_SECONDS = 20
"""How long what is under way may take when the server ends."""
COLLECTING = 5_000, 20, 5
"""When garbage is looked for: less often than by default, since most of what a request makes goes by itself."""
LARGEST_FRAME_BYTES = 4 * 1024 * 1024


class HttpServer(uvicorn.Server):
    """Uvicorn's server, which says when it is there, and returns when it was asked to end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as the wish to end; the original raises them again afterwards."""
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then announce it."""
        await super().startup(sockets)
        self._announce()

    def end(self) -> None:
        """Finish what is under way, then end."""
        self.should_exit = True


def serve(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[], None],
    started: Callable[[HttpServer], None] = lambda _: None,
) -> None:
    """Serve until a signal comes; `started` gets the server inside its event loop.

    Raises `DatabaseUnavailableError` when the database is not there at the start.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, announce, started))


async def _serve(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[], None],
    started: Callable[[HttpServer], None],
) -> None:
    app = create_app(settings)
    server = HttpServer(config_of(app), announce)
    async with app.router.lifespan_context(app):
        started(server)
        # What is there by now stays to the end. Looking through all of it for garbage would hold everybody up for a while.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTING)
        await server.serve([listener])


def config_of(app: Starlette) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        app,
        # The lifespan is entered here, so that its failure is an exception and not a printed traceback.
        lifespan="off",
        loop="uvloop",
        http=OnePiece,
        ws=BoundedWebSocket,
        ws_max_size=LARGEST_FRAME_BYTES,
        # A small frame must not unfold into a large one.
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )
