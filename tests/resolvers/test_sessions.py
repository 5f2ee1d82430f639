"""Signing in, refreshing, signing out and changing the password, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import argon2
import jwt
import pytest
import pytest_asyncio

from models.database import Database
from models.tables.sessions import SessionKind
from models.tables.users import Role, UserState
from resolvers import sessions
from resolvers.errors import (
    CallerError,
    InvalidInputError,
    NotFoundError,
    PasswordChangeRequiredError,
    UnauthenticatedError,
    WrongPasswordError,
)
from resolvers.events import SESSIONS_ENDED
from tests import storage
from tests.resolvers.signing_in import ADDRESS, OTHER_PASSWORD, PASSWORD, House, hashed, house_of, person

ANNA = "anna@nord.example"
COUNTED = ("audit_events", "sign_in_attempts")
"""What a failed sign-in is written into."""
pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with house_of(database) as opened:
        yield opened


async def fails(call: object) -> CallerError:
    with pytest.raises(CallerError) as caught:
        await call  # type: ignore[misc]  # a coroutine
    return caught.value


# ---------------------------------------------------------------- signing in


async def test_signing_in_opens_a_session_and_makes_the_viewer(house: House) -> None:
    request = house.request()
    signed_in = await sessions.sign_in(request, ANNA, PASSWORD, None, SessionKind.COOKIE)
    assert request.viewer is signed_in.viewer
    assert (signed_in.viewer.id, signed_in.viewer.agency_id, signed_in.viewer.role) == (
        house.anna.id,
        house.nord.id,
        Role.ADMINISTRATOR,
    )
    (session,) = await house.sessions()
    assert (session["id"], session["user_id"], session["kind"], session["generation"]) == (
        signed_in.viewer.session_id,
        house.anna.id,
        "COOKIE",
        1,
    )
    assert session["ended_at"] is None
    assert session["expires_at"] - session["opened_at"] >= timedelta(days=30) - timedelta(seconds=1)
    assert signed_in.tokens.expires_at.microsecond == 0
    assert await sessions.viewer_of_token(house.database, house.services, signed_in.tokens.access) == (
        signed_in.viewer
    )
    assert await house.audit(
        "action", "agency_id", "actor_id", "object_type", "object_id", "details", "remote_address"
    ) == [
        (
            "session.sign_in",
            house.nord.id,
            house.anna.id,
            "session",
            session["id"],
            '{"kind":"COOKIE"}',
            ADDRESS,
        )
    ]
    assert house.outcomes == ["succeeded"]


@pytest.mark.parametrize("login", ["ANNA@Nord.Example", "  anna@nord.example\n", "anna@NORD.EXAMPLE"])
async def test_a_login_is_taken_whatever_its_case_and_trimmed(house: House, login: str) -> None:
    assert (await house.sign_in(login)).viewer.login == ANNA


async def test_an_account_manager_signs_in_without_an_agency(house: House) -> None:
    await person(None, "jo")
    viewer = (await house.sign_in("jo@provider.example")).viewer
    assert (viewer.agency_id, viewer.role) == (None, Role.ACCOUNT_MANAGER)


@pytest.mark.parametrize(
    "login,password,reason",
    [
        ("nobody@nord.example", PASSWORD, "unknown login"),
        ("", PASSWORD, "unknown login"),
        ("\0", PASSWORD, "unknown login"),
        ("\ud800@nord.example", PASSWORD, "unknown login"),
        ("anna@nord.example' OR '1'='1", PASSWORD, "unknown login"),
        (ANNA, PASSWORD + " ", "wrong password"),
        (ANNA, PASSWORD.upper(), "wrong password"),
        (ANNA, "", "wrong password"),
        (ANNA, "\0\ud800", "wrong password"),
        ("locked@nord.example", PASSWORD, "not active"),
        ("locked@nord.example", "wrong", "wrong password"),
        ("gone@nord.example", PASSWORD, "not active"),
    ],
)
async def test_every_failure_has_the_same_answer(
    house: House, login: str, password: str, reason: str
) -> None:
    await person(house.nord, "locked", state=UserState.LOCKED)
    await person(house.nord, "gone", state=UserState.DEACTIVATED)
    before = await storage.contents(house.database, *COUNTED)
    for new_password in (None, OTHER_PASSWORD, "short"):
        error = await fails(house.sign_in(login, password, new_password))
        assert type(error) is UnauthenticatedError
        assert error.message == "Login or password is wrong, or the user may not sign in."
        assert error.path is None
    assert await storage.contents(house.database, *COUNTED) == before
    assert house.outcomes == ["UNAUTHENTICATED"] * 3
    rows = await house.audit("action", "actor_id", "object_type", "agency_id", "details", "remote_address")
    known = reason != "unknown login"
    assert (
        rows
        == [
            (
                "session.sign_in_failed",
                None,
                "user" if known else None,
                house.nord.id if known else None,
                f'{{"reason":"{reason}"}}',
                ADDRESS,
            )
        ]
        * 3
    )


async def test_a_password_that_somebody_else_set_has_to_be_changed(house: House) -> None:
    await house.anna.filter(id=house.anna.id).update(password_change_required=True)
    before = await storage.contents(house.database, *COUNTED)
    error = await fails(house.sign_in(ANNA))
    assert type(error) is PasswordChangeRequiredError
    assert error.path == ["newPassword"]
    assert type(await fails(house.sign_in(ANNA, "wrong"))) is UnauthenticatedError
    for refused in ("short", "x" * 11, "x" * 129, PASSWORD, "with a NUL \0 in it"):
        error = await fails(house.sign_in(ANNA, PASSWORD, refused))
        assert (type(error), error.path) == (InvalidInputError, ["newPassword"])
    assert await storage.contents(house.database, *COUNTED) == before
    assert house.outcomes == [
        "PASSWORD_CHANGE_REQUIRED",
        "UNAUTHENTICATED",
        *["INVALID_INPUT"] * 5,
    ]

    signed_in = await house.sign_in(ANNA, PASSWORD, "x" * 12)
    assert await house.holds(signed_in)
    assert type(await fails(house.sign_in(ANNA))) is UnauthenticatedError
    again = (await house.sign_in(ANNA, "x" * 12)).viewer
    assert again == replace(signed_in.viewer, session_id=(await house.sessions())[-1]["id"])
    (row,) = await house.database.fetch("SELECT password_change_required FROM users")
    assert row["password_change_required"] is False


async def test_a_new_password_at_sign_in_ends_the_other_sessions(house: House) -> None:
    old = await house.sign_in(ANNA)
    with house.services.events.subscribe(SESSIONS_ENDED) as ended:
        new = await house.sign_in(ANNA, PASSWORD, OTHER_PASSWORD)
        assert await asyncio.wait_for(anext(ended), 5) == {
            "user_id": str(house.anna.id),
            "session_ids": [str(old.viewer.session_id)],
        }
    assert not await house.holds(old)
    assert await house.holds(new)
    assert [row[0] for row in await house.audit("action")] == [
        "session.sign_in",
        "user.password",
        "session.sign_in",
    ]


async def test_a_weaker_hash_is_replaced_at_sign_in(house: House) -> None:
    weak = argon2.PasswordHasher(1, 128, 1).hash(PASSWORD)
    eva = await storage.user(house.nord, "eva", password_hash=weak)
    first = await house.sign_in(eva.login)
    (row,) = await house.database.fetch("SELECT password_hash FROM users WHERE id = $1", eva.id)
    assert row["password_hash"].startswith("$argon2id$v=19$m=256,t=1,p=1$")
    await house.sign_in(eva.login)
    assert await house.database.fetch("SELECT password_hash FROM users WHERE id = $1", eva.id) == [row]
    assert await house.holds(first)
    assert [row[0] for row in await house.audit("action")] == ["session.sign_in"] * 2


async def test_who_signs_in_at_once_with_a_weaker_hash_gets_in_all_the_same(house: House) -> None:
    weak = argon2.PasswordHasher(1, 128, 1).hash(PASSWORD)
    await storage.user(house.nord, "eva", password_hash=weak)
    signed_in = await asyncio.gather(*(house.sign_in("eva@nord.example") for _ in range(4)))
    assert len({each.viewer.session_id for each in signed_in}) == 4
    assert all([await house.holds(each) for each in signed_in])


async def test_a_password_that_is_changed_meanwhile_does_not_sign_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = house.services.hasher.verify
    changed = hashed(OTHER_PASSWORD)

    async def change_then_verify(password_hash: str | None, password: str) -> bool:
        right = await verify(password_hash, password)
        await house.anna.filter(id=house.anna.id).update(password_hash=changed)
        return right

    monkeypatch.setattr(house.services.hasher, "verify", change_then_verify)
    assert type(await fails(house.sign_in(ANNA))) is UnauthenticatedError
    assert await house.sessions() == []


async def test_a_user_who_is_locked_meanwhile_does_not_get_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = house.services.hasher.verify

    async def lock_then_verify(password_hash: str | None, password: str) -> bool:
        right = await verify(password_hash, password)
        await house.anna.filter(id=house.anna.id).update(state=UserState.LOCKED)
        return right

    monkeypatch.setattr(house.services.hasher, "verify", lock_then_verify)
    assert type(await fails(house.sign_in(ANNA))) is UnauthenticatedError
    assert await house.sessions() == []


async def test_expired_sessions_of_the_user_are_forgotten_at_sign_in(house: House) -> None:
    old = await house.sign_in(ANNA)
    await shift(house, old.viewer.session_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    new = await house.sign_in(ANNA)
    assert [row["id"] for row in await house.sessions()] == [new.viewer.session_id]


# ---------------------------------------------------------------- access tokens


async def test_an_access_token_holds_while_its_session_lives(house: House) -> None:
    signed_in = await house.sign_in(ANNA)
    assert await house.holds(signed_in)
    await house.anna.filter(id=house.anna.id).update(state=UserState.LOCKED)
    assert not await house.holds(signed_in)
    await house.anna.filter(id=house.anna.id).update(state=UserState.ACTIVE)
    await shift(house, signed_in.viewer.session_id, expires_at=datetime.now(UTC))
    assert not await house.holds(signed_in)


async def test_rights_are_read_anew_and_never_from_the_token(house: House) -> None:
    signed_in = await house.sign_in(ANNA)
    claims = jwt.decode(signed_in.tokens.access, options={"verify_signature": False})
    assert set(claims) == {"use", "sid", "exp", "jti"}
    await house.anna.filter(id=house.anna.id).update(role=Role.USER)
    viewer = await sessions.viewer_of_token(house.database, house.services, signed_in.tokens.access)
    assert viewer.role is Role.USER


async def test_reading_the_viewer_is_one_statement(house: House) -> None:
    signed_in = await house.sign_in(ANNA)
    with storage.statements(house.database) as seen:
        assert await house.holds(signed_in)
    assert len(seen) == 1


# ---------------------------------------------------------------- refreshing


async def shift(house: House, session_id: object, **columns: datetime) -> None:
    for name, value in columns.items():
        await house.database.execute(f"UPDATE sessions SET {name} = $2 WHERE id = $1", session_id, value)


async def test_a_refresh_token_gives_a_new_pair_and_a_longer_session(house: House) -> None:
    first = await house.sign_in(ANNA)
    await shift(house, first.viewer.session_id, expires_at=datetime.now(UTC) + timedelta(days=3))
    request = house.request()
    second = await sessions.refresh(request, first.tokens.refresh)
    assert request.viewer == second.viewer == first.viewer
    assert {first.tokens.access, first.tokens.refresh}.isdisjoint(
        {second.tokens.access, second.tokens.refresh}
    )
    (session,) = await house.sessions()
    assert session["generation"] == 2
    assert session["expires_at"] > datetime.now(UTC) + timedelta(days=29)
    assert await house.holds(first)
    assert await house.holds(second)
    assert [row[0] for row in await house.audit("action")] == ["session.sign_in"]
    assert (await house.refresh(second.tokens.refresh)).viewer == first.viewer


async def test_the_same_refresh_token_again_within_30_seconds_gives_another_pair(house: House) -> None:
    first = await house.sign_in(ANNA)
    second = await house.refresh(first.tokens.refresh)
    again = second
    for seconds in (0, 29):
        await shift(
            house, first.viewer.session_id, advanced_at=datetime.now(UTC) - timedelta(seconds=seconds)
        )
        again = await house.refresh(first.tokens.refresh)
        assert again.tokens.refresh != second.tokens.refresh
        assert (await house.sessions())[0]["generation"] == 2
    # Either of the two pairs goes on.
    third = await house.refresh(again.tokens.refresh)
    assert await house.holds(third)


async def test_the_same_refresh_token_after_30_seconds_ends_the_session(house: House) -> None:
    first = await house.sign_in(ANNA)
    second = await house.refresh(first.tokens.refresh)
    await shift(house, first.viewer.session_id, advanced_at=datetime.now(UTC) - timedelta(seconds=31))
    with house.services.events.subscribe(SESSIONS_ENDED) as ended:
        assert type(await fails(house.refresh(first.tokens.refresh))) is UnauthenticatedError
        payload = await asyncio.wait_for(anext(ended), 5)
    assert payload == {"user_id": str(house.anna.id), "session_ids": [str(first.viewer.session_id)]}
    assert not await house.holds(second)
    assert type(await fails(house.refresh(second.tokens.refresh))) is UnauthenticatedError
    assert (await house.audit("action", "agency_id", "actor_id", "object_type", "object_id"))[1:] == [
        ("session.refresh_reused", house.nord.id, house.anna.id, "session", first.viewer.session_id)
    ]


async def test_the_same_refresh_token_ends_the_session_once_its_successor_was_used(house: House) -> None:
    first = await house.sign_in(ANNA)
    second = await house.refresh(first.tokens.refresh)
    third = await house.refresh(second.tokens.refresh)
    assert type(await fails(house.refresh(first.tokens.refresh))) is UnauthenticatedError
    assert not await house.holds(third)


async def test_clients_that_refresh_at_the_same_instant_all_go_on(house: House) -> None:
    first = await house.sign_in(ANNA)
    pairs = await asyncio.gather(*(house.refresh(first.tokens.refresh) for _ in range(8)))
    assert len({pair.tokens.refresh for pair in pairs}) == 8
    assert (await house.sessions())[0]["generation"] == 2
    assert all([await house.holds(pair) for pair in pairs])


@pytest.mark.parametrize("state", [UserState.LOCKED, UserState.DEACTIVATED])
async def test_a_user_who_may_not_come_in_cannot_refresh(house: House, state: UserState) -> None:
    first = await house.sign_in(ANNA)
    await house.anna.filter(id=house.anna.id).update(state=state)
    before = await storage.contents(house.database)
    assert type(await fails(house.refresh(first.tokens.refresh))) is UnauthenticatedError
    assert await storage.contents(house.database) == before


async def test_a_session_that_was_not_refreshed_in_time_is_over(house: House) -> None:
    first = await house.sign_in(ANNA)
    await shift(house, first.viewer.session_id, expires_at=datetime.now(UTC))
    assert type(await fails(house.refresh(first.tokens.refresh))) is UnauthenticatedError
    assert not await house.holds(first)


async def test_what_is_no_refresh_token_is_refused(house: House) -> None:
    first = await house.sign_in(ANNA)
    kid, key = house.keys.first
    session = str(first.viewer.session_id)
    later = int(datetime.now(UTC).timestamp()) + 60

    def signed(claims: dict[str, object], secret: bytes = key, name: object = kid) -> str:
        return jwt.encode(claims, secret, "HS256", headers={"kid": name})

    good: dict[str, object] = {"use": "refresh", "sid": session, "gen": 1, "exp": later}
    before = await storage.contents(house.database)
    for token in (
        None,
        "",
        "x.y.z",
        first.tokens.access,
        first.tokens.refresh[:-2],
        signed(good, b"k" * 32),
        signed(good, name="unknown"),
        jwt.encode(good, key + key, "HS512", headers={"kid": kid}),
        jwt.encode(good, "", "none", headers={"kid": kid}),
        signed({**good, "exp": later - 120}),
        signed({name: value for name, value in good.items() if name != "exp"}),
        signed({**good, "sid": str(uuid4())}),
        signed({**good, "sid": "nonsense"}),
        signed({**good, "sid": 7}),
        signed({**good, "gen": "1"}),
    ):
        assert type(await fails(house.refresh(token))) is UnauthenticatedError
    assert await storage.contents(house.database) == before
    assert (await house.refresh(signed(good))).viewer == first.viewer


# ---------------------------------------------------------------- signing out


async def test_signing_out_ends_this_session_alone(house: House) -> None:
    here, there = await house.sign_in(ANNA), await house.sign_in(ANNA)
    request = house.request(here)
    with house.services.events.subscribe(SESSIONS_ENDED) as ended:
        await sessions.sign_out(request, everywhere=False)
        payload = await asyncio.wait_for(anext(ended), 5)
    assert payload["session_ids"] == [str(here.viewer.session_id)]
    assert request.viewer is None
    assert not await house.holds(here)
    assert await house.holds(there)
    assert type(await fails(house.refresh(here.tokens.refresh))) is UnauthenticatedError
    assert (await house.audit("action", "actor_id", "object_id", "details"))[-1] == (
        "session.sign_out",
        house.anna.id,
        here.viewer.session_id,
        '{"everywhere":false}',
    )


async def test_signing_out_everywhere_ends_every_session_of_the_viewer(house: House) -> None:
    await person(house.nord, "ben")
    mine = [await house.sign_in(ANNA) for _ in range(2)]
    other = await house.sign_in("ben@nord.example")
    await sessions.sign_out(house.request(mine[0]), everywhere=True)
    assert [await house.holds(each) for each in (*mine, other)] == [False, False, True]


async def test_signing_out_twice_and_without_a_session_is_unauthenticated(house: House) -> None:
    here = await house.sign_in(ANNA)
    await sessions.sign_out(house.request(here), everywhere=False)
    before = await storage.contents(house.database)
    for request in (house.request(here), house.request()):
        assert type(await fails(sessions.sign_out(request, everywhere=True))) is UnauthenticatedError
    assert await storage.contents(house.database) == before


# ---------------------------------------------------------------- the own password


async def test_changing_the_password_keeps_this_session_and_ends_the_others(house: House) -> None:
    here, there = await house.sign_in(ANNA), await house.sign_in(ANNA)
    await sessions.change_password(house.request(here), PASSWORD, OTHER_PASSWORD)
    assert [await house.holds(each) for each in (here, there)] == [True, False]
    assert type(await fails(house.sign_in(ANNA))) is UnauthenticatedError
    assert (await house.sign_in(ANNA, OTHER_PASSWORD)).viewer.id == house.anna.id
    assert (await house.audit("action", "agency_id", "actor_id", "object_id", "details"))[2] == (
        "user.password",
        house.nord.id,
        house.anna.id,
        house.anna.id,
        "{}",
    )


@pytest.mark.parametrize(
    "current,new,kind,path",
    [
        ("wrong", OTHER_PASSWORD, WrongPasswordError, ["currentPassword"]),
        ("wrong", "short", InvalidInputError, ["newPassword"]),
        (PASSWORD, "x" * 11, InvalidInputError, ["newPassword"]),
        (PASSWORD, "x" * 129, InvalidInputError, ["newPassword"]),
        (PASSWORD, PASSWORD, InvalidInputError, ["newPassword"]),
        (PASSWORD, "\ud800" * 20, InvalidInputError, ["newPassword"]),
    ],
)
async def test_a_password_that_cannot_be_changed_stays(
    house: House, current: str, new: str, kind: type[CallerError], path: list[str]
) -> None:
    here = await house.sign_in(ANNA)
    before = await storage.contents(house.database, "sign_in_attempts")
    error = await fails(sessions.change_password(house.request(here), current, new))
    assert (type(error), error.path) == (kind, path)
    assert await storage.contents(house.database, "sign_in_attempts") == before


async def test_the_password_of_an_ended_session_is_not_changed(house: House) -> None:
    here = await house.sign_in(ANNA)
    await sessions.sign_out(house.request(here), everywhere=False)
    before = await storage.contents(house.database)
    for request in (house.request(here), house.request()):
        error = await fails(sessions.change_password(request, PASSWORD, OTHER_PASSWORD))
        assert type(error) is UnauthenticatedError
    assert await storage.contents(house.database) == before


async def test_a_password_set_from_outside_ends_all_sessions_and_has_to_be_changed(house: House) -> None:
    here = await house.sign_in(ANNA)
    await sessions.set_password(house.database, house.services, " ANNA@nord.example", OTHER_PASSWORD)
    assert not await house.holds(here)
    assert type(await fails(house.sign_in(ANNA, OTHER_PASSWORD))) is PasswordChangeRequiredError
    assert await house.holds(await house.sign_in(ANNA, OTHER_PASSWORD, PASSWORD))
    assert (await house.audit("action", "agency_id", "actor_id", "object_id", "details", "remote_address"))[
        1
    ] == ("user.password", house.nord.id, None, house.anna.id, '{"by":"command"}', None)


async def test_a_password_set_from_outside_needs_a_user_and_twelve_characters(house: House) -> None:
    before = await storage.contents(house.database)
    for login, password, kind in (
        ("nobody@nord.example", OTHER_PASSWORD, NotFoundError),
        (ANNA, "short", InvalidInputError),
    ):
        error = await fails(sessions.set_password(house.database, house.services, login, password))
        assert type(error) is kind
    assert await storage.contents(house.database) == before
