"""Instants: what is read, what is refused, and how one is written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import InstantError, parse_instant, write_instant


@pytest.mark.parametrize(
    "text,instant",
    [
        ("2024-03-01T09:30:00Z", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01t09:30:00z", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01T09:30:00.5+01:00", datetime(2024, 3, 1, 8, 30, 0, 500_000, tzinfo=UTC)),
        ("2024-03-01T09:30:00.000001-23:59", datetime(2024, 3, 2, 9, 29, 0, 1, tzinfo=UTC)),
        ("2024-02-29T00:00:00-00:00", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, instant: datetime) -> None:
    read = parse_instant(text)
    assert (read, read.tzinfo) == (instant, UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2024-03-01",
        "2024-03-01T09:30:00",
        "2024-03-01T09:30Z",
        "2024-03-01 09:30:00Z",
        "2024-03-01T09:30:00 Z",
        " 2024-03-01T09:30:00Z",
        "2024-03-01T09:30:00Z\n",
        "2024-03-01T24:00:00Z",
        "2024-03-01T23:59:60Z",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-W09-5T00:00:00Z",
        "20240301T093000Z",
        "2024-03-01T09:30:00.Z",
        "2024-03-01T09:30:00,5Z",
        "2024-03-01T09:30:00.0000001Z",
        "2024-03-01T09:30:00+0100",
        "2024-03-01T09:30:00+01",
        "2024-03-01T09:30:00+24:00",
        "2024-03-01T09:30:00+01:60",
        "2024-03-01T09:30:00+01:00:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff14-03-01T09:30:00Z",
        "\0",
        "\ud800",
        1709285400,
        None,
        True,
        ["2024-03-01T09:30:00Z"],
    ],
)
def test_anything_else_is_no_instant(value: object) -> None:
    with pytest.raises(InstantError):
        parse_instant(value)


def test_an_instant_is_written_in_utc() -> None:
    assert write_instant(datetime(2024, 3, 1, 9, 30, tzinfo=UTC)) == "2024-03-01T09:30:00Z"
    assert write_instant(datetime(2024, 3, 1, 9, 30, 0, 10, tzinfo=UTC)) == "2024-03-01T09:30:00.000010Z"
    berlin = timezone(timedelta(hours=1))
    assert write_instant(datetime(2024, 3, 1, 0, 30, tzinfo=berlin)) == "2024-02-29T23:30:00Z"
    assert write_instant(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_again(instant: datetime) -> None:
    assert parse_instant(write_instant(instant)) == instant
