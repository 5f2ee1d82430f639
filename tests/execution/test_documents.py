"""Documents are parsed and validated once, refused before that when they ask for too much, and kept within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import graphql
import pytest
from graphql import GraphQLError, GraphQLSyntaxError, build_schema, specified_rules

from execution import documents as module
from execution.documents import Documents
from execution.limits import NAMES, Limits
from execution.validity import errors_in

SCHEMA = build_schema("""
type Query { me: User  people(first: Int): UserConnection!  nodes(ids: [ID!]!): [User]! }
type Mutation { tell: User  say(words: [String!]): User }
type User { name: String! friend: User }
type UserConnection { nodes: [User!]! }
""")
RULES = tuple(specified_rules)
SMALL = Limits(**dict.fromkeys(NAMES, 40))


def prepare(
    text: str,
    variables: dict[str, Any] | None = None,
    limits: Limits = SMALL,
    documents: Documents | None = None,
) -> dict[str, int]:
    """What is counted of the first operation."""
    documents = documents or Documents(SCHEMA, secrets=["tell"])
    return documents.prepare(text, variables, limits, RULES)[1][0].counted


@contextmanager
def work() -> Iterator[tuple[mock.Mock, mock.Mock]]:
    """What is parsed and validated within the block."""
    with (
        mock.patch.object(module, "parse", wraps=graphql.parse) as parsed,
        mock.patch.object(module, "errors_in", wraps=errors_in) as validated,
    ):
        yield parsed, validated


def refused(text: str, limits: Limits, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """The extensions of the error, raised before anything was validated."""
    with work() as (_, validated), pytest.raises(GraphQLError) as caught:
        prepare(text, variables, limits)
    validated.assert_not_called()
    extensions = dict(caught.value.extensions or {})
    assert extensions.pop("code") == "LIMIT_EXCEEDED"
    return extensions


@pytest.mark.parametrize(
    "limit,text,counted",
    [
        ("characters", "{ me { name } }", 15),
        ("tokens", "{ me { name } }", 4),
        ("comments", "#a\n#b\n{ me { name } }", 2),
        ("depth", "{ me { name } }", 2),
        ("fields", "{ me { name } }", 2),
        ("root_fields", "{ a: me { name } me { name } }", 2),
        ("aliases", "{ a: me { b: name } }", 2),
        ("directives", "{ me @skip(if: true) @include(if: true) { name } }", 2),
        ("directives_at_once", "{ me @skip(if: true) @include(if: true) { name @skip(if: true) } }", 2),
        ("list_items", "{ nodes(ids: [1, 2]) { name } }", 2),
        ("cost", "{ me { name } }", 2),
        ("secrets", "mutation { a: tell { name } b: tell { name } }", 2),
    ],
)
def test_one_more_than_allowed_is_refused_and_as_many_are_not(limit: str, text: str, counted: int) -> None:
    roomy = Limits(**dict.fromkeys(NAMES, 1000))
    enough = Limits(
        **{**dict.fromkeys(NAMES, 1000), limit: max(counted, 7) if limit == "tokens" else counted}
    )
    prepare(text, None, enough)
    prepare(text, None, roomy)
    # Tokens are counted until there is one too many.
    allowed = 3 if limit == "tokens" else counted - 1
    little = Limits(**{**dict.fromkeys(NAMES, 1000), limit: allowed})
    assert refused(text, little) == {"limit": limit, "counted": counted, "allowed": allowed}


def test_a_document_that_is_too_long_is_not_even_parsed() -> None:
    with work() as (parsed, _):
        assert refused("{" * 41, SMALL)["limit"] == "characters"
        parsed.assert_not_called()


def test_the_lists_of_declared_variables_count_however_deep() -> None:
    text = "mutation ($w: [String!]) { say(words: $w) { name } }"
    little = Limits(list_items=2)
    assert refused(text, little, {"w": ["a", "b", "c"]}) == {
        "limit": "list_items",
        "counted": 3,
        "allowed": 2,
    }
    assert refused(text, little, {"w": [[{"x": [1, 2, 3]}]]})["counted"] == 3
    assert prepare(text, {"w": ["a", "b"], "undeclared": [1, 2, 3]}, little)["root_fields"] == 1


def test_a_page_is_counted_anew_for_every_size() -> None:
    documents = Documents(SCHEMA)
    text = "query ($n: Int) { people(first: $n) { nodes { name } } }"
    with work() as (parsed, validated):
        for size in [*range(1, 40), 1, None]:
            found = prepare(text, {"n": size}, Limits(), documents)
            assert found["cost"] == 2 + (size or 50)
        assert (parsed.call_count, validated.call_count) == (1, 1)
    with pytest.raises(GraphQLError, match="cost"):
        prepare(text, {"n": 100}, Limits(cost=100), documents)


def test_what_is_wrong_is_told_again_and_not_kept() -> None:
    documents = Documents(SCHEMA)
    for _ in range(2):
        with work() as (_, validated):
            document, _measured = documents.prepare("{ nope }", None, Limits(), RULES)
            assert [each.message[:25] for each in document.errors] == ["Cannot query field 'nope'"]
            assert validated.call_count == 1
        with pytest.raises(GraphQLSyntaxError):
            documents.prepare("{", None, Limits(), RULES)
    assert documents.bytes == 0


@pytest.mark.parametrize("text", ["{ nope }", "{ " + "me " * 100, "{ me { name } } #" + "a" * 100])
def test_whoever_asks_again_at_once_costs_nothing_more(text: str) -> None:
    documents, variables, limits = Documents(SCHEMA), {"a": 1}, Limits(tokens=50, characters=60)
    told = []
    once = 0, 0
    with work() as (parsed, validated):
        for others in (limits, limits, Limits(tokens=50, characters=60)):
            try:
                document, _measured = documents.prepare(text, variables, others, RULES)
                told.append([each.message for each in document.errors])
            except GraphQLError as error:
                told.append([error.message])
            if others is limits:
                once = parsed.call_count, validated.call_count
                assert max(once) <= 1
    assert told[0] == told[1] == told[2]
    assert told[0]
    assert (parsed.call_count, validated.call_count) == (2 * once[0], 2 * once[1])
    # What was wrong says nothing about another one.
    assert documents.prepare("{ me { name } }", variables, limits, RULES)[0].errors == []


def test_what_is_kept_is_bounded_by_bytes_and_the_newest_stay() -> None:
    documents = Documents(SCHEMA, kept_bytes=30_000)
    for place in range(50):
        prepare(f"{{ a{place}: me {{ name }} }}", None, Limits(), documents)
        assert documents.bytes <= 30_000
    assert documents.bytes > 15_000
    with work() as (parsed, _):
        prepare("{ a49: me { name } }", None, Limits(), documents)
        assert parsed.call_count == 0
        prepare("{ a0: me { name } }", None, Limits(), documents)
        assert parsed.call_count == 1
    before = documents.bytes
    prepare("{ me { name " + "#" * 9_000 + "\n } }", None, Limits(), documents)
    assert documents.bytes == before
