"""Signs configuration profiles, so that a device names who made them: CMS (RFC 5652) around the very bytes.

Key and certificates are read from files anew when these change, as a renewal of the web server's certificate changes
them. While what lies there is not good, the pair from before stays.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

log = logging.getLogger("postfach.mail")


class SigningError(Exception):
    """Nothing can be signed with these files. The text says what was expected of which, and nothing of the key.

    `is_of_key` says whether the key's file is at fault.
    """

    def __init__(self, file: Path, expected: str, *, is_of_key: bool) -> None:
        super().__init__(f"{file}: expected {expected}")
        self.expected = expected
        self.is_of_key = is_of_key


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate, and the certificates between it and one that devices trust."""

    key: RSAPrivateKey | EllipticCurvePrivateKey
    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]

    @property
    def expires_at(self) -> datetime:
        """Until when devices believe the certificate."""
        return self.certificate.not_valid_after_utc

    def sign(self, content: bytes) -> bytes:
        """Return the content within its signature, in DER: it can be taken out as it was."""
        builder = (
            pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(self.certificate, self.key, SHA256())
        )
        for each in self.others:
            builder = builder.add_certificate(each)
        return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def read_signer(certificate_file: Path, key_file: Path) -> Signer:
    """Read a signer from PEM: the certificate first in its file, those above it after it; a key without a password.

    Raises `SigningError`.
    """
    try:
        certificate, *others = x509.load_pem_x509_certificates(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningError(
            certificate_file, "a readable file with certificates in PEM", is_of_key=False
        ) from error
    try:
        key = load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise SigningError(
            key_file, "a readable file with a private key in PEM, without a password", is_of_key=True
        ) from error
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise SigningError(key_file, "a private key of RSA or of an elliptic curve", is_of_key=True)
    if key.public_key() != certificate.public_key():
        raise SigningError(key_file, "the private key of the first certificate", is_of_key=True)
    return Signer(key, certificate, tuple(others))


class Signing:
    """The signer of two files, as they are now. Raises `SigningError` at first where they are not good."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        self._files = (certificate_file, key_file)
        self._seen = self._look()
        self._signer = read_signer(*self._files)

    def signer(self) -> Signer:
        """Return the newest good one."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._signer = read_signer(*self._files)
            except SigningError as error:
                log.warning("profiles are signed with the certificate from before: %s", error)
        return self._signer

    def sign(self, content: bytes) -> bytes:
        """Sign with the newest good one."""
        return self.signer().sign(content)

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        found: list[tuple[int, int] | None] = []
        for file in self._files:
            try:
                status = file.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_size))
        return tuple(found)
