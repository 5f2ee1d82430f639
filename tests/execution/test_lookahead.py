"""What a resolver learns of the selection below its field."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry

from execution import lookahead
from execution.lookahead import selects

SEEN: list[bool] = []
WANTED: list[tuple[str, ...]] = []


@strawberry.type
class Leaf:
    name: str = "leaf"


@strawberry.type
class Branch:
    leaves: list[Leaf] = strawberry.field(default_factory=lambda: [Leaf()])
    name: str = "branch"


@strawberry.type
class Tree:
    branch: Branch = strawberry.field(default_factory=Branch)
    other: Branch = strawberry.field(default_factory=Branch)


@strawberry.type
class Query:
    @strawberry.field
    def tree(self, info: strawberry.Info[Any, Any]) -> Tree:
        SEEN.append(selects(info, *WANTED))
        return Tree()


SCHEMA = strawberry.Schema(query=Query)
LEAVES = ("branch", "leaves")


def seen(text: str, *wanted: tuple[str, ...], variables: dict[str, Any] | None = None) -> list[bool]:
    SEEN.clear()
    WANTED[:] = wanted
    assert SCHEMA.execute_sync(text, variables).errors is None
    return [*SEEN]


@pytest.mark.parametrize(
    "text,found",
    [
        ("{ tree { branch { leaves { name } } } }", True),
        ("{ tree { b: branch { l: leaves { name } } } }", True),
        ("{ tree { leaves: branch { name } other { leaves { name } } } }", False),
        (
            "{ tree { branch { name } ... on Tree { branch { ...F } } } } fragment F on Branch { leaves { name } }",
            True,
        ),
        ("{ ...Q } fragment Q on Query { tree { ... { branch { leaves { name } } } } }", True),
        ("{ tree { branch { name } } tree { branch { leaves { name } } } }", True),
        ("query ($no: Boolean = false) { tree { branch { name leaves @include(if: $no) { name } } } }", True),
        ("{ tree { __typename } }", False),
    ],
)
def test_it_is_found_wherever_it_stands(text: str, *, found: bool) -> None:
    assert seen(text, LEAVES) == [found]
    assert seen(text, ("nothing",), LEAVES) == [found]
    assert seen(text) == [False]


def test_each_field_has_its_own() -> None:
    text = "{ a: tree { branch { name } } b: tree { branch { leaves { name } } } c: tree { other { name } } }"
    for _ in range(2):
        assert seen(text, LEAVES) == [False, True, False]
        assert seen(text, ("branch",)) == [True, True, False]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "KEPT", 3)
    for number in range(10):
        assert seen(f"{{ tree {{ branch {{ leaves {{ n{number}: name }} }} }} }}", LEAVES) == [True]
        assert len(lookahead._kept) <= 3  # noqa: SLF001 (nobody is told)
