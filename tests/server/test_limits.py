"""What asks for too much is refused at both doors, with what was counted and what is allowed, and nothing is executed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from graphql import IntrospectionQuery, get_introspection_query, get_named_type, parse
from strawberry.types.base import get_object_definition

from execution.limits import Limits
from execution.measure import Measure
from schema import schema
from schema.marks import BEARS_SECRET, marked
from schema.root import Mutation
from tests import storage
from tests.client import SIGN_IN
from tests.contract.copies import ROOT
from tests.docs.pages import PAGES, examples
from tests.server.doors import Doors, doors
from tests.server.test_websocket import served
from tests.stream import stream
from tests.system import documents

pytestmark = pytest.mark.asyncio
JSON, GRAPHQL = "application/json", "application/graphql-response+json"
CORE = schema._schema  # noqa: SLF001 (Strawberry keeps graphql-core's schema there)
TOO_MUCH: list[tuple[str, str, dict[str, Any], int]] = [
    ("characters", "{ viewer { id } } #" + "x" * 65_536, {}, 65_555),
    ("tokens", "{" + " viewer { id }" * 500 + "}", {}, 2_001),
    ("comments", "{ viewer { id } }" + "#\n" * 201, {}, 201),
    ("depth", "{" + "viewer { mailboxes { nodes { assignedUsers { nodes {" * 5 + "id" + "}" * 26, {}, 26),
    (
        "fields",
        "{" + "viewer { id }" * 4 + "...F " * 100 + "} fragment F on Query {" + "viewer{id}" * 5 + "}",
        {},
        1_008,
    ),
    ("root_fields", "{" + "viewer { id }" * 21 + "}", {}, 21),
    ("aliases", "{ viewer {" + "".join(f"a{n}: id " for n in range(31)) + "} }", {}, 31),
    ("directives", "{ viewer {" + "id @skip(if: true) @include(if: true) " * 26 + "} }", {}, 52),
    ("directives_at_once", "{ viewer { id " + "@unknown" * 6 + " } }", {}, 6),
    ("list_items", "query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["x"] * 1_001}, 1_001),
    (
        "cost",
        "query ($n: Int) { users(first: $n) { nodes { mailboxes(first: $n) { nodes { id address vip id vip } } } } }",
        {"n": 100},
        50_202,
    ),
    (
        "secrets",
        'mutation { a: refreshSession { errors { code } } signIn(login: "a", password: "b") { errors { code } } }',
        {},
        2,
    ),
]
IDS = [limit for limit, *_ in TOO_MUCH]


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path) as opened:
        yield opened


@pytest.fixture
def database_kind() -> str:
    """Nothing reaches the database."""
    return "sqlite"


@pytest.mark.parametrize("limit,query,variables,counted", TOO_MUCH, ids=IDS)
async def test_too_much_is_400_and_nothing_is_executed(
    house: Doors, limit: str, query: str, variables: dict[str, Any], counted: int
) -> None:
    before = await storage.contents(house.runtime.database)
    async with house.client() as client:
        with storage.statements(house.runtime.database) as seen:
            answers = [
                await client.execute(query, variables, headers={"accept": accept})
                for accept in (JSON, GRAPHQL)
            ]
    assert seen == []
    allowed = getattr(Limits(), limit)
    words = limit.replace("_", " ")
    for answer in answers:
        assert answer.status == 400
        assert answer.json == {
            "errors": [
                {
                    "message": f"Too much in one request: {counted} {words}, {allowed} allowed.",
                    "extensions": {
                        "code": "LIMIT_EXCEEDED",
                        "limit": limit,
                        "counted": counted,
                        "allowed": allowed,
                    },
                }
            ]
        }
    assert await storage.contents(house.runtime.database) == before


async def test_too_much_is_refused_on_a_socket_that_goes_on(door_database: str, tmp_path: Path) -> None:
    async with served(door_database, tmp_path, schema) as house, stream(house.socket_url) as opened:
        for limit, query, variables, counted in TOO_MUCH:
            message = await (await opened.subscribe(query, variables)).next()
            assert message["type"] == "error"
            (error,) = message["payload"]
            assert error["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": limit,
                "counted": counted,
                "allowed": getattr(Limits(), limit),
            }
        assert await (await opened.subscribe("{ viewer { id } }")).data() == {"viewer": None}


async def test_one_secret_with_other_changes_is_let_through(house: Doors) -> None:
    async with house.client() as client:
        answer = await client.execute(
            'mutation { signIn(login: "a", password: "b") { errors { code } } signOut { errors { code } } }'
        )
    refused = {"errors": [{"code": "UNAUTHENTICATED"}]}
    assert answer.good() == {"signIn": refused, "signOut": refused}


async def test_the_cost_is_told_to_whoever_asks(door_database: str, tmp_path: Path) -> None:
    query = "query A($n: Int) { users(first: $n) { nodes { id } } } query B { viewer { id } }"
    body = {"query": query, "operationName": "A", "variables": {"n": 10}, "extensions": {"cost": True}}
    async with served(door_database, tmp_path, schema) as house:
        token = await house.token(house.anna)
        async with house.client() as client:
            client.token = token
            told = (await client.post(json.dumps(body).encode())).json["extensions"]
            silent = [
                (await client.post(json.dumps({**body, "extensions": each}).encode())).json
                for each in (None, {}, {"cost": False}, {"cost": 1}, {"other": True})
            ]
        async with stream(house.socket_url, token=token) as opened:
            await opened.send({"id": "x", "type": "subscribe", "payload": body})
            message = await opened.others.get()
    cost = told["cost"]
    assert (cost["counted"]["cost"], cost["counted"]["depth"], cost["counted"]["fields"]) == (12, 3, 3)
    assert cost["allowed"] == {name: getattr(Limits(), name) for name in cost["counted"]}
    assert all("extensions" not in each for each in silent)
    assert message["payload"]["extensions"] == told


async def test_operators_set_the_limits(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, LIMITS="depth=2, aliases=1") as house:
        assert (await house.ask("{ a: viewer { id } }")).good() == {"a": None}
        assert (await house.ask("{ viewer { mailboxes { totalCount } } }")).codes == ["LIMIT_EXCEEDED"]
        assert (await house.ask("{ a: viewer { b: id } }")).codes == ["LIMIT_EXCEEDED"]


# ---------------------------------------------------------------- what clients need is let through


def counted(query: str) -> dict[str, int]:
    """The greatest of what is counted of the operations."""
    found: dict[str, int] = {}
    for each in Measure(CORE, parse(query), {"first": 100, "after": None}).operations:
        for name, number in each.counted.items():
            found[name] = max(found.get(name, 0), number)
    return found


INTROSPECTIONS = [
    get_introspection_query(),
    get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    ),
]


async def test_introspection_by_any_tool_is_let_through(house: Doors) -> None:
    for query in INTROSPECTIONS:
        async with house.client() as client:
            answer = await client.execute(query)
        found: IntrospectionQuery = answer.good()
        assert found["__schema"]["queryType"]["name"] == "Query"


async def test_what_is_documented_and_ready_to_send_stays_well_below() -> None:
    ready = [
        path.read_text("utf-8") for path in sorted((ROOT / "server/graphiql/operations").glob("*.graphql"))
    ]
    documented = [each.document for page in PAGES for each in examples(page)]
    assert len(ready) > 10
    assert len(documented) > 10
    for query in [*ready, *documented, SIGN_IN, *INTROSPECTIONS]:
        for name, number in counted(query).items():
            room = 1 if name in {"secrets", "depth"} else 2
            assert number * room <= getattr(Limits(), name), (name, query)


async def test_a_feed_of_a_hundred_with_everything_is_let_through() -> None:
    queries = [
        each for each in vars(documents).values() if str(each).lstrip().startswith(("query", "mutation"))
    ]
    assert len(queries) > 20
    for query in queries:
        for name, number in counted(query).items():
            assert number <= getattr(Limits(), name), (name, query)


# ---------------------------------------------------------------- which mutations bear a secret


async def test_every_mutation_with_a_secret_is_marked() -> None:
    definition = get_object_definition(Mutation, strict=True)
    words = ("password", "token", "credentials")
    expected = set()
    mutation = CORE.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        parts = {**field.args, **field.type.of_type.fields}
        told = [name, *(part for part, each in parts.items() if get_named_type(each.type).name == "String")]
        if any(word in each.lower() for each in told for word in words) and name != "setPasswordsInLetters":
            expected.add(name)
    assert set(marked(Mutation, BEARS_SECRET)) == expected
    assert len(definition.fields) > len(expected)
