"""GraphQL over WebSocket, by the protocol `graphql-transport-ws`: subscriptions, and queries and mutations too.

Who asks is found out at `connection_init` and again for every operation, never kept from the start. A socket ends
with its session, not with the access token. Close codes are part of the API: docs/api.md lists them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, ParamSpec, cast
from uuid import UUID

import orjson
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from execution.shares import Turn
from models.database import DatabaseUnavailableError
from resolvers import batches, sessions
from resolvers.events import EventsLostError, SlowReaderError, SubscriptionEndedError
from resolvers.request import Request, Viewer
from schema.context import Context
from schema.failures import presented
from server.answers import BAD_REQUEST, RefusedError
from server.authentication import bearer_token
from server.bodies import LARGEST_BYTES, Asked, asked, parse
from server.cookies import SessionCookies
from server.deadline import Deadline, TimedOutError, patience
from server.execution import (
    Executed,
    account,
    cost_of,
    executed_of,
    keep_document,
    refused_of,
    with_document,
)
from server.graphql import remote_address, unavailable
from server.origins import origin_of
from server.runtime import Runtime
from server.turns import HeldUpError, turn_of, wait

log = logging.getLogger("postfach.sockets")

Arguments = ParamSpec("Arguments")

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 10
SEND_SECONDS = 10
"""How long a peer may keep one message waiting that is to be sent."""
LAST_OPERATIONS_SECONDS = 5
"""How long a query or mutation that ends its own session has to be answered."""
OPERATIONS = 20
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


@dataclass(eq=False, slots=True)
class _Operation:
    """One that runs. After its last message the client may use its name again."""

    wanted: Asked
    context: Context | None = None
    task: asyncio.Task[None] | None = None
    is_over: bool = False

    @property
    def kind(self) -> str | None:
        """What is executed, once that is known."""
        operation = None if self.context is None else self.context.operation
        return None if operation is None else operation.kind

    @property
    def subscribes(self) -> bool:
        """Whether it is known to be a subscription."""
        return self.kind == OperationType.SUBSCRIPTION.value


class Socket:
    """One socket: what it was opened with, and the operations that run on it."""

    def __init__(self, websocket: WebSocket, runtime: Runtime, cookie: str | None) -> None:
        self._websocket = websocket
        self._runtime = runtime
        self._cookie = cookie
        self._session_id: UUID | None = None
        self._acknowledged = False
        self._operations: dict[str, _Operation] = {}
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
            await self._take(_message(event.get("text")))

    async def _take(self, message: dict[str, Any]) -> None:
        """Do what a message asks for."""
        match message.get("type"):
            case "connection_init":
                await self._initialise(_payload(message))
            case "subscribe":
                self._subscribe(_id(message), _payload(message))
            case "complete":
                self._stop(self._operations.pop(_id(message), None))
            case "ping":
                _payload(message)
                await self._send({"type": "pong"})
            case "pong":
                _payload(message)
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
                self._stop(operation)
        self._start(self._end_after, [operation.task for operation in running if operation.task is not None])

    async def _end_after(self, tasks: list[asyncio.Task[None]]) -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_OPERATIONS_SECONDS)
        raise ClosedError(Close.SESSION_ENDED)

    @staticmethod
    def _stop(operation: _Operation | None) -> None:
        if operation is not None and operation.task is not None:
            operation.task.cancel()

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
            self._start(self._refuse, name, error)
            return
        if len(self._operations) >= OPERATIONS:
            refusal = RefusedError(429, BAD_REQUEST, f"At most {OPERATIONS} operations at once on a socket.")
            self._start(self._refuse, name, refusal)
            return
        operation = self._operations[name] = _Operation(wanted)
        operation.task = self._start(self._operate, name, operation)
        operation.task.add_done_callback(lambda _: self._forget(name, operation))

    def _forget(self, name: str, operation: _Operation) -> None:
        if self._operations.get(name) is operation:
            del self._operations[name]

    async def _operate(self, name: str, operation: _Operation) -> None:
        """Execute an operation and send what comes of it."""
        wanted = operation.wanted
        try:
            context = operation.context = await self._context()
        except DatabaseUnavailableError:
            operation.is_over = True
            await self._refuse(name, unavailable())
            return
        turn = turn_of(self._runtime, context)
        turn.kind = lambda: operation.kind
        try:
            if not turn.begin():
                right = await wait(turn, self._runtime, wanted, self._context)
                context = operation.context = right or context
        except HeldUpError as error:
            operation.is_over = True
            account(self._runtime, context, refused_of(error), self._runtime.settings.operation_seconds)
            await self._refuse(name, error)
        except DatabaseUnavailableError:
            operation.is_over = True
            await self._refuse(name, unavailable())
        else:
            await self._execute(name, operation, context, turn)
        finally:
            turn.end()

    async def _execute(self, name: str, operation: _Operation, context: Context, turn: Turn) -> None:
        """Execute an operation whose turn has begun. What is sent of it is nobody's turn."""
        wanted = operation.wanted
        began = time.perf_counter()
        last = Executed({}, [], refused=False)
        if self._runtime.tracing is not None:
            self._runtime.tracing.begin_operation()
        results = cast(
            "AsyncGenerator[ExecutionResult, None]",
            await self._runtime.schema.stream(
                wanted.query,
                variable_values=wanted.variables,
                context_value=context,
                operation_name=wanted.operation_name,
            ),
        )
        try:
            with Deadline(self._runtime.settings.operation_seconds, context):
                async with contextlib.aclosing(results):
                    # Each as a step of its own: a subscription takes its turn when it has something to tell.
                    while (result := await turn.metered(_next(results))) is not None:
                        turn.tell() if operation.subscribes else turn.end()
                        last = executed_of(result, cost_of(wanted, context))
                        operation.is_over = last.refused
                        await self._deliver(name, last)
            if not last.refused:
                operation.is_over = True
                await self._send({"type": "complete", "id": name})
        except GraphQLError as error:
            # What does not parse, and what asks for too much, is raised before there is a result.
            last = executed_of(ExecutionResult(data=None, errors=[presented(error)]))
            operation.is_over = True
            await self._deliver(name, last)
        except TimedOutError as error:
            last = refused_of(error)
            operation.is_over = True
            await self._deliver(name, last)
        finally:
            batches.stop(context.request)
            keep_document(self._runtime, wanted, last)
            account(self._runtime, context, last, time.perf_counter() - began)

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
        return Context(asking, introspection=settings.introspection, limits=settings.limits)

    async def _deliver(self, name: str, done: Executed) -> None:
        """Send a result, or close where the client has to come back for the rest."""
        for code in done.codes:
            if code in ENDED_BY:
                raise ClosedError(ENDED_BY[code])
        if done.refused:
            await self._send({"type": "error", "id": name, "payload": done.body["errors"]})
        else:
            await self._send({"type": "next", "id": name, "payload": done.body})

    async def _refuse(self, name: str, error: RefusedError) -> None:
        payload = [{"message": error.message, "extensions": {"code": error.code}}]
        await self._send({"type": "error", "id": name, "payload": payload})


async def _next(results: AsyncGenerator[ExecutionResult, None]) -> ExecutionResult | None:
    """Return the next result, None when there is none."""
    return await anext(results, None)


def _message(text: str | None) -> dict[str, Any]:
    """Return the object in a text frame."""
    if text is None or len(text) > LARGEST_BYTES:
        raise ClosedError(Close.BAD_MESSAGE)
    try:
        message = parse(text)
    except RefusedError as error:
        raise ClosedError(Close.BAD_MESSAGE) from error
    if not isinstance(message, dict):
        raise ClosedError(Close.BAD_MESSAGE)
    return message


def _id(message: dict[str, Any]) -> str:
    name = message.get("id")
    if not isinstance(name, str) or not 1 <= len(name) <= ID_LENGTH:
        raise ClosedError(Close.BAD_MESSAGE)
    return name


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    """Return the payload; absent or null is empty."""
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise ClosedError(Close.BAD_MESSAGE)
    return payload
