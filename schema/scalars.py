"""The scalar for instants, stricter than Strawberry's own: what has no offset is nobody's moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from resolvers.errors import ErrorCode

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_HOURS, _MINUTES = 23, 59


class InstantError(ValueError):
    """The text is no RFC 3339 instant that can be kept."""

    def __init__(self) -> None:
        super().__init__(
            "An instant is RFC 3339 with an offset, such as 2024-03-01T09:30:00.000001+01:00, "
            "to the microsecond at most, in the years 1 to 9999."
        )


def parse_instant(value: object) -> datetime:
    """Return the instant that an RFC 3339 text names, in UTC.

    Raises `InstantError` for a text without an offset, more than six digits of a second, 24:00, a leap
    second, a day that is not in the calendar, and what is outside of the years 1 to 9999 in UTC.
    """
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InstantError
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    offset = timedelta(0)
    if sign is not None:
        if int(hours) > _HOURS or int(minutes) > _MINUTES:
            raise InstantError
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        local = datetime(
            year,
            month,
            day,
            hour,
            minute,
            second,
            int((fraction or "0").ljust(6, "0")),
            tzinfo=timezone(offset),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InstantError from error


def write_instant(value: datetime) -> str:
    """Return the instant in UTC with a trailing Z; microseconds only when they are not zero."""
    if value.tzinfo is UTC:
        # As the database gives it, and two hundred times in a page.
        return value.isoformat()[:-6] + "Z"
    in_utc = value.astimezone(UTC)
    precision = "microseconds" if in_utc.microsecond else "seconds"
    return in_utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _parse(value: object) -> datetime:
    try:
        return parse_instant(value)
    except InstantError as error:
        raise GraphQLError(str(error), extensions={"code": ErrorCode.INVALID_INPUT.value}) from error


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description=(
        "An instant as RFC 3339 has it, with an offset and at most six digits of a second. "
        "Written in UTC with a trailing Z; microseconds are kept when they are not zero."
    ),
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=write_instant,
    parse_value=_parse,
)
"""Goes into `scalar_map` for `datetime`."""
