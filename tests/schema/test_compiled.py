"""Compiled execution answers what GraphQL's own executor answers, to the byte, errors too."""

from __future__ import annotations

import os
import random
import secrets
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import graphql
import orjson
import pytest
import strawberry

from execution import documents
from execution.limits import Limits
from resolvers.riding import Riding
from schema import schema
from schema.context import Context
from schema.documents import Operation
from schema.root import compiled
from tests.execution.test_compiled import LEFT_BEHIND
from tests.operations import Generator
from tests.schema import matrix_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resolvers.request import Request
    from tests.operations import Drawn
    from tests.schema.asking import Asking

pytestmark = pytest.mark.asyncio

SECONDS = float(os.environ.get("POSTFACH_COMPILED_SECONDS", "6"))
LIMITS = Limits(fields=5_000, aliases=1_000, cost=10**9, root_fields=100)
COLUMNS = ("signed out", "user", "concerned", "administrator", "account manager", "stranger")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    compiled.enabled = True


async def answer(request: Request, drawn: Drawn, *, takes_json: bool) -> bytes:
    """The answer with whatever is random in it made equal."""
    context = Context(request, limits=LIMITS, takes_json=takes_json)
    result = await schema.execute(drawn.text, dict(drawn.variables), context)
    errors = [error.formatted for error in result.errors or []]
    for error in errors:
        (error.get("extensions") or {}).pop("reference", None)
    return orjson.dumps({"data": result.data, "errors": errors})


def are_equal(one: bytes, other: bytes) -> bool:
    """Whether two answers are the same.

    Of fields that are asked side by side it is chance which error comes first. Where nothing is left but errors, it is chance too
    which fields had failed too when the first one ended everything (section 6.4.4 of GraphQL lets a server stop them): one error
    has to be in both.
    """
    if one == other:
        return True
    answers = orjson.loads(one), orjson.loads(other)
    told = [{orjson.dumps(error) for error in answer["errors"]} for answer in answers]
    if any(answer["data"] is not None or len(answer["errors"]) == 0 for answer in answers):
        return answers[0]["data"] == answers[1]["data"] and told[0] == told[1]
    return bool(told[0] & told[1])


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.filterwarnings(*LEFT_BEHIND)
@pytest.mark.usefixtures("left_behind")
async def test_random_operations_answer_the_same_either_way(asking: Asking) -> None:
    seed = int(os.environ.get("POSTFACH_SEED") or random.SystemRandom().randrange(2**32))
    world = await matrix_world.build(asking)
    tokens = {column: await world.token(column) for column in COLUMNS}
    ids = [*world.ids.values(), "bad", "", "VXNlcjox"]
    values: dict[str, list[Any]] = {
        **dict.fromkeys(("id", "ids", "userId", "mailboxId", "agencyId"), ids),
        "address": ["desk@nord.example", "CHEF@nord.example", "none@nord.example", ""],
        "first": [1, 2, 50, 100, 0, 101],
        "last": [1, 2, 0],
        "after": ["", "WyJhIl0"],
        "before": ["x", "WyJhIl0"],
        "search": ["haus", "a", "ä" * 201, ""],
    }
    drawing = random.Random(seed)
    generator = Generator(schema._schema, drawing, values)  # noqa: SLF001 (it has no public name)
    before = dict(compiled.counts)
    end = time.monotonic() + SECONDS
    drawn_operations = 0
    while time.monotonic() < end:
        drawn = generator.draw()
        drawn_operations += 1
        for column in drawing.sample(COLUMNS, 2):
            answers = {}
            for way in ("first", "executor", "later"):
                compiled.enabled = way != "executor"
                if way == "first" and (known := schema.documents.known(drawn.text)) is not None:
                    known.compiled.clear()
                request = await world.enter(tokens[column])
                assert request is not None
                if way == "later" and request.viewer is not None:
                    request.database = Riding(request.database, request.viewer)
                answers[way] = await answer(request, drawn, takes_json=way != "executor")
            told = f"seed {seed}, {column}: {drawn.text} {drawn.variables}"
            assert are_equal(answers["first"], answers["executor"]), told
            assert are_equal(answers["later"], answers["executor"]), told
    ran = {name: compiled.counts[name] - before[name] for name in before}
    assert ran["not compiled"] == 0
    # Both kinds are there: operations without an error, and those that end with one.
    assert ran["compiled"] > drawn_operations / 4, ran
    assert ran["replayed"] > 0, ran


@pytest.mark.parametrize("name", ["q", None])
async def test_a_document_is_compiled_when_it_is_first_seen(asking: Asking, name: str | None) -> None:
    compiled.enabled = True
    request = await asking.request(None)
    text = f"query q {{ a{secrets.token_hex(8)}: viewer {{ login }} }}"
    before = dict(compiled.counts)
    context = Context(request)
    with mock.patch.object(strawberry.Schema, "execute") as whole_way:
        result = await schema.execute(text, None, context, operation_name=name)
    whole_way.assert_not_called()
    assert result.errors is None
    assert list((result.data or {}).values()) == [None]
    assert compiled.counts == {**before, "compiled": before["compiled"] + 1}
    assert context.operation == Operation("query", "q")
    assert (context.cost or {})["fields"] == 2


@pytest.mark.parametrize(
    "text,code",
    [
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer {", "GRAPHQL_PARSE_FAILED"),
        ("{ " + " ".join(f"a{place}: viewer {{ login }}" for place in range(40)) + " }", "LIMIT_EXCEEDED"),
    ],
)
async def test_what_is_wrong_is_looked_at_once(asking: Asking, text: str, code: str) -> None:
    request = await asking.request(None)
    with mock.patch.object(documents, "parse", wraps=graphql.parse) as parsed:
        result = await schema.execute(text, None, Context(request))
    assert [(error.extensions or {})["code"] for error in result.errors or []] == [code]
    assert result.data is None
    assert parsed.call_count == 1


@pytest.mark.parametrize(
    "text",
    [
        '{ __type(name: "User") { name } }',
        "{ viewer { id } ...F } fragment F on Query { schema: __schema { queryType { name } } }",
    ],
)
async def test_introspection_is_asked_for_each_request(asking: Asking, text: str) -> None:
    request = await asking.request(None)
    for introspection in (True, False, True, False):
        result = await schema.execute(text, {}, Context(request, introspection=introspection))
        assert (result.errors is None) is introspection
        assert (result.data is None) is not introspection
