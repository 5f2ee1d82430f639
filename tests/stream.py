"""A client of the WebSocket `graphql-transport-ws`: subscriptions, and what the protocol says beside them."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests import evidence

Json = Any
PROTOCOL = Subprotocol("graphql-transport-ws")


class Subscription:
    """One operation on a stream. `received` yields what `next` brings; `end` tells how it ended."""

    def __init__(self, stream: "Stream", name: str) -> None:
        self._stream = stream
        self._messages: asyncio.Queue[Json] = asyncio.Queue()
        self.name = name

    async def next(self, seconds: float = 10) -> Json:
        """The next message of this operation: type `next`, `error` or `complete`, or `closed` with the code.

        Raises:
            TimeoutError: nothing came in time.
        """
        return await asyncio.wait_for(self._messages.get(), seconds)

    async def data(self, seconds: float = 10) -> Json:
        """The data of the next message, which must be a result without errors."""
        message = await self.next(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    def waiting(self) -> list[Json]:
        """The messages that came and were not asked for yet."""
        return [self._messages.get_nowait() for _ in range(self._messages.qsize())]

    async def complete(self) -> None:
        """Tells the server that no more is wanted."""
        await self._stream.send({"id": self.name, "type": "complete"})

    def take(self, message: Json) -> None:
        """Hands a message over; the stream does that."""
        self._messages.put_nowait(message)


class Stream:
    """A connection on which the protocol was agreed. Messages that belong to no operation go to `others`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._names = itertools.count(1)
        self._subscriptions: dict[str, Subscription] = {}
        self.others: asyncio.Queue[Json] = asyncio.Queue()

    @property
    def connection(self) -> ClientConnection:
        """What lies below, for what no client of good manners does."""
        return self._connection

    @property
    def close_code(self) -> int | None:
        """The code with which the connection was closed; None while it is open."""
        return self._connection.close_code

    async def send(self, message: Json) -> None:
        """Sends a message; text and bytes go as they are, anything else as JSON."""
        await self._connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def initialise(self, authorization: str | None = None) -> Json:
        """Sends `connection_init` and returns the first message, the acknowledgement if all is well."""
        payload = {} if authorization is None else {"authorization": authorization}
        await self.send({"type": "connection_init", "payload": payload})
        return await asyncio.wait_for(self.others.get(), 10)

    async def subscribe(self, query: str, variables: Mapping[str, Json] | None = None) -> Subscription:
        """Starts an operation and does not wait for anything."""
        subscription = Subscription(self, str(next(self._names)))
        self._subscriptions[subscription.name] = subscription
        evidence.sent(variables)
        payload = {"query": query, "variables": dict(variables or {})}
        await self.send({"id": subscription.name, "type": "subscribe", "payload": payload})
        return subscription

    async def read(self) -> None:
        """Sorts messages until the connection is closed."""
        with suppress(ConnectionClosed):
            async for text in self._connection:
                evidence.answered(text if isinstance(text, bytes) else text.encode())
                message = json.loads(text)
                if message["type"] == "ping":
                    await self.send({"type": "pong"})
                    continue
                subscription = self._subscriptions.get(message.get("id", ""))
                if subscription is None:
                    self.others.put_nowait(message)
                else:
                    subscription.take(message)
        ended = {"type": "closed", "code": self._connection.close_code}
        self.others.put_nowait(ended)
        for subscription in self._subscriptions.values():
            subscription.take(ended)


@asynccontextmanager
async def stream(
    url: str, *, token: str | None = None, headers: Mapping[str, str] | None = None, initialise: bool = True
) -> AsyncIterator[Stream]:
    """A stream to this URL, acknowledged unless `initialise` is false; `token` is an access token."""
    async with connect(
        url, subprotocols=[PROTOCOL], additional_headers=dict(headers or {}), proxy=None, max_queue=None
    ) as connection:
        assert connection.subprotocol == PROTOCOL
        opened = Stream(connection)
        reading = asyncio.create_task(opened.read())
        try:
            if initialise:
                message = await opened.initialise(None if token is None else f"Bearer {token}")
                assert message["type"] == "connection_ack", message
            yield opened
        finally:
            await connection.close()
            await reading
