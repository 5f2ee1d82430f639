"""Queries and mutations over a WebSocket: compiled, and answered as over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest
import pytest_asyncio
import strawberry
from tortoise import Tortoise

from models.json_text import WRITTEN
from models.tables.users import ReadLevel
from schema import root, schema
from schema.root import compiled
from server.logs import JsonLines
from tests import storage
from tests.client import connected
from tests.server.test_deadline import SLOW, is_whole
from tests.server.test_websocket import Served, served, until
from tests.stream import stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.client import Client, Json
    from tests.stream import Stream

pytestmark = pytest.mark.asyncio
LOG = "postfach.operations"
NODES = "{ activities { nodes { id subject bookings { part mailbox { address } user { login } } } } }"
SEVERAL = "query A { viewer { login } } query B($n: Int!) { users(first: $n) { nodes { login } } }"
CHANGES = """
mutation ($id: ID! = "ANNA", $name: String) {
  one: setUserEmailName(userId: $id, emailName: $name) { user { emailName } errors { code path } }
  two: setUserEmailName(userId: "bad", emailName: $name) { user { emailName } errors { code path } }
}
"""
READY = (
    {"query": "{ __typename viewer { login role } agencies { nodes { id } } }"},
    {"query": "{ activities { totalCount nodes { subject } edges { cursor node { id } } } }"},
    {"query": NODES},
    {"query": "{ mailboxes { nodes { id address effectiveEmailName assignedUsers { nodes { login } } } } }"},
    {"query": SEVERAL, "operationName": "B", "variables": {"n": 1}, "extensions": {"cost": True}},
    {"query": CHANGES, "variables": {"name": "Kim"}},
    {"query": CHANGES, "variables": {"name": "<"}},
)
"""What is answered without an error."""
FAILING = (
    {"query": "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": {"ids": ["x"] * 101}},
    {"query": '{ users(after: "x") { nodes { login } } viewer { login } }', "extensions": {"cost": True}},
    {"query": SEVERAL, "operationName": "B"},
    {"query": SEVERAL, "operationName": "B", "variables": {"n": "x"}},
)
"""What is valid, and answered with an error."""
REFUSED = (
    {"query": "{"},
    {"query": "{ nothing }"},
    {"query": SEVERAL},
    {"query": "{" + " viewer { id }" * 1_000 + "}"},
    {
        "query": "{ users(first: 100) { nodes { mailboxes(first: 100) { nodes { events(first: 100) { nodes { id } } } } } } }"
    },
)
"""What is not executed."""


class House(Served):
    """Doors to which somebody has come over HTTP and over a WebSocket."""

    http: Client
    socket: Stream

    async def over_http(self, asked: dict[str, Json]) -> Json:
        """What a request is answered."""
        return (await self.http.post(orjson.dumps(asked))).json

    async def over_socket(self, asked: dict[str, Json]) -> Json:
        """What is answered on the socket, as the body of an answer over HTTP."""
        await self.socket.send({"id": "x", "type": "subscribe", "payload": asked})
        message = await asyncio.wait_for(self.socket.others.get(), 10)
        if message["type"] == "error":
            return {"errors": message["payload"]}
        assert message["type"] == "next", message
        assert await asyncio.wait_for(self.socket.others.get(), 10) == {"id": "x", "type": "complete"}
        return message["payload"]


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    async with served(door_database, tmp_path, schema) as opened:
        house = House(**{each.name: getattr(opened, each.name) for each in fields(opened)})
        monkeypatch.setattr(compiled, "enabled", True)
        await house.anna.filter(id=house.anna.id).update(activity_read_level=ReadLevel.ALL)
        desk, hall = [await storage.mailbox(house.nord, name) for name in ("desk", "hall")]
        await storage.period(desk, house.anna)
        await storage.mail(house.nord, desk, hall, readers=(house.anna,))
        token = await house.token(house.anna)
        async with (
            connected(opened.url) as house.http,
            stream(opened.socket_url, token=token) as house.socket,
        ):
            house.http.token = token
            yield house


def ran(counted: dict[str, int]) -> dict[str, int]:
    """How many operations were executed in which way since these were counted."""
    return {
        way: compiled.counts[way] - counted[way] for way in counted if compiled.counts[way] != counted[way]
    }


async def test_what_is_asked_over_a_socket_is_compiled_and_answered_as_over_http(house: House) -> None:
    anna = (await house.http.data("{ viewer { id } }"))["viewer"]["id"]
    stored = await storage.contents(house.runtime.database, "users", "audit_events")
    for expected, documents in (("compiled", READY), ("replayed", FAILING), (None, REFUSED)):
        for each in documents:
            asked = {**each, "query": str(each["query"]).replace("ANNA", anna)}
            by_http = await house.over_http(asked)
            counted = dict(compiled.counts)
            with mock.patch.object(
                strawberry.Schema, "stream", autospec=True, side_effect=strawberry.Schema.stream
            ) as whole_way:
                assert await house.over_socket(asked) == by_http, asked
            assert ("errors" in by_http) == (documents is not READY), by_http
            assert ran(counted) == ({} if expected is None else {expected: 1}), asked
            # What can't be executed is said by Strawberry, and nothing else is asked of it.
            assert whole_way.called == (documents is REFUSED), asked
    assert await storage.contents(house.runtime.database, "users", "audit_events") == stored


async def test_what_is_asked_over_a_socket_is_written_by_the_database(house: House) -> None:
    with storage.statements(house.runtime.database) as seen:
        answer = await house.over_socket({"query": NODES})
    (node,) = answer["data"]["activities"]["nodes"]
    assert [each["mailbox"]["address"] for each in node["bookings"]] == [
        "desk@nord.example",
        "hall@nord.example",
    ]
    # Who asks is looked up first.
    assert [f" AS {WRITTEN}" in statement for statement in seen[:2]] == [False, True]
    assert len(seen) == 2


async def test_a_document_seen_first_on_a_socket_is_compiled(house: House) -> None:
    name = f"a{secrets.token_hex(8)}"
    text = f"query {name} {{ {name}: viewer {{ login }} }}"
    counted = dict(compiled.counts)
    answer = {"data": {name: {"login": "anna@nord.example"}}}
    assert await house.over_socket({"query": text}) == answer
    assert ran(counted) == {"compiled": 1}
    assert house.gauge("operations_total", kind="query", outcome="ok") == 1


async def test_subscriptions_are_not_compiled(house: House) -> None:
    counted = dict(compiled.counts)
    subscription = await house.socket.subscribe("subscription { activityBooked { id } }")
    await until(lambda: house.gauge("subscriptions") == 1)
    await subscription.complete()
    await until(lambda: house.gauge("subscriptions") == 0)
    assert ran(counted) == {"not compiled": 1}


async def test_a_crash_of_a_compiled_operation_is_told_and_the_socket_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise LookupError("secret")

    with monkeypatch.context() as patched:
        patched.setattr(root, "execute", crash)
        (error,) = (await house.over_socket({"query": "{ viewer { login } }"}))["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(error)
    assert await house.over_socket({"query": "{ viewer { login } }"}) == {
        "data": {"viewer": {"login": "anna@nord.example"}}
    }


async def test_what_a_client_wants_no_more_of_stops_in_the_database_too(
    door_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        served(door_database, tmp_path, SLOW, OPERATION_SECONDS="600") as house,
        stream(house.socket_url) as opened,
    ):
        monkeypatch.setattr(compiled, "enabled", True)
        client: Any = Tortoise.get_connection("default")
        is_sqlite = house.runtime.database.is_sqlite
        for query in ("{ slow }", "{ a: together(key: 1) b: together(key: 2) quick }"):
            asked = await opened.subscribe(query)
            await until(client._lock.locked if is_sqlite else lambda: client.in_use() > 0)  # noqa: SLF001
            await asked.complete()
            await is_whole(house)
            assert asked.waiting() == []
        assert await (await opened.subscribe("{ quick }")).data() == {"quick": 1}


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the log tells of operations, but for how long they took."""
    lines = (json.loads(JsonLines().format(each)) for each in caplog.records if each.name == LOG)
    return [
        {name: each[name] for name in each if name not in {"at", "milliseconds", "request"}} for each in lines
    ]


def line(kind: str, outcome: str, codes: list[str] | None, operation: str | None = None) -> dict[str, Any]:
    """A line of the log, of somebody who is not signed in."""
    whole = {"level": "INFO", "logger": LOG, "message": "operation", "viewer": None}
    return {**whole, "kind": kind, "operation": operation, "outcome": outcome, "codes": codes}


async def test_what_a_client_ends_before_it_is_answered_is_counted_and_logged_as_over_http(
    door_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOG)
    database: Any = None

    def is_asked() -> bool:
        client: Any = Tortoise.get_connection("default")
        return bool(client._lock.locked() if database.is_sqlite else client.in_use())  # noqa: SLF001

    async with served(door_database, tmp_path, SLOW, OPERATION_SECONDS="600") as house:
        database = house.runtime.database
        document = "query Long { slow }"
        async with house.client() as client:
            asking = asyncio.create_task(client.execute(document))
            await until(is_asked)
            asking.cancel()
            await until(lambda: len(told(caplog)) == 1)
        await until(lambda: not is_asked())
        async with stream(house.socket_url) as opened:
            asked = await opened.subscribe(document)
            await until(is_asked)
            await asked.complete()
            await until(lambda: len(told(caplog)) == 2)
            await until(lambda: not is_asked())
            # What ends by itself, and a subscription of which nothing came, are no such thing.
            listening = await opened.subscribe("subscription { one }")
            await until(lambda: house.runtime.services.events.subscribers("one") == 1)
            await listening.complete()
            await until(lambda: len(told(caplog)) == 3)
            assert await (await opened.subscribe("{ quick }")).data() == {"quick": 1}
            await until(lambda: len(told(caplog)) == 4)
            # A client that is gone has ended all of it.
            await opened.subscribe(document)
            await until(is_asked)
        await until(lambda: len(told(caplog)) == 5)
        await until(lambda: not is_asked())
        gone = line("query", "errors", ["CLIENT_GONE"], "Long")
        assert told(caplog) == [
            gone,
            gone,
            line("subscription", "ok", None),
            line("query", "ok", None),
            gone,
        ]
        counted = {
            (kind, outcome): house.gauge("operations_total", kind=kind, outcome=outcome)
            for kind in ("query", "subscription", "none")
            for outcome in ("ok", "errors", "refused")
        }
        assert {each: number for each, number in counted.items() if number} == {
            ("query", "errors"): 3,
            ("query", "ok"): 1,
            ("subscription", "ok"): 1,
        }
        assert house.gauge("errors_total", code="CLIENT_GONE") == 3
