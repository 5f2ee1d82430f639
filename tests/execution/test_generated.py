"""Code is made once for the same kinds of values, whatever they are called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from graphql import GraphQLInt, GraphQLNonNull, GraphQLString

from execution import generated
from execution.generated import Entry, builder
from execution.leaves import leaf_of
from execution.trouble import NotCompilableError, TroubleError

TEXT, NUMBER = leaf_of(GraphQLString), leaf_of(GraphQLNonNull(GraphQLInt))


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    generated._kept.cache_clear()  # noqa: SLF001 (what a test counts)


def test_the_same_kinds_of_values_share_one_compilation() -> None:
    first = builder("Cat", [Entry("a", "name", TEXT), Entry("n", "number", NUMBER), Entry("t", "__typename")])
    second = builder("Dog", [Entry("b", "title", TEXT), Entry("m", "size", NUMBER), Entry("u", "__typename")])

    assert generated._kept.cache_info().misses == 1  # noqa: SLF001
    assert first([SimpleNamespace(name="x", number=1)], ()) == [{"a": "x", "n": 1, "t": "Cat"}]
    assert second([SimpleNamespace(title=None, size=2)], ()) == [{"b": None, "m": 2, "u": "Dog"}]
    with pytest.raises(TroubleError):
        second([SimpleNamespace(title="x", size=None)], ())


def test_names_that_the_code_uses_itself_stand_for_themselves() -> None:
    entries = [
        Entry("k1", "append", TEXT),
        Entry("k0", "a0", TEXT),
        Entry("typename", "c0", TEXT),
        Entry("a1", "__typename"),
        Entry("out"),
    ]
    built = builder("k0", entries)([SimpleNamespace(append="1", a0="2", c0="3")], ())
    assert built == [{"k1": "1", "k0": "2", "typename": "3", "a1": "k0", "out": None}]
    assert list(built[0]) == [key for key, *_ in entries]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40, 300])
def test_any_number_of_fields(count: int) -> None:
    def made(prefix: str) -> tuple[Any, dict[str, str]]:
        names = [f"{prefix}{place}" for place in range(count)]
        build = builder("Cat", [Entry(f"{name}_", name, TEXT) for name in names])
        return build([SimpleNamespace(**{name: name for name in names})], ()), {f"{n}_": n for n in names}

    for prefix in ("a", "k", "other"):
        built, expected = made(prefix)
        assert built == [expected]
        assert list(built[0]) == list(expected)


def test_functions_are_called_for_each_object_in_their_order() -> None:
    entries = [
        Entry("a", None, TEXT, takes_info=False),
        Entry("b", "name", TEXT),
        Entry("c", None, NUMBER, takes_info=True),
        Entry("d", None, NUMBER, takes_info=False),
    ]
    build = builder("Cat", entries)
    calls = [lambda cat: cat.name * 2, (lambda cat, info: cat.number + info, 10), lambda cat: cat.wrong]
    cats = [SimpleNamespace(name=name, number=number, wrong=7) for number, name in enumerate("xy")]
    assert build(cats, calls) == [
        {"a": "xx", "b": "x", "c": 10, "d": 7},
        {"a": "yy", "b": "y", "c": 11, "d": 7},
    ]
    cats[1].wrong = None
    with pytest.raises(TroubleError):
        build(cats, calls)


def test_an_attribute_is_an_identifier() -> None:
    with pytest.raises(NotCompilableError):
        builder("Cat", [Entry("a", "name or exit()", TEXT)])
