"""Hashes of passwords: which are taken as they come."""

from __future__ import annotations

import base64
import binascii
import re

from resolvers.errors import InvalidInputError

MEMORY_KIBIBYTES = 256 * 1024
PASSES = 10
LANES = 64
SALT_BYTES = range(8, 65)
HASH_BYTES = range(16, 129)

_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)",
    re.ASCII,
)


def check_hash(text: str, path: list[str]) -> str:
    """Return a hash that a sign-in can be checked against at a cost that the server can bear.

    Argon2id in PHC form, at most 256 MiB and 10 passes; else raises `InvalidInputError`.
    """
    found = _PHC.fullmatch(text)
    if found is None:
        raise InvalidInputError("Expected Argon2id in PHC form.", path)
    memory, passes, lanes = (int(number) for number in found.groups()[:3])
    if memory > MEMORY_KIBIBYTES or passes > PASSES or lanes > LANES:
        raise InvalidInputError("At most 256 MiB, 10 passes and 64 lanes.", path)
    # Fewer are refused by Argon2 itself (RFC 9106, section 3.1).
    if memory < 8 * lanes:
        raise InvalidInputError("At least 8 KiB for each lane.", path)
    if _length(found[4]) not in SALT_BYTES or _length(found[5]) not in HASH_BYTES:
        raise InvalidInputError("Salt or hash is not base64 of a usual length.", path)
    return text


def memory_of(text: str) -> int:
    """Return how many KiB a hash that `check_hash` took needs."""
    found = _PHC.fullmatch(text)
    return 0 if found is None else int(found[1])


def _length(encoded: str) -> int:
    """Return how many bytes unpadded base64 stands for; 0 where it is not the one way to write them."""
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return 0
    return len(decoded) if base64.b64encode(decoded).rstrip(b"=").decode() == encoded else 0
