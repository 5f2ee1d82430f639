"""Argon2id: what is stored, what is replaced, how many at once, and that nobody's hash takes as long as somebody's."""

import asyncio
import os
import sys
import threading
import time

import pytest

from execution.lanes import Lane
from execution.metering import Meter, Metered
from resolvers.hashing import AT_ONCE, STEPS_BACK, Hasher

pytestmark = pytest.mark.asyncio
PASSWORD = "correct horse battery"


@pytest.mark.usefixtures("hashed_as_elsewhere")
async def test_a_new_hash_has_the_recommended_parameters() -> None:
    hasher = Hasher()
    made = await hasher.hash(PASSWORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await hasher.verify(made, PASSWORD)
    assert not await hasher.verify(made, PASSWORD + " ")
    assert not hasher.needs_rehash(made)
    hasher.close()


@pytest.mark.usefixtures("hashed_as_elsewhere")
@pytest.mark.parametrize(
    "start,weaker",
    [
        ("$argon2id$v=19$m=65536,t=3,p=4$", False),
        ("$argon2id$v=19$m=65536,t=3,p=1$", False),
        ("$argon2id$v=19$m=262144,t=10,p=4$", False),
        ("$argon2id$v=19$m=65535,t=3,p=4$", True),
        ("$argon2id$v=19$m=65536,t=2,p=4$", True),
        ("$argon2id$v=16$m=65536,t=3,p=4$", True),
        ("$argon2i$v=19$m=65536,t=3,p=4$", True),
    ],
)
async def test_only_a_weaker_hash_is_made_anew(start: str, *, weaker: bool) -> None:
    salt, digest = "c2FsdHNhbHRzYWx0c2FsdA", "ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0MTI"
    hasher = Hasher()
    assert hasher.needs_rehash(f"{start}{salt}${digest}") is weaker
    assert hasher.needs_rehash(f"{start}{salt}${digest[:22]}")
    hasher.close()


async def test_without_a_hash_a_check_takes_as_long() -> None:
    hasher = Hasher(passes=3, memory_kib=8 * 1024, lanes=1)
    made = await hasher.hash(PASSWORD)
    taken: dict[str | None, list[float]] = {made: [], None: []}
    for _ in range(5):
        for given, times in taken.items():
            began = time.process_time()
            assert not await hasher.verify(given, "wrong")
            times.append(time.process_time() - began)
    hasher.close()
    assert min(taken[None]) > min(taken[made]) * 0.7
    assert min(taken[made]) > min(taken[None]) * 0.7


@pytest.mark.parametrize(
    "broken", ["nonsense", "$argon2id$v=19$m=65536,t=3,p=4$", "$2b$12$abcdefghijklmnopqrstuv"]
)
async def test_a_hash_that_is_none_is_never_right(broken: str) -> None:
    hasher = Hasher(passes=1, memory_kib=64, lanes=1)
    assert not await hasher.verify(broken, PASSWORD)
    assert not await hasher.verify("", "\ud800")
    hasher.close()


async def test_a_few_are_checked_at_once_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = Hasher(passes=1, memory_kib=64, lanes=1)
    running: set[int] = set()
    most = 0
    arrived, go = threading.Semaphore(0), threading.Event()

    def matches(_hash: str, _password: str) -> bool:
        nonlocal most
        running.add(threading.get_ident())
        most = max(most, len(running))
        arrived.release()
        go.wait(10)
        running.discard(threading.get_ident())
        return False

    monkeypatch.setattr(hasher, "_matches", matches)
    checks = asyncio.gather(*(hasher.verify(None, PASSWORD) for _ in range(3 * AT_ONCE)))
    for _ in range(AT_ONCE):
        assert await asyncio.to_thread(arrived.acquire, timeout=10)
    go.set()
    assert await checks == [False] * 3 * AT_ONCE
    assert most == AT_ONCE
    hasher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there threads have no priority of their own")
async def test_what_hashes_stands_back_behind_everything_else() -> None:
    hasher = Hasher(passes=1, memory_kib=64, lanes=1)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    priorities = await hasher._run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))  # noqa: SLF001
    hasher.close()
    assert priorities == min(before + STEPS_BACK, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


async def test_hashing_is_counted_for_whom_it_is_done() -> None:
    counted: list[float] = []

    class Counting(Meter):
        lane, clock = Lane(), time.monotonic

        def rest(self) -> None:
            return None

        def add(self, seconds: float) -> None:
            pass

        def add_elsewhere(self, seconds: float) -> None:
            counted.append(seconds)

    hasher = Hasher(passes=1, memory_kib=64, lanes=1)
    began = time.monotonic()
    made = await Metered(hasher.hash(PASSWORD), Counting())
    took = time.monotonic() - began
    assert await hasher.verify(made, PASSWORD)
    hasher.close()
    assert len(counted) == 1
    assert 0 < counted[0] <= took


@pytest.mark.parametrize("number", [0, 1, 2, 5])
async def test_as_many_passwords_of_mailboxes_are_made_as_are_wanted(number: int) -> None:
    hasher = Hasher()
    try:
        made = await hasher.new_mailbox_passwords(number)
    finally:
        hasher.close()
    assert len({each.password for each in made}) == len(made) == number
