"""What Argon2id takes in this process: next to nothing, where no test is about it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import argon2

from models import mailbox_passwords
from resolvers.hashing import LANES, MEMORY_KIB, PASSES, Hasher

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCT: dict[str, Any] = {"passes": PASSES, "memory_kib": MEMORY_KIB, "lanes": LANES}
CHEAP: dict[str, Any] = {"passes": 1, "memory_kib": 8, "lanes": 1}
_OF_USERS = Hasher.__init__.__kwdefaults__ or {}
_OF_MAILBOXES = mailbox_passwords._ARGON2  # noqa: SLF001 (nobody else may choose it)


@contextmanager
def _hashing(users: dict[str, Any], mailboxes: argon2.PasswordHasher) -> Iterator[None]:
    with (
        mock.patch.dict(_OF_USERS, users),
        mock.patch.object(mailbox_passwords, "_ARGON2", mailboxes),
    ):
        yield


def as_cheap_as_can_be() -> Any:  # noqa: ANN401 (a context manager)
    """Have the passwords of users and mailboxes hashed with the least that Argon2id takes."""
    return _hashing(CHEAP, argon2.PasswordHasher(1, 8, 1))


def as_in_the_product() -> Any:  # noqa: ANN401 (a context manager)
    """Have them hashed as everywhere else."""
    return _hashing(PRODUCT, _OF_MAILBOXES)
