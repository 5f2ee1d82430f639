"""Sessions in cookies: scripts cannot read them, other pages cannot use them, and a front end can go on with them."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from models import clock
from tests.client import Answer, Client
from tests.resolvers.signing_in import PASSWORD
from tests.server.doors import HOST, REFRESH, SIGN_IN, SIGN_OUT, WHO, Doors, doors

pytestmark = pytest.mark.asyncio
FRONT_END = "https://app.nord.example"
ANNA = {"login": "anna@nord.example", "password": PASSWORD, "session": "COOKIE"}
VIEWER = {"login": "anna@nord.example", "email": "anna@home.example"}
NOTHING = {"accessToken": None, "refreshToken": None, "expiresAt": None, "viewer": None}


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path, ALLOWED_ORIGINS=f"{FRONT_END},http://localhost:5173") as opened:
        yield opened


@pytest_asyncio.fixture
async def secure(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path, PUBLIC_URL=f"https://{HOST}") as opened:
        yield opened


@pytest.fixture
def database_kind() -> str:
    """The door is the same on both; sessions are tested behind it."""
    return "sqlite"


def set_by(answer: Answer | httpx.Response) -> dict[str, dict[str, str]]:
    """The cookies that an answer sets, with their attributes."""
    found: dict[str, dict[str, str]] = {}
    for header in answer.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(header).items():
            found[name] = {
                "value": morsel.value,
                **{key: str(value) for key, value in morsel.items() if value},
            }
    return found


async def signed_in(client: Client, **headers: str) -> Any:  # noqa: ANN401 (a payload)
    answer = await client.execute(SIGN_IN, ANNA, headers=headers)
    return answer.good()["signIn"]


async def test_tokens_are_in_cookies_and_not_in_the_payload(house: Doors) -> None:
    async with house.client() as client:
        answer = await client.execute(SIGN_IN, ANNA)
        payload = answer.good()["signIn"]
        assert {**payload, "expiresAt": None} == {**NOTHING, "viewer": VIEWER, "errors": []}
        assert payload["expiresAt"] is not None
        cookies = set_by(answer)
        assert set(cookies) == {"postfach_access", "postfach_refresh"}
        for cookie in cookies.values():
            assert cookie.pop("value").count(".") == 2
            assert 30 * 86400 - 60 < int(cookie.pop("max-age")) <= 30 * 86400
            assert cookie == {"path": "/", "httponly": "True", "samesite": "strict"}
        assert (await client.execute(WHO)).good() == {"viewer": {"login": "anna@nord.example"}}


async def test_cookies_are_secure_where_clients_come_by_https(secure: Doors) -> None:
    async with secure.client() as client:
        answer = await client.execute(SIGN_IN, ANNA)
        cookies = set_by(answer)
        assert set(cookies) == {"__Host-postfach_access", "__Host-postfach_refresh"}
        for cookie in cookies.values():
            assert {name: cookie[name] for name in cookie if name not in {"value", "max-age"}} == {
                "path": "/",
                "httponly": "True",
                "samesite": "strict",
                "secure": "True",
            }
        assert (await client.execute(WHO)).good()["viewer"] is not None


async def test_bearer_tokens_set_no_cookies(house: Doors) -> None:
    async with house.client() as client:
        for session in ("BEARER", None):
            answer = await client.execute(SIGN_IN, {**ANNA, "session": session})
            payload = answer.good()["signIn"]
            assert payload["accessToken"]
            assert payload["refreshToken"]
            assert set_by(answer) == {}


async def test_a_failed_sign_in_sets_no_cookies(house: Doors) -> None:
    async with house.client() as client:
        answer = await client.execute(SIGN_IN, {**ANNA, "password": "wrong"})
    assert answer.good()["signIn"] == {
        **NOTHING,
        "errors": [
            {
                "__typename": "UnauthenticatedError",
                "code": "UNAUTHENTICATED",
                "message": "Login or password is wrong, or the user may not sign in.",
                "path": None,
            }
        ],
    }
    assert set_by(answer) == {}


async def test_the_cookie_refreshes_the_session(house: Doors) -> None:
    async with house.client() as client:
        await signed_in(client)
        before = dict(client.http.cookies)
        answer = await client.execute(REFRESH)
        payload = answer.good()["refreshSession"]
        assert (payload["accessToken"], payload["refreshToken"], payload["viewer"], payload["errors"]) == (
            None,
            None,
            VIEWER,
            [],
        )
        after = dict(client.http.cookies)
        assert set(after) == set(before)
        assert all(after[name] != before[name] for name in before)
        assert (await client.execute(WHO)).good()["viewer"] is not None


async def test_an_access_cookie_that_does_not_hold_is_401_and_taken_away(house: Doors) -> None:
    async with house.client() as client:
        await signed_in(client)
        session = await house.runtime.database.fetch_one("SELECT id FROM sessions")
        assert session is not None
        claims = {"use": "access", "sid": str(session["id"]), "exp": int(clock.now().timestamp()) - 1}
        del client.http.cookies["postfach_access"]
        client.http.cookies.set("postfach_access", house.signed(claims), HOST, "/")
        answer = await client.execute(REFRESH)
        assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
        assert set_by(answer) == {
            "postfach_access": {
                "value": "",
                "max-age": "0",
                "path": "/",
                "httponly": "True",
                "samesite": "strict",
            }
        }
        assert set(client.http.cookies) == {"postfach_refresh"}
        assert (await client.execute(WHO)).good() == {"viewer": None}
        assert (await client.execute(REFRESH)).good()["refreshSession"]["viewer"] == VIEWER
        assert (await client.execute(WHO)).good()["viewer"] is not None


async def test_signing_out_takes_the_cookies_away(house: Doors) -> None:
    async with house.client() as client:
        await signed_in(client)
        answer = await client.execute(SIGN_OUT)
        assert answer.good() == {"signOut": {"errors": []}}
        assert {name: cookie["max-age"] for name, cookie in set_by(answer).items()} == {
            "postfach_access": "0",
            "postfach_refresh": "0",
        }
        assert dict(client.http.cookies) == {}
        assert (await client.execute(WHO)).good() == {"viewer": None}


async def test_signing_out_a_bearer_session_leaves_the_cookies(house: Doors) -> None:
    async with house.client() as client:
        await signed_in(client)
        client.token = await house.token(house.ben)
        answer = await client.execute(SIGN_OUT)
        assert answer.good() == {"signOut": {"errors": []}}
        assert set_by(answer) == {}
        client.token = None
        assert (await client.execute(WHO)).good()["viewer"] is not None


async def test_a_refresh_cookie_that_does_not_hold_is_taken_away(house: Doors) -> None:
    async with house.client() as client:
        client.http.cookies.set("postfach_refresh", "x.y.z", HOST, "/")
        answer = await client.execute(REFRESH)
        assert [error["code"] for error in answer.good()["refreshSession"]["errors"]] == ["UNAUTHENTICATED"]
        assert dict(client.http.cookies) == {}


async def test_without_any_refresh_token_nobody_is_signed_in(house: Doors) -> None:
    async with house.client() as client:
        answer = await client.execute(REFRESH)
    payload = answer.good()["refreshSession"]
    assert {**payload, "errors": None} == {**NOTHING, "errors": None}
    assert [error["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]


async def test_a_header_comes_before_the_cookies(house: Doors) -> None:
    async with house.client() as client:
        await signed_in(client)
        client.token = await house.token(house.ben)
        assert (await client.execute(WHO)).good() == {"viewer": {"login": "ben@nord.example"}}
        client.token = "x"
        answer = await client.execute(WHO)
        assert answer.status == 401
        assert set_by(answer) == {}


# ---------------------------------------------------------------- pages


FOREIGN = [
    "https://evil.example",
    f"http://{HOST}.evil.example",
    f"http://evil.example/{HOST}",
    f"http://{HOST}:8001",
    "https://app.nord.example.evil.example",
    "https://app.nord.example:444",
    "http://app.nord.example",
    "null",
    "",
    "http://[::1",
]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_page_cannot_use_the_cookies(house: Doors, origin: str) -> None:
    async with house.client() as client:
        await signed_in(client)
        for query in (WHO, REFRESH, SIGN_OUT):
            answer = await client.execute(query, headers={"origin": origin})
            assert (answer.status, answer.codes) == (403, ["FORBIDDEN"])
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["vary"] == "Origin"
        del client.http.cookies["postfach_access"]
        assert (await client.execute(REFRESH, headers={"origin": origin})).status == 403
        # Nothing was ended.
        assert (await client.execute(REFRESH)).good()["refreshSession"]["viewer"] == VIEWER


async def test_another_page_gets_no_cookies(house: Doors) -> None:
    async with house.client() as client:
        answer = await client.execute(SIGN_IN, ANNA, headers={"origin": FOREIGN[0]})
        (error,) = answer.good()["signIn"]["errors"]
        assert (error["code"], error["path"]) == ("INVALID_INPUT", ["session"])
        assert set_by(answer) == {}
    assert await house.runtime.database.fetch("SELECT id FROM sessions") == []


async def test_a_bearer_token_works_from_anywhere(house: Doors) -> None:
    token = await house.token(house.anna)
    answer = await house.ask(token=token, origin=FOREIGN[0])
    assert answer.good()["viewer"] is not None
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin", [f"http://{HOST}", f"http://{HOST}:80", f"https://{HOST}", "http://127.0.0.1:8000"]
)
async def test_our_own_page_uses_the_cookies(house: Doors, origin: str) -> None:
    async with house.client() as client:
        assert (await signed_in(client, origin=origin))["viewer"] == VIEWER
        answer = await client.execute(WHO, headers={"origin": origin})
        assert answer.good()["viewer"] is not None
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", [FRONT_END, "http://localhost:5173"])
async def test_an_allowed_page_uses_the_cookies_and_reads_the_answer(house: Doors, origin: str) -> None:
    async with house.client() as client:
        assert (await signed_in(client, origin=origin))["viewer"] == VIEWER
        for body in (b"{", b'{"query":"{ viewer { login } }"}'):
            answer = await client.post(body, headers={"origin": origin})
            assert {
                name: value for name, value in answer.headers.items() if name.startswith("access-control")
            } == {
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "access-control-expose-headers": "Retry-After, X-Request-Id",
            }
            assert answer.headers["vary"] == "Origin"


async def test_a_browser_may_ask_before_it_posts(house: Doors) -> None:
    async with house.client() as client:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        allowed = await client.http.options("/graphql", headers={"origin": FRONT_END, **asked})
        assert allowed.status_code == 204
        assert {
            name: value for name, value in allowed.headers.items() if name.startswith("access-control")
        } == {
            "access-control-allow-origin": FRONT_END,
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "Authorization, Content-Type",
            "access-control-max-age": "600",
            "access-control-expose-headers": "Retry-After, X-Request-Id",
        }
        foreign = await client.http.options("/graphql", headers={"origin": FOREIGN[0], **asked})
        assert not [name for name in foreign.headers if name.startswith("access-control")]
        elsewhere = await client.http.get("/metrics", headers={"origin": FRONT_END})
        assert not [name for name in elsewhere.headers if name.startswith("access-control")]
