"""What an operation may ask for, and the error of one that asks for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from graphql import GraphQLError

LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each a request may have; the names are those that clients are told.

    The first three are of a document, the others of each of its operations, with its fragments in place of
    their spreads.
    """

    characters: int = 65_536
    """Of the document."""
    tokens: int = 2_000
    """Names, numbers, strings and signs of the document."""
    comments: int = 200
    """In the document."""
    depth: int = 20
    """Fields within fields."""
    fields: int = 1_000
    """Fields in all."""
    root_fields: int = 20
    """Fields of the operation itself."""
    aliases: int = 30
    """Fields that are given another name."""
    directives: int = 50
    """`@skip`, `@include` and their like, however often on one place."""
    directives_at_once: int = 5
    """Directives on one place."""
    list_items: int = 1_000
    """Entries of a list that is given as an argument, within others too."""
    cost: int = 50_000
    """Fields as often as they may be answered: those of a list's entries times the size of its page."""
    secrets: int = 1
    """Mutations that take or hand out a secret."""

    def check(self, counted: Mapping[str, int]) -> None:
        """Raise the error of the first limit that is exceeded, in the order in which they stand here."""
        for name in NAMES:
            if counted.get(name, 0) > getattr(self, name):
                raise exceeded(name, counted[name], getattr(self, name))


NAMES = tuple(each.name for each in fields(Limits))


def exceeded(name: str, counted: int, allowed: int) -> GraphQLError:
    """Return the error of an operation that asks for too much, as clients get it."""
    words = name.replace("_", " ")
    extensions: dict[str, Any] = {
        "code": LIMIT_EXCEEDED,
        "limit": name,
        "counted": counted,
        "allowed": allowed,
    }
    return GraphQLError(
        f"Too much in one request: {counted} {words}, {allowed} allowed.", extensions=extensions
    )
