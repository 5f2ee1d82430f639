"""The passwords of mailboxes: made, hashed for the mail servers, sealed to be shown, and stored.

A mailbox has one row: the current password's version, counted from 1, its token (`models.seals`, bound to address and
version) and its Argon2id hash. Version, hash and moment change together; a token alone, when it is sealed with another
key. Beside it stands by whom the password of a version was shown or sent.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from models.seals import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from models.database import Statements, Unit
    from models.seals import Seals

SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
"""Letters and digits without those that are mistaken for one another: 0 O, 1 I l, o."""
GROUPS, GROUP_SYMBOLS = 5, 5

MAY_REVEAL = (
    "(u.state = 'ACTIVE' AND ((u.role = 'ADMINISTRATOR' AND NOT m.vip) OR EXISTS (SELECT 1 FROM assignments a "
    "WHERE a.mailbox_id = m.id AND a.user_id = u.id AND a.until IS NULL)))"
)
"""Whether a user `u` may be shown the password of a mailbox `m` of the same agency, and have it sent, now."""

# A machine-made secret of 145 bits needs no more than OWASP's least, and each login at the mail server pays for it.
_ARGON2 = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def generate() -> str:
    """Return a new password: 25 symbols in five groups, joined by hyphens; 145 bits."""
    groups = ("".join(secrets.choice(SYMBOLS) for _ in range(GROUP_SYMBOLS)) for _ in range(GROUPS))
    return "-".join(groups)


def hashed(password: str) -> str:
    """Return a password's hash in PHC form, as the mail servers check it. Takes some 20 ms: call it in a thread."""
    return _ARGON2.hash(password)


def verifies(password_hash: str, password: str) -> bool:
    """Return whether this is the password of the hash. Takes as long as its parameters say: call it in a thread."""
    try:
        return _ARGON2.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A mailbox's current password. Its representation shows neither token nor hash."""

    mailbox_id: UUID
    version: int
    sealed: str = field(repr=False)
    hash: str = field(repr=False)
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password with its hash, made before the unit of work that stores it. Its representation shows neither."""

    password: str = field(repr=False)
    hash: str = field(repr=False)

    @classmethod
    def make(cls) -> NewPassword:
        """Generate and hash one. Takes some 20 ms: call it in a thread."""
        password = generate()
        return cls(password, hashed(password))


def sealed(seals: Seals, password: str, address: str, version: int) -> str:
    """Return the token of a mailbox's password, bound to the mailbox's address and the version."""
    return seals.seal(Purpose.MAILBOX_PASSWORD, password, address, version)


def opened(seals: Seals, token: str, address: str, version: int) -> str:
    """Return a mailbox's password. Raises `models.seals.SealError`."""
    return seals.open(token, Purpose.MAILBOX_PASSWORD, address, version)


async def of(statements: Statements, mailbox_id: UUID) -> StoredPassword | None:
    """Return the current password of a mailbox, or None where it has none yet."""
    row = await statements.fetch_one(
        "SELECT mailbox_id, version, sealed, hash, changed_at FROM mailbox_passwords WHERE mailbox_id = $1",
        mailbox_id,
    )
    return None if row is None else _read(row)


async def version_of(statements: Statements, mailbox_id: UUID) -> int:
    """Return the version of a mailbox's current password; 0 where it has none yet."""
    row = await statements.fetch_one(
        "SELECT version FROM mailbox_passwords WHERE mailbox_id = $1", mailbox_id
    )
    return 0 if row is None else int(row["version"])


class Addressed(Protocol):
    """A mailbox, as far as its password belongs to it."""

    @property
    def id(self) -> UUID: ...  # noqa: D102 (names)
    @property
    def agency_id(self) -> UUID: ...  # noqa: D102
    @property
    def address(self) -> str: ...  # noqa: D102


async def store(
    unit: Unit, seals: Seals, mailbox: Addressed, version: int, new: NewPassword, *, at: datetime
) -> StoredPassword:
    """Store a new password of a mailbox whose row the unit holds: the first one, or the next version."""
    token = sealed(seals, new.password, mailbox.address, version)
    stored = StoredPassword(mailbox.id, version, token, new.hash, at)
    await unit.execute(
        "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (mailbox_id) DO UPDATE SET version = excluded.version, "
        "sealed = excluded.sealed, hash = excluded.hash, changed_at = excluded.changed_at",
        stored.mailbox_id,
        mailbox.agency_id,
        stored.version,
        stored.sealed,
        stored.hash,
        stored.changed_at,
    )
    return stored


async def note_knower(unit: Unit, *, agency_id: UUID, mailbox_id: UUID, version: int, user_id: UUID) -> None:
    """Write down that the password of a version was shown to, or sent by, a user."""
    await unit.execute(
        "INSERT INTO mailbox_password_knowers (id, agency_id, mailbox_id, version, user_id) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (mailbox_id, version, user_id) DO NOTHING",
        uuid4(),
        agency_id,
        mailbox_id,
        version,
        user_id,
    )


def _read(row: Mapping[str, Any]) -> StoredPassword:
    return StoredPassword(row["mailbox_id"], row["version"], row["sealed"], row["hash"], row["changed_at"])
