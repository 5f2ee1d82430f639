"""A certificate authority and what it issues, for tests that sign and verify."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests import peers

if TYPE_CHECKING:
    from pathlib import Path

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    name: str,
    by: Issued | None = None,
    *,
    kind: str = "ec",
    authority: bool = False,
    days: int = 30,
    host: str | None = None,
) -> Issued:
    """A certificate as servers have it, good for so many days and for a host; by itself where nobody issues it."""
    key: Key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    if host is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return Issued(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


@dataclass(frozen=True)
class Chain:
    """Files of a certificate of a web server, issued by an authority between it and the one that is trusted."""

    trusted: Path
    certificates: Path
    key: Path


def chain(folder: Path, kind: str = "ec", *, days: int = 30) -> Chain:
    """Write them into a folder."""
    root = issue("Root", authority=True)
    between = issue("Between", root, authority=True)
    leaf = issue("postfach.example", between, kind=kind, days=days)
    found = Chain(folder / "root.pem", folder / "chain.pem", folder / "key.pem")
    found.trusted.write_bytes(root.pem)
    found.certificates.write_bytes(leaf.pem + between.pem)
    found.key.write_bytes(leaf.key_pem)
    return found


def verified(signed: bytes, trusted: Path) -> bytes | None:
    """What openssl takes out of a signed message; None where it does not believe the signature."""
    command = [peers.require("openssl"), "cms", "-verify", "-inform", "DER", "-CAfile", str(trusted)]
    # As of any certificate: that of a web server says that it is for servers.
    done = subprocess.run(
        [*command, "-purpose", "any", "-binary"], input=signed, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None
