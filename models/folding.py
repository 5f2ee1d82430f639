"""Text made comparable: the same order and the same search on every database, whatever its collation."""

from __future__ import annotations

import unicodedata

SEPARATOR = "\x1f"
"""Sorts before every character that a name may hold, and occurs in none."""


def fold(text: str) -> str:
    """Return `text` for comparison whatever the case ("STRASSE" as "straße"), in composed form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def sort_key(*parts: str) -> str:
    """Return a key that orders by the first part, then the next, whatever case and accents (DIN 5007-1.

    Ä as a).
    """
    return SEPARATOR.join(_plain(part) for part in parts)


def search_key(*parts: str | None) -> str:
    """Return what a search looks in: each part folded, one a line, so that no word spans two of them."""
    return "\n".join(fold(part) for part in parts if part)


def words(search: str) -> list[str]:
    """Return the folded words of a search, each once, the longest first."""
    return sorted(set(fold(search).split()), key=lambda word: (-len(word), word))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", fold(text))
    return "".join(character for character in decomposed if not unicodedata.combining(character))
