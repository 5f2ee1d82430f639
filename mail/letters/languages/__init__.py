"""The languages of what people without an account read: a file each, `TAG.toml`, with the same keys in all.

One more language is one more file. In its sentences stand names in braces, the same as in the others; a test holds
the files against each other.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

DEFAULT = "de"
_WEIGHT = re.compile(r"\s*q=([01](?:\.\d{0,3})?)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Language:
    """A language's sentences: those of letters, and those of the page with a password. `tag` is that of BCP 47."""

    tag: str
    name: str
    sentences: Mapping[str, str]
    page: Mapping[str, str]
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    moment_format: str
    zone: ZoneInfo
    zone_names: Mapping[str, str]

    def text(self, key: str, **values: str) -> str:
        """Return a sentence with its values, as plain text."""
        return self.sentences[key].format_map(values)

    def html(self, key: str, **values: str) -> Markup:
        """Return a sentence with its values as HTML; neither can hold any element of its own."""
        return Markup.escape(self.sentences[key]).format_map(values)

    def moment(self, at: datetime) -> str:
        """Return a moment in words, in the time zone of most who read the language."""
        local = at.astimezone(self.zone)
        zone = local.strftime("%Z")
        return self.moment_format.format(
            weekday=self.weekdays[local.weekday()],
            day=local.day,
            month=self.months[local.month - 1],
            year=local.year,
            hour=local.hour,
            minute=local.minute,
            zone=self.zone_names.get(zone, zone),
        )


@cache
def languages() -> Mapping[str, Language]:
    """Return the languages there are, by their tags."""
    found = {}
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(".toml"):
            tag = file.name.removesuffix(".toml")
            found[tag] = _read(tag, tomllib.loads(file.read_text("utf-8")))
    return found


def choose(tag: str | None) -> Language:
    """Return the language of a tag, or of what it begins with (RFC 4647, section 3.4); German where there is none."""
    known = languages()
    parts = (tag or "").lower().split("-")
    while parts:
        found = known.get("-".join(parts))
        if found is not None:
            return found
        parts.pop()
    return known[DEFAULT]


def accepted(header: str) -> Language:
    """Return the language that an Accept-Language header (RFC 9110, section 12.5.4) wants most; German where it wants none."""
    known = languages()
    best, most = known[DEFAULT], 0.0
    for each in header.split(","):
        tag, _, weight = each.partition(";")
        found = known.get(tag.strip().partition("-")[0].lower())
        quality = _quality(weight)
        if found is not None and quality > most:
            best, most = found, quality
    return best


def _quality(weight: str) -> float:
    found = _WEIGHT.fullmatch(weight)
    return 1.0 if not weight.strip() else float(found[1]) if found else 0.0


def _read(tag: str, data: dict[str, Any]) -> Language:
    moment = data["moment"]
    return Language(
        tag=tag,
        name=data["name"],
        sentences=data["sentences"],
        page=data["page"],
        months=tuple(moment["months"]),
        weekdays=tuple(moment["weekdays"]),
        moment_format=moment["format"],
        zone=ZoneInfo(moment["zone"]),
        zone_names=moment["zone_names"],
    )
