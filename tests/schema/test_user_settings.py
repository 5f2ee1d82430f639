"""Making users and changing what they are called: what is stored and audited, and that a refusal changes nothing."""

import asyncio
from typing import Any, cast

import pytest

from models.tables.users import OfficeGroup, Role, User, UserState
from resolvers.hashing import Hasher
from tests import storage
from tests.resolvers.offices import audited
from tests.schema.asking import Asking
from tests.schema.people import (
    CREATE,
    FORBIDDEN,
    NAME,
    NEW,
    RIGHTS,
    SIGN_IN_FIRST,
    UPDATE,
    Cast,
    done,
    groups,
    invalid,
    refusal,
    refused,
    user_id,
)
from tests.storage import contents

pytestmark = pytest.mark.asyncio

# ---------------------------------------------------------------- createUser


async def test_an_administrator_makes_a_user(asking: Asking) -> None:
    cast_ = await Cast.meet()
    payload = await asking.payload(cast_.boss, CREATE, input=NEW)
    assert payload == done(login="new@nord.example", firstName="Neu", lastName="Mann", name="Neu Mann")
    row = await User.get(login="new@nord.example")
    assert cast("Any", row).agency_id == cast_.nord.id
    assert (row.fold_name, row.fold_search) == ("mann\x1fneu", "new@nord.example\nneu\nmann")
    assert row.password_change_required is True
    assert await asking.services.hasher.verify(row.password_hash, NEW["password"])
    assert await audited("user.create") == [
        {
            "actor": cast_.boss.id,
            "subject": ("user", row.id),
            "from": "192.0.2.7",
            "login": "new@nord.example",
            "role": "USER",
            "officeGroups": [],
            "activityReadLevel": "OWN",
            "agentsLogReadLevel": "OWN",
        }
    ]


async def test_a_user_with_everything(asking: Asking) -> None:
    cast_ = await Cast.meet()
    await OfficeGroup.create(agency_id=cast_.nord.id, name="Sales")
    await asking.payload(cast_.boss, RIGHTS, id=user_id(cast_.boss), input={"officeGroups": ["Sales"]})
    asked = {
        **NEW,
        "login": "Neu.Mann@NORD.example",
        "firstName": "  Neu ",
        "email": "Neu@HOME.example",
        "emailName": " Neu Mann ",
        "language": "en-GB",
        "role": "ADMINISTRATOR",
        "officeGroups": [" Sales", "sales", "Sales "],
        "activityReadLevel": "ALL",
        "agentsLogReadLevel": "NOTHING",
    }
    assert await asking.payload(cast_.boss, CREATE, input=asked) == done(
        login="neu.mann@nord.example",
        firstName="Neu",
        lastName="Mann",
        name="Neu Mann",
        email="Neu@home.example",
        emailName="Neu Mann",
        language="en-GB",
        role="ADMINISTRATOR",
        officeGroups=["Sales", "sales"],
        activityReadLevel="ALL",
        agentsLogReadLevel="NOTHING",
    )
    assert await groups(cast_.nord) == ["Sales", "sales"]


async def test_null_is_absent_where_it_may_be_absent(asking: Asking) -> None:
    cast_ = await Cast.meet()
    asked = {**NEW, "email": None, "emailName": None, "language": None}
    payload = await asking.payload(cast_.boss, CREATE, input=asked)
    assert payload == done(login="new@nord.example", firstName="Neu", lastName="Mann", name="Neu Mann")


@pytest.mark.parametrize(
    "field,value",
    [
        ("login", "new@sued.example"),
        ("login", "new@sub.nord.example"),
        ("login", "new@nowhere.example"),
        ("login", "new"),
        ("login", ""),
        ("login", "n w@nord.example"),
        ("firstName", " "),
        ("firstName", "x" * 101),
        ("lastName", ""),
        ("lastName", "a\nb"),
        ("email", "nobody"),
        ("email", ""),
        ("emailName", "=?utf-8?Q?x?="),
        ("emailName", "new@nord.example"),
        ("language", "german language"),
        ("role", "ACCOUNT_MANAGER"),
        ("password", "x" * 11),
        ("password", "x" * 129),
        ("password", "x" * 11 + "\ud800"),
        ("officeGroups", [" "]),
        ("officeGroups", ["x" * 101]),
        *(
            (field, bad)
            for field in ("login", "firstName", "lastName", "email", "emailName")
            for bad in ("\0", "\ud800")
        ),
    ],
)
async def test_what_cannot_be_a_user(asking: Asking, field: str, value: object) -> None:
    cast_ = await Cast.meet()
    await refused(asking, cast_.boss, CREATE, invalid("input", field), input={**NEW, field: value})


async def test_a_login_is_taken_whatever_its_case(asking: Asking) -> None:
    cast_ = await Cast.meet()
    taken = refusal("ConflictError", "CONFLICT", "input", "login")
    for login in ("anna@nord.example", "ANNA@nord.example"):
        await refused(asking, cast_.boss, CREATE, taken, input={**NEW, "login": login})


async def test_only_administrators_make_users_and_nothing_is_hashed_for_others(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Hasher, password: str) -> str:
        raise AssertionError(password)

    cast_ = await Cast.meet()
    locked = await storage.user(cast_.nord, "l", role=Role.ADMINISTRATOR, state=UserState.LOCKED)
    monkeypatch.setattr(Hasher, "hash", never)
    for asked in (NEW, {**NEW, "login": "x"}, {**NEW, "login": "new@sued.example"}):
        for who, expected in (
            (None, SIGN_IN_FIRST),
            (cast_.anna, FORBIDDEN),
            (cast_.manager, refusal("NotFoundError", "NOT_FOUND")),
            (locked, SIGN_IN_FIRST),
        ):
            await refused(asking, who, CREATE, expected, input=asked)
    await refused(asking, cast_.boss, CREATE, invalid("input", "login"), input={**NEW, "login": "x"})


async def test_rights_lost_while_the_password_is_hashed_count(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast_ = await Cast.meet()

    async def demote(_: Hasher, password: str) -> str:
        await User.filter(id=cast_.boss.id).update(role=Role.USER)
        return password[:0]

    monkeypatch.setattr(Hasher, "hash", demote)
    assert await asking.payload(cast_.boss, CREATE, input=NEW) == FORBIDDEN
    assert not await User.exists(login=NEW["login"])
    assert await audited("user.create") == []


async def test_one_login_is_made_once(asking: Asking) -> None:
    cast_ = await Cast.meet()
    payloads = await asyncio.gather(*(asking.payload(cast_.boss, CREATE, input=NEW) for _ in range(3)))
    assert sorted(len(payload["errors"]) for payload in payloads) == [0, 1, 1]
    assert {error["code"] for payload in payloads for error in payload["errors"]} == {"CONFLICT"}
    assert await User.filter(login=NEW["login"]).count() == 1
    assert len(await audited("user.create")) == 1


# ---------------------------------------------------------------- updateUser


async def test_an_administrator_changes_names_address_and_language(asking: Asking) -> None:
    cast_ = await Cast.meet()
    await User.filter(id=cast_.anna.id).update(email_name="Frau Anna")
    changes = {"firstName": " Änne ", "lastName": "Zander", "email": "A@HOME.example", "language": "en"}
    payload = await asking.payload(cast_.boss, UPDATE, id=user_id(cast_.anna), input=changes)
    assert payload == done(
        firstName="Änne",
        lastName="Zander",
        name="Änne Zander",
        email="A@home.example",
        language="en",
        emailName="Frau Anna",
    )
    row = await User.get(id=cast_.anna.id)
    assert (row.fold_name, row.fold_search) == (
        "zander\x1fanne",
        "anna@nord.example\nänne\nzander\nfrau anna",
    )
    assert await audited("user.update") == [
        {
            "actor": cast_.boss.id,
            "subject": ("user", cast_.anna.id),
            "from": "192.0.2.7",
            "fields": ["firstName", "lastName", "email", "language"],
        }
    ]


async def test_oneself_changes_address_and_language_alone(asking: Asking) -> None:
    cast_ = await Cast.meet()
    mine = user_id(cast_.anna)
    changes = {"email": "a@home.example", "language": "en"}
    expected = done(email="a@home.example", language="en")
    assert await asking.payload(cast_.anna, UPDATE, id=mine, input=changes) == expected
    for forbidden in (
        {"firstName": "Eve"},
        {"lastName": "Eve", "email": "b@home.example"},
        {"firstName": None},
    ):
        await refused(asking, cast_.anna, UPDATE, FORBIDDEN, id=mine, input=forbidden)
    assert (await asking.payload(cast_.anna, UPDATE, id=mine, input={"email": None})) == done(language="en")
    manager = user_id(cast_.manager)
    payload = await asking.payload(cast_.manager, UPDATE, id=manager, input={"email": "m@provider.example"})
    assert payload["user"]["email"] == "m@provider.example"
    assert [each["fields"] for each in await audited("user.update")] == [
        ["email", "language"],
        ["email"],
        ["email"],
    ]


async def test_what_is_absent_or_equal_changes_nothing(asking: Asking) -> None:
    cast_ = await Cast.meet()
    request = await asking.request(cast_.boss)
    before = await contents(asking.database)
    for changes in ({}, {"firstName": "Kim"}, {"lastName": " Anna ", "email": None, "language": "de"}):
        assert await asking.payload(request, UPDATE, id=user_id(cast_.anna), input=changes) == done()
    assert await contents(asking.database) == before


@pytest.mark.parametrize(
    "field,value",
    [
        ("firstName", None),
        ("lastName", None),
        ("language", None),
        ("firstName", " "),
        ("lastName", "x" * 101),
        ("email", "x"),
        ("language", "d"),
        ("firstName", "\0"),
        ("lastName", "\ud800"),
    ],
)
async def test_changes_that_cannot_be(asking: Asking, field: str, value: object) -> None:
    cast_ = await Cast.meet()
    expected = invalid("input", field)
    await refused(asking, cast_.boss, UPDATE, expected, id=user_id(cast_.anna), input={field: value})


# ---------------------------------------------------------------- setUserEmailName


async def test_a_name_is_set_and_cleared_by_oneself_and_administrators(asking: Asking) -> None:
    cast_ = await Cast.meet()
    mine = user_id(cast_.anna)
    assert await asking.payload(cast_.anna, NAME, id=mine, name=" Anna P. ") == done(emailName="Anna P.")
    row = await User.get(id=cast_.anna.id)
    assert row.fold_search == "anna@nord.example\nkim\nanna\nanna p."
    assert await asking.payload(cast_.boss, NAME, id=mine, name="A.") == done(emailName="A.")
    for blank in (None, " ", ""):
        await asking.payload(cast_.anna, NAME, id=mine, name="x")
        assert await asking.payload(cast_.anna, NAME, id=mine, name=blank) == done()
    absent = "mutation ($id: ID!) { setUserEmailName(userId: $id) { user { emailName } errors { code } } }"
    await asking.payload(cast_.anna, NAME, id=mine, name="x")
    assert await asking.payload(cast_.anna, absent, id=mine) == {"user": {"emailName": None}, "errors": []}
    told = await audited("user.email_name")
    assert [(each["actor"], each["emailName"]) for each in told[:3]] == [
        (cast_.anna.id, "Anna P."),
        (cast_.boss.id, "A."),
        (cast_.anna.id, "x"),
    ]


@pytest.mark.parametrize(
    "name", ["a@b.example", "anna@nord.example", "x" * 129, "a\nb", "=?x?=", "\u202ex", "<x>"]
)
async def test_names_that_cannot_be(asking: Asking, name: str) -> None:
    cast_ = await Cast.meet()
    await refused(asking, cast_.anna, NAME, invalid("emailName"), id=user_id(cast_.anna), name=name)


async def test_the_same_name_changes_nothing(asking: Asking) -> None:
    cast_ = await Cast.meet()
    await asking.payload(cast_.anna, NAME, id=user_id(cast_.anna), name="x")
    request = await asking.request(cast_.anna)
    before = await contents(asking.database)
    assert await asking.payload(request, NAME, id=user_id(cast_.anna), name=" x") == done(emailName="x")
    assert await contents(asking.database) == before
