"""What is plainly valid has no error by GraphQL's rules, and most valid documents are."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import strawberry
from graphql import GraphQLSyntaxError, parse, specified_rules
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.schema import validate_document

from execution import validity
from execution.merging import MOST_COMPARED
from execution.validity import errors_in, is_plainly_valid
from schema import schema as postfach
from tests.execution.zoo import Zoo
from tests.operations import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLSchema

RULES = tuple(specified_rules)
ZOO = Zoo(None)._schema  # noqa: SLF001 (it has no public name)
POSTFACH = postfach._schema  # noqa: SLF001
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[A-Za-z_0-9-]+|[^\sA-Za-z_0-9]')
WORDS = (
    *("{", "}", "(", ")", "[", "]", "!", ":", "=", "$", "@", "...", "on", "null", "true", "RED", "NORDEN", "1", "1.5", '"a"'),
    *("first", "if", "skip", "include", "defer", "stream", "fragment", "F0", "F1", "v0", "v1", "a1", "a2"),
    *("Cat", "Dog", "Stone", "Thing", "Animal", "Wanted", "Int", "String", "Boolean", "ID", "Query", "Node"),
    *("__typename", "__schema", "number", "name", "weight", "mates", "cat", "animals", "id", "nodes", "number: Int"),
    *("@skip(if: true)", "@include(if: $v0)", "$v9: Int", "...F0", "... on Cat { number }", "{ number }", "(first: 1)"),
)  # fmt: skip


def broken(drawing: random.Random, text: str) -> str:
    """A document with something in it left out, doubled, moved or replaced."""
    tokens = TOKEN.findall(text)
    for _ in range(drawing.choice([1, 1, 1, 2, 4])):
        place = drawing.randrange(len(tokens))
        way = drawing.randrange(5)
        if way == 0 and len(tokens) > 1:
            del tokens[place]
        elif way == 1:
            tokens.insert(place, tokens[place])
        elif way == 2:
            tokens[place] = drawing.choice(tokens)
        elif way == 3:
            tokens.insert(place, drawing.choice(WORDS))
        else:
            tokens[place] = drawing.choice(WORDS)
    return " ".join(tokens)


def nulled(drawing: random.Random, text: str) -> str:
    """A document with null instead of a value in it."""
    tokens = TOKEN.findall(text)
    # What follows a colon is a value, a type or a field.
    places = [place + 1 for place, token in enumerate(tokens) if token == ":"]
    if places:
        tokens[drawing.choice(places)] = "null"
    return " ".join(tokens)


def repeated(drawing: random.Random, text: str) -> str:
    """A document with a selection in it that is made many times: as valid as before, unless that is too much."""
    tokens = TOKEN.findall(text)
    begin = drawing.choice([place for place, token in enumerate(tokens) if token == "{"])
    depth, end = 1, begin
    while depth:
        end += 1
        depth += {"{": 1, "}": -1}.get(tokens[end], 0)
    inside = tokens[begin + 1 : end]
    inside *= max(2, min(drawing.choice([2, 5, 12, 30, 100, 300]), 400 // (len(inside) or 1)))
    return " ".join([*tokens[: begin + 1], *inside, *tokens[end:]])


@pytest.mark.parametrize("schema", [ZOO, POSTFACH], ids=["zoo", "postfach"])
def test_no_rule_has_anything_against_what_is_plainly_valid(schema: GraphQLSchema) -> None:
    seed = int(os.environ.get("POSTFACH_SEED") or random.SystemRandom().randrange(2**32))
    drawing = random.Random(seed)
    generator = Generator(schema, drawing, {}, depth=4)
    valid = plain = wrong = 0
    for _ in range(200):
        text = generator.draw(drawing.choice(["query", "query", "mutation"])).text
        ways = (broken,) * 6 + (nulled,) * 2
        drawn = [text, *(way(drawing, text) for way in ways)]
        if drawing.random() < 0.2:
            drawn.append(repeated(drawing, text))
            drawn.append(broken(drawing, drawn[-1]))
        for each in drawn:
            try:
                document = parse(each)
            except GraphQLSyntaxError:
                continue
            said = is_plainly_valid(schema, document)
            # Asked for each that is said to be valid, and for some of the others, to count them.
            if said or drawing.random() < 0.1:
                errors = validate_document(schema, document, RULES)
                assert not (said and errors), f"seed {seed}: {each}\n{errors[0].message}"
                valid += not errors
                wrong += bool(errors)
                plain += said
    assert plain > 300
    assert wrong > 20
    assert plain > 0.7 * valid


PLAIN = [
    "{ cat { number name } }",
    "query Q { cat(number: 3) { n: number __typename } }",
    "{ animals(first: 2, start: 0) { number ... on Cat { lives } ...F } } fragment F on Animal { name mates { number } }",
    "query ($n: Int!, $m: Int = 3) { a: cat(number: $n) { number } b: cat(number: $m) { number } }",
    "query ($n: Int = 3) { cat(number: $n) { number } }",
    "query ($s: Boolean!) { cat { number @skip(if: $s) name @include(if: false) @skip(if: true) } }",
    "query ($n: [Int!]!, $l: Int!) { page(wanted: {numbers: $n, inner: {numbers: [1, 2], colour: RED, limit: $l}}) { total } }",
    "{ thing(number: 1) { __typename ... on Cat { number } ... on Stone { weight } } }",
    "{ cat { number } ...F ...G } fragment F on Query { cat { number } } fragment G on Query { ...F cat { name } }",
    "{ animals { ...F mates(count: 1) { number } } } fragment F on Animal { mates(count: 1) { name } }",
    "mutation M($n: Int) { change(number: $n) { step } }",
    "{ cat { number number number } }",
    "{ cat { " + "number " * 150 + "} }",
    "{ echo(text: null) }",
    "query ($n: Int = null) { required(number: $n) b: required(number: null) c: cat(number: $n) { number } }",
    "{ page(wanted: {numbers: [1], colour: null, inner: null}) { total } }",
    "{ cat { "
    + "".join(f"...F{place} " for place in range(40))
    + "} } "
    + " ".join(
        f"fragment F{place} on Cat {{ __typename number name mates(count: 1) {{ number name }} }}"
        for place in range(40)
    ),
]

DOUBTED = [
    "query A { cat { number } } query B { cat { name } }",
    "{ cat { number } } { cat { name } }",
    "{ __schema { queryType { name } } }",
    "{ thing(number: null) { __typename } }",
    "{ cat { number @skip(if: null) } }",
    "{ page(wanted: {numbers: null}) { total } }",
    "{ page(wanted: {numbers: [1], limit: null}) { total } }",
    "query ($n: Int! = null) { thing(number: $n) { __typename } }",
    "query ($n: Int = null) { thing(number: $n) { __typename } }",
    "{ a: cat(number: null) { number } a: cat { number } }",
    "subscription { count }",
    "type T { a: Int }",
    "{ cat { number: name number } }",
    "{ thing(number: 1) { ... on Cat { x: name } ... on Dog { x: number } } }",
    "{ animals { ... on Cat { name } ... on Dog { name } } }",
    "{ cat }",
    "{ cat { number { a } } }",
    "{ cat { nothing } }",
    "{ cat { } }",
    "{ thing(number: 1) { number } }",
    "{ thing }",
    "{ thing(number: 1, number: 1) { __typename } }",
    "{ thing(number: 1, other: 1) { __typename } }",
    '{ cat(number: "a") { number } }',
    "{ cat(number: 1.5) { number } }",
    "{ cat(number: [1]) { number } }",
    "{ cat(number: {a: 1}) { number } }",
    "{ animal(number: 1, colour: GREEN) { number } }",
    "{ animal(number: 1, colour: RED) { ... on Stone { weight } } }",
    "{ cat { ... on Dog { number } } }",
    "{ cat { ... on Nobody { number } } }",
    "{ cat { ... on Int { number } } }",
    "{ cat { ...Nobody } }",
    "{ cat { number } } fragment F on Cat { number }",
    "{ cat { ...F } } fragment F on Cat { ...F number }",
    "{ cat { ...F } } fragment F on Cat { ...G number } fragment G on Cat { ...F number }",
    "{ cat { ...F } } fragment F on Cat { number } fragment F on Cat { name }",
    "{ cat { ...F } } fragment F on Dog { number }",
    "{ cat(number: $n) { number } }",
    "query ($n: Int) { cat { number } }",
    "query ($n: Int, $n: Int) { cat(number: $n) { number } }",
    "query ($n: String) { cat(number: $n) { number } }",
    "query ($n: Cat) { cat(number: $n) { number } }",
    "query ($n: Nothing) { cat(number: $n) { number } }",
    'query ($n: Int = "a") { cat(number: $n) { number } }',
    "query ($n: Int) { thing(number: $n) { __typename } }",
    "query ($n: Int @skip(if: true)) { cat(number: $n) { number } }",
    "query @skip(if: true) { cat { number } }",
    "{ cat { number @skip } }",
    "{ cat { number @skip(if: 1) } }",
    "{ cat { number @skip(if: true, unless: true) } }",
    "{ cat { number @skip(if: true) @skip(if: true) } }",
    "{ cat { number @defer } }",
    "{ cat { number @nothing } }",
    "{ cat { __typename(a: 1) } }",
    "{ cat { __typename { a } } }",
    "{ cat { x: __typename x: name } }",
    "query ($s: Boolean) { cat { number @skip(if: $s) } }",
    "{ page(wanted: {limit: 1}) { total } }",
    "{ page(wanted: {numbers: [1], other: 1}) { total } }",
    "{ page(wanted: {numbers: [1], numbers: [1]}) { total } }",
    "{ page(wanted: {numbers: [null]}) { total } }",
    "{ page(wanted: 1) { total } }",
    "query ($n: [Int]!) { page(wanted: {numbers: $n}) { total } }",
    "{ a: cat(number: 1) { number } a: cat(number: 2) { number } }",
    "{ a: cat { n: number } a: cat { n: name } }",
    "{ a: cat { ...F } a: cat { n: name } } fragment F on Cat { n: number }",
]


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_documents_need_no_rule(text: str) -> None:
    document = parse(text)
    assert validate_document(ZOO, document, RULES) == []
    with mock.patch.object(validity, "validate_document") as rules:
        assert errors_in(ZOO, document, RULES) == []
    rules.assert_not_called()


@pytest.mark.parametrize("text", DOUBTED)
def test_everything_else_is_for_the_rules_to_say(text: str) -> None:
    document = parse(text)
    assert not is_plainly_valid(ZOO, document)
    assert [each.message for each in errors_in(ZOO, document, RULES)] == [
        each.message for each in validate_document(ZOO, document, RULES)
    ]


def test_other_rules_are_asked() -> None:
    document = parse("{ cat { number } }")
    with mock.patch.object(validity, "validate_document", return_value=["wrong"]) as rules:
        assert errors_in(ZOO, document, RULES[1:]) == ["wrong"]
    rules.assert_called_once_with(ZOO, document, RULES[1:])


@pytest.mark.parametrize(
    "text",
    [
        "{ " + " ".join(f"a{place}: cat {{ number }}" for place in range(1100)) + " cat { number } cat { name } }",
        "{ cat { " + "number " * 200 + "} }",
        "{ cat { " + "".join(f"...F{place} " for place in range(51)) + "} } "
        + " ".join(f"fragment F{place} on Cat {{ number }}" for place in range(51)),
    ],
    ids=["fields", "alike", "fragments"],
)  # fmt: skip
def test_what_is_large_is_for_the_rules(text: str) -> None:
    document = parse(text)
    assert not is_plainly_valid(ZOO, document)
    assert validate_document(ZOO, document, RULES) == []


def spread(count: int) -> str:
    return "".join(f"...F{place} " for place in range(count))


def fragments(count: int, inside: str) -> str:
    return "".join(
        f"fragment F{place} on Animal {{ {inside.replace('PLACE', str(place))} }} " for place in range(count)
    )


LARGE: dict[str, Callable[[int], str]] = {
    "fields": lambda count: f"{{ cat {{ {'number ' * count} }} }}",
    "arguments": lambda count: f"{{ animals {{ {'mates(count: 1) { number } ' * count} }} }}",
    "selections": lambda count: (
        "{ animals { "
        + "".join(
            f"mates {{ {' '.join(f'a{place}_{each}: number' for each in range(10))} }} "
            for place in range(count)
        )
        + "} }"
    ),
    "spreads": lambda count: (
        f"{{ animals {{ {f'mates {{ {spread(count)} }} ' * 10} }} }} {fragments(count, 'number')}"
    ),
    "fragments": lambda count: (
        f"{{ animals {{ {spread(count)} }} }} "
        + fragments(
            count,
            "mates { number a: mates { number } } "
            + "".join(f"bPLACE_{each}: number " for each in range(12)),
        )
    ),
}


@pytest.mark.parametrize("shape", LARGE)
def test_what_is_plainly_valid_is_far_from_too_much_for_the_rules(shape: str) -> None:
    drawn = [LARGE[shape](count) for count in range(5, 180, 5)]
    plain = [document for document in map(parse, drawn) if is_plainly_valid(ZOO, document)]
    assert len(drawn) > len(plain) > 2
    with mock.patch.object(overlapping_fields_can_be_merged, "MAX_COMPLEXITY_BUDGET", MOST_COMPARED):
        assert validate_document(ZOO, plain[-1], RULES) == []


def test_fragments_within_fragments_cost_no_time() -> None:
    definitions = " ".join(
        f"fragment F{place} on Animal {{ a: mates {{ ...F{place + 1} }} b: mates {{ ...F{place + 1} }} }}"
        for place in range(40)
    )
    document = parse(f"{{ animals {{ ...F0 }} }} {definitions} fragment F40 on Animal {{ number }}")
    assert not is_plainly_valid(ZOO, document)


@strawberry.input(one_of=True)
class Choice:
    number: strawberry.Maybe[int]
    text: strawberry.Maybe[str]


@strawberry.input
class Kept:
    some: strawberry.Maybe[int]
    other: int | None = 1


@strawberry.type
class Chooser:
    @strawberry.field
    def choose(self, choice: Choice, some: strawberry.Maybe[int], kept: Kept | None = None) -> str:
        return f"{choice} {some} {kept}"


@pytest.mark.parametrize(
    "arguments,is_valid",
    [
        ("choice: {number: 1}", True),
        ('choice: {number: 1, text: "a"}', False),
        ("choice: {}", False),
        ("choice: {number: null}", False),
        ("choice: {number: 1}, some: null", False),
        ("choice: {number: 1}, kept: {some: null}", False),
        ("choice: {number: 1}, kept: {other: null}", True),
    ],
)
def test_what_only_rules_of_strawberry_know_is_for_them(arguments: str, *, is_valid: bool) -> None:
    schema = strawberry.Schema(Chooser)._schema  # noqa: SLF001
    document = parse(f"{{ choose({arguments}) }}")
    assert not is_plainly_valid(schema, document)
    assert (errors_in(schema, document, RULES) == []) is is_valid
