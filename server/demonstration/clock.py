"""The moments and the German dates of the demonstration, all counted back from one now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

# A fixed offset: the demonstration must come out the same on a machine without a time-zone database.
OFFICE: Final = timezone(timedelta(hours=1))

_WEEKDAYS: Final = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS: Final = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
_SUNDAY: Final = 6
_SATURDAY: Final = 5
_OPENS: Final = 8
_CLOSES: Final = 18


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns "92 09:00" (days before today, office time) and "now-20" (minutes) into moments that are past."""

    now: datetime

    def __post_init__(self) -> None:
        """Refuse a now without an offset, which would mean another moment on every machine."""
        if self.now.utcoffset() is None:
            raise ValueError("the demonstration needs a now with an offset")

    def at(self, days: int, time: str = "09:00") -> datetime:
        """Give the moment `time` ("HH:MM" or "HH:MM:SS") `days` before today; `days` is 1 or more."""
        if days < 1:
            raise ValueError(f"{days} days ago may lie in the future")
        hour, minute, second = (int(part) for part in f"{time}:00".split(":")[:3])
        midnight = self.now.astimezone(OFFICE).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=days) + timedelta(hours=hour, minutes=minute, seconds=second)

    def read(self, words: str) -> datetime:
        """Read a moment of the text files: "92 09:00", "92 09:00:00" or "now-20"."""
        if words.startswith("now-"):
            return self.now.astimezone(OFFICE) - timedelta(minutes=int(words.removeprefix("now-")))
        days, time = words.split()
        return self.at(int(days), time)


def office_hour(moment: datetime, minute: int) -> datetime:
    """Give `moment`, or `minute` after the next opening where the office is closed at that moment."""
    moment = moment.astimezone(OFFICE)
    if moment.hour >= _CLOSES:
        moment = moment.replace(hour=0) + timedelta(days=1)
    while moment.weekday() >= _SATURDAY:
        moment = moment.replace(hour=0) + timedelta(days=1)
    return moment if moment.hour >= _OPENS else moment.replace(hour=_OPENS, minute=minute)


def spoken_day(moment: datetime) -> str:
    """Say the day: "Donnerstag, 14. März"."""
    return f"{_WEEKDAYS[moment.weekday()]}, {moment.day}. {_MONTHS[moment.month - 1]}"


def spoken_slot(moment: datetime) -> str:
    """Say the day and the time of an appointment: "Donnerstag, 14. März, 16:30 Uhr"."""
    time = f"{moment:%H:%M}" if moment.minute else f"{moment.hour}"
    return f"{spoken_day(moment)}, {time} Uhr"


def weekday(moment: datetime) -> str:
    """Say the weekday alone."""
    return _WEEKDAYS[moment.weekday()]


def working_day(moment: datetime) -> datetime:
    """Give the same time on the next day where `moment` is a Sunday: nobody makes an appointment for one."""
    return moment + timedelta(days=1) if moment.weekday() == _SUNDAY else moment


@dataclass(frozen=True, slots=True)
class _Words:
    """A placeholder with days to add: `{day:+4}` is the spoken day four days after the mail was written."""

    moment: datetime
    form: str

    def __format__(self, days: str) -> str:
        moment = self.moment + timedelta(days=int(days or 0))
        match self.form:
            case "day":
                return spoken_day(working_day(moment))
            case "date":
                return f"{moment:%d.%m.%Y}"
            case "month":
                return _MONTHS[moment.month - 1]
            case _:
                return f"{moment.year}"


def date_words(written: datetime) -> Mapping[str, object]:
    """Give the placeholders `day`, `date`, `month` and `year` for a mail that was written at that moment."""
    moment = written.astimezone(OFFICE)
    return MappingProxyType({form: _Words(moment, form) for form in ("day", "date", "month", "year")})
