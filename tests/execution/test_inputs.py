"""Variables and arguments of the usual kinds are taken as GraphQL takes them, and everything else goes its way."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema, parse
from graphql.execution.values import get_variable_values

from execution.inputs import MOST_ERRORS, Variables

SCHEMA = build_schema(
    """
    enum E { A B }
    input I { a: String b: [I!] }
    scalar S
    type Query { f(a: String, i: ID!, n: Int, b: Boolean, x: Float, e: E, o: I, l: [Int!], s: S): String }
    """
)
TYPES = ["String", "ID", "Int", "Boolean", "Float", "E", "I", "[Int!]", "S"]
VALUES: list[Any] = [
    None,
    "",
    "text",
    "A",
    "\ud800",
    0,
    1,
    -1,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    1.0,
    1.5,
    True,
    False,
    [],
    [1],
    {},
    {"a": "x"},
    {"b": [{"a": None}]},
    {"c": 1},
]


def defined(*definitions: str) -> OperationDefinitionNode:
    """An operation with these variables."""
    (operation,) = parse(f"query ({', '.join(definitions)}) {{ __typename }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def told(found: Any) -> Any:
    if isinstance(found, list):
        assert all(isinstance(each, GraphQLError) for each in found)
        return [each.formatted for each in found]
    return found.coerced, {
        name: (source.signature.name, str(source.signature.type), source.value)
        for name, source in found.sources.items()
    }


@pytest.mark.parametrize("kind", ["".join(each) for each in itertools.product(TYPES, ("", "!", " = null"))])
def test_a_variable_is_what_graphql_makes_of_it(kind: str) -> None:
    operation = defined(f"$v: {kind}")
    variables = Variables(SCHEMA, operation)
    for given in ({}, {"w": 1}, *({"v": value} for value in VALUES)):
        expected = get_variable_values(SCHEMA, operation.variable_definitions or (), given, MOST_ERRORS)
        found = variables.take(given)
        assert told(found) == told(expected), given
        if not isinstance(found, list) and not isinstance(expected, list):
            assert all(type(found.coerced[name]) is type(expected.coerced[name]) for name in found.coerced)


@pytest.mark.parametrize(
    "definitions",
    [["$a: String", "$i: ID!"], ["$a: String", "$i: ID!", "$n: Int = 3"], ["$i: ID!", "$z: Unknown"]],
)
def test_several_variables(definitions: list[str]) -> None:
    operation = defined(*definitions)
    variables = Variables(SCHEMA, operation)
    for given in (
        {},
        {"i": "x"},
        {"i": "x", "a": None},
        {"i": None},
        {"i": 5, "a": "y"},
        {"i": "x", "n": "z"},
    ):
        expected = get_variable_values(SCHEMA, operation.variable_definitions or (), given, MOST_ERRORS)
        assert told(variables.take(given)) == told(expected)
