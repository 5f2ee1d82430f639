"""The suite's own tools: the environment of the command, the client's walks, the stream's sorting."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.client import SignInRefusedError, inside, nodes
from tests.databases import KINDS, Template, fresh_database, settings_environment
from tests.stream import PROTOCOL, stream

LIST = "query List($first: Int, $after: String, $last: Int, $before: String) { box { items } }"


def page_of(variables: dict[str, Any]) -> dict[str, Any]:
    """A page of the numbers 0 to 6, whose cursors are the numbers."""
    begin = int(variables["after"]) + 1 if variables.get("after") else 0
    end = int(variables["before"]) if variables.get("before") else 7
    if "last" in variables:
        begin = max(begin, end - variables["last"])
    else:
        end = min(end, begin + variables["first"])
    ends = {"startCursor": str(begin), "endCursor": str(end - 1)}
    info = {"hasNextPage": end < 7, "hasPreviousPage": begin > 0, **ends}
    return {"nodes": list(range(begin, end)), "pageInfo": info}


async def graphql(request: Request) -> JSONResponse:
    body = await request.json()
    variables = body.get("variables", {})
    if "SignIn" in body["query"]:
        payload: dict[str, Any] = {"errors": [{"code": "UNAUTHENTICATED"}]}
        if variables["password"] == "right":
            payload = {"accessToken": "a1", "refreshToken": "r1", "viewer": {"id": "u1"}, "errors": []}
        return JSONResponse({"data": {"signIn": payload}})
    if "circle" in body["query"]:
        info = {"hasNextPage": True, "endCursor": "1"}
        return JSONResponse({"data": {"box": {"items": {"nodes": [1], "pageInfo": info}}}})
    if "List" in body["query"]:
        return JSONResponse({"data": {"box": {"items": page_of(variables)}}})
    told = request.headers.get("authorization")
    errors = [{"message": "no", "extensions": {"code": "FORBIDDEN"}}, {"message": "what"}]
    return JSONResponse({"data": {"told": told}, "errors": errors}, status_code=401)


APP = Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


def test_the_environment_holds_this_database_and_nothing_of_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTFACH_TEST_REQUIRE_ALL", "1")
    monkeypatch.setenv("POSTFACH_WORLDS", "3")
    environment = settings_environment("sqlite:////x", tmp_path, GRAPHIQL="off", LOG_FORMAT=None)
    ours = {name: value for name, value in environment.items() if name.startswith("POSTFACH_")}
    assert sorted(ours) == [
        "POSTFACH_DATABASE_URL",
        "POSTFACH_DATA_DIR",
        "POSTFACH_GRAPHIQL",
        "POSTFACH_SEALING_KEYS",
        "POSTFACH_TOKEN_KEYS",
    ]
    assert ours["POSTFACH_SEALING_KEYS"] != settings_environment("", tmp_path)["POSTFACH_SEALING_KEYS"]
    assert "PATH" in environment


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_template_is_copied(kind: str, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with fresh_database(kind, tmp_path) as url:
        if kind == "sqlite":
            (tmp_path / "postfach.sqlite3").write_bytes(b"content")
        with Template.of(url).copied(tmp_path / "copy") as copy:
            assert copy != url
            assert copy.startswith(kind)
        if kind == "sqlite":
            assert (tmp_path / "copy" / "postfach.sqlite3").read_bytes() == b"content"


@pytest.mark.asyncio
async def test_an_answer_is_taken_apart() -> None:
    async with inside(APP) as client:
        client.token = "a1"
        answer = await client.execute("{ told }")
        assert answer.status == 401
        assert answer.data == {"told": "Bearer a1"}
        assert answer.codes == ["FORBIDDEN", None]
        with pytest.raises(AssertionError):
            answer.good()


@pytest.mark.asyncio
async def test_signing_in_gives_a_client_with_a_token() -> None:
    async with inside(APP) as client:
        signed_in = await client.sign_in("x", "right")
        assert (signed_in.token, signed_in.refresh_token, signed_in.viewer_id) == ("a1", "r1", "u1")
        assert client.token is None
        with pytest.raises(SignInRefusedError, match="UNAUTHENTICATED"):
            await client.sign_in("x", "wrong")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_a_walk_finds_everything_in_both_directions(size: int) -> None:
    async with inside(APP) as client:
        forwards = await client.walk(LIST, "box.items", size=size)
        backwards = await client.walk(LIST, "box.items", size=size, backwards=True)
    assert nodes(forwards) == nodes(backwards, backwards=True) == list(range(7))
    assert len(forwards) == len(backwards) == -(-7 // size)


@pytest.mark.asyncio
async def test_a_walk_in_a_circle_fails() -> None:
    async with inside(APP) as client:
        with pytest.raises(AssertionError, match="circle"):
            await client.walk("{ circle }", "box.items", size=1)


@pytest.mark.asyncio
async def test_a_stream_sorts_what_comes() -> None:
    async def speak(connection: ServerConnection) -> None:
        with_token = json.loads(await connection.recv())
        assert with_token == {"type": "connection_init", "payload": {"authorization": "Bearer a1"}}
        await connection.send('{"type": "connection_ack"}')
        first, second = json.loads(await connection.recv()), json.loads(await connection.recv())
        await connection.send('{"type": "ping"}')
        assert json.loads(await connection.recv()) == {"type": "pong"}
        for message in (second, first):
            result = {"data": message["payload"]["variables"]}
            await connection.send(json.dumps({"id": message["id"], "type": "next", "payload": result}))
        await connection.close(4403, "enough")

    async with serve(speak, "127.0.0.1", 0, subprotocols=[PROTOCOL]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with stream(f"ws://127.0.0.1:{port}/graphql", token="a1") as opened:
            first = await opened.subscribe("subscription { a }", {"number": 1})
            second = await opened.subscribe("subscription { a }", {"number": 2})
            assert await first.data() == {"number": 1}
            assert await second.data() == {"number": 2}
            assert await first.next() == {"type": "closed", "code": 4403}
            assert opened.close_code == 4403
            with pytest.raises(ConnectionClosed):
                await opened.subscribe("subscription { a }")
