"""What administrators change at mailboxes: what is stored, what is refused, and what happens at the same instant."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import argon2
import pytest

from models import clock, mailbox_passwords
from models.database import Database
from models.tables.agencies import Module, ModuleName
from models.tables.audit import AuditEvent
from models.tables.mailboxes import Assignment, Mailbox, MailboxEventKind, MailboxPassword
from models.tables.mails import Activity, ActivityMailbox, ActivityReader
from models.tables.users import Role, User, UserState
from resolvers import assignments, mailbox_settings
from resolvers.errors import (
    AccountManagerContact,
    CallerError,
    ConfirmationRequiredError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    ModuleNotEnabledError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage
from tests.resolvers.offices import Office, audited, box_id, events, knowers, user_id
from tests.storage import LONG_AGO, contents
from tests.surroundings import SEALS

pytestmark = pytest.mark.asyncio

Change = Callable[[Request, str], Awaitable[Any]]

CHANGES: dict[str, Change] = {
    "email name": lambda request, box: mailbox_settings.set_email_name(request, box, "Desk"),
    "automatic booking": lambda request, box: mailbox_settings.set_automatic_booking(
        request, box, automatic_booking=True
    ),
    "off": lambda request, box: mailbox_settings.set_active(request, box, active=False),
    "VIP": lambda request, box: mailbox_settings.set_vip(request, box, vip=True, confirm=False),
}


async def refuse(
    database: Database,
    work: Awaitable[Any],
    error: type[CallerError],
    path: list[str] | None = None,
) -> CallerError:
    """The change is refused and leaves no trace."""
    before = await contents(database)
    with pytest.raises(error) as caught:
        await work
    assert caught.value.path == path
    assert await contents(database) == before
    return caught.value


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "who,error,path",
    [
        ("nobody", UnauthenticatedError, None),
        ("anna", ForbiddenError, None),
        ("assigned", ForbiddenError, None),
        ("stranger", NotFoundError, ["mailboxId"]),
        ("manager", NotFoundError, ["mailboxId"]),
        ("locked", UnauthenticatedError, None),
        ("demoted", ForbiddenError, None),
    ],
)
async def test_administrators_alone_change_a_mailbox(
    database: Database, change: str, who: str, error: type[CallerError], path: list[str] | None
) -> None:
    office = await Office.open()
    assigned = await storage.user(office.agency, "assigned")
    await storage.period(office.desk, assigned)
    people = {
        "nobody": None,
        "anna": office.anna,
        "assigned": assigned,
        "stranger": await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR),
        "manager": await storage.user(None, "manager"),
        "locked": await storage.user(
            office.agency, "locked", role=Role.ADMINISTRATOR, state=UserState.LOCKED
        ),
        "demoted": office.boss,
    }
    request = await storage.request(database, people[who])
    # What the request began with is not believed.
    await User.filter(id=office.boss.id).update(role=Role.USER)
    await refuse(database, CHANGES[change](request, box_id(office.desk)), error, path)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_no_mailbox_of_the_agency_is_not_found(database: Database, change: str) -> None:
    office = await Office.open()
    foreign = await storage.mailbox(await storage.agency("sued"), "desk")
    for wrong in ("", "\0", user_id(office.boss), encode(NodeKind.MAILBOX, uuid4()), box_id(foreign)):
        request = await storage.request(database, office.boss)
        await refuse(database, CHANGES[change](request, wrong), NotFoundError, ["mailboxId"])


# ---------------------------------------------------------------- making one


async def test_a_new_mailbox_has_nobody_assigned(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    made = await mailbox_settings.create(request, "Info@NORD.example", " Info ", vip=False)
    assert (made.address, made.email_name, made.vip, made.active) == (
        "info@nord.example",
        "Info",
        False,
        True,
    )
    assert (made.receiving_stops_at, made.automatic_booking, made.is_assigned) == (None, False, False)
    row = await Mailbox.get(id=made.id)
    assert (row.address, row.email_name, row.vip, row.active) == ("info@nord.example", "Info", False, True)
    assert row.fold_search == "info@nord.example\ninfo"
    assert await Assignment.all().count() == 0
    assert await events(row) == []
    stored = await MailboxPassword.get(mailbox_id=made.id)
    assert (stored.version, stored.changed_at) == (1, row.last_moment)
    secret = mailbox_passwords.opened(SEALS, stored.sealed, made.address, 1)
    assert argon2.PasswordHasher().verify(stored.hash, secret)
    assert await knowers(row) == set()
    assert await audited("mailbox.create") == [
        {
            "actor": office.boss.id,
            "subject": ("mailbox", made.id),
            "from": "192.0.2.7",
            "address": "info@nord.example",
            "emailName": "Info",
            "vip": False,
        }
    ]


async def test_a_new_vip_mailbox_has_its_event(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    made = await mailbox_settings.create(request, "chef@nord.example", None, vip=True)
    row = await Mailbox.get(id=made.id)
    assert (made.vip, row.vip) == (True, True)
    assert await events(row) == [(MailboxEventKind.VIP_ON, office.boss.id)]


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "info",
        "@nord.example",
        "info@",
        "info@sued.example",
        "info@other.example",
        "info@sub.nord.example",
        "info@nord.example.",
        "info+x@nord.example",
        "in..fo@nord.example",
        ".info@nord.example",
        "info.@nord.example",
        "-info@nord.example",
        "*@nord.example",
        "a%b@nord.example",
        '"a b"@nord.example',
        "bürger@nord.example",
        "\uff41nna@nord.example",
        "info\0@nord.example",
        "info\ud800@nord.example",
        "info@nord.example\r\nBcc: x@y.example",
        f"{'a' * 65}@nord.example",
        "a" * 100_000,
    ],
)
async def test_an_address_that_cannot_be_is_refused(database: Database, address: str) -> None:
    office = await Office.open()
    await storage.agency("sued")
    request = await storage.request(database, office.boss)
    await refuse(
        database,
        mailbox_settings.create(request, address, None, vip=False),
        InvalidInputError,
        ["input", "address"],
    )


@pytest.mark.parametrize("address", ["desk@nord.example", "DESK@nord.example", "desk@NORD.EXAMPLE"])
async def test_an_address_is_taken_whatever_its_case(database: Database, address: str) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    await refuse(
        database,
        mailbox_settings.create(request, address, None, vip=False),
        ConflictError,
        ["input", "address"],
    )


async def test_making_one_address_at_once_makes_one_mailbox(database: Database) -> None:
    office = await Office.open()
    requests = [await storage.request(database, office.boss) for _ in range(6)]
    answers = await asyncio.gather(
        *(mailbox_settings.create(each, "info@nord.example", None, vip=False) for each in requests),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in answers) == ["ConflictError"] * 5 + ["Mailbox"]
    assert len(await audited("mailbox.create")) == 1


@pytest.mark.parametrize(
    "who,error",
    [("nobody", UnauthenticatedError), ("anna", ForbiddenError), ("manager", NotFoundError)],
)
async def test_administrators_alone_make_mailboxes(
    database: Database, who: str, error: type[CallerError]
) -> None:
    office = await Office.open()
    people = {"nobody": None, "anna": office.anna, "manager": await storage.user(None, "manager")}
    request = await storage.request(database, people[who])
    # Rights come first: the address is wrong as well.
    await refuse(database, mailbox_settings.create(request, "desk", None, vip=True), error)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name,stored",
    [
        (" Büro Nord ", "Büro Nord"),
        ("desk@nord.example", "desk@nord.example"),
        ("Office DESK@Nord.example", "Office DESK@Nord.example"),
        ("x" * 128, "x" * 128),
    ],
)
async def test_a_name_is_stored_trimmed(database: Database, name: str, stored: str) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    changed = await mailbox_settings.set_email_name(request, box_id(office.desk), name)
    assert changed.email_name == stored
    row = await Mailbox.get(id=office.desk.id)
    assert row.email_name == stored
    assert row.fold_search == f"desk@nord.example\n{stored.casefold()}"
    assert [(each["before"], each["after"]) for each in await audited("mailbox.email_name")] == [
        (None, stored)
    ]


@pytest.mark.parametrize("name", [None, "", " \t "])
async def test_a_blank_name_clears_it(database: Database, name: str | None) -> None:
    office = await Office.open()
    await Mailbox.filter(id=office.desk.id).update(email_name="Desk", fold_search="desk@nord.example\ndesk")
    request = await storage.request(database, office.boss)
    changed = await mailbox_settings.set_email_name(request, box_id(office.desk), name)
    assert changed.email_name is None
    [row] = await Mailbox.all().values("email_name", "fold_search")
    assert row == {"email_name": None, "fold_search": "desk@nord.example"}
    before = await contents(database)
    assert await mailbox_settings.set_email_name(request, box_id(office.desk), name) == changed
    assert await contents(database) == before


@pytest.mark.parametrize(
    "name",
    [
        "x" * 129,
        "a\nb",
        "a\u202eb",
        "a\u200bb",
        "a\0b",
        "a\ud800b",
        "=?utf-8?q?x?=",
        "a<b",
        "a>b",
        'a"b',
        "a\\b",
        "other@nord.example",
        "x@y.example",
        "\uff20nord x\uff20y.example",
    ],
)
async def test_a_name_that_deceives_is_refused(database: Database, name: str) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    changing = mailbox_settings.set_email_name(request, box_id(office.desk), name)
    await refuse(database, changing, InvalidInputError, ["emailName"])
    making = mailbox_settings.create(request, "info@nord.example", name, vip=False)
    await refuse(database, making, InvalidInputError, ["input", "emailName"])


# ---------------------------------------------------------------- switches


async def test_a_mailbox_that_is_switched_off_receives_for_30_minutes(database: Database) -> None:
    office = await Office.open()
    await storage.period(office.desk, office.anna)
    request = await storage.request(database, office.boss)
    before = clock.now()
    changed = await mailbox_settings.set_active(request, box_id(office.desk), active=False)
    assert changed.receiving_stops_at is not None
    assert before <= changed.receiving_stops_at - timedelta(minutes=30) <= clock.now()
    row = await Mailbox.get(id=office.desk.id)
    assert (changed.active, row.active, row.receiving_stops_at) == (False, False, changed.receiving_stops_at)
    assert await Assignment.filter(until=None).count() == 1
    stored = await contents(database)
    assert await mailbox_settings.set_active(request, box_id(office.desk), active=False) == changed
    assert await contents(database) == stored

    back = await mailbox_settings.set_active(request, box_id(office.desk), active=True)
    assert (back.active, back.receiving_stops_at) == (True, None)
    assert (await Mailbox.get(id=office.desk.id)).receiving_stops_at is None
    assert await events(row) == [
        (MailboxEventKind.SWITCHED_OFF, office.boss.id),
        (MailboxEventKind.SWITCHED_ON, office.boss.id),
    ]
    assert [each["after"] for each in await audited("mailbox.active")] == [False, True]


async def test_automatic_booking_is_stored_where_the_agency_has_the_module(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    box = box_id(office.desk)
    turn_on = mailbox_settings.set_automatic_booking(request, box, automatic_booking=True)
    error = await refuse(database, turn_on, ModuleNotEnabledError)
    assert isinstance(error, ModuleNotEnabledError)
    assert error.module is ModuleName.AUTOMATIC_BOOKING
    module = await Module.create(agency_id=office.agency.id, name=ModuleName.AUTOMATIC_BOOKING, enabled=True)
    for wanted in (True, True, False, False):
        if not wanted:
            await Module.filter(id=module.id).update(enabled=False)
        changed = await mailbox_settings.set_automatic_booking(request, box, automatic_booking=wanted)
        assert changed.automatic_booking is wanted
        assert (await Mailbox.get(id=office.desk.id)).automatic_booking is wanted
    assert [each["after"] for each in await audited("mailbox.automatic_booking")] == [True, False]
    assert await events(office.desk) == []


# ---------------------------------------------------------------- VIP


async def guarded() -> dict[UUID, bool]:
    """Which entries are guarded; what is stored beside them says the same."""
    found = {row.id: row.guarded for row in await Activity.all()}
    for table in (ActivityReader, ActivityMailbox):
        for row in await table.all().values("activity_id", "guarded"):
            assert found[row["activity_id"]] is row["guarded"]
    return found


@pytest.mark.parametrize("contact", [None, "Jo Kern"])
async def test_vip_needs_the_module(database: Database, contact: str | None) -> None:
    agency = await storage.agency("nord", modules=(), contact_name=contact, contact_phone="+49 40 1")
    boss = await storage.user(agency, "boss", role=Role.ADMINISTRATOR)
    desk = await storage.mailbox(agency, "desk")
    request = await storage.request(database, boss)
    whom = None if contact is None else AccountManagerContact(contact, "kern@provider.example", "+49 40 1")
    for row in (None, False):
        if row is not None:
            await Module.create(agency_id=agency.id, name=ModuleName.VIP_MAILBOXES, enabled=row)
        for work in (
            mailbox_settings.set_vip(request, box_id(desk), vip=True, confirm=True),
            mailbox_settings.create(request, "chef@nord.example", None, vip=True),
        ):
            error = await refuse(database, work, ModuleNotEnabledError)
            assert isinstance(error, ModuleNotEnabledError)
            assert (error.module, error.account_manager) == (ModuleName.VIP_MAILBOXES, whom)


async def test_switching_vip_guards_and_opens_the_entries_of_its_emails(database: Database) -> None:
    office = await Office.open()
    chef = await storage.mailbox(office.agency, "chef", vip=True)
    other = await storage.mailbox(office.agency, "other")
    alone = await storage.mail(office.agency, office.desk)
    both = await storage.mail(office.agency, office.desk, other, readers=(office.anna,))
    with_chef = await storage.mail(office.agency, office.desk, chef, readers=(office.anna,))
    elsewhere = await storage.mail(office.agency, other)
    start = {alone.id: False, both.id: False, with_chef.id: True, elsewhere.id: False}
    assert await guarded() == start
    request, box = await storage.request(database, office.boss), box_id(office.desk)

    on = await mailbox_settings.set_vip(request, box, vip=True, confirm=False)
    assert on.changed.vip
    assert (await Mailbox.get(id=office.desk.id)).vip
    assert await guarded() == {**start, alone.id: True, both.id: True}
    stored = await contents(database)
    assert await mailbox_settings.set_vip(request, box, vip=True, confirm=False) == on
    assert await contents(database) == stored

    await Module.all().update(enabled=False)
    stored = await contents(database, "audit_events")
    with pytest.raises(ConfirmationRequiredError) as asked:
        await mailbox_settings.set_vip(request, box, vip=False, confirm=False)
    assert (asked.value.entries_opened, asked.value.path) == (2, ["confirm"])
    assert await contents(database, "audit_events") == stored
    assert [each["entries"] for each in await audited("mailbox.vip_off_asked")] == [2]

    off = await mailbox_settings.set_vip(request, box, vip=False, confirm=True)
    assert not off.changed.vip
    assert not (await Mailbox.get(id=office.desk.id)).vip
    assert await guarded() == start
    stored = await contents(database)
    for confirm in (False, True):
        assert await mailbox_settings.set_vip(request, box, vip=False, confirm=confirm) == off
    assert await contents(database) == stored

    assert await events(office.desk) == [
        (MailboxEventKind.VIP_ON, office.boss.id),
        (MailboxEventKind.VIP_OFF, office.boss.id),
    ]
    about = {"actor": office.boss.id, "subject": ("mailbox", office.desk.id), "from": "192.0.2.7"}
    assert await audited("mailbox.vip_on") == [about]
    assert await audited("mailbox.vip_off") == [{**about, "entries": 2}]
    assert await audited("mailbox.vip_off_asked") == [{**about, "entries": 2}]


async def test_switching_off_asks_even_when_nothing_opens(database: Database) -> None:
    office = await Office.open()
    chef = await storage.mailbox(office.agency, "chef", vip=True)
    request = await storage.request(database, office.boss)
    with pytest.raises(ConfirmationRequiredError) as asked:
        await mailbox_settings.set_vip(request, box_id(chef), vip=False, confirm=False)
    assert asked.value.entries_opened == 0
    assert (await Mailbox.get(id=chef.id)).vip


async def test_asking_is_limited_for_each_viewer_and_mailbox(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await Office.open()
    chef = await storage.mailbox(office.agency, "chef", vip=True)
    second = await storage.mailbox(office.agency, "second", vip=True)
    other = await storage.user(office.agency, "other", role=Role.ADMINISTRATOR)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    request = await storage.request(database, office.boss)

    async def ask(request: Request, mailbox: Mailbox) -> None:
        with pytest.raises(ConfirmationRequiredError):
            await mailbox_settings.set_vip(request, box_id(mailbox), vip=False, confirm=False)

    for _ in range(10):
        await ask(request, chef)
        now += timedelta(seconds=20)
    now += timedelta(microseconds=1)
    error = await refuse(
        database,
        mailbox_settings.set_vip(request, box_id(chef), vip=False, confirm=False),
        RateLimitedError,
    )
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 400
    await ask(request, second)
    await ask(await storage.request(database, other), chef)
    now += timedelta(seconds=400)
    await ask(request, chef)
    await refuse(
        database,
        mailbox_settings.set_vip(request, box_id(chef), vip=False, confirm=False),
        RateLimitedError,
    )
    # Rights come before limits, and a confirmed switch asks nothing.
    await User.filter(id=office.boss.id).update(role=Role.USER)
    forbidden = mailbox_settings.set_vip(request, box_id(chef), vip=False, confirm=False)
    await refuse(database, forbidden, ForbiddenError)
    await User.filter(id=office.boss.id).update(role=Role.ADMINISTRATOR)
    off = await mailbox_settings.set_vip(request, box_id(chef), vip=False, confirm=True)
    assert not off.changed.vip


async def test_nobody_asks_more_often_at_once(database: Database) -> None:
    office = await Office.open()
    chef = await storage.mailbox(office.agency, "chef", vip=True)
    requests = [await storage.request(database, office.boss) for _ in range(14)]
    answers = await asyncio.gather(
        *(mailbox_settings.set_vip(each, box_id(chef), vip=False, confirm=False) for each in requests),
        return_exceptions=True,
    )
    kinds = sorted(type(each).__name__ for each in answers)
    assert kinds == ["ConfirmationRequiredError"] * 10 + ["RateLimitedError"] * 4
    assert await AuditEvent.filter(action="mailbox.vip_off_asked").count() == 10


async def test_events_and_periods_at_a_mailbox_have_one_order(database: Database) -> None:
    office = await Office.open()
    ahead = clock.now() + timedelta(days=1)
    await database.execute("UPDATE mailboxes SET last_moment = $1", ahead)
    request, box = await storage.request(database, office.boss), box_id(office.desk)
    await mailbox_settings.set_vip(request, box, vip=True, confirm=False)
    begun = await assignments.assign(request, *office.ids)
    await mailbox_settings.set_active(request, box, active=False)
    rows = await database.fetch("SELECT at FROM mailbox_events ORDER BY at")
    assert [rows[0]["at"], begun.since, rows[1]["at"]] == [ahead + n * clock.MICROSECOND for n in (1, 2, 3)]


async def test_switches_and_assignments_at_once_leave_a_whole_history(database: Database) -> None:
    office = await Office.open()
    other = await storage.mailbox(office.agency, "other", vip=True)
    entry = await storage.mail(office.agency, office.desk)
    both = await storage.mail(office.agency, office.desk, other, readers=(office.anna,))
    calls: list[Awaitable[Any]] = []
    for number in range(48):
        request = await storage.request(database, office.boss)
        box = box_id(other if number % 3 == 0 else office.desk)
        calls.append(
            mailbox_settings.set_vip(request, box, vip=number % 2 == 0, confirm=True)
            if number % 4 < 2
            else (assignments.assign if number % 8 < 4 else assignments.unassign)(
                request, box, user_id(office.anna)
            )
        )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    wrong = [each for each in answers if isinstance(each, BaseException)]
    # Unassigning may come before the first assigning.
    assert all(isinstance(each, NotFoundError) for each in wrong), wrong
    vip = {row.id: row.vip for row in await Mailbox.all()}
    assert await guarded() == {
        entry.id: vip[office.desk.id],
        both.id: vip[office.desk.id] or vip[other.id],
    }
    for mailbox, before in ((office.desk, False), (other, True)):
        state = before
        for kind, _ in await events(mailbox):
            assert kind is (MailboxEventKind.VIP_OFF if state else MailboxEventKind.VIP_ON)
            state = not state
        assert state is vip[mailbox.id]
        assert await Assignment.filter(mailbox_id=mailbox.id, until=None).count() <= 1
        newest = (await Mailbox.get(id=mailbox.id)).last_moment
        assert newest >= LONG_AGO
