"""Seals: secrets that must be showable, encrypted so that they open only where they belong.

A token is `v1.<key id>.<base64url of nonce and ciphertext>`: AES-256-GCM-SIV (RFC 8452) under a key that HKDF-SHA256
(RFC 5869) derives from a key of the ring for one purpose. It is bound to its purpose, its key's id and whatever the
caller names: a token that was moved to another row does not open. The first key of the ring seals, all of them open.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.keys import KEY_BYTES

if TYPE_CHECKING:
    from uuid import UUID

    from models.keys import KeyRing

VERSION = "v1"
NONCE_BYTES = 12
TAG_BYTES = 16


class Purpose(StrEnum):
    """What is sealed; each has keys of its own, so that nothing sealed for one opens as another."""

    MAILBOX_PASSWORD = "mailbox password"  # noqa: S105 (a purpose)
    LETTER = "letter"


class SealError(Exception):
    """The token does not open: it is none, was changed, belongs elsewhere, or its key is not in the ring."""


class UnknownKeyError(SealError):
    """The ring has no key with the id that the token names. `key_id` is that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key ring has no key {key_id!r}")
        self.key_id = key_id


class Seals:
    """Seals and opens with a key ring. Its representation shows no key."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers: dict[tuple[Purpose, str], AESGCMSIV] = {}

    def seal(self, purpose: Purpose, secret: str, *bound: str | int | UUID) -> str:
        """Return a token for `secret` that opens only for the same purpose and the same `bound`."""
        key_id, _ = self._ring.first
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = self._cipher(purpose, key_id).encrypt(
            nonce, secret.encode(), _associated(purpose, key_id, bound)
        )
        return f"{VERSION}.{key_id}.{_encoded(nonce + ciphertext)}"

    def open(self, token: str, purpose: Purpose, *bound: str | int | UUID) -> str:
        """Return what was sealed. Raises `SealError`, whose text holds nothing of the secret or the token."""
        key_id, data = _parts(token)
        if self._ring.get(key_id) is None:
            raise UnknownKeyError(key_id)
        nonce, ciphertext = data[:NONCE_BYTES], data[NONCE_BYTES:]
        try:
            secret = self._cipher(purpose, key_id).decrypt(
                nonce, ciphertext, _associated(purpose, key_id, bound)
            )
        except InvalidTag:
            raise SealError("the token was changed, belongs elsewhere, or has another key") from None
        return secret.decode()

    def is_current(self, token: str) -> bool:
        """Return whether the token names the ring's first key. Raises `SealError` where it is no token."""
        return _parts(token)[0] == self._ring.first[0]

    def _cipher(self, purpose: Purpose, key_id: str) -> AESGCMSIV:
        cipher = self._ciphers.get((purpose, key_id))
        if cipher is None:
            derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"postfach {VERSION} {purpose}".encode())
            cipher = self._ciphers[purpose, key_id] = AESGCMSIV(derived.derive(self._ring.keys[key_id]))
        return cipher


def key_id_of(token: str) -> str:
    """Return the id of the key that a token names. Raises `SealError` where it is no token."""
    return _parts(token)[0]


def _parts(token: str) -> tuple[str, bytes]:
    """Return key id and data of a token in its one way to be written."""
    # A key's id may hold dots, the rest may not.
    version, _, rest = token.partition(".")
    key_id, _, encoded = rest.rpartition(".")
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    # Base64 has several spellings of the same bytes: a token has one.
    if version != VERSION or not key_id or len(data) < NONCE_BYTES + TAG_BYTES or _encoded(data) != encoded:
        raise SealError("this is no token")
    return key_id, data


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _associated(purpose: Purpose, key_id: str, bound: tuple[str | int | UUID, ...]) -> bytes:
    """Return what a token is bound to, so written that no two lists of values look the same."""
    parts = [str(value).encode() for value in (VERSION, purpose.value, key_id, *bound)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
