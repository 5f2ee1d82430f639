"""Argon2id in threads, a few at once: users' passwords hashed and checked, passwords of mailboxes made."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from execution.metering import charge
from models.mailbox_passwords import NewPassword
from resolvers.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PASSES, MEMORY_KIB, LANES = 3, 64 * 1024, 4
AT_ONCE = 4
"""Each takes its memory while it runs; the others wait."""
STEPS_BACK, LEAST_PRIORITY = 15, 19
"""By how much what hashes stands back behind everything else, as `nice` counts; it takes no longer where nothing else is done."""
MOST = 256
"""So many run and wait; the next is told to come again."""


class Hasher:
    """Hashes and checks passwords.

    A new hash has RFC 9106's second recommended parameters; a test that is not about them may take cheaper ones.
    """

    def __init__(self, *, passes: int = PASSES, memory_kib: int = MEMORY_KIB, lanes: int = LANES) -> None:
        self._argon2 = argon2.PasswordHasher(passes, memory_kib, lanes)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2", initializer=_step_back)
        self._nobody = self._unmatched()
        self._inside = 0

    async def hash(self, password: str) -> str:
        """Return a new hash in PHC form."""
        return await self._run(lambda: self.hash_now(password))

    def hash_now(self, password: str) -> str:
        """Do the same in the caller's own thread."""
        return self._argon2.hash(_bytes(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password is right; without a hash it takes as long and is not."""
        return await self._run(lambda: self._matches(password_hash or self._nobody, password))

    async def new_mailbox_passwords(self, number: int) -> list[NewPassword]:
        """Return this many new passwords of mailboxes, made by half of the threads: the others are for who signs in meanwhile."""

        async def make(several: int) -> list[NewPassword]:
            return [await self._run(NewPassword.make) for _ in range(several)]

        lanes = AT_ONCE // 2
        made = await asyncio.gather(*(make((number + lane) // lanes) for lane in range(lanes)))
        return [password for lane in made for password in lane]

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether new hashes are harder to guess by than this one."""
        current = argon2.extract_parameters(self._nobody)
        found = argon2.extract_parameters(password_hash)
        return (
            found.type is not current.type
            or found.version < current.version
            or found.memory_cost < current.memory_cost
            or found.time_cost < current.time_cost
            or found.hash_len < current.hash_len
            or found.salt_len < current.salt_len
        )

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    def _unmatched(self) -> str:
        """Return a hash with the parameters of new ones that no password is known for."""
        of = self._argon2
        salt, digest = (_unpadded(secrets.token_bytes(length)) for length in (of.salt_len, of.hash_len))
        costs = f"m={of.memory_cost},t={of.time_cost},p={of.parallelism}"
        return f"$argon2id$v=19${costs}${salt}${digest}"

    async def _run(self, work: Callable[[], T]) -> T:
        """Have a thread do it. Raises `RateLimitedError` where too many wait."""
        if self._inside >= MOST:
            raise RateLimitedError("Too many passwords are being checked; try again later.", 5)
        self._inside += 1
        began = time.monotonic()
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Of those who go away, what waits is taken out of the queue, and what runs is one of a few.
        running.add_done_callback(self._leave)
        try:
            return await running
        finally:
            charge(time.monotonic() - began)

    def _leave(self, _: object) -> None:
        self._inside -= 1


def _step_back() -> None:
    """Let everything else go before this thread and those that it begins, where the system knows priorities of threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        priority = os.getpriority(os.PRIO_PROCESS, thread) + STEPS_BACK
        os.setpriority(os.PRIO_PROCESS, thread, min(priority, LEAST_PRIORITY))


def _bytes(password: str) -> bytes:
    # A lone surrogate is in nobody's password, and yet has to take its time.
    return password.encode("utf-8", "surrogatepass")


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
