"""Assigning and unassigning: who may, what is stored, and what happens at the same instant."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast
from uuid import uuid4

import pytest

from models import clock
from models.database import Database, Unit
from models.tables.mailboxes import Assignment, Mailbox
from models.tables.users import Role, User, UserState
from resolvers import assignments
from resolvers.errors import CallerError, ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from resolvers.following import Followed
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage
from tests.resolvers.offices import Office, audited, box_id, user_id
from tests.storage import LONG_AGO, contents, statements

pytestmark = pytest.mark.asyncio

DAY = timedelta(days=1)
Change = Callable[[Request, str, str], Awaitable[assignments.Assignment]]


async def test_assigning_begins_a_period_now(database: Database) -> None:
    office = await Office.open()
    before = clock.now()
    begun = await assignments.assign(await storage.request(database, office.boss), *office.ids)
    assert before <= begun.since <= clock.now()
    assert (begun.mailbox_id, begun.user_id, begun.until) == (office.desk.id, office.anna.id, None)
    [row] = await Assignment.all().values()
    assert row == {
        "id": begun.id,
        "agency_id": office.agency.id,
        "mailbox_id": office.desk.id,
        "user_id": office.anna.id,
        "since": begun.since,
        "until": None,
    }
    assert (await Mailbox.get(id=office.desk.id)).last_moment == begun.since
    assert await audited("assignment.begin") == [
        {
            "actor": office.boss.id,
            "subject": ("assignment", begun.id),
            "from": "192.0.2.7",
            "mailbox": str(office.desk.id),
            "user": str(office.anna.id),
        }
    ]


async def test_assigning_an_assigned_user_changes_nothing(database: Database) -> None:
    office = await Office.open()
    period = await storage.period(office.desk, office.anna)
    await User.filter(id=office.anna.id).update(state=UserState.LOCKED)
    request = await storage.request(database, office.boss)
    before = await contents(database)
    found = await assignments.assign(request, *office.ids)
    assert (found.id, found.since, found.until) == (period.id, LONG_AGO, None)
    assert await contents(database) == before


async def test_unassigning_ends_the_period_now_and_only_once(database: Database) -> None:
    office = await Office.open()
    period = await storage.period(office.desk, office.anna)
    request = await storage.request(database, office.boss)
    before = clock.now()
    ended = (await assignments.unassign(request, *office.ids)).changed
    assert ended.until is not None
    assert before <= ended.until <= clock.now()
    assert (ended.id, ended.since) == (period.id, LONG_AGO)
    assert (await Assignment.get(id=period.id)).until == ended.until
    assert (await Mailbox.get(id=office.desk.id)).last_moment == ended.until
    assert [each["subject"] for each in await audited("assignment.end")] == [("assignment", period.id)]
    stored = await contents(database)
    assert (await assignments.unassign(request, *office.ids)).changed == ended
    assert await contents(database) == stored


async def test_unassigning_answers_the_last_of_several_periods(database: Database) -> None:
    office = await Office.open()
    for start in (0, 20, 10):
        await storage.period(office.desk, office.anna, LONG_AGO + start * DAY, LONG_AGO + (start + 1) * DAY)
    found = (await assignments.unassign(await storage.request(database, office.boss), *office.ids)).changed
    assert found.since == LONG_AGO + 20 * DAY


async def test_whoever_was_never_assigned_is_not_found(database: Database) -> None:
    office = await Office.open()
    await storage.period(office.desk, office.boss)
    request = await storage.request(database, office.boss)
    before = await contents(database)
    with pytest.raises(NotFoundError) as caught:
        await assignments.unassign(request, *office.ids)
    assert caught.value.path == ["userId"]
    assert await contents(database) == before


@pytest.mark.parametrize("state", [UserState.LOCKED, UserState.DEACTIVATED])
async def test_only_active_users_are_newly_assigned(database: Database, state: UserState) -> None:
    office = await Office.open()
    await User.filter(id=office.anna.id).update(state=state)
    await storage.period(office.desk, office.anna, LONG_AGO, LONG_AGO + DAY)
    request = await storage.request(database, office.boss)
    before = await contents(database)
    with pytest.raises(ConflictError) as caught:
        await assignments.assign(request, *office.ids)
    assert caught.value.path == ["userId"]
    assert await contents(database) == before


@pytest.mark.parametrize("change", [assignments.assign, assignments.unassign])
@pytest.mark.parametrize(
    "who,error",
    [
        ("nobody", UnauthenticatedError),
        ("anna", ForbiddenError),
        ("colleague", ForbiddenError),
        ("stranger", NotFoundError),
        ("manager", NotFoundError),
        ("locked", UnauthenticatedError),
        ("signed out", UnauthenticatedError),
    ],
)
async def test_administrators_alone_change_assignments(
    database: Database, change: Change, who: str, error: type[CallerError]
) -> None:
    office = await Office.open()
    await storage.period(office.desk, office.anna)
    people = {
        "nobody": None,
        "anna": office.anna,
        "colleague": await storage.user(office.agency, "colleague"),
        "stranger": await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR),
        "manager": await storage.user(None, "manager"),
        "locked": await storage.user(
            office.agency, "locked", role=Role.ADMINISTRATOR, state=UserState.LOCKED
        ),
        "signed out": office.boss,
    }
    request = await storage.request(database, people[who])
    if who == "signed out":
        await database.execute("UPDATE sessions SET ended_at = $1", clock.now())
    before = await contents(database)
    with pytest.raises(error):
        await change(request, *office.ids)
    assert await contents(database) == before


@pytest.mark.parametrize("change", [assignments.assign, assignments.unassign])
async def test_what_cannot_be_read_is_not_found(database: Database, change: Change) -> None:
    office = await Office.open()
    abroad = await storage.agency("sued")
    stranger, foreign = await storage.user(abroad, "anna"), await storage.mailbox(abroad, "desk")
    manager = await storage.user(None, "manager")
    box, anna = office.ids
    before = await contents(database, "sessions")
    for mailbox_id, named, path in (
        ("", anna, ["mailboxId"]),
        (anna, anna, ["mailboxId"]),
        (encode(NodeKind.MAILBOX, uuid4()), anna, ["mailboxId"]),
        (box_id(foreign), anna, ["mailboxId"]),
        (box_id(foreign), user_id(stranger), ["mailboxId"]),
        (box, "\ud800\0", ["userId"]),
        (box, box, ["userId"]),
        (box, encode(NodeKind.USER, uuid4()), ["userId"]),
        (box, user_id(stranger), ["userId"]),
        (box, user_id(manager), ["userId"]),
    ):
        for who in (office.boss, office.anna):
            with pytest.raises(NotFoundError) as caught:
                await change(await storage.request(database, who), mailbox_id, named)
            assert caught.value.path == path
    assert await contents(database, "sessions") == before


async def test_moments_at_a_mailbox_go_on_when_the_clock_goes_back(database: Database) -> None:
    office = await Office.open()
    ahead = clock.now() + DAY
    await database.execute("UPDATE mailboxes SET last_moment = $1", ahead)
    request = await storage.request(database, office.boss)
    begun = await assignments.assign(request, *office.ids)
    assert begun.since == ahead + clock.MICROSECOND
    ended = (await assignments.unassign(request, *office.ids)).changed
    assert ended.until == ahead + 2 * clock.MICROSECOND
    again = await assignments.assign(request, *office.ids)
    assert again.since == ahead + 3 * clock.MICROSECOND


async def test_two_that_assign_at_once_begin_one_period(database: Database) -> None:
    office = await Office.open()
    requests = [await storage.request(database, office.boss) for _ in range(8)]
    found = await asyncio.gather(*(assignments.assign(each, *office.ids) for each in requests))
    assert len(set(found)) == 1
    assert await Assignment.all().count() == 1
    assert len(await audited("assignment.begin")) == 1


async def test_administrators_who_assign_each_other_at_once_both_succeed(database: Database) -> None:
    office = await Office.open()
    other = await storage.user(office.agency, "other", role=Role.ADMINISTRATOR)
    for _ in range(5):
        desk = await storage.mailbox(office.agency, f"box{_}")
        await asyncio.gather(
            assignments.assign(await storage.request(database, office.boss), box_id(desk), user_id(other)),
            assignments.assign(await storage.request(database, other), box_id(desk), user_id(office.boss)),
            assignments.assign(await storage.request(database, other), box_id(desk), user_id(other)),
        )
        assert await Assignment.filter(mailbox_id=desk.id, until=None).count() == 2


async def test_assigning_and_unassigning_at_once_leave_periods_apart(database: Database) -> None:
    office = await Office.open()
    people = [office.anna, office.boss]
    calls = []
    for number in range(40):
        request = await storage.request(database, office.boss)
        change = assignments.assign if number % 4 < 2 else assignments.unassign
        calls.append(change(request, box_id(office.desk), user_id(people[number % 2])))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, assignments.Assignment | Followed | NotFoundError) for each in answers)
    ends = {}
    for who in people:
        periods = await Assignment.filter(user_id=who.id).order_by("since")
        for period in periods:
            ends[period.id] = period.until
            assert period.until is None or period.since < period.until
        for earlier, later in pairwise(periods):
            assert earlier.until is not None
            assert earlier.until <= later.since
    moments = [row["since"] for row in await Assignment.all().values("since")]
    moments += [end for end in ends.values() if end is not None]
    assert len(set(moments)) == len(moments)
    assert (await Mailbox.get(id=office.desk.id)).last_moment == max(moments)
    for answer in answers:
        if isinstance(answer, assignments.Assignment) and answer.until is not None:
            assert ends[answer.id] == answer.until


async def test_end_all_ends_every_open_period_of_a_user(database: Database) -> None:
    office = await Office.open()
    second, third = await storage.mailbox(office.agency, "a"), await storage.mailbox(office.agency, "b")
    open_ones = [await storage.period(box, office.anna) for box in (office.desk, second)]
    ended = await storage.period(third, office.anna, LONG_AGO, LONG_AGO + DAY)
    kept = await storage.period(office.desk, office.boss)

    async def work(unit: Unit) -> None:
        await unit.lock_agency(office.agency.id, alone=True)
        await assignments.end_all(
            unit,
            agency_id=office.agency.id,
            user_id=office.anna.id,
            actor_id=office.boss.id,
            remote_address="192.0.2.7",
        )

    await database.transact(work)
    for period in open_ones:
        row = await Assignment.get(id=period.id)
        assert row.until is not None
        box = await Mailbox.get(id=cast("Any", row).mailbox_id)
        assert box.last_moment == row.until
    assert (await Assignment.get(id=ended.id)).until == LONG_AGO + DAY
    assert (await Assignment.get(id=kept.id)).until is None
    assert {each["subject"] for each in await audited("assignment.end")} == {
        ("assignment", period.id) for period in open_ones
    }


async def test_a_period_is_loaded_by_those_who_may_read_the_mailboxs_periods(database: Database) -> None:
    office = await Office.open()
    period = await storage.period(office.desk, office.anna, LONG_AGO, LONG_AGO + DAY)
    now = await storage.user(office.agency, "now")
    await storage.period(office.desk, now)
    stranger = await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR)
    manager = await storage.user(None, "manager")

    async def readers() -> set[str]:
        found = set()
        for who in (office.boss, office.anna, now, stranger, manager):
            request = await storage.request(database, who)
            loaded = await assignments.by_id(request, period.id)
            if loaded is not None:
                assert (loaded.id, loaded.since, loaded.until) == (period.id, LONG_AGO, LONG_AGO + DAY)
                found.add(who.login)
        return found

    assert await readers() == {"boss@nord.example"}
    await Mailbox.filter(id=office.desk.id).update(vip=True)
    assert await readers() == {"boss@nord.example", "now@nord.example"}


async def test_periods_of_one_level_are_loaded_together(database: Database) -> None:
    office = await Office.open()
    periods = [
        await storage.period(office.desk, office.anna, LONG_AGO + n * DAY, LONG_AGO + (n + 1) * DAY)
        for n in range(3)
    ]
    request = await storage.request(database, office.boss)
    with statements(database) as seen:
        found = await asyncio.gather(*(assignments.by_id(request, each.id) for each in periods))
    assert [each and each.id for each in found] == [each.id for each in periods]
    assert len(seen) == 1
