import pytest

from tests.contract.coming import STILL_TO_COME
from tests.contract.comparison import differences
from tests.contract.copies import COPY
from tests.contract.document import read

CONTRACT = """
scalar DateTime

interface Node {
  id: ID!
}

enum State {
  ON
  "Not reachable."
  OFF
}

union Found = Box | Letter

type Box implements Node {
  id: ID!
  name: String
  tags: [String!]!
  letters(first: Int, newest: Boolean = true): [Letter!]!
}

type Letter implements Node {
  id: ID!
  at: DateTime!
}

input BoxInput {
  name: String!
  state: State! = ON
  tags: [String!]! = []
  note: String
}

type Query {
  box(id: ID!): Box
}

type Mutation {
  addBox(input: BoxInput!): Box
}
"""

# What a schema may add, and descriptions, which the contract leaves to it.
GENEROUS = (
    CONTRACT.replace("  OFF\n", "  OFF\n  ASLEEP\n")
    .replace("newest: Boolean = true", "newest: Boolean = true, last: Int, deep: Boolean! = false")
    .replace("  note: String\n", "  note: String\n  colour: String\n  size: Int! = 3\n")
    .replace("  at: DateTime!\n", '  "When it came."\n  at: DateTime!\n  weight: Int!\n')
    .replace("union Found = Box | Letter", "union Found = Box | Letter | Stamp\n\ntype Stamp { price: Int! }")
    .replace(
        "type Box implements Node", "interface Named { name: String }\n\ntype Box implements Node & Named"
    )
)


def found(before: str, after: str) -> list[str]:
    """The differences once a part of the schema is exchanged."""
    assert CONTRACT.count(before) == 1
    return differences(read(CONTRACT), read(CONTRACT.replace(before, after)))


def test_equal_schema_keeps_the_contract() -> None:
    assert differences(read(CONTRACT), read(CONTRACT)) == []


def test_additions_are_allowed() -> None:
    assert len(GENEROUS) > len(CONTRACT)
    assert differences(read(CONTRACT), read(GENEROUS)) == []


@pytest.mark.parametrize(
    "before,after,finding",
    [
        pytest.param("  tags: [String!]!\n", "", "Box.tags is missing", id="field removed"),
        pytest.param(
            "  tags: [String!]!\n", "  labels: [String!]!\n", "Box.tags is missing", id="field renamed"
        ),
        pytest.param(
            "  tags: [String!]!\n",
            "  tags: [String]!\n",
            "Box.tags is [String]!, in the contract [String!]!",
            id="list of nullable",
        ),
        pytest.param(
            "  name: String\n  tags: [String!]!\n",
            "  name: String!\n  tags: [String!]!\n",
            "Box.name is String!, in the contract String",
            id="field no longer nullable",
        ),
        pytest.param(
            "  at: DateTime!\n",
            "  at: String!\n",
            "Letter.at is String!, in the contract DateTime!",
            id="retyped",
        ),
        pytest.param("first: Int, ", "", "Box.letters(first:) is missing", id="argument removed"),
        pytest.param(
            "first: Int, ",
            "first: Int = null, ",
            "Box.letters(first:) has the default null, in the contract no default",
            id="default null",
        ),
        pytest.param(
            "first: Int, ",
            "first: Int!, ",
            "Box.letters(first:) is Int!, in the contract Int",
            id="argument required",
        ),
        pytest.param(
            "newest: Boolean = true",
            "newest: Boolean",
            "Box.letters(newest:) has no default, in the contract the default true",
            id="default removed",
        ),
        pytest.param(
            "newest: Boolean = true",
            "newest: Boolean = false",
            "Box.letters(newest:) has the default false, in the contract the default true",
            id="default changed",
        ),
        pytest.param(
            "newest: Boolean = true",
            "newest: Boolean! = true",
            "Box.letters(newest:) is Boolean!, in the contract Boolean",
            id="argument refuses null",
        ),
        pytest.param(
            "newest: Boolean = true",
            "newest: Boolean = true, deep: Boolean!",
            "Box.letters(deep:) is new and required, so clients that do not know it fail",
            id="argument added and required",
        ),
        pytest.param("  note: String\n", "", "BoxInput.note is missing", id="input field removed"),
        pytest.param(
            "  note: String\n",
            "  note: String = null\n",
            "BoxInput.note has the default null, in the contract no default",
            id="input default null",
        ),
        pytest.param(
            "  note: String\n",
            "  note: String\n  size: Int!\n",
            "BoxInput.size is new and required, so clients that do not know it fail",
            id="input field added and required",
        ),
        pytest.param(
            "state: State! = ON",
            "state: State! = OFF",
            "BoxInput.state has the default OFF, in the contract the default ON",
            id="enum default changed",
        ),
        pytest.param(
            "tags: [String!]! = []",
            'tags: [String!]! = [""]',
            'BoxInput.tags has the default [""], in the contract the default []',
            id="list default changed",
        ),
        pytest.param('  "Not reachable."\n  OFF\n', "", "State.OFF is missing", id="enum value removed"),
        pytest.param(
            "union Found = Box | Letter", "union Found = Box", "Found.Letter is missing", id="member removed"
        ),
        pytest.param(
            "type Letter implements Node {",
            "type Letter {",
            "Letter does not implement Node",
            id="interface left",
        ),
        pytest.param(
            "union Found = Box | Letter",
            "scalar Found",
            "Found is a scalar, in the contract a union",
            id="other kind",
        ),
        pytest.param("scalar DateTime", "scalar Date", "DateTime is missing", id="type renamed"),
        pytest.param(
            "type Mutation {\n  addBox(input: BoxInput!): Box\n}\n",
            "",
            "Mutation is missing",
            id="root removed",
        ),
        pytest.param(
            "scalar DateTime",
            "scalar DateTime\nschema { query: Query mutation: Box }",
            "the root types are mutation: Box, query: Query, "
            "in the contract mutation: Mutation, query: Query, subscription: Subscription",
            id="other root",
        ),
    ],
)
def test_a_planted_difference_is_found(before: str, after: str, finding: str) -> None:
    assert found(before, after) == [finding]


def test_several_differences_are_all_told() -> None:
    assert found("  name: String\n  tags: [String!]!\n", "  name: Int\n") == [
        "Box.name is Int, in the contract String",
        "Box.tags is missing",
    ]


@pytest.mark.parametrize(
    "removed,coming",
    [
        ("  tags: [String!]!\n", "Box.tags"),
        ("  note: String\n", "BoxInput.note"),
        ('  "Not reachable."\n  OFF\n', "State.OFF"),
        ("type Mutation {\n  addBox(input: BoxInput!): Box\n}\n", "Mutation"),
    ],
)
def test_what_is_still_to_come_may_be_missing(removed: str, coming: str) -> None:
    schema = read(CONTRACT.replace(removed, ""))

    assert differences(read(CONTRACT), schema, {coming}) == []
    assert differences(read(CONTRACT), schema) == [f"{coming} is missing"]


@pytest.mark.parametrize("entry", ["Box.tags", "BoxInput.note", "State.OFF", "Mutation", "Found.Letter"])
def test_what_is_there_is_no_longer_to_come(entry: str) -> None:
    assert differences(read(CONTRACT), read(CONTRACT), {entry}) == [
        f"{entry} is listed as still to come, but it is there: take it off the list"
    ]


def test_what_is_to_come_must_be_promised() -> None:
    assert differences(read(CONTRACT), read(CONTRACT), {"Box.weight"}) == [
        "Box.weight is listed as still to come, but the contract does not know it"
    ]


def test_a_part_that_came_early_is_compared_all_the_same() -> None:
    schema = read(CONTRACT.replace("  tags: [String!]!\n", "  tags: String\n"))

    assert differences(read(CONTRACT), schema, {"Box.tags"}) == [
        "Box.tags is String, in the contract [String!]!",
        "Box.tags is listed as still to come, but it is there: take it off the list",
    ]


def test_the_list_of_what_is_to_come_names_parts_of_the_contract() -> None:
    contract = read(COPY.read_text(encoding="utf-8"))

    assert sorted(STILL_TO_COME - frozenset(contract.coordinates)) == []
