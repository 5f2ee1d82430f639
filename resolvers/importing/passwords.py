"""Passwords of mailboxes in a line: plain, or as an export writes them, or none, and what becomes of each.

Reading a line costs nothing; hashing takes some 20 ms and is for the importer's threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models import clock, mailbox_passwords
from models.keys import is_key_id
from models.mails import same_address
from models.seals import SealError, UnknownKeyError
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.hashes import check_hash, memory_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from models.seals import Seals
    from resolvers.importing.records import Record

EXPORTED = ("passwordHash", "passwordSealed", "passwordVersion", "passwordChangedAt")
"""Together they are a password as an export writes it."""

LENGTH = range(1, 129)
LAST_VERSION = 2**31 - 1
MAIL_SERVERS_KIBIBYTES = 256 * 1024
"""Dovecot's process that checks a hash may take so much memory; a hash that needs all of it fails there."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A password as an export writes it. Its representation shows neither token nor hash."""

    hash: str = field(repr=False)
    sealed: str = field(repr=False)
    version: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Plain:
    """A password that is written as it is, or None where one is to be generated. Its representation does not show it."""

    password: str | None = field(repr=False)


MailboxPassword = Plain | Sealed


def version_of(password: MailboxPassword) -> int:
    """Return the version under which a password is stored."""
    return password.version if isinstance(password, Sealed) else 1


def read(record: Record, now: datetime) -> MailboxPassword:
    """Return what a mailbox's line says of its password. Raises `LineRefusedError` and `InvalidInputError`."""
    there = [key for key in EXPORTED if key in record.values]
    if "password" in record.values:
        if there:
            raise record.refusal(there[0], "Either this or password is there, not both.")
        return Plain(_plain(record))
    if not there:
        return Plain(None)
    for key in EXPORTED:
        if key not in there:
            raise record.refusal(key, f"It is missing beside {there[0]}.")
    password_hash = check_hash(record.text("passwordHash"), ["passwordHash"])
    if memory_of(password_hash) >= MAIL_SERVERS_KIBIBYTES:
        raise record.refusal("passwordHash", "Less than 256 MiB: the mail servers check it.")
    version = record.values["passwordVersion"]
    if type(version) is not int or not 1 <= version <= LAST_VERSION:
        raise record.refusal("passwordVersion", f"Expected a whole number from 1 to {LAST_VERSION}.")
    changed_at = record.instant("passwordChangedAt")
    if not clock.BEGINNING <= changed_at <= now:
        raise record.refusal("passwordChangedAt", "Expected a moment that is not in the future.")
    return Sealed(password_hash, record.text("passwordSealed"), version, changed_at)


def made(
    seals: Seals, address: str, given: MailboxPassword, number: int, now: datetime
) -> Callable[[], Sealed]:
    """Return what a thread has to do for the line of this number: it gives what is stored.

    A token that does not open for address and version is refused at once, one that holds another password than the hash
    by the thread; both as `LineRefusedError`.
    """
    if isinstance(given, Plain):

        def make() -> Sealed:
            password = mailbox_passwords.generate() if given.password is None else given.password
            sealed = mailbox_passwords.sealed(seals, password, address, 1)
            return Sealed(mailbox_passwords.hashed(password), sealed, 1, now)

        return make
    try:
        secret = mailbox_passwords.opened(seals, given.sealed, address, given.version)
    except UnknownKeyError as error:
        # What is no id at all may be anything, a password too.
        named = f" {error.key_id}" if is_key_id(error.key_id) else " of its id"
        raise LineRefusedError(f"passwordSealed: POSTFACH_SEALING_KEYS has no key{named}.") from None
    except SealError:
        raise LineRefusedError(
            "passwordSealed: It does not open for this address and version with POSTFACH_SEALING_KEYS."
        ) from None

    def verify() -> Sealed:
        if not mailbox_passwords.verifies(given.hash, secret):
            raise LineRefusedError("passwordHash: It is the hash of another password.", number)
        return given

    return verify


def known_by(record: Record) -> tuple[str, ...]:
    """Return the logins, as they compare, of those to whom, or by whom, the password was shown or sent."""
    logins = tuple(same_address(login) for login in record.texts("passwordKnownBy"))
    if logins and not {"password", *EXPORTED} & record.values.keys():
        raise record.refusal("passwordKnownBy", "Nobody knows a password that is made now.")
    return logins


def _plain(record: Record) -> str:
    password = record.text("password")
    if len(password) not in LENGTH:
        raise record.refusal("password", f"Expected 1 to {LENGTH[-1]} characters.")
    if not password.isprintable():
        raise record.refusal("password", "Expected printable characters.")
    return password
