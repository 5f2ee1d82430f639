"""What stops a compiled operation."""

from __future__ import annotations


class NotCompilableError(Exception):
    """The document uses what is not compiled; the text says what."""


class TroubleError(Exception):
    """Something is not as in an answer without errors: a null that may not be, a value of another type.

    The operation is then executed once more by GraphQL's own executor, which says what is wrong and where.
    """
