"""What is counted of a document: exactly, whatever it spreads, and in time linear in its length."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st

from execution.measure import MOST, Measure, Sizes

SCHEMA = build_schema("""
type Query { me: User  people(first: Int, last: Int): UserConnection!  nodes(ids: [ID!]!): [User]!  ask(box: Box): Int }
type Mutation { say(what: String): User  tell(what: String): User }
type User { name: String!  friend: User  words: [Word!]!  people(first: Int, last: Int): UserConnection! }
type Word { text: String! }
type UserConnection { edges: [UserEdge!]!  nodes: [User!]!  pageInfo: PageInfo!  totalCount: Int! }
type UserEdge { node: User! }
type PageInfo { hasNextPage: Boolean! }
input Box { lists: [[Int!]] }
""")
SIZES = Sizes(page=50, other=3)


def counted(document: str, **variables: object) -> dict[str, int]:
    """What is counted of the only operation."""
    measure = Measure(SCHEMA, parse(document), variables, secrets=frozenset({"tell"}), sizes=SIZES)
    (only,) = measure.operations
    return only.counted


@pytest.mark.parametrize(
    "document,depth,fields,aliases,directives,roots",
    [
        ("{ me { name } }", 2, 2, 0, 0, 1),
        ("{ a: me { b: name } c: me @skip(if: true) @include(if: true) { name } }", 2, 4, 3, 2, 2),
        ("query @x { me { ... @y { name } ... on User @z { name } } }", 2, 3, 0, 3, 1),
        ("query ($a: Int @x) { me { name } }", 2, 2, 0, 1, 1),
        ("{ ...F ...F } fragment F on Query { me { a: name } }", 2, 4, 2, 0, 2),
        (
            "{ me { ...F @x } } fragment F on User @y { friend { ...G } } fragment G on User { name }",
            3,
            3,
            0,
            2,
            1,
        ),
        (
            "{ me { ...G } } fragment F on User { name } fragment G on User { friend { ...F } ...F }",
            3,
            4,
            0,
            0,
            1,
        ),
        ("{ __typename }", 1, 1, 0, 0, 1),
    ],
)
def test_everything_is_counted_with_fragments_in_place(
    document: str, depth: int, fields: int, aliases: int, directives: int, roots: int
) -> None:
    found = counted(document)
    assert (found["depth"], found["fields"], found["aliases"]) == (depth, fields, aliases)
    assert (found["directives"], found["root_fields"]) == (directives, roots)


@pytest.mark.parametrize(
    "document",
    [
        "{ me { name @x @x @x } friend { name @x } }",
        "query @x @x @x { me { name @x } }",
        "query ($a: Int @x @x @x) { me { name @x @x } }",
        "{ me { ... @x @x @x { name @x @x } } }",
        "{ me { ...F @x @x @x } } fragment F on User { name @x @x }",
        "{ me { ...F @x @x } } fragment F on User @x @x @x { name @x @x }",
        "{ me { ...F @x } } fragment F on User { friend { ...G } } fragment G on User { name @x @x @x }",
    ],
)
def test_directives_on_one_place_are_counted_wherever_it_is(document: str) -> None:
    assert counted(document)["directives_at_once"] == 3


@pytest.mark.parametrize(
    "document,variables,cost",
    [
        ("{ me { name friend { name } } }", {}, 4),
        # The connection, its list, and 50, 7 or 9 names.
        ("{ people { nodes { name } } }", {}, 52),
        ("{ people(first: 7) { nodes { name } } }", {}, 9),
        ("{ people(last: 9) { nodes { name } } }", {}, 11),
        ("{ people(first: 7, last: 9) { nodes { name } } }", {}, 11),
        ("{ people(first: 7) { edges { node { name } } } }", {}, 16),
        # What is not a list comes once.
        ("{ people(first: 7) { totalCount pageInfo { hasNextPage } nodes { name } } }", {}, 12),
        ("{ people(first: 7) { nodes { words { text } } } }", {}, 2 + 7 + 7 * 3),
        ("{ people(first: 7) { nodes { people(first: 5) { nodes { name } } } } }", {}, 2 + 7 * (2 + 5)),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": 7}, 9),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": 7.0}, 9),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": None}, 52),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": "7"}, 52),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": True}, 52),
        ("query ($n: Int) { people(first: $n) { nodes { name } } }", {"n": -7}, 3),
        ("query ($n: Int = 7) { people(first: $n) { nodes { name } } }", {}, 9),
        ("query ($n: Int = 7) { people(first: $n) { nodes { name } } }", {"n": 8}, 10),
        ("{ nodes(ids: [1, 2, 3, 4]) { name } }", {}, 5),
        ("query ($i: [ID!]!) { nodes(ids: $i) { name } }", {"i": ["a", "b"]}, 3),
        ("query ($i: [ID!]! = [1, 2]) { nodes(ids: $i) { name } }", {}, 3),
        ("{ people(first: 7) { ...F } } fragment F on UserConnection { nodes { name } totalCount }", {}, 10),
        ("{ people(first: 7) { ... { nodes { name } } } }", {}, 9),
    ],
)
def test_fields_count_as_often_as_they_may_be_answered(
    document: str, variables: dict[str, Any], cost: int
) -> None:
    assert counted(document, **variables)["cost"] == cost


@pytest.mark.parametrize(
    "document,longest",
    [
        ("{ ask }", 0),
        ("{ ask(box: {lists: [[1, 2, 3], []]}) }", 3),
        ("query ($b: Box = {lists: [[1], [], [], []]}) { ask(box: $b) }", 4),
        ("{ nodes(ids: []) { name } }", 0),
    ],
)
def test_the_longest_list_that_is_written_counts(document: str, longest: int) -> None:
    assert counted(document)["list_items"] == longest


def test_secrets_count_at_the_root_of_a_mutation_alone() -> None:
    assert (
        counted("mutation { tell { name } say { name } ...F } fragment F on Mutation { x: tell { name } }")[
            "secrets"
        ]
        == 2
    )
    assert counted("{ tell }")["secrets"] == 0


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...A me { name } }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { me { name } ...A }",
        "{ ...Nope me { name } }",
        "{ nope { nope(first: 9) { nodes { name } } } }",
        "{ me { name { x } } }",
        "{ ... on Nope { me { name } } ... on Box { x } }",
        "{ people(nope: 1) { nodes } }",
        "fragment A on Query { me { name } } fragment A on Query { me { name } } { ...A }",
        "subscription { nope }",
        "type X { y: Int } { me { name } }",
    ],
)
def test_what_is_not_valid_is_left_to_validation(document: str) -> None:
    assert counted(document)["secrets"] == 0


def test_every_operation_is_counted_by_itself() -> None:
    document = parse("query A { me { name } } query B($n: Int = 3) { people(first: $n) { nodes { name } } }")
    measure = Measure(SCHEMA, document, {}, sizes=SIZES)
    assert [(each.name, each.counted["cost"]) for each in measure.operations] == [("A", 2), ("B", 5)]
    assert measure.used == {"n"}


@pytest.mark.parametrize(
    "body,fields",
    [("...F{0} ...F{0}", MOST), ("me {{ ...U }} ...F{0} ...F{0}", MOST), ("...F{0} ...F0", 2)],
)
def test_a_bomb_is_measured_in_a_moment(body: str, fields: int) -> None:
    # Each fragment spreads the next one twice: written out, there would be more fields than atoms.
    length = 330
    fragments = " ".join(
        f"fragment F{place} on Query {{ {body.format(place + 1)} }}" for place in range(length)
    )
    text = f"{{ ...F0 }} {fragments} fragment F{length} on Query {{ me {{ name }} }} fragment U on User {{ name }}"
    # One that wrote it out would not come to an end before the test's time is up.
    found = counted(text)
    assert found["fields"] == fields


def test_introspection_costs_what_its_lists_have() -> None:
    sizes = Sizes.of(SCHEMA)
    assert sizes.introspection["__Schema.types"] == len(SCHEMA.type_map)
    measure = Measure(SCHEMA, parse("{ __schema { types { fields { name } } } }"), {}, sizes=sizes)
    assert measure.operations[0].counted["cost"] == 2 + len(SCHEMA.type_map) * (
        1 + sizes.introspection["__Type.fields"]
    )
    deep = Measure(SCHEMA, parse(get_introspection_query()), {}, sizes=sizes).operations[0].counted
    assert deep["depth"] == 15


SELECTIONS = st.recursive(
    st.sampled_from(["name", "a: name", "...F", "...G", "name @skip(if: true)"]),
    lambda inner: st.builds(
        lambda head, parts: f"{head} {{ {' '.join(parts)} }}",
        st.sampled_from(["friend", "x: friend", "... on User", "...", "people(first: 3) { nodes"]),
        st.lists(inner, min_size=1, max_size=4),
    ).map(lambda text: text + " }" if text.startswith("people") else text),
    max_leaves=12,
)


@given(SELECTIONS, SELECTIONS, SELECTIONS)
def test_a_fragment_counts_as_what_is_written_in_its_place(body: str, f: str, g: str) -> None:
    """Spread or written out, an operation counts the same, but for the directives on the spread."""
    f, g = f.replace("...F", "name").replace("...G", "name"), g.replace("...G", "friend { name }")
    spread = counted(f"{{ me {{ {body} }} }} fragment F on User {{ {f} }} fragment G on User {{ {g} }}")
    written = g.replace("...F", f"... {{ {f} }}")
    whole = body.replace("...G", f"... {{ {written} }}").replace("...F", f"... {{ {f} }}")
    assert counted(f"{{ me {{ {whole} }} }}") == spread
