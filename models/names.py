"""Names beside an address: what none may hold.

Asked where a name is given, and again where one leaves.
"""

from __future__ import annotations

import re
import unicodedata

LENGTH = 128

_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_INVISIBLE_LETTERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Invisible, though Unicode counts them among letters, marks and symbols."""
_ADDRESS_IN_TEXT = re.compile(r"[^\s,;:()\[\]]+@[^\s,;:()\[\]]+")
_SPACED_ADDRESS = re.compile(r"\S\s*@\s*\w[\w-]*(?:\.[\w-]*\w)+")


def problem(text: str, own: str | None = None) -> str | None:
    """Return in one sentence why a text can't be a name, or None where it can.

    `own` is the mailbox's address, the only one that may stand in it; a user's name holds none.
    """
    name = text.strip()
    if len(name) > LENGTH:
        return f"At most {LENGTH} characters."
    # Asked of the whole text: a line break at its end is one all the same.
    if (
        any(unicodedata.category(character) in _INVISIBLE for character in text)
        or set(text) & _INVISIBLE_LETTERS
    ):
        return "Control, invisible and direction-changing characters and line breaks are not allowed."
    for form in (name, unicodedata.normalize("NFKC", name)):
        if "=?" in form or "?=" in form or set(form) & set('<>"\\'):
            return '=? and ?= and the characters < > " \\ are not allowed.'
        if _holds_address(form, own):
            return "An address other than the mailbox's own is not allowed."
    return None


def _holds_address(name: str, own: str | None) -> bool:
    """Whether the name shows an address, also one with blanks around its @, other than `own`."""

    def blank_own(found: re.Match[str]) -> str:
        is_own = own is not None and found[0].strip(".!?'").casefold() == own.casefold()
        return " " if is_own else found[0]

    others = _ADDRESS_IN_TEXT.sub(blank_own, name)
    return bool(_ADDRESS_IN_TEXT.search(others) or _SPACED_ADDRESS.search(others))
