"""The doors of an application in this process, with every byte of what they answer: HTTP and WebSocket."""

import asyncio
import json
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette

Json = Any
Message = dict[str, Any]
SECONDS = 60
"""How long an answer may take on the busiest machine."""


@dataclass(frozen=True)
class Asked:
    """One operation as a client sends it. `socket` sends it over a WebSocket; `signed_in` says whether as the viewer."""

    document: str
    variables: Mapping[str, Json] = field(default_factory=dict)
    accept: str = "application/json"
    tells_cost: bool = False
    socket: bool = False
    signed_in: bool = True


@dataclass(frozen=True)
class Answered:
    """Everything that came back: of a WebSocket the messages are the body, and there are no headers."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def json(self) -> Json:
        """The body, parsed."""
        return json.loads(self.body)


async def post(app: Starlette, asked: Asked, token: str | None) -> Answered:
    """Post an operation."""
    body = {"query": asked.document, "variables": dict(asked.variables)}
    if asked.tells_cost:
        body["extensions"] = {"cost": True}
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"content-type", b"application/json"),
        (b"accept", asked.accept.encode()),
        *([] if token is None else [(b"authorization", f"Bearer {token}".encode())]),
    ]
    sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    gone = asyncio.Event()
    answer: list[Message] = []

    async def receive() -> Message:
        if sent:
            return sent.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 (whatever ASGI sends)
        answer.append(message)

    async with asyncio.timeout(SECONDS):
        await app(_scope("http", headers), receive, send)
    start, *rest = answer
    content = b"".join(message.get("body", b"") for message in rest)
    return Answered(start["status"], tuple((name, value) for name, value in start["headers"]), content)


def _scope(kind: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.7", 50_000),
        "server": ("127.0.0.1", 8_000),
        "subprotocols": ["graphql-transport-ws"],
        "state": {},
    }


class Socket:
    """A WebSocket by `graphql-transport-ws`. `received` are the texts of each operation's messages, in their order."""

    def __init__(self, app: Starlette, context: Context) -> None:
        self._app = app
        self._context = context
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()
        self._news = asyncio.Event()
        self._names = 0
        self._serving: asyncio.Task[None] | None = None
        self.others: list[Message] = []
        self.received: dict[str, list[str]] = {}

    async def open(self, token: str | None) -> None:
        """Connect and have the connection acknowledged, or closed where the token does not hold."""
        scope = _scope("websocket", [(b"host", b"127.0.0.1:8000")])
        serving = self._app(scope, self._to_server.get, self._take)
        self._serving = asyncio.get_running_loop().create_task(_run(serving), context=self._context)
        self._to_server.put_nowait({"type": "websocket.connect"})
        await self._until(1)
        payload = {} if token is None else {"authorization": f"Bearer {token}"}
        self._send({"type": "connection_init", "payload": payload})
        await self._until(2)

    async def _until(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.others) < count:
                await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _take(self, message: Any) -> None:  # noqa: ANN401 (whatever ASGI sends)
        told = json.loads(message["text"]) if message["type"] == "websocket.send" else message
        name = told.get("id")
        if name is None:
            self.others.append(told)
        else:
            self.received[name].append(message["text"])
        self._news.set()

    def _send(self, message: Message) -> None:
        self._to_server.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    @property
    def is_closed(self) -> bool:
        """Whether the server closed it."""
        return any(message["type"] == "websocket.close" for message in self.others)

    def begin(self, document: str, variables: Mapping[str, Json]) -> str:
        """Begin an operation and return its name."""
        self._names += 1
        name = str(self._names)
        self.received[name] = []
        payload = {"query": document, "variables": dict(variables)}
        self._send({"id": name, "type": "subscribe", "payload": payload})
        return name

    async def ask(self, asked: Asked) -> Answered:
        """Have an operation answered to its end."""
        name = self.begin(asked.document, asked.variables)
        async with asyncio.timeout(SECONDS):
            while not self.is_closed and not any(_ends(text) for text in self.received[name]):
                await self._wait()
        told = self.received.pop(name)
        return Answered(101 if self.is_closed else 200, (), "\n".join(told).encode())

    async def until(self, name: str, words: str) -> None:
        """Wait until a message of an operation has these words. Raises `TimeoutError` when none comes."""
        async with asyncio.timeout(SECONDS):
            while not any(words in text for text in self.received[name]) and not self.is_closed:
                await self._wait()

    async def close(self) -> None:
        """Leave."""
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        if self._serving is not None:
            await self._serving


async def _run(serving: Any) -> None:  # noqa: ANN401 (an awaitable of Starlette's)
    await serving


def _ends(text: str) -> bool:
    return json.loads(text)["type"] in {"complete", "error"}
