"""A drawn document is looked at several times."""

from functools import lru_cache

from graphql import DocumentNode, parse


@lru_cache(maxsize=16)
def parsed(document: str) -> DocumentNode:
    """Return the document's tree, which nobody may change."""
    return parse(document, no_location=True)
