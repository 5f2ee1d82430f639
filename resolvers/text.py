"""Text from outside: what is taken, and in which form.

Each function returns the text as it is stored, or raises `InvalidInputError` with the given path. Lengths are
in code points.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn

from email_validator import EmailNotValidError, validate_email

from models import folding, names
from resolvers.errors import InvalidInputError

LINE_LENGTH = 100
ADDRESS_LENGTH = 254
SEARCH_LENGTH = 200
GROUP_LENGTH = 100
GROUPS = 100
LANGUAGE_LENGTH = 64
PASSWORD_LENGTHS = (12, 128)
REQUEST_ID_LENGTH = 64

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_OWN_LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9._+-]{0,62}[a-z0-9])?")
_LANGUAGE = re.compile(
    r"""
    (?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})  # language with its extensions
    (?:-[a-z]{4})?                                         # script
    (?:-(?:[a-z]{2}|[0-9]{3}))?                            # region
    (?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*               # variants
    (?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*                    # extensions
    (?:-x(?:-[a-z0-9]{1,8})+)?                             # private use
    |x(?:-[a-z0-9]{1,8})+
    |en-gb-oed|sgn-(?:be-fr|be-nl|ch-de)
    |i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""RFC 5646, section 2.1: well-formed, whether registered or not."""


def is_clean(text: str) -> bool:
    """Whether every database can hold the text: no NUL, no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def clean(text: str, path: list[str], *, most: int | None = None) -> str:
    """Return the text as it came. Refuses NUL, lone surrogates and more than `most` characters."""
    if most is not None and len(text) > most:
        _refuse(f"At most {most} characters.", path)
    if not is_clean(text):
        _refuse("NUL and lone surrogates are not text.", path)
    return text


def line(text: str, path: list[str], *, most: int = LINE_LENGTH) -> str:
    """Return one trimmed line that is not blank.

    Refuses control and direction-changing characters and line breaks.
    """
    trimmed = clean(text, path).strip()
    if not trimmed:
        _refuse("It must not be blank.", path)
    if len(trimmed) > most:
        _refuse(f"At most {most} characters.", path)
    if any(unicodedata.category(character) in _CONTROLS or character in _DIRECTIONS for character in trimmed):
        _refuse("Control and direction-changing characters and line breaks are not allowed.", path)
    return trimmed


def request_id(text: str, path: list[str]) -> str:
    """Return what a client calls a request, as it came: 1 to 64 printable characters."""
    if not 1 <= len(text) <= REQUEST_ID_LENGTH or not text.isprintable():
        _refuse(f"It has 1 to {REQUEST_ID_LENGTH} printable characters.", path)
    return text


def own_address(text: str, path: list[str], *, plus: bool = False) -> str:
    """Return the address of a login or a mailbox, in lower case; its domain in ASCII, as domains are stored.

    The local part is of letters, digits and `.`, `_`, `-` within them; `plus` allows `+` too, which a mailbox
    can't have because mail servers cut a recipient there.
    """
    address = _email(text, path, international=False)
    local, _, _ = address.partition("@")
    if not _OWN_LOCAL_PART.fullmatch(local) or ".." in local or ("+" in local and not plus):
        _refuse("Before the @ only letters, digits and . _ - between them are possible.", path)
    return address


def email(text: str, path: list[str]) -> str:
    """Return any e-mail address in its normal form: whether mail reaches it is not asked."""
    return _email(text, path, international=True)


def leads_into(address: str, mailbox: str) -> bool:
    """Whether mail to an address in its normal form comes into a mailbox: whatever its case, and what stands behind a +."""
    local, _, own_domain = mailbox.rpartition("@")
    found = validate_email(address, check_deliverability=False, test_environment=True)
    return found.local_part.partition("+")[0].casefold() == local and found.ascii_domain == own_domain


def lookup_address(text: str) -> str:
    """Return a login or a mailbox's address as it would be stored; the empty text where it can't be one."""
    try:
        return own_address(text, [], plus=True)
    except InvalidInputError:
        return ""


def domain_of(address: str) -> str:
    """Return what stands after the last @."""
    return address.rpartition("@")[2]


def display_name(text: str | None, path: list[str], *, own: str | None = None) -> str | None:
    """Return the name beside an address, trimmed; None where it is null or blank.

    `own` is the mailbox's address, the only one that may stand in it; a user's name holds none.
    """
    if text is None or not clean(text, path).strip():
        return None
    problem = names.problem(text, own)
    if problem is not None:
        _refuse(problem, path)
    return text.strip()


def password(text: str, path: list[str]) -> str:
    """Return a password that a user may set, as it came: 12 to 128 characters of any kind."""
    least, most = PASSWORD_LENGTHS
    if not least <= len(text) <= most:
        _refuse(f"A password has {least} to {most} characters.", path)
    return clean(text, path)


def language(text: str, path: list[str]) -> str:
    """Return a language tag as it came; well-formed by BCP 47 is enough."""
    if len(text) > LANGUAGE_LENGTH or not _LANGUAGE.fullmatch(text):
        _refuse("A language is a tag of BCP 47, such as de or en-GB.", path)
    return text


def office_groups(names: list[str], path: list[str]) -> list[str]:
    """Return the names of office groups, trimmed, each once, in the order of their characters."""
    if len(names) > GROUPS:
        _refuse(f"At most {GROUPS} groups.", path)
    return sorted({line(name, path, most=GROUP_LENGTH) for name in names})


def search(text: str | None, path: list[str]) -> list[str]:
    """Return the folded words of a search; none when it is null or blank."""
    return [] if text is None else folding.words(clean(text, path, most=SEARCH_LENGTH))


def _email(text: str, path: list[str], *, international: bool) -> str:
    if len(text) > ADDRESS_LENGTH or not is_clean(text):
        _refuse("This is not an e-mail address.", path)
    try:
        found = validate_email(
            text, check_deliverability=False, test_environment=True, allow_smtputf8=international
        )
    except EmailNotValidError as error:
        raise InvalidInputError("This is not an e-mail address.", path) from error
    if international:
        return str(found.normalized)
    return str(found.ascii_email).lower()


def _refuse(message: str, path: list[str]) -> NoReturn:
    raise InvalidInputError(message, path)
