"""A line as a JSON object whose values are asked for by key and type.

Every refusal is a `LineRefusedError` that names the key and what was expected, and shows no value.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from resolvers.importing.errors import LineRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

Choice = TypeVar("Choice", bound=StrEnum)

LINE_BYTES = 16 * 1024 * 1024
"""An e-mail's text has at most 500,000 characters, six or twelve bytes each where they are escaped."""

_SPACED_KEY = re.compile(rb'"\s+:')
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def parse(line: bytes) -> Record:
    """Return the object that a line holds."""
    if len(line) > LINE_BYTES:
        raise LineRefusedError(f"A line has at most {LINE_BYTES} bytes.")
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LineRefusedError(_not_json(error, line)) from None
    if not isinstance(values, dict):
        raise LineRefusedError("A line is one JSON object.")
    # A quote that a colon follows ends a key: within text it would have a backslash before it. Where they are not as
    # many as the keys that were found, a key stands twice, or the line is written in an unusual way.
    keys = line.count(b'":') - line.count(b'\\":')
    if keys != _count_keys(values) or _SPACED_KEY.search(line):
        _check_that_keys_are_once(line)
    return Record(values)


def _not_json(error: orjson.JSONDecodeError, line: bytes) -> str:
    if "UTF-8" in error.msg:
        return "This is not UTF-8."
    column = min(error.pos, len(line.rstrip().decode(errors="replace"))) + 1
    if "surrogate" in error.msg:
        return f"A lone surrogate is not text, column {column}."
    return f"This is not JSON, column {column}."


def _count_keys(values: dict[str, Any]) -> int:
    """Count the keys of an object, of objects in it and in lists in it."""
    count = len(values)
    for value in values.values():
        if isinstance(value, dict):
            count += len(value)
        elif isinstance(value, list):
            count += sum(len(each) for each in value if isinstance(each, dict))
    return count


def _check_that_keys_are_once(line: bytes) -> None:
    try:
        json.loads(line, object_pairs_hook=_once)
    except (RecursionError, ValueError):
        raise LineRefusedError("No line is as deep or as large as that.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise LineRefusedError("A key stands twice in an object.")
    return found


class Record:
    """One JSON object; `path` is where it stands in the line."""

    __slots__ = ("path", "values")

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    def where(self, key: str) -> list[str]:
        """Return the place of a key as the checks of input name it."""
        return [*self.path.split(".")[:-1], key]

    def refusal(self, key: str, reason: str) -> LineRefusedError:
        """Return what refuses the line because of what stands under a key."""
        return LineRefusedError(f"{self.path}{key}: {reason}")

    def check_keys(self, required: frozenset[str], allowed: frozenset[str]) -> None:
        """Refuse a key that is not `allowed`, by its place, and a `required` one that is missing."""
        if not self.values.keys() <= allowed:
            place = next(place for place, key in enumerate(self.values, 1) if key not in allowed)
            where = f"{self.path.removesuffix('.')}: " if self.path else ""
            raise LineRefusedError(f"{where}Key number {place} is unknown.")
        if not required <= self.values.keys():
            raise self.refusal(min(required - self.values.keys()), "This key is missing.")

    def _is(self, key: str, kind: type, words: str) -> Any:  # noqa: ANN401 (of the kind)
        value = self.values[key]
        if not isinstance(value, kind):
            raise self.refusal(key, f"Expected {words}.")
        return value

    def text(self, key: str) -> str:
        """Return a text."""
        found: str = self._is(key, str, "a text")
        if "\0" in found:
            raise self.refusal(key, "NUL is not text.")
        return found

    def text_or_none(self, key: str) -> str | None:
        """Return a text, or None for null and for a key that is missing."""
        return None if self.values.get(key) is None else self.text(key)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        return self._is(key, bool, "true or false") if key in self.values else default

    def choice(self, key: str, choices: type[Choice], default: Choice | None = None) -> Choice:
        """Return one of a few words."""
        if default is not None and key not in self.values:
            return default
        words = self._is(key, str, "a text")
        if words not in choices.__members__:
            raise self.refusal(key, f"Expected {' or '.join(choices.__members__)}.")
        return choices[words]

    def _list(self, key: str) -> list[Any]:
        found: list[Any] = self._is(key, list, "a list") if key in self.values else []
        return found

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, empty for a key that is missing."""
        found = self._list(key)
        for place, each in enumerate(found):
            if not isinstance(each, str):
                raise self.refusal(f"{key}.{place}", "Expected a text.")
            if "\0" in each:
                raise self.refusal(f"{key}.{place}", "NUL is not text.")
        return found

    def choices(self, key: str, choices: type[Choice]) -> list[Choice]:
        """Return a list of words out of a few, empty for a key that is missing."""
        for place, each in enumerate(self._list(key)):
            if not isinstance(each, str) or each not in choices.__members__:
                raise self.refusal(f"{key}.{place}", f"Expected {' or '.join(choices.__members__)}.")
        return [choices[each] for each in self._list(key)]

    def record_or_none(self, key: str) -> Record | None:
        """Return an object, or None for null and for a key that is missing."""
        if self.values.get(key) is None:
            return None
        return Record(self._is(key, dict, "an object or null"), f"{self.path}{key}.")

    def records(self, key: str) -> Iterator[Record]:
        """Return the objects of a list, none for a key that is missing."""
        for place, each in enumerate(self._list(key)):
            if not isinstance(each, dict):
                raise self.refusal(f"{key}.{place}", "Expected an object.")
            yield Record(each, f"{self.path}{key}.{place}.")

    def instant(self, key: str) -> datetime:
        """Return an instant in UTC."""
        written = self.values[key]
        if isinstance(written, str) and _INSTANT.fullmatch(written):
            try:
                return datetime.fromisoformat(written.upper()).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
        raise self.refusal(
            key, "Expected a time of RFC 3339 with an offset, to the microsecond, as 2024-03-01T09:30:00Z."
        )

    def instant_or_none(self, key: str) -> datetime | None:
        """Return an instant in UTC, or None for null and for a key that is missing."""
        return None if self.values.get(key) is None else self.instant(key)
