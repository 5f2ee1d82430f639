"""An input of plain values is what Strawberry itself would make of it."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition

from schema.activity import BookMailInput
from schema.enums import MailPart
from schema.inputs import plain
from schema.scalars import DATE_TIME


def taking(mark: Callable[[type[Any]], type[Any]]) -> strawberry.Schema:
    """A schema that tells what its resolver is given."""

    @mark
    @strawberry.input
    class Given:
        first_word: str
        part: MailPart
        at: datetime | None = strawberry.UNSET
        words: list[str] | None = strawberry.UNSET
        numbers: list[int | None] = strawberry.field(default_factory=lambda: [1, 2])
        note: str | None = None
        renamed: str | None = strawberry.field(default=None, name="otherName")

    @strawberry.type
    class Query:
        @strawberry.field
        def told(self, given: Given) -> str:
            values = asdict(given)
            given.numbers.append(3)
            return repr(values)

    return strawberry.Schema(Query, config=StrawberryConfig(scalar_map={datetime: DATE_TIME}))


SCHEMAS = [taking(lambda given: given), taking(plain)]


@pytest.mark.parametrize(
    "given",
    [
        {"firstWord": "a", "part": "SENDING"},
        {"firstWord": "", "part": "RECEIVING", "at": None, "words": None, "note": None},
        {"firstWord": "a", "part": "SENDING", "at": "2024-03-01T09:30:00Z", "words": [], "otherName": "b"},
        {"firstWord": "a", "part": "SENDING", "words": ["b", "c"], "numbers": [None, 4]},
        {"firstWord": "a", "part": "SENDING", "words": "alone"},
    ],
)
def test_values_are_those_of_strawberry(given: dict[str, Any]) -> None:
    text = "query ($given: Given!) { told(given: $given) }"
    for _ in range(2):
        plainly, strawberrys = (schema.execute_sync(text, {"given": given}) for schema in SCHEMAS)
        assert plainly.errors is strawberrys.errors is None
        assert plainly.data == strawberrys.data


@pytest.mark.parametrize(
    "given", [{}, {"firstWord": None, "part": "SENDING"}, {"firstWord": "a", "part": "x"}]
)
def test_what_is_wrong_is_refused_as_before(given: dict[str, Any]) -> None:
    text = "query ($given: Given!) { told(given: $given) }"
    plainly, strawberrys = (schema.execute_sync(text, {"given": given}) for schema in SCHEMAS)
    assert plainly.errors is not None
    assert strawberrys.errors is not None
    assert [str(each) for each in plainly.errors] == [str(each) for each in strawberrys.errors]


def test_what_is_marked_has_plain_fields() -> None:
    for field in get_object_definition(BookMailInput, strict=True).fields:
        kind: Any = field.type
        while isinstance(kind, StrawberryOptional | StrawberryList):
            kind = kind.of_type
        assert get_object_definition(kind) is None, field.name
