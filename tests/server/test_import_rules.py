"""The reader that judges the demonstration finds what it is there to find."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from server.demonstration import lines
from tests.server.import_rules import Reader

NOW: Final = datetime(2026, 11, 22, 13, 5, 27, 318_204, tzinfo=UTC)
CHEF: Final = "chef@nordlicht.example"


def _later(row: dict[str, Any]) -> None:
    row["bookings"][0]["decisiveAt"] = (NOW + timedelta(microseconds=1)).isoformat()


def _by_a_stranger(row: dict[str, Any]) -> None:
    row["bookings"][0]["user"] = "paula@alster.example"


def _by_somebody_who_had_left(row: dict[str, Any]) -> None:
    row["bookings"][0]["user"] = "katja@nordlicht.example"


def _twice_at_one_mailbox(row: dict[str, Any]) -> None:
    row["bookings"] *= 2


def _unbooked(row: dict[str, Any]) -> None:
    row["bookings"] = []


def _from_another(row: dict[str, Any]) -> None:
    row["sender"] = "info@nordlicht.example"


def _of_the_other_agency(row: dict[str, Any]) -> None:
    row["agency"] = "alster"


def _with_an_unknown_key(row: dict[str, Any]) -> None:
    row["password"] = "secret"


SPOILERS: Final = (
    _later,
    _by_a_stranger,
    _by_somebody_who_had_left,
    _twice_at_one_mailbox,
    _unbooked,
    _from_another,
    _of_the_other_agency,
    _with_an_unknown_key,
)


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__.strip("_"))
def test_the_rules_are_really_asked(spoil: Callable[[dict[str, Any]], None]) -> None:
    rows = [json.loads(line) for line in lines(NOW)]
    outgoing = [row for row in rows if row.get("sender") == CHEF]
    spoil(outgoing[-1])
    with pytest.raises(AssertionError):
        Reader.read(map(json.dumps, rows), NOW)


@pytest.mark.parametrize("overlap", [timedelta(microseconds=1), timedelta(days=1)])
def test_a_period_that_overlaps_is_found(overlap: timedelta) -> None:
    rows = [json.loads(line) for line in lines(NOW)]
    back = [row for row in rows if row.get("user") == "greta@nordlicht.example" and row["mailbox"] == CHEF]
    back[1]["from"] = (datetime.fromisoformat(back[0]["until"]) - overlap).isoformat()
    with pytest.raises(AssertionError, match=r"greta@nordlicht\.example"):
        Reader.read(map(json.dumps, rows), NOW)
