"""What becomes of the originator fields of a mail that a mailbox sends.

From is the mailbox's own address, exactly once. The name beside it is the mailbox's own; where it has none, that of an
assigned user whose e-mail name was given, or of the only one who is assigned; else there is none. Sender says nothing
more than From, so it goes. A mail that is resent says by whom in the same way. Whatever else stands there is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.sender import headers
from mail.sender.headers import HeaderError
from models import names

WATCHED = frozenset({"from", "sender", "resent-from", "resent-sender"})


@dataclass(frozen=True, slots=True)
class Sender:
    """A mailbox as it sends now: its address, its own name, and the e-mail names of those assigned, None for none."""

    address: str
    name: str | None
    assigned: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A header field as it came, and the how many-th of its name it is, from 1."""

    name: str
    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A field's new value; the empty text removes it."""

    name: str
    number: int
    value: str


class RefusedError(Exception):
    """The mail must not leave; says why in one plain sentence, in ASCII."""


def changes(sender: Sender, fields: list[Field]) -> list[Change]:
    """Return what has to be changed in a mail with these watched fields; raises `RefusedError`."""
    by_name: dict[str, list[Field]] = {name: [] for name in WATCHED}
    for field in fields:
        by_name[field.name.lower()].append(field)
    if len(by_name["from"]) != 1:
        raise RefusedError("A mail has exactly one From.")
    if len(by_name["sender"]) > 1:
        raise RefusedError("A mail has one Sender at most.")
    found = []
    for field in fields:
        given = _own(sender, field)
        if field.name.lower() in {"sender", "resent-sender"}:
            value = ""
        else:
            value = headers.write(field.name, name_of(sender, given), sender.address)
        if value.encode() != field.value:
            found.append(Change(field.name, field.number, value))
    # The last first: what is removed must not renumber what is still to be changed.
    return sorted(found, key=lambda change: -change.number)


def name_of(sender: Sender, given: str) -> str | None:
    """Return the name that leaves, where `given` was written."""
    if sender.name:
        return _allowed(sender.name, sender.address)
    for name in sender.assigned:
        if name and headers.same_name(name, given):
            return _allowed(name, None)
    if len(sender.assigned) == 1 and sender.assigned[0]:
        return _allowed(sender.assigned[0], None)
    return None


def _own(sender: Sender, field: Field) -> str:
    """Return the name in a field that has the mailbox's own address."""
    try:
        originator = headers.read(field.value)
    except HeaderError as error:
        raise RefusedError(f"{field.name.title()} can't be taken: {error}.") from None
    if not headers.same_address(originator.address, sender.address):
        raise RefusedError(f"{field.name.title()} must be the mailbox's own address.")
    return originator.name


def _allowed(name: str, own: str | None) -> str | None:
    """Return a stored name; none where it should never have been stored."""
    return None if names.problem(name, own) else name.strip() or None
