"""What public scanners look for, by the very requests that they send to a served process: none finds anything.

The requests and what counts as a finding are those of graphql-cop 1.15, which is on no registry.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import command
from tests.client import Json

PAGE = ("graphiql.min.css", "GraphQL Playground", "GraphiQL", "graphql-playground")
DEEP = "{ fields { type " * 4 + "{ name }" + " } }" * 4


def posted(query: str, *, times: int | None = None) -> httpx.Request:
    """One operation, or a batch of them."""
    body: Json = {"query": query, "operationName": "cop"} if times is None else [{"query": query}] * times
    return httpx.Request("POST", "/graphql", json=body)


def by_url(query: str) -> httpx.Request:
    """An operation in a GET."""
    return httpx.Request("GET", "/graphql", params={"query": query})


@dataclass(frozen=True)
class Check:
    """A request, what is a finding in its answer, and a text that a careless server would answer."""

    request: httpx.Request
    finds: Callable[[str], object]
    careless: str


def data(answer: str) -> Json:
    """The data of an answer."""
    return json.loads(answer)["data"]


def extensions(answer: str) -> Json:
    """What the first error of an answer says beside its message."""
    return json.loads(answer)["errors"][0]["extensions"]


def spoken(answer: str) -> str:
    """An answer's JSON as Python writes it, in small letters."""
    return str(json.loads(answer)).lower()


TYPENAME = '{"data": {"__typename": "Query"}}'
TYPES = json.dumps({"data": {"__schema": {"types": [{"name": "A"}] * 26}}})
CHECKS = {
    "field suggestions": Check(
        posted("query cop { __schema { directive } }"),
        lambda answer: "Did you mean" in json.loads(answer)["errors"][0]["message"],
        '{"errors": [{"message": "Did you mean \'directives\'?"}]}',
    ),
    "introspection": Check(
        posted("query cop { __schema { types { name fields { name } } } }"),
        lambda answer: data(answer)["__schema"]["types"],
        TYPES,
    ),
    "a page to explore with": Check(
        httpx.Request("GET", "/graphql", headers={"accept": "text/html"}),
        lambda answer: any(word in answer for word in PAGE),
        "<html><title>GraphiQL</title></html>",
    ),
    "queries by GET": Check(
        by_url("query cop {__typename}"), lambda answer: data(answer)["__typename"], TYPENAME
    ),
    "mutations by GET": Check(
        by_url("mutation cop {__typename}"), lambda answer: data(answer)["__typename"], TYPENAME
    ),
    "queries by a form": Check(
        httpx.Request("POST", "/graphql", data={"query": "query cop { __typename }"}),
        lambda answer: data(answer)["__typename"],
        TYPENAME,
    ),
    "101 aliases": Check(
        posted("query cop { " + "".join(f"alias{n}:__typename \n" for n in range(101)) + " }"),
        lambda answer: data(answer)["alias100"],
        '{"data": {"alias100": "Query"}}',
    ),
    "a batch of ten": Check(
        posted("query cop { __typename }", times=10),
        lambda answer: len(json.loads(answer)) >= 10,
        f"[{', '.join([TYPENAME] * 10)}]",
    ),
    "ten directives on one field": Check(
        posted("query cop { __typename " + "@aa" * 10 + " }"),
        lambda answer: len(json.loads(answer)["errors"]) == 10,
        json.dumps({"errors": [{"message": "Unknown directive '@aa'."}] * 10}),
    ),
    "types that lead in a circle": Check(
        posted("query cop { __schema { types " + DEEP + " } }"),
        lambda answer: len(data(answer)["__schema"]["types"]) > 25,
        TYPES,
    ),
    "a field five hundred times": Check(
        posted("query cop { " + "__typename \n" * 500 + "} "),
        lambda answer: data(answer)["__typename"],
        TYPENAME,
    ),
    "traces in answers": Check(
        posted("query cop { __typename }"),
        lambda answer: "'extensions': {'tracing':" in spoken(answer),
        '{"data": {}, "extensions": {"tracing": {}}}',
    ),
    "traces in errors": Check(
        posted("query cop { __typename }"),
        lambda answer: extensions(answer)["tracing"],
        '{"errors": [{"extensions": {"tracing": {"version": 1}}}]}',
    ),
    "exceptions in errors": Check(
        posted("qwerty cop { abc }"),
        lambda answer: extensions(answer)["exception"] or "'extensions': {'exception':" in spoken(answer),
        '{"errors": [{"extensions": {"exception": {"stacktrace": []}}}]}',
    ),
}
ON_PURPOSE = {"introspection", "a page to explore with"}
"""What is found where the settings of a server for people who explore are on."""


def is_found(check: Check, answer: str) -> bool:
    """Whether an answer holds what is looked for; one of another form does not."""
    try:
        return bool(check.finds(answer))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def findings(url: str) -> set[str]:
    """Ask everything, and return what is found; in between the server answers as it should."""
    found = set()
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        for name, check in CHECKS.items():
            answer = send(client, check.request)
            assert answer.status_code < 500, (name, answer.text)
            if is_found(check, answer.text):
                found.add(name)
            assert send(client, posted("query cop { __typename }")).json() == {
                "data": {"__typename": "Query"}
            }
    return found


def send(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """Send a request to where the client belongs."""
    return client.request(
        request.method, request.url, content=request.content, headers=request.headers.multi_items()
    )


@pytest.fixture
def database_kind() -> str:
    """Nothing reaches the database."""
    return "sqlite"


@pytest.mark.parametrize("setting,expected", [("off", set()), ("on", ON_PURPOSE)])
def test_a_scanner_finds_nothing_that_was_not_switched_on(
    environment: dict[str, str], tmp_path: Path, setting: str, expected: set[str]
) -> None:
    settings = {"POSTFACH_INTROSPECTION": setting, "POSTFACH_GRAPHIQL": setting}
    with command.Server({**environment, **settings}, tmp_path) as server:
        assert findings(server.url) == expected


@pytest.mark.parametrize("name", CHECKS)
def test_it_would_find_what_a_careless_server_answers(name: str) -> None:
    assert is_found(CHECKS[name], CHECKS[name].careless)
