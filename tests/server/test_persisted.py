"""Documents by their hash at both doors: automatic persisted queries, and the operator's documents alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from graphql import get_introspection_query

from execution import documents
from execution.persisted import sha256
from schema import schema
from server.answers import GRAPHQL
from tests.client import Answer
from tests.server.doors import Doors, doors
from tests.server.test_websocket import served
from tests.stream import stream

pytestmark = pytest.mark.asyncio
WHO = "query Who { viewer { login } }"
OTHER = "{ __typename }"


@pytest.fixture
def database_kind() -> str:
    """The door is the same on both."""
    return "sqlite"


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path) as opened:
        yield opened


@contextmanager
def registered(folder: Path, **documents_: str) -> Iterator[str]:
    """The path of a file with these documents."""
    file = folder / "documents.json"
    file.write_text(json.dumps({sha256(each): each for each in documents_.values()}))
    yield str(file)


def named(text: str) -> dict[str, Any]:
    """What Apollo's clients send instead of a document."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}}


async def post(
    house: Doors, token: str | None = None, accept: str = "application/json", **body: object
) -> Answer:
    async with house.client() as client:
        client.token = token
        return await client.post(json.dumps(body).encode(), headers={"accept": accept})


# ---------------------------------------------------------------- automatic persisted queries


async def test_a_document_is_sent_once(house: Doors) -> None:
    unknown = await post(house, **named(WHO))
    assert (unknown.status, unknown.json) == (
        200,
        {
            "errors": [
                {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
            ]
        },
    )
    assert (await post(house, accept=GRAPHQL, **named(WHO))).status == 400
    assert (await post(house, query=WHO, **named(WHO))).good() == {"viewer": None}
    token = await house.token(house.anna)
    for body in (named(WHO), {"documentId": f"sha256:{sha256(WHO)}"}, {"documentId": sha256(WHO)}):
        assert (await post(house, token, **body)).good() == {"viewer": {"login": "anna@nord.example"}}
        assert (await post(house, **body)).good() == {"viewer": None}


async def test_what_is_refused_is_not_kept(house: Doors) -> None:
    for text in ("{ nope }", "{", "{ viewer { id } " * 400 + "}"):
        assert "data" not in (await post(house, query=text, **named(text))).json
        assert (await post(house, **named(text))).codes == ["PERSISTED_QUERY_NOT_FOUND"]


@pytest.mark.parametrize(
    "body",
    [
        {"query": WHO, **named(OTHER)},
        {"documentId": f"sha256:{sha256(WHO)}", **named(OTHER)},
        {"documentId": sha256(WHO).upper()},
        {"documentId": 1},
        {"documentId": ""},
        {"query": WHO, "documentId": f"md5:{sha256(WHO)}"},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha256(WHO)}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": "x"}},
        {"query": " ", **named(" ")},
    ],
)
async def test_a_hash_that_is_none_is_refused(house: Doors, body: dict[str, Any]) -> None:
    answer = await post(house, **body)
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])


async def test_a_socket_takes_hashes_too(door_database: str, tmp_path: Path) -> None:
    async with served(door_database, tmp_path, schema) as house, stream(house.socket_url) as opened:
        for turn, payload in enumerate((named(WHO), {"query": WHO, **named(WHO)}, named(WHO))):
            await opened.send({"id": str(turn), "type": "subscribe", "payload": payload})
            message = await opened.others.get()
            if turn == 0:
                assert (message["type"], message["payload"][0]["extensions"]) == (
                    "error",
                    {"code": "PERSISTED_QUERY_NOT_FOUND"},
                )
                continue
            assert message["payload"] == {"data": {"viewer": None}}
            assert (await opened.others.get())["type"] == "complete"


# ---------------------------------------------------------------- the operator's alone


async def test_only_the_operators_documents_are_executed(door_database: str, tmp_path: Path) -> None:
    refused = (OTHER, WHO + " ", get_introspection_query(), "{", "mutation { signOut { errors { code } } }")
    with registered(tmp_path, who=WHO) as file:
        async with doors(door_database, tmp_path, TRUSTED_DOCUMENTS=file, ONLY_TRUSTED="on") as house:
            assert (await post(house, documentId=f"sha256:{sha256(WHO)}")).good() == {"viewer": None}
            assert (await post(house, query=WHO)).good() == {"viewer": None}
            with mock.patch.object(documents, "parse") as parsed:
                for text in refused:
                    for body in ({"query": text}, {"query": text, **named(text)}, named(text)):
                        for accept in ("application/json", GRAPHQL):
                            answer = await post(house, accept=accept, **body)
                            assert (answer.status, answer.codes) == (400, ["DOCUMENT_NOT_TRUSTED"])
                parsed.assert_not_called()
            async with house.client() as client:
                page = await client.http.get("/graphql", headers={"accept": "text/html"})
                assert page.status_code == 404


async def test_a_socket_executes_only_the_operators_documents(door_database: str, tmp_path: Path) -> None:
    with registered(tmp_path, who=WHO) as file:
        settings = {"TRUSTED_DOCUMENTS": file, "ONLY_TRUSTED": "on"}
        async with (
            served(door_database, tmp_path, schema, **settings) as house,
            stream(house.socket_url) as opened,
        ):
            message = await (await opened.subscribe("subscription { activityBooked { id } }")).next()
            assert message["payload"][0]["extensions"] == {"code": "DOCUMENT_NOT_TRUSTED"}
            assert await (await opened.subscribe(WHO)).data() == {"viewer": None}


async def test_the_operators_documents_need_not_be_the_only_ones(door_database: str, tmp_path: Path) -> None:
    manifest = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": sha256(WHO), "name": "Who", "type": "query", "body": WHO}],
    }
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    async with doors(door_database, tmp_path, TRUSTED_DOCUMENTS=str(file)) as house:
        assert (await post(house, **named(WHO))).good() == {"viewer": None}
        assert (await post(house, query=OTHER)).good() == {"__typename": "Query"}
