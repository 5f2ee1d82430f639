"""Signing in and out as clients ask for it: payloads, what null means, and whose eyes read the payload."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from models.database import Database
from models.tables.users import ReadLevel, Role
from resolvers import node_ids
from resolvers.node_ids import NodeKind
from tests import storage
from tests.resolvers.signing_in import OTHER_PASSWORD, PASSWORD, House, house_of, person
from tests.schema.asking import Asking, Json

pytestmark = pytest.mark.asyncio
TOKENS = "accessToken refreshToken expiresAt viewer { login email activityReadLevel } errors { __typename code path }"
SIGN_IN = f"""
mutation ($login: String!, $password: String!, $new: String, $session: SessionKind) {{
  signIn(login: $login, password: $password, newPassword: $new, session: $session) {{ {TOKENS} }}
}}
"""
REFRESH = f"mutation ($token: String) {{ refreshSession(refreshToken: $token) {{ {TOKENS} }} }}"
CHANGE = """
mutation ($current: String!, $new: String!) {
  changePassword(currentPassword: $current, newPassword: $new) { errors { __typename code path } }
}
"""
NOTHING = {"accessToken": None, "refreshToken": None, "expiresAt": None, "viewer": None}
ANNA = {"login": "anna@nord.example", "password": PASSWORD}


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with house_of(database) as opened:
        await opened.anna.filter(id=opened.anna.id).update(
            email="anna@home.example", activity_read_level=ReadLevel.ALL
        )
        yield opened


@pytest.fixture
def asking(house: House) -> Asking:
    """Asks with what the house has."""
    return Asking(house.database, house.services)


def refused(payload: Json, kind: str, code: str, path: list[str] | None = None) -> None:
    """A payload with nothing but this error."""
    assert payload == {**NOTHING, "errors": [{"__typename": kind, "code": code, "path": path}]}


@pytest.mark.parametrize("variables", [{}, {"new": None, "session": None}, {"session": "BEARER", "more": 1}])
async def test_the_payload_is_read_by_who_signed_in(asking: Asking, variables: Json) -> None:
    payload = await asking.payload(None, SIGN_IN, **ANNA, **variables)
    # The private address is for administrators and oneself.
    assert payload["viewer"] == {
        "login": "anna@nord.example",
        "email": "anna@home.example",
        "activityReadLevel": "ALL",
    }
    assert payload["errors"] == []
    assert payload["expiresAt"].endswith("Z")
    refreshed = await asking.payload(None, REFRESH, token=payload["refreshToken"])
    assert refreshed["viewer"] == payload["viewer"]
    assert refreshed["accessToken"] not in {None, payload["accessToken"]}


async def test_a_failed_sign_in_tells_nothing_else(asking: Asking, house: House) -> None:
    refused(
        await asking.payload(None, SIGN_IN, **{**ANNA, "password": "x"}),
        "UnauthenticatedError",
        "UNAUTHENTICATED",
    )
    await person(house.nord, "eva", password_change_required=True)
    eva = {**ANNA, "login": "eva@nord.example"}
    refused(
        await asking.payload(None, SIGN_IN, **eva),
        "PasswordChangeRequiredError",
        "PASSWORD_CHANGE_REQUIRED",
        ["newPassword"],
    )
    refused(
        await asking.payload(None, SIGN_IN, **eva, new="short"),
        "InvalidInputError",
        "INVALID_INPUT",
        ["newPassword"],
    )
    payload = await asking.payload(None, SIGN_IN, **eva, new=OTHER_PASSWORD)
    assert payload["viewer"]["login"] == "eva@nord.example"


async def test_a_client_that_keeps_no_cookies_cannot_ask_for_them(asking: Asking) -> None:
    before = await storage.contents(asking.database)
    refused(
        await asking.payload(None, SIGN_IN, **ANNA, session="COOKIE"),
        "InvalidInputError",
        "INVALID_INPUT",
        ["session"],
    )
    for variables in ({}, {"token": None}, {"token": ""}, {"token": "x"}):
        refused(await asking.payload(None, REFRESH, **variables), "UnauthenticatedError", "UNAUTHENTICATED")
    assert await storage.contents(asking.database) == before


async def test_without_a_session_nothing_ends_and_nothing_changes(asking: Asking) -> None:
    before = await storage.contents(asking.database)
    answer = {"errors": [{"__typename": "UnauthenticatedError", "code": "UNAUTHENTICATED", "path": None}]}
    out = "mutation { signOut(everywhere: true) { errors { __typename code path } } }"
    assert await asking.payload(None, out) == answer
    assert await asking.payload(None, CHANGE, current=PASSWORD, new=OTHER_PASSWORD) == answer
    assert await storage.contents(asking.database) == before


@pytest.mark.parametrize(
    "everywhere", ["", "(everywhere: null)", "(everywhere: false)", "(everywhere: true)"]
)
async def test_signing_out(asking: Asking, house: House, everywhere: str) -> None:
    here, there = await house.sign_in(ANNA["login"]), await house.sign_in(ANNA["login"])
    request = asking.request_of(here.viewer)
    data = await asking.data(request, f"mutation {{ signOut{everywhere} {{ errors {{ code }} }} }}")
    assert data == {"signOut": {"errors": []}}
    assert [await house.holds(here), await house.holds(there)] == [False, "true" not in everywhere]


async def test_the_own_password(asking: Asking, house: House) -> None:
    here = await house.sign_in(ANNA["login"])
    request = asking.request_of(here.viewer)
    wrong = await asking.payload(request, CHANGE, current="x", new=OTHER_PASSWORD)
    assert wrong["errors"] == [
        {"__typename": "WrongPasswordError", "code": "WRONG_PASSWORD", "path": ["currentPassword"]}
    ]
    same = await asking.payload(request, CHANGE, current=PASSWORD, new=PASSWORD)
    assert same["errors"] == [
        {"__typename": "InvalidInputError", "code": "INVALID_INPUT", "path": ["newPassword"]}
    ]
    assert await asking.payload(request, CHANGE, current=PASSWORD, new=OTHER_PASSWORD) == {"errors": []}
    assert await house.holds(here)
    assert (await house.sign_in(ANNA["login"], OTHER_PASSWORD)).viewer.id == house.anna.id


async def test_what_one_viewer_loaded_is_not_shown_to_the_next(asking: Asking, house: House) -> None:
    ben = await person(house.nord, "ben", role=Role.USER)
    request = await asking.request(house.anna)
    data = await asking.data(
        request,
        """
        mutation ($password: String!) {
          first: updateUser(userId: "%s", input: {}) { user { email } }
          signIn(login: "ben@nord.example", password: $password) { viewer { login } }
          second: updateUser(userId: "%s", input: {}) { user { email } errors { code } }
          signOut { errors { code } }
          third: updateUser(userId: "%s", input: {}) { user { email } errors { code } }
        }
        """.replace("%s", node_ids.encode(NodeKind.USER, house.anna.id)),
        password=PASSWORD,
    )
    assert data["first"] == {"user": {"email": "anna@home.example"}}
    assert data["signIn"] == {"viewer": {"login": ben.login}}
    assert data["second"] == {"user": None, "errors": [{"code": "FORBIDDEN"}]}
    assert data["signOut"] == {"errors": []}
    assert data["third"] == {"user": None, "errors": [{"code": "UNAUTHENTICATED"}]}
