"""Documents that a client names by their SHA-256 instead of sending them: the operator's, and those that clients sent before.

With `only`, the operator's are all that is executed. Otherwise a client may send any document, and once it was executed under its
hash, the hash is enough (automatic persisted queries). What is kept so is bounded by its bytes; when it is gone, the client
sends it again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

KEPT_BYTES = 8 * 1024 * 1024
CHARACTER_BYTES = 4
ENTRY_BYTES = 500


def sha256(text: str) -> str:
    """Return the hash by which a document is named, in hexadecimal digits."""
    # A lone surrogate is in no document that can be executed.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class NotFoundError(Exception):
    """No document is known by this hash: the client may send it."""


class NotTrustedError(Exception):
    """The document is none of the operator's."""


class MismatchError(Exception):
    """The document has another hash."""


class Persisted:
    """Knows documents by their hash."""

    def __init__(
        self, trusted: Mapping[str, str] | None = None, *, only: bool = False, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._trusted = dict(trusted or {})
        self._only = only
        self._most = kept_bytes
        self._kept: OrderedDict[str, str] = OrderedDict()
        self.bytes = 0

    def text_of(self, text: str | None, name: str | None) -> str:
        """Return the document that a request means by its text, its hash, or both.

        Raises `MismatchError` where they differ, `NotTrustedError` for what is not the operator's where only that is executed,
        `NotFoundError` for a hash that nobody has sent a text with.
        """
        if text is not None and name is not None and sha256(text) != name:
            raise MismatchError
        if self._only:
            trusted = self._trusted.get(sha256(text) if text is not None else name or "")
            if trusted is None:
                raise NotTrustedError
            return trusted
        if text is not None:
            return text
        known = self._trusted.get(name or "") or self._kept.get(name or "")
        if known is None:
            raise NotFoundError
        return known

    def keep(self, text: str, name: str) -> None:
        """Keep a document that was executed under its hash."""
        if name in self._trusted or _size(text) > self._most:
            return
        if name in self._kept:
            self._kept.move_to_end(name)
            return
        self._kept[name] = text
        self.bytes += _size(text)
        while self.bytes > self._most:
            self.bytes -= _size(self._kept.popitem(last=False)[1])


def _size(text: str) -> int:
    return len(text) * CHARACTER_BYTES + ENTRY_BYTES
