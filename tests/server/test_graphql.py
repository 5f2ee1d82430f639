"""GraphQL over HTTP: every answer is GraphQL's, has the right status, and may be kept by nobody."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from models import clock, sqlite_engine
from tests import storage
from tests.client import Answer
from tests.server.doors import HOST, SIGN_IN, WHO, Doors, doors

pytestmark = pytest.mark.asyncio
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path) as opened:
        yield opened


@pytest.fixture
def database_kind() -> str:
    """The door is the same on both; what differs behind it is tested there."""
    return "sqlite"


async def post(house: Doors, body: bytes, **headers: str) -> Answer:
    async with house.client() as client:
        return await client.post(
            body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


def is_refused(answer: Answer, status: int, code: str = "BAD_REQUEST") -> None:
    """A GraphQL answer without data, with one error of this code."""
    assert (answer.status, answer.codes, "data" in answer.json) == (status, [code], False), answer.body
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith(("application/json", GRAPHQL))


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"foo"',
        b"1",
        b"null",
        b"[]",
        b'[{"query":"{viewer{id}}"}]',
        b"\xff\xfe",
        b'{"query":"{viewer{id}}","variables":{"a":"\\ud800"}}',
        b'{"query":"{viewer{id}}","variables":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"query":"{viewer{id}}","variables":NaN}',
        b"{}",
        b'{"query":null}',
        b'{"query":1}',
        b'{"query":" "}',
        b'{"query":"{viewer{id}}","variables":[]}',
        b'{"query":"{viewer{id}}","variables":"{}"}',
        b'{"query":"{viewer{id}}","operationName":1}',
        b'{"query":"{viewer{id}}","extensions":[]}',
    ],
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_a_body_that_is_no_request_is_refused(house: Doors, body: bytes, accept: str) -> None:
    answer = await post(house, body, accept=accept)
    is_refused(answer, 400)
    assert answer.headers["content-type"].startswith(accept)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; x=y",
    ],
)
async def test_only_json_in_utf_8_is_taken(house: Doors, content_type: str) -> None:
    is_refused(await post(house, json.dumps({"query": WHO}).encode(), content_type=content_type), 415)


@pytest.mark.parametrize(
    "content_type", ['application/json; charset="UTF-8"', "Application/JSON;charset=utf-8"]
)
async def test_json_in_utf_8_is_taken_however_it_is_said(house: Doors, content_type: str) -> None:
    answer = await post(house, json.dumps({"query": WHO}).encode(), content_type=content_type)
    assert answer.good() == {"viewer": None}


async def test_a_compressed_body_is_refused(house: Doors) -> None:
    is_refused(await post(house, b"x", content_encoding="gzip"), 415)


async def test_a_body_of_a_megabyte_is_the_largest(house: Doors) -> None:
    body = json.dumps({"query": WHO}).encode()
    assert (await post(house, body.ljust(1024 * 1024))).good() == {"viewer": None}
    is_refused(await post(house, body.ljust(1024 * 1024 + 1)), 413)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 64 * 1024

    async with house.client() as client:
        response = await client.http.post("/graphql", content=chunks(), headers={"content-type": JSON})
    assert response.status_code == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "GET", "HEAD"])
async def test_operations_are_posted(house: Doors, method: str) -> None:
    async with house.client() as client:
        response = await client.http.request(method, "/graphql?query={viewer{id}}", headers={"accept": JSON})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST, OPTIONS"
    if method != "HEAD":
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize(
    "accept,kind",
    [
        (JSON, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"text/html, {JSON};q=0.2", JSON),
        ("image/png", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=x", None),
    ],
)
async def test_the_client_says_what_it_takes(house: Doors, accept: str, kind: str | None) -> None:
    answer = await house.ask(accept=accept)
    if kind is None:
        is_refused(answer, 406)
        return
    assert answer.good() == {"viewer": None}
    assert answer.headers["content-type"].partition(";")[0] == kind


async def test_without_a_wish_the_answer_is_json(house: Doors) -> None:
    async with house.client() as client:
        del client.http.headers["accept"]
        response = await client.http.post("/graphql", json={"query": WHO})
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "application/json; charset=utf-8",
    )


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "query,code",
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on User { id }", "BAD_REQUEST"),
        ("query A { viewer { id } } query B { viewer { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($id: ID!) { node(id: $id) { id } }", "INVALID_INPUT"),
        ("subscription { activityBooked { id } }", "BAD_REQUEST"),
    ],
)
async def test_a_document_that_cannot_be_executed_has_no_data(house: Doors, query: str, code: str) -> None:
    is_refused(await house.ask(query, accept=GRAPHQL), 400, code)
    is_refused(await house.ask(query, accept=JSON), 400 if code == "BAD_REQUEST" else 200, code)


async def test_the_operation_is_chosen_by_its_name(house: Doors) -> None:
    document = "query A { viewer { id } } query B { __typename }"
    async with house.client() as client:
        assert (await client.execute(document, operation="B")).good() == {"__typename": "Query"}
        is_refused(await client.execute(document, operation="C"), 400)
        is_refused(await client.execute(document, operation=""), 400)


async def test_an_error_of_a_field_leaves_the_status(house: Doors) -> None:
    answer = await house.ask("{ viewer { login } agency { name } }", accept=GRAPHQL)
    assert (answer.status, answer.data, answer.codes) == (
        200,
        {"viewer": None, "agency": None},
        ["UNAUTHENTICATED"],
    )


async def test_introspection_can_be_switched_off(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, INTROSPECTION="off") as house:
        for query in (
            "{ __schema { types { name } } }",
            '{ viewer { id } x: __type(name: "User") { name } }',
            "{ ...F } fragment F on Query { __schema { types { name } } }",
        ):
            is_refused(await house.ask(query, accept=GRAPHQL), 400, "GRAPHQL_VALIDATION_FAILED")
        assert (await house.ask("{ __typename }")).good() == {"__typename": "Query"}


async def test_introspection_is_on_unless_it_is_switched_off(house: Doors) -> None:
    answer = await house.ask('{ __type(name: "User") { name } }')
    assert answer.good() == {"__type": {"name": "User"}}


# ---------------------------------------------------------------- who asks


async def test_a_token_signs_in(house: Doors) -> None:
    token = await house.token(house.anna)
    assert (await house.ask(token=token)).good() == {"viewer": {"login": "anna@nord.example"}}
    answer = await house.ask(authorization=f"bearer  {token} ")
    assert answer.good() == {"viewer": {"login": "anna@nord.example"}}


async def test_a_token_that_does_not_hold_is_401(house: Doors) -> None:
    ended = await house.session(house.anna)
    await house.runtime.database.execute("UPDATE sessions SET ended_at = opened_at WHERE id = $1", ended)
    locked = await house.token(house.ben)
    await house.ben.filter(id=house.ben.id).update(state="LOCKED")
    good = await house.token(house.anna)
    alive = await house.session(house.anna)
    now = int(clock.now().timestamp())
    refresh = house.runtime.services.tokens.pair(alive, 1, clock.now().replace(year=9000)).refresh
    for header in (
        "",
        "Bearer",
        "Bearer x",
        f"Basic {good}",
        good,
        f"Bearer {good}x",
        f"Bearer {good} {good}",
        f"Bearer {house.token_of(ended)}",
        f"Bearer {locked}",
        f"Bearer {refresh}",
        f"Bearer {house.signed({'use': 'access', 'sid': str(alive), 'exp': now - 1})}",
        f"Bearer {house.signed({'use': 'access', 'exp': now + 60})}",
    ):
        answer = await house.ask(authorization=header)
        is_refused(answer, 401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "set-cookie" not in answer.headers
    assert (await house.ask(token=good)).good()["viewer"] is not None


async def test_a_request_that_is_no_request_is_told_so_before_its_token(house: Doors) -> None:
    is_refused(await post(house, b"{", authorization="Bearer x"), 400)


async def test_reading_the_viewer_costs_one_statement(house: Doors) -> None:
    token = await house.token(house.anna)
    with storage.statements(house.runtime.database) as seen:
        assert (await house.ask("{ __typename }", token=token)).good() == {"__typename": "Query"}
        assert len(seen) == 1
        assert (await house.ask("{ __typename }")).good() == {"__typename": "Query"}
        assert len(seen) == 1


# ---------------------------------------------------------------- the database is away


async def test_a_database_that_is_away_is_503(house: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await house.token(house.anna)
    monkeypatch.setattr(house.runtime, "_database", None)
    for given in (token, None):
        answer = await house.ask(token=given)
        is_refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "5"
    async with house.client() as client:
        ready = await client.http.get("/readyz")
        alive = await client.http.get("/healthz")
    assert (ready.status_code, ready.json()) == (503, {"status": "the database does not answer"})
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})


async def test_a_database_that_goes_away_within_an_operation_is_503(
    house: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another process holds the write lock for longer than the server waits.
    monkeypatch.setattr(sqlite_engine, "BUSY_SECONDS", 0.1)
    with sqlite3.connect(house.settings.database_url.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        async with house.client() as client:
            answer = await client.execute(SIGN_IN, {"login": "nobody@nord.example", "password": "x"})
        other.execute("ROLLBACK")
    other.close()
    assert (answer.status, answer.codes) == (503, ["UNAVAILABLE"])
    assert answer.headers["retry-after"] == "5"


# ---------------------------------------------------------------- pages and other places


async def test_a_browser_gets_the_page(house: Doors) -> None:
    async with house.client() as client:
        response = await client.http.get("/graphql", headers={"accept": "text/html,*/*;q=0.8"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] != "default-src 'none'; frame-ancestors 'none'"


async def test_the_page_can_be_switched_off(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, GRAPHIQL="off") as house, house.client() as client:
        response = await client.http.get("/graphql", headers={"accept": "text/html"})
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (
            404,
            "BAD_REQUEST",
        )
        assert (await client.execute(WHO)).good() == {"viewer": None}


SECURITY: dict[str, str] = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize(
    "path,status", [("/graphql", 405), ("/healthz", 200), ("/metrics", 200), ("/nope", 404)]
)
async def test_every_answer_has_the_security_headers(house: Doors, path: str, status: int) -> None:
    async with house.client() as client:
        response = await client.http.get(path)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in SECURITY} == SECURITY
    assert len(response.headers["x-request-id"]) == 16
    assert "strict-transport-security" not in response.headers
    assert "server" not in response.headers


async def test_https_is_insisted_on_where_clients_come_by_it(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, PUBLIC_URL=f"https://{HOST}") as house:
        answer = await house.ask()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


# ---------------------------------------------------------------- what is counted


def counts(text: str) -> dict[str, float]:
    lines = (line for line in text.splitlines() if line.startswith("postfach_") and "_created" not in line)
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_what_is_done_is_counted_without_anything_of_a_user(house: Doors) -> None:
    token = await house.token(house.anna)
    await house.ask("query Mine { viewer { login } }", token=token)
    await house.ask("{ agency { name } }")
    await house.ask("{")
    async with house.client() as client:
        await client.execute(SIGN_IN, {"login": "nobody@nord.example", "password": "x"})
        text = (await client.http.get("/metrics")).text
    found = counts(text)
    wanted: dict[str, Any] = {
        'postfach_operations_total{kind="query",outcome="ok"}': 1,
        'postfach_operations_total{kind="query",outcome="errors"}': 1,
        'postfach_operations_total{kind="none",outcome="refused"}': 1,
        'postfach_operations_total{kind="mutation",outcome="ok"}': 1,
        'postfach_errors_total{code="UNAUTHENTICATED"}': 1,
        'postfach_errors_total{code="GRAPHQL_PARSE_FAILED"}': 1,
        'postfach_sign_ins_total{outcome="UNAUTHENTICATED"}': 1,
        'postfach_operation_seconds_count{kind="query"}': 2,
        "postfach_sockets": 0,
        "postfach_subscriptions": 0,
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert "nord" not in text
    assert "Mine" not in text


async def test_the_application_answers_without_a_client_address(house: Doors) -> None:
    transport = httpx.ASGITransport(app=house.app, client=("not an address", 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http:
        response = await http.post("/graphql", json={"query": WHO})
    assert response.json() == {"data": {"viewer": None}}
