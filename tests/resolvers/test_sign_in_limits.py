"""Guessing is limited by login and by address, whatever is tried at once, and nobody locks somebody else out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest
import pytest_asyncio

from models import clock
from models.database import Database
from models.tables.sessions import SessionKind
from models.tables.users import Role, UserState
from resolvers import hashing, sessions, sign_in_limits
from resolvers.errors import (
    CallerError,
    InvalidInputError,
    RateLimitedError,
    UnauthenticatedError,
    WrongPasswordError,
)
from resolvers.lanes import FORGOTTEN, FREE_TURNS, Lanes
from resolvers.request import Request
from resolvers.sessions import SignedIn
from tests import storage
from tests.resolvers.signing_in import ADDRESS, OTHER_PASSWORD, PASSWORD, House, house_of, person

pytestmark = pytest.mark.asyncio
ANNA = "anna@nord.example"
NOBODY = "nobody@nord.example"
HOME, OFFICE, ABROAD = "192.0.2.50", "198.51.100.9", "203.0.113.77"


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with house_of(database) as opened:
        yield opened


async def attempt(
    house: House,
    login: str = ANNA,
    password: str = "wrong",  # noqa: S107 (nobody has it)
    *,
    address: str | None = ABROAD,
    new_password: str | None = None,
) -> str | SignedIn:
    """What came of it: the session, or the code of the error."""
    request = replace(house.request(), remote_address=address)
    try:
        return await sessions.sign_in(request, login, password, new_password, SessionKind.BEARER)
    except CallerError as error:
        return error.code.value


async def fails(house: House, times: int, login: str = ANNA, address: str | None = ABROAD) -> None:
    """So many failures, each told as one."""
    for _ in range(times):
        assert await attempt(house, login, address=address) == "UNAUTHENTICATED"


async def rows(house: House, table: str = "sign_in_attempts") -> int:
    (row,) = await house.database.fetch(f"SELECT count(*) AS total FROM {table}")
    total: int = row["total"]
    return total


def later(**by: float) -> contextlib.AbstractContextManager[object]:
    """The server's clock, so much later."""
    now = clock.now() + timedelta(**by)
    return mock.patch.object(clock, "now", return_value=now)


# ---------------------------------------------------------------- by login


@pytest.mark.parametrize("login", [ANNA, NOBODY, "locked@nord.example", ""])
async def test_ten_failures_at_a_login_are_enough_for_strange_addresses(house: House, login: str) -> None:
    await person(house.nord, "locked", state=UserState.LOCKED)
    for number in range(10):
        await fails(house, 1, login.upper(), f"192.0.2.{number}")
    audit = await rows(house, "audit_events")
    for password in ("wrong", PASSWORD):
        assert await attempt(house, login, password, address="192.0.2.99") == "RATE_LIMITED"
    # What is refused unseen is written nowhere.
    assert (await rows(house), await rows(house, "audit_events"), await rows(house, "sessions")) == (
        10,
        audit,
        0,
    )
    assert house.outcomes == ["UNAUTHENTICATED"] * 10 + ["RATE_LIMITED"] * 2


async def test_it_says_how_long_to_wait_and_ends_then(house: House) -> None:
    began = clock.now()
    with later(minutes=0):
        await fails(house, 9)
    with later(minutes=5):
        await fails(house, 1)
    with later(minutes=10), pytest.raises(RateLimitedError) as caught:
        await sessions.sign_in(
            replace(house.request(), remote_address=HOME), ANNA, PASSWORD, None, SessionKind.BEARER
        )
    # The oldest of the ten goes five minutes later.
    assert caught.value.retry_after in range(298, 302)
    with later(minutes=15, seconds=1):
        assert isinstance(await attempt(house, ANNA, PASSWORD), SignedIn)
    assert clock.now() - began < timedelta(minutes=1)


async def test_others_are_not_limited_by_it(house: House) -> None:
    eva = await person(house.nord, "eva")
    await fails(house, 10)
    assert isinstance(await attempt(house, eva.login, PASSWORD), SignedIn)


# ---------------------------------------------------------------- nobody locks somebody else out


async def test_where_the_login_has_signed_in_before_it_stays_free(house: House) -> None:
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=OFFICE), SignedIn)
    await fails(house, 10, ANNA, ABROAD)
    # A colleague in the same office tries both her login and a hundred others.
    await fails(house, 12, ANNA, OFFICE)
    for number in range(100):
        await fails(house, 1, f"x{number}@nord.example", OFFICE)
    assert await attempt(house, NOBODY, address=OFFICE) == "RATE_LIMITED"
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=OFFICE), SignedIn)
    assert await attempt(house, ANNA, PASSWORD, address=ABROAD) == "RATE_LIMITED"
    # What is tried there counts against nobody.
    assert await rows(house) == 110


async def test_a_new_password_forgets_where_the_old_one_was_used(house: House) -> None:
    # Whoever knew the old one must not guess the new one freely.
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=ABROAD), SignedIn)
    changed = await attempt(house, ANNA, PASSWORD, address=OFFICE, new_password=OTHER_PASSWORD)
    assert isinstance(changed, SignedIn)
    await fails(house, 10, ANNA, ABROAD)
    assert await attempt(house, ANNA, OTHER_PASSWORD, address=ABROAD) == "RATE_LIMITED"
    assert isinstance(await attempt(house, ANNA, OTHER_PASSWORD, address=OFFICE), SignedIn)
    request = replace(house.request(changed), remote_address=HOME)
    await sessions.change_password(request, OTHER_PASSWORD, PASSWORD)
    assert await attempt(house, ANNA, PASSWORD, address=OFFICE) == "RATE_LIMITED"
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=HOME), SignedIn)
    await sessions.set_password(house.database, house.services, ANNA, OTHER_PASSWORD)
    assert await rows(house, "sign_in_addresses") == 0


async def test_an_address_is_forgotten_after_half_a_year(house: House) -> None:
    await attempt(house, ANNA, PASSWORD, address=OFFICE)
    with later(days=179):
        await fails(house, 11, ANNA, OFFICE)
    with later(days=181):
        await fails(house, 10, ANNA, OFFICE)
        assert await attempt(house, ANNA, PASSWORD, address=OFFICE) == "RATE_LIMITED"
        assert isinstance(await attempt(house, (await person(house.nord, "eva")).login, PASSWORD), SignedIn)
    with later(days=182):
        await attempt(house, ANNA, PASSWORD, address=HOME)
    found = await house.database.fetch("SELECT address FROM sign_in_addresses ORDER BY address")
    assert [row["address"] for row in found] == sorted([HOME, ABROAD])


# ---------------------------------------------------------------- by address


async def test_a_hundred_failures_from_an_address_are_enough(house: House) -> None:
    for number in range(100):
        await fails(house, 1, f"x{number}@nord.example")
    assert await attempt(house, ANNA, PASSWORD) == "RATE_LIMITED"
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=HOME), SignedIn)


async def test_a_network_of_ipv6_is_one_address(house: House) -> None:
    for number in range(10):
        await fails(house, 1, ANNA, f"2001:db8::{number:x}")
    assert await attempt(house, ANNA, PASSWORD, address="2001:db8::ffff") == "RATE_LIMITED"
    places = {sign_in_limits.place_of(each) for each in ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:ff::")}
    assert places == {"2001:db8::/64"}
    assert sign_in_limits.place_of("::ffff:192.0.2.7") == sign_in_limits.place_of("192.0.2.7") == "192.0.2.7"
    assert sign_in_limits.place_of(None) is None


async def test_without_an_address_the_login_is_limited_alone(house: House) -> None:
    await fails(house, 10, ANNA, None)
    assert await attempt(house, ANNA, PASSWORD, address=None) == "RATE_LIMITED"
    for number in range(101):
        await fails(house, 1, f"x{number}@nord.example", None)


# ---------------------------------------------------------------- what counts


async def test_successes_and_what_shows_the_password_do_not_count(house: House) -> None:
    for _ in range(12):
        signed_in = await attempt(house, ANNA, PASSWORD, address=None)
        assert isinstance(signed_in, SignedIn)
        assert await attempt(house, ANNA, PASSWORD, address=None, new_password="short") == "INVALID_INPUT"
    await house.anna.filter(id=house.anna.id).update(password_change_required=True)
    for _ in range(12):
        assert await attempt(house, ANNA, PASSWORD, address=None) == "PASSWORD_CHANGE_REQUIRED"
    assert await rows(house) == 0


async def test_no_login_is_kept_that_nobody_has(house: House) -> None:
    await fails(house, 1, "Tell-nobody@nord.example")
    (row,) = await house.database.fetch("SELECT key, address, failed FROM sign_in_attempts")
    assert (len(row["key"]), row["address"], row["failed"]) == (64, ABROAD, True)
    assert row["key"] == house.services.tokens.fingerprint("login tell-nobody@nord.example")


async def test_attempts_are_forgotten(house: House) -> None:
    await fails(house, 5)
    with later(minutes=16):
        await fails(house, 1)
        assert await rows(house) == 1


@pytest.mark.parametrize("login", [ANNA, NOBODY])
async def test_no_parallelism_gets_around(house: House, login: str) -> None:
    """Of a hundred at once from as many addresses ten are looked at."""
    looked_at = 0
    verify = house.services.hasher.verify

    async def counting(password_hash: str | None, password: str) -> bool:
        nonlocal looked_at
        looked_at += 1
        return await verify(password_hash, password)

    with (
        mock.patch.object(house.services.hasher, "verify", counting),
        mock.patch.object(sign_in_limits, "PAUSE_SECONDS", 0.01),
    ):
        told = await asyncio.gather(*(attempt(house, login, address=f"192.0.2.{n}") for n in range(100)))
    assert Counter(told) == {"UNAUTHENTICATED": 10, "RATE_LIMITED": 90}
    assert (looked_at, await rows(house)) == (10, 10)


async def test_a_client_that_goes_away_has_failed(house: House) -> None:
    for _ in range(10):
        asking = asyncio.ensure_future(attempt(house))
        begun, go = asyncio.Event(), asyncio.Event()

        async def verify(
            _hash: str | None, _password: str, begun: asyncio.Event = begun, go: asyncio.Event = go
        ) -> bool:
            begun.set()
            await go.wait()
            return False

        with mock.patch.object(house.services.hasher, "verify", verify):
            await begun.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    with mock.patch.multiple(sign_in_limits, PAUSE_SECONDS=0.001, PATIENCE=3):
        # They may yet succeed, as far as anybody knows.
        assert await attempt(house, ANNA, PASSWORD) == "RATE_LIMITED"
    with later(minutes=2), pytest.raises(RateLimitedError) as caught:
        await house.sign_in(ANNA)
    assert caught.value.retry_after > 600


async def test_what_is_refused_before_the_password_is_looked_at_does_not_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MOST", 0)
    assert await attempt(house) == "RATE_LIMITED"
    assert await rows(house) == 0
    monkeypatch.undo()
    await fails(house, 1)


# ---------------------------------------------------------------- one's own password


async def test_the_current_password_is_guessed_ten_times_at_most(house: House) -> None:
    here = await house.sign_in(ANNA)
    other = await house.sign_in(ANNA)
    for number in range(10):
        request = house.request(here if number % 2 else other)
        with pytest.raises(WrongPasswordError):
            await sessions.change_password(request, "wrong wrong wrong", OTHER_PASSWORD)
    before = await storage.contents(house.database)
    with pytest.raises(InvalidInputError):
        await sessions.change_password(house.request(here), PASSWORD, "short")
    with pytest.raises(RateLimitedError):
        await sessions.change_password(house.request(here), PASSWORD, OTHER_PASSWORD)
    assert await storage.contents(house.database) == before
    # It says nothing about signing in.
    assert isinstance(await attempt(house, ANNA, PASSWORD, address=HOME), SignedIn)
    with later(minutes=16):
        await sessions.change_password(house.request(here), PASSWORD, OTHER_PASSWORD)


async def test_a_right_password_is_not_counted_whatever_is_wrong_beside_it(house: House) -> None:
    here = await house.sign_in(ANNA)
    await sessions.sign_out(house.request(here), everywhere=False)
    with pytest.raises(UnauthenticatedError):
        await sessions.change_password(house.request(here), PASSWORD, OTHER_PASSWORD)
    assert await rows(house) == 0


# ---------------------------------------------------------------- turns


async def test_a_few_go_at_once_some_wait_and_the_rest_is_sent_away() -> None:
    lanes = Lanes(at_once=2, most=5)
    go, inside, most = asyncio.Event(), 0, 0

    async def walk(name: str) -> None:
        nonlocal inside, most
        async with lanes.turn(name):
            inside += 1
            most = max(most, inside)
            await go.wait()
            inside -= 1

    walking = [asyncio.ensure_future(walk("a")) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimitedError):
        await walk("a")
    assert most == 2
    walking[4].cancel()
    other = asyncio.ensure_future(walk("b"))
    await asyncio.sleep(0)
    assert most == 3
    go.set()
    ended = await asyncio.gather(*walking, other, return_exceptions=True)
    assert [type(each) for each in ended if each is not None] == [asyncio.CancelledError]
    assert lanes._lanes == {}  # noqa: SLF001 (nothing is kept of a name that nobody is in)


async def test_paced_turns_come_slowly_after_some_and_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr("resolvers.lanes.asyncio.sleep", sleep)
    monkeypatch.setattr("resolvers.lanes.KEPT", 2)
    lanes = Lanes(at_once=4, most=5, clock=lambda: now)

    async def walk(name: str) -> None:
        async with lanes.turn(name, alone=True, paced=True):
            assert lanes._lanes[name].inside == 1  # noqa: SLF001 (nobody else can tell)

    for _ in range(FREE_TURNS):
        await walk("a")
    assert slept == []
    for _ in range(3):
        await walk("a")
    assert slept == [pytest.approx(1 / FORGOTTEN)] * 3
    await walk("b")
    assert len(slept) == 3
    now += (FREE_TURNS + 1) / FORGOTTEN
    for _ in range(FREE_TURNS):
        await walk("a")
    assert len(slept) == 3
    # Of whom nothing is counted any longer nothing is kept.
    await walk("c")
    assert set(lanes._lanes) == {"a", "c"}  # noqa: SLF001


async def test_hashing_has_a_queue_with_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "MOST", 6)
    hasher = hashing.Hasher(passes=1, memory_kib=64, lanes=1)
    checks = await asyncio.gather(*(hasher.verify(None, PASSWORD) for _ in range(9)), return_exceptions=True)
    assert Counter(type(each) for each in checks) == {bool: 6, RateLimitedError: 3}
    assert await hasher.verify(None, PASSWORD) is False
    hasher.close()


async def test_an_administrator_is_limited_like_everybody(house: House) -> None:
    assert house.anna.role is Role.ADMINISTRATOR
    request = Request(house.database, house.services, None, ADDRESS)
    for _ in range(10):
        with pytest.raises(UnauthenticatedError):
            await sessions.sign_in(request, ANNA, "wrong", None, SessionKind.COOKIE)
    with pytest.raises(RateLimitedError):
        await sessions.sign_in(request, ANNA, PASSWORD, None, SessionKind.COOKIE)
