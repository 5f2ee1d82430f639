"""Key rings: secret keys with names, the first for what is new, all for what is there."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_key_id(text: str) -> bool:
    """Return whether a key may have this name."""
    return _NAME.fullmatch(text) is not None


class KeyRingError(ValueError):
    """The text is no key ring; says what is wrong with which entry, and never a key."""


@dataclass(frozen=True)
class KeyRing:
    """At least one key of 32 bytes by its name, in the order given. Its representation shows no key."""

    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read `id:base64-of-32-bytes,…`; spaces and line ends around an entry don't matter.

        Raises `KeyRingError` for anything else, two entries with one name among them.
        """
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(text.split(","), 1):
            name, colon, encoded = entry.strip().partition(":")
            if not colon or not _NAME.fullmatch(name):
                raise KeyRingError(
                    f"entry {number} has no id of 1 to 64 letters, digits, '.', '_', '-' before a colon"
                )
            if name in keys:
                raise KeyRingError(f"entry {number} repeats an id")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise KeyRingError(f"the key of entry {number} is not base64") from None
            if len(key) != KEY_BYTES:
                raise KeyRingError(f"the key of entry {number} has {len(key)} bytes")
            keys[name] = key
        return cls(keys)

    @classmethod
    def generate(cls) -> KeyRing:
        """Make a ring of one new key."""
        return cls({f"k{secrets.token_hex(4)}": secrets.token_bytes(KEY_BYTES)})

    def text(self) -> str:
        """Return what `parse` reads: it holds the keys."""
        return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in self.keys.items())

    @property
    def first(self) -> tuple[str, bytes]:
        """The name and the key for what is new."""
        return next(iter(self.keys.items()))

    def get(self, name: object) -> bytes | None:
        """Return the key of this name, or None."""
        return self.keys.get(name) if isinstance(name, str) else None
