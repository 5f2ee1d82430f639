"""Changing roles, groups, levels and states: what is stored, audited and ended, and who stays administrator."""

import asyncio
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from models import clock
from models.database import Database
from models.tables.mailboxes import Assignment
from models.tables.sessions import Session
from models.tables.users import ReadLevel, Role, User, UserState
from resolvers.events import SESSIONS_ENDED
from tests import storage
from tests.resolvers.offices import audited
from tests.schema.asking import Asking
from tests.schema.people import (
    CONFLICT,
    FORBIDDEN,
    NAME,
    RIGHTS,
    SIGN_IN_FIRST,
    STATE,
    Cast,
    done,
    groups,
    invalid,
    refusal,
    refused,
    user_id,
)
from tests.storage import LONG_AGO, contents

pytestmark = pytest.mark.asyncio

# ---------------------------------------------------------------- setUserRights


async def test_rights_change_as_far_as_they_are_given(asking: Asking) -> None:
    cast_ = await Cast.meet()
    target = user_id(cast_.anna)
    for given, expected, told in (
        ({"role": "ADMINISTRATOR"}, {"role": "ADMINISTRATOR"}, {"role": "ADMINISTRATOR"}),
        (
            {"activityReadLevel": "ALL", "role": "USER"},
            {"activityReadLevel": "ALL"},
            {"activityReadLevel": "ALL", "role": "USER"},
        ),
        (
            {"agentsLogReadLevel": "OFFICE_GROUP", "officeGroups": [" b", "a"], "role": None},
            {"activityReadLevel": "ALL", "agentsLogReadLevel": "OFFICE_GROUP", "officeGroups": ["a", "b"]},
            {"agentsLogReadLevel": "OFFICE_GROUP", "officeGroups": ["a", "b"]},
        ),
        (
            {"officeGroups": ["c"]},
            {"activityReadLevel": "ALL", "agentsLogReadLevel": "OFFICE_GROUP", "officeGroups": ["c"]},
            {"officeGroups": ["c"]},
        ),
    ):
        assert await asking.payload(cast_.boss, RIGHTS, id=target, input=given) == done(**expected)
        last = (await audited("user.rights"))[-1]
        assert last == {
            "actor": cast_.boss.id,
            "subject": ("user", cast_.anna.id),
            "from": "192.0.2.7",
            **told,
        }
    assert await groups(cast_.nord) == ["c"]
    await asking.payload(cast_.boss, RIGHTS, id=target, input={"officeGroups": []})
    assert await groups(cast_.nord) == []


async def test_a_group_stays_while_somebody_is_in_it(asking: Asking) -> None:
    cast_ = await Cast.meet()
    for who, names in ((cast_.anna, ["a", "b"]), (cast_.ben, ["b"]), (cast_.anna, ["A"])):
        await asking.payload(cast_.boss, RIGHTS, id=user_id(who), input={"officeGroups": names})
    assert await groups(cast_.nord) == ["A", "b"]
    own = await asking.data(cast_.boss, "{ agency { officeGroups } }")
    assert own == {"agency": {"officeGroups": ["A", "b"]}}


async def test_equal_rights_change_nothing(asking: Asking) -> None:
    cast_ = await Cast.meet()
    target = user_id(cast_.anna)
    await asking.payload(cast_.boss, RIGHTS, id=target, input={"officeGroups": ["a"]})
    request = await asking.request(cast_.boss)
    before = await contents(asking.database)
    for given in (
        {},
        {"role": "USER", "officeGroups": [" a "], "activityReadLevel": "OWN", "agentsLogReadLevel": "OWN"},
        {"role": None, "officeGroups": None, "activityReadLevel": None, "agentsLogReadLevel": None},
    ):
        assert await asking.payload(request, RIGHTS, id=target, input=given) == done(officeGroups=["a"])
    assert await contents(asking.database) == before


async def test_rights_that_cannot_be(asking: Asking) -> None:
    cast_ = await Cast.meet()
    target = user_id(cast_.anna)
    for given, field in (
        ({"role": "ACCOUNT_MANAGER"}, "role"),
        ({"officeGroups": ["ok", "\n"]}, "officeGroups"),
        ({"officeGroups": [str(number) for number in range(101)]}, "officeGroups"),
    ):
        await refused(asking, cast_.boss, RIGHTS, invalid("input", field), id=target, input=given)


async def test_the_last_active_administrator_stays_one(asking: Asking) -> None:
    cast_ = await Cast.meet()
    me = user_id(cast_.boss)
    await storage.user(cast_.nord, "locked", role=Role.ADMINISTRATOR, state=UserState.LOCKED)
    await refused(asking, cast_.boss, RIGHTS, CONFLICT, id=me, input={"role": "USER", "officeGroups": ["a"]})
    for state in ("LOCKED", "DEACTIVATED"):
        await refused(asking, cast_.boss, STATE, CONFLICT, id=me, state=state)
    await asking.payload(cast_.boss, RIGHTS, id=user_id(cast_.anna), input={"role": "ADMINISTRATOR"})
    payload = await asking.payload(cast_.boss, RIGHTS, id=me, input={"role": "USER"})
    assert payload["errors"] == []
    assert payload["user"]["role"] == "USER"
    await refused(asking, cast_.boss, RIGHTS, FORBIDDEN, id=me, input={"role": "ADMINISTRATOR"})


async def test_a_locked_administrator_is_demoted_though_nobody_else_is_one_but_the_viewer(
    asking: Asking,
) -> None:
    cast_ = await Cast.meet()
    locked = await storage.user(cast_.nord, "locked", role=Role.ADMINISTRATOR, state=UserState.LOCKED)
    payload = await asking.payload(cast_.boss, RIGHTS, id=user_id(locked), input={"role": "USER"})
    assert (payload["user"]["role"], payload["errors"]) == ("USER", [])


async def test_two_administrators_cannot_demote_each_other(asking: Asking) -> None:
    cast_ = await Cast.meet()
    other = await storage.user(cast_.nord, "other", role=Role.ADMINISTRATOR)
    payloads = await asyncio.gather(
        asking.payload(cast_.boss, RIGHTS, id=user_id(other), input={"role": "USER"}),
        asking.payload(other, RIGHTS, id=user_id(cast_.boss), input={"role": "USER"}),
    )
    assert sorted(error["code"] for payload in payloads for error in payload["errors"]) == ["FORBIDDEN"]
    assert await User.filter(agency_id=cast_.nord.id, role=Role.ADMINISTRATOR).count() == 1


async def test_the_rest_of_the_operation_follows_the_new_rights(asking: Asking) -> None:
    cast_ = await Cast.meet()
    other = await storage.user(cast_.nord, "other", role=Role.ADMINISTRATOR, email="o@home.example")
    query = """mutation ($me: ID!, $other: ID!) {
      before: setUserEmailName(userId: $other, emailName: "x") { user { email } }
      setUserRights(userId: $me, input: {role: USER}) { user { role email } }
      after: setUserEmailName(userId: $other, emailName: "y") { user { email } errors { code } }
    }"""
    assert await asking.data(cast_.boss, query, me=user_id(cast_.boss), other=user_id(other)) == {
        "before": {"user": {"email": "o@home.example"}},
        "setUserRights": {"user": {"role": "USER", "email": None}},
        "after": {"user": None, "errors": [{"code": "FORBIDDEN"}]},
    }


# ---------------------------------------------------------------- setUserState


async def open_sessions(who: User) -> set[UUID]:
    return {row.id for row in await Session.filter(user_id=who.id, ended_at=None)}


@pytest.mark.parametrize("state", ["LOCKED", "DEACTIVATED"])
async def test_locking_and_deactivating_end_the_sessions_at_once(asking: Asking, state: str) -> None:
    cast_ = await Cast.meet()
    viewers = [await storage.viewer(cast_.anna) for _ in range(2)]
    await storage.viewer(cast_.ben)
    with asking.services.events.subscribe(SESSIONS_ENDED) as subscription:
        before = clock.now()
        payload = await asking.payload(cast_.boss, STATE, id=user_id(cast_.anna), state=state)
        assert payload == done(state=state)
        event = await anext(aiter(subscription))
    assert event["user_id"] == str(cast_.anna.id)
    assert set(event["session_ids"]) == {str(viewer.session_id) for viewer in viewers}
    assert await open_sessions(cast_.anna) == set()
    ended = await Session.filter(user_id=cast_.anna.id).values_list("ended_at", flat=True)
    assert all(before <= cast("Any", moment) <= clock.now() for moment in ended)
    assert len(await open_sessions(cast_.ben)) == 1
    assert await audited("user.state") == [
        {
            "actor": cast_.boss.id,
            "subject": ("user", cast_.anna.id),
            "from": "192.0.2.7",
            "state": state,
        }
    ]
    request = asking.request_of(viewers[0])
    name = await asking.payload(request, NAME, id=user_id(cast_.anna), name="x")
    assert name == SIGN_IN_FIRST


async def test_locking_keeps_the_assignments_and_unlocking_the_sessions_ended(asking: Asking) -> None:
    cast_ = await Cast.meet()
    await storage.period(await storage.mailbox(cast_.nord, "desk"), cast_.anna)
    await storage.viewer(cast_.anna)
    target = user_id(cast_.anna)
    assert await asking.payload(cast_.boss, STATE, id=target, state="LOCKED") == done(state="LOCKED")
    assert await asking.payload(cast_.boss, STATE, id=target, state="ACTIVE") == done()
    assert [row.until for row in await Assignment.all()] == [None]
    assert await open_sessions(cast_.anna) == set()
    assert [each["state"] for each in await audited("user.state")] == ["LOCKED", "ACTIVE"]


@pytest.mark.parametrize("first", [None, "LOCKED"])
async def test_deactivating_ends_every_assignment_and_is_final(asking: Asking, first: str | None) -> None:
    cast_ = await Cast.meet()
    target = user_id(cast_.anna)
    boxes = [await storage.mailbox(cast_.nord, f"m{number}") for number in range(3)]
    for box in boxes[:2]:
        await storage.period(box, cast_.anna)
        await storage.period(box, cast_.ben)
    past = await storage.period(boxes[2], cast_.anna, until=LONG_AGO + timedelta(days=1))
    if first is not None:
        await asking.payload(cast_.boss, STATE, id=target, state=first)
    before = clock.now()
    payload = await asking.payload(cast_.boss, STATE, id=target, state="DEACTIVATED")
    assert payload == done(state="DEACTIVATED")
    ended = await Assignment.filter(user_id=cast_.anna.id, since=LONG_AGO).exclude(id=past.id)
    assert len(ended) == 2
    assert all(before <= cast("Any", row.until) <= clock.now() for row in ended)
    assert (await Assignment.get(id=past.id)).until == past.until
    assert await Assignment.filter(user_id=cast_.ben.id, until=None).count() == 2
    assert len(await audited("assignment.end")) == 2
    final = refusal("ConflictError", "CONFLICT", "state")
    for state in ("ACTIVE", "LOCKED"):
        await refused(asking, cast_.boss, STATE, final, id=target, state=state)


@pytest.mark.parametrize("state", list(UserState))
async def test_the_same_state_changes_nothing(asking: Asking, state: UserState) -> None:
    cast_ = await Cast.meet()
    await storage.viewer(cast_.anna)
    await User.filter(id=cast_.anna.id).update(state=state)
    request = await asking.request(cast_.boss)
    before = await contents(asking.database)
    payload = await asking.payload(request, STATE, id=user_id(cast_.anna), state=state.value)
    assert payload == done(state=state.value)
    assert await contents(asking.database) == before


async def test_whoever_locks_oneself_sees_nothing_more(asking: Asking, database: Database) -> None:
    cast_ = await Cast.meet()
    await storage.user(cast_.nord, "other", role=Role.ADMINISTRATOR)
    query = """mutation ($me: ID!) {
      setUserState(userId: $me, state: LOCKED) { user { state email activityReadLevel } errors { code } }
      setUserEmailName(userId: $me, emailName: "y") { user { id } errors { code } }
    }"""
    await User.filter(id=cast_.boss.id).update(email="b@home.example")
    assert await asking.data(cast_.boss, query, me=user_id(cast_.boss)) == {
        "setUserState": {"user": {"state": "LOCKED", "email": None, "activityReadLevel": None}, "errors": []},
        "setUserEmailName": {"user": None, "errors": [{"code": "UNAUTHENTICATED"}]},
    }
    assert (await User.get(id=cast_.boss.id)).state is UserState.LOCKED
    assert database.observer is None


async def test_levels_are_kept_apart(asking: Asking) -> None:
    """Swapping the two columns would go unseen with equal values."""
    cast_ = await Cast.meet()
    given = {"activityReadLevel": "NOTHING", "agentsLogReadLevel": "ALL"}
    await asking.payload(cast_.boss, RIGHTS, id=user_id(cast_.anna), input=given)
    row = await User.get(id=cast_.anna.id)
    assert (row.activity_read_level, row.agents_log_read_level) == (ReadLevel.NOTHING, ReadLevel.ALL)
