"""GraphQL over WebSocket, by the protocol `graphql-transport-ws`: subscriptions, and queries and mutations too.

Who asks is found out at `connection_init` and again for every operation, never kept from the start. A socket ends
with its session, not with the access token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ParamSpec
from uuid import UUID

import orjson
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.database import DatabaseUnavailableError
from resolvers import sessions
from resolvers.events import SubscriptionEndedError
from resolvers.request import Request, Viewer
from schema.context import Context
from server.answers import BAD_REQUEST, RefusedError
from server.authentication import bearer_token
from server.bodies import asked
from server.cookies import SessionCookies
from server.deadline import patience
from server.execution import with_document
from server.graphql import remote_address
from server.origins import origin_of
from server.runtime import Runtime
from server.socket_messages import PROTOCOL, Close, ClosedError, message_of, name_of, payload_of
from server.socket_operations import Operation, Operations

log = logging.getLogger("postfach.sockets")

Arguments = ParamSpec("Arguments")

INIT_SECONDS = 10
SEND_SECONDS = 10
"""How long a peer may keep one message waiting that is to be sent."""
LAST_OPERATIONS_SECONDS = 5
"""How long a query or mutation that ends its own session has to be answered."""
OPERATIONS = 20


class GraphQLOverWebSocket:
    """The ASGI application at `/graphql` for WebSockets."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cookies = SessionCookies(runtime.settings)
        self._sockets: set[Socket] = set()
        runtime.metrics.sockets.set_function(lambda: len(self._sockets))
        runtime.metrics.subscriptions.set_function(
            lambda: sum(socket.subscriptions for socket in self._sockets)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket to its end."""
        websocket = WebSocket(scope, receive, send)
        if not origin_of(websocket.headers, self._runtime.settings).may_use_cookies:
            # Before the handshake a close is the answer 403.
            await websocket.close()
            return
        if PROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(*Close.NO_PROTOCOL.value)
            return
        await websocket.accept(PROTOCOL)
        socket = Socket(websocket, self._runtime, websocket.cookies.get(self._cookies.access))
        self._sockets.add(socket)
        try:
            await socket.serve()
        finally:
            self._sockets.discard(socket)


class Socket:
    """One socket: what it was opened with, and the operations that run on it."""

    def __init__(self, websocket: WebSocket, runtime: Runtime, cookie: str | None) -> None:
        self._websocket = websocket
        self._runtime = runtime
        self._cookie = cookie
        self._session_id: UUID | None = None
        self._acknowledged = False
        self._operations: dict[str, Operation] = {}
        self._executing = Operations(runtime, self._context, self._send)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
        self._watching = contextlib.ExitStack()

    async def serve(self) -> None:
        """Serve until one of both sides closes, or the session ends."""
        timer = asyncio.get_running_loop().call_later(INIT_SECONDS, self._look_for_init)
        reading = self._start(self._read)
        with self._watching:
            try:
                await asyncio.wait((reading, self._ending), return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                for task in self._tasks:
                    task.cancel()
                if self._tasks:
                    await asyncio.wait(self._tasks)
        if self._ending.done():
            await self._close(self._ending.result())

    @property
    def subscriptions(self) -> int:
        """How many of the operations are subscriptions."""
        return sum(operation.subscribes for operation in self._operations.values())

    def _start(
        self,
        work: Callable[Arguments, Coroutine[Any, Any, None]],
        *given: Arguments.args,
        **named: Arguments.kwargs,
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(partial(work, *given, **named)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a part of the socket's work: whatever it raises is a reason to close."""
        try:
            await work()
        except ClosedError as error:
            self._end(error.close)
        except WebSocketDisconnect:
            # Reading learns of it too, and ends the socket.
            pass
        except DatabaseUnavailableError:
            self._end(Close.UNAVAILABLE)
        except Exception:
            log.exception("crash")
            self._end(Close.CRASH)

    def _end(self, close: Close) -> None:
        """Have the socket closed; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(close)

    async def _close(self, close: Close) -> None:
        code, reason = close.value
        self._runtime.metrics.closed.labels(str(code)).inc()
        log.info("socket closed", extra={"code": code, "reason": reason})
        # A peer that is gone, or does not read, is not waited for.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.close(code, reason)

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send_text(orjson.dumps(message).decode())
        except TimeoutError as error:
            raise ClosedError(Close.SLOW_READER) from error

    # ------------------------------------------------------------ messages

    async def _read(self) -> None:
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            await self._take(message_of(event.get("text")))

    async def _take(self, message: dict[str, Any]) -> None:
        """Do what a message asks for."""
        match message.get("type"):
            case "connection_init":
                await self._initialise(payload_of(message))
            case "subscribe":
                self._subscribe(name_of(message), payload_of(message))
            case "complete":
                self._complete(name_of(message))
            case "ping":
                payload_of(message)
                await self._send({"type": "pong"})
            case "pong":
                payload_of(message)
            case _:
                raise ClosedError(Close.BAD_MESSAGE)

    async def _initialise(self, payload: dict[str, Any]) -> None:
        if self._acknowledged:
            raise ClosedError(Close.SECOND_INIT)
        self._acknowledged = True
        given = payload.get("authorization")
        if given is not None and not isinstance(given, str):
            raise ClosedError(Close.BAD_MESSAGE)
        token = self._cookie if given is None else bearer_token(given) or given.strip()
        if token is not None:
            self._session_id = self._runtime.services.tokens.read_access(token)
            if self._session_id is None:
                raise ClosedError(Close.TOKEN_REFUSED)
            # Before the look at the session, so that an end between the two is not missed.
            watching = self._runtime.watch.watching(self._session_id, self._session_ended)
            self._watching.enter_context(watching)
            if await self._viewer(self._session_id) is None:
                raise ClosedError(Close.TOKEN_REFUSED)
            # Whoever is acknowledged may listen, and misses nothing from there on.
            await self._runtime.services.events.attend()
            self._watching.callback(self._runtime.services.events.leave)
        await self._send({"type": "connection_ack"})

    def _look_for_init(self) -> None:
        if not self._acknowledged:
            self._end(Close.NO_INIT)

    def _session_ended(self, error: SubscriptionEndedError | None) -> None:
        """Close: at once where events were lost, else when the operation that ended the session is answered."""
        if error is not None:
            self._end(Close.EVENTS_LOST)
            return
        running = tuple(self._operations.values())
        for operation in running:
            if operation.subscribes:
                operation.stop()
        self._start(self._end_after, [operation.task for operation in running if operation.task is not None])

    async def _end_after(self, tasks: list[asyncio.Task[None]]) -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_OPERATIONS_SECONDS)
        raise ClosedError(Close.SESSION_ENDED)

    # ------------------------------------------------------------ operations

    def _subscribe(self, name: str, payload: dict[str, Any]) -> None:
        if not self._acknowledged:
            raise ClosedError(Close.NOT_INITIALISED)
        if name in self._operations and not self._operations[name].is_over:
            raise ClosedError(Close.ID_TAKEN)
        try:
            wanted = asked(payload)
        except RefusedError as error:
            raise ClosedError(Close.BAD_MESSAGE) from error
        try:
            wanted = with_document(self._runtime, wanted)
        except RefusedError as error:
            self._start(self._executing.refuse, name, error)
            return
        if len(self._operations) >= OPERATIONS:
            refusal = RefusedError(429, BAD_REQUEST, f"At most {OPERATIONS} operations at once on a socket.")
            self._start(self._executing.refuse, name, refusal)
            return
        operation = self._operations[name] = Operation(name, wanted)
        operation.task = self._start(self._executing.run, operation)
        operation.task.add_done_callback(lambda _: self._forget(operation))

    def _complete(self, name: str) -> None:
        """Stop an operation of which the client wants no more; the name is free at once."""
        operation = self._operations.pop(name, None)
        if operation is not None:
            operation.stop()

    def _forget(self, operation: Operation) -> None:
        if self._operations.get(operation.name) is operation:
            del self._operations[operation.name]

    async def _viewer(self, session_id: UUID) -> Viewer | None:
        with patience(self._runtime.settings.operation_seconds):
            return await sessions.viewer_of_session(self._runtime.database, session_id)

    async def _context(self) -> Context:
        """Return a context with the viewer as of now. Raises `ClosedError` when the session has ended."""
        viewer = None
        if self._session_id is not None:
            viewer = await self._viewer(self._session_id)
            if viewer is None:
                raise ClosedError(Close.SESSION_ENDED)
        asking = Request(
            database=self._runtime.database,
            services=self._runtime.services,
            viewer=viewer,
            remote_address=remote_address(self._websocket),
        )
        settings = self._runtime.settings
        return Context(asking, introspection=settings.introspection, limits=settings.limits, takes_json=True)
