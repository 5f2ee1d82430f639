"""New passwords of mailboxes: by whom, how often, one winner at once, and calls that are repeated."""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import argon2
import pytest
import pytest_asyncio

from models import clock, mailbox_passwords
from models.database import Database
from models.mailbox_passwords import NewPassword, StoredPassword
from models.tables.mailboxes import (
    Assignment,
    Mailbox,
    MailboxEventKind,
    MailboxPassword,
    MailboxRenewal,
    SessionEnding,
)
from models.tables.users import Role, User, UserState
from resolvers import rates, renewals
from resolvers.errors import (
    CallerError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from resolvers.node_ids import NodeKind, encode
from resolvers.renewals import Renewed
from tests import storage
from tests.resolvers.offices import Office, audited, box_id, events, knowers, new_password, user_id
from tests.storage import contents, statements
from tests.surroundings import HASHER, SEALS

pytestmark = pytest.mark.asyncio

RENEWED = "mailbox.password_renew"


@pytest_asyncio.fixture
async def office(database: Database) -> Office:
    """Anna is assigned to the desk, which has a password."""
    opened = await Office.open()
    await storage.period(opened.desk, opened.anna)
    await new_password(database, SEALS, opened.desk)
    return opened


async def refuse(database: Database, work: Awaitable[Any], error: type[CallerError]) -> CallerError:
    """It is refused and leaves no trace."""
    before = await contents(database)
    with pytest.raises(error) as caught:
        await work
    assert await contents(database) == before
    return caught.value


async def renewing(database: Database, who: User, mailbox: Mailbox, request_id: str | None = None) -> Renewed:
    return await renewals.generate(await storage.request(database, who), box_id(mailbox), request_id)


async def current(database: Database, mailbox: Mailbox) -> str:
    """The mailbox's password, whose hash is its own."""
    row = await mailbox_passwords.of(database, mailbox.id)
    assert row is not None
    password = mailbox_passwords.opened(SEALS, row.sealed, mailbox.address, row.version)
    assert argon2.PasswordHasher().verify(row.hash, password)
    return password


async def version(mailbox: Mailbox) -> int:
    found: int = (await MailboxPassword.get(mailbox_id=mailbox.id)).version
    return found


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("kind", ["VIP", "not VIP"])
@pytest.mark.parametrize("who", ["anna", "boss"])
async def test_it_is_replaced_and_everything_is_written_down(
    database: Database, office: Office, who: str, kind: str
) -> None:
    await Mailbox.filter(id=office.desk.id).update(vip=kind == "VIP")
    old = await current(database, office.desk)
    person: User = getattr(office, who)
    changing = (
        "sessions",
        "audit_events",
        "mailbox_events",
        "mailboxes",
        "mailbox_passwords",
        "session_endings",
    )
    before = await contents(database, *changing)

    renewed = await renewing(database, person, office.desk)

    assert (renewed.mailbox.id, renewed.effective) == (office.desk.id, False)
    assert await current(database, office.desk) != old
    assert await audited(RENEWED) == [
        {"actor": person.id, "subject": ("mailbox", office.desk.id), "from": "192.0.2.7", "version": 2}
    ]
    assert await events(office.desk) == [(MailboxEventKind.PASSWORD_RENEWED, person.id)]
    row = await MailboxPassword.get(mailbox_id=office.desk.id)
    ending = await SessionEnding.get(mailbox_id=office.desk.id)
    newest = (await Mailbox.get(id=office.desk.id)).last_moment
    assert (row.version, row.changed_at) == (2, newest)
    assert (ending.version, ending.asked_at, ending.attempts, ending.ended_at) == (2, newest, 0, None)
    assert await contents(database, *changing) == before


async def test_the_first_password_ends_no_sessions(database: Database, office: Office) -> None:
    fresh = await storage.mailbox(office.agency, "fresh")
    renewed = await renewing(database, office.boss, fresh)
    assert (await version(fresh), renewed.effective) == (1, True)
    assert await SessionEnding.all().count() == 0
    assert await current(database, fresh)


async def test_a_later_renewal_asks_anew_for_the_same_sessions(database: Database, office: Office) -> None:
    await renewing(database, office.boss, office.desk)
    await database.execute("UPDATE session_endings SET attempts = 7, ended_at = $1", clock.now())
    await renewing(database, office.boss, office.desk)
    (ending,) = await SessionEnding.all()
    assert (ending.version, ending.attempts, ending.ended_at) == (3, 0, None)
    assert ending.asked_at == (await MailboxPassword.get(mailbox_id=office.desk.id)).changed_at


@pytest.mark.parametrize(
    "who,error",
    [
        ("nobody", UnauthenticatedError),
        ("ben", ForbiddenError),
        ("demoted", ForbiddenError),
        ("unassigned", ForbiddenError),
        ("stranger", NotFoundError),
        ("manager", NotFoundError),
        ("locked", UnauthenticatedError),
    ],
)
async def test_nobody_else_replaces_it(
    database: Database, office: Office, who: str, error: type[CallerError]
) -> None:
    people = {
        "nobody": None,
        "ben": await storage.user(office.agency, "ben"),
        "demoted": office.boss,
        "unassigned": office.anna,
        "stranger": await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR),
        "manager": await storage.user(None, "manager"),
        "locked": await storage.user(
            office.agency, "locked", role=Role.ADMINISTRATOR, state=UserState.LOCKED
        ),
    }
    request = await storage.request(database, people[who])
    # What the request began with is not believed.
    await User.filter(id=office.boss.id).update(role=Role.USER)
    await database.execute("UPDATE assignments SET until = $1", clock.now())
    # The request's name is no good either: rights come first.
    await refuse(database, renewals.generate(request, box_id(office.desk), ""), error)


async def test_what_is_no_mailbox_of_the_agency_is_not_found(database: Database, office: Office) -> None:
    foreign = await storage.mailbox(await storage.agency("sued"), "desk")
    for wrong in ("", "\0", user_id(office.boss), encode(NodeKind.MAILBOX, uuid4()), box_id(foreign)):
        request = await storage.request(database, office.boss)
        error = await refuse(database, renewals.generate(request, wrong, None), NotFoundError)
        assert error.path == ["mailboxId"]


async def test_rights_that_go_while_it_is_made_are_gone(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = HASHER.new_mailbox_passwords

    async def unassign_then_make(number: int) -> list[NewPassword]:
        await database.execute("UPDATE assignments SET until = $1", clock.now())
        return await make(number)

    monkeypatch.setattr(HASHER, "new_mailbox_passwords", unassign_then_make)
    request = await storage.request(database, office.anna)
    before = await contents(database, "assignments")
    with pytest.raises(ForbiddenError):
        await renewals.generate(request, box_id(office.desk), None)
    assert await contents(database, "assignments") == before
    assert await Assignment.filter(until=None).count() == 0


# ---------------------------------------------------------------- at once


async def test_of_twenty_renewals_at_once_one_wins(database: Database, office: Office) -> None:
    requests = [await storage.request(database, who) for who in (office.boss, office.anna) for _ in range(10)]
    answers = await asyncio.gather(
        *(renewals.generate(each, box_id(office.desk), None) for each in requests), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in answers) == ["ConflictError"] * 19 + ["Renewed"]
    assert await version(office.desk) == 2
    assert len(await audited(RENEWED)) == len(await events(office.desk)) == 1
    assert await current(database, office.desk)


async def test_one_after_the_other_all_renew(database: Database, office: Office) -> None:
    seen = {await current(database, office.desk)}
    for number in range(2, 5):
        await renewing(database, office.anna, office.desk)
        seen.add(await current(database, office.desk))
        assert await version(office.desk) == number
    assert len(seen) == 4


async def test_a_client_that_goes_away_leaves_all_or_nothing(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, going_on = asyncio.Event(), asyncio.Event()
    store = mailbox_passwords.store

    async def store_then_wait(*arguments: Any, **more: Any) -> StoredPassword:  # noqa: ANN401 (passed on)
        stored = await store(*arguments, **more)
        storing.set()
        await going_on.wait()
        return stored

    monkeypatch.setattr(mailbox_passwords, "store", store_then_wait)
    asked = asyncio.ensure_future(renewing(database, office.anna, office.desk, "r"))
    await storing.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    going_on.set()
    # The unit runs to its end; the client asks again, by the same name.
    assert (await renewing(database, office.anna, office.desk, "r")).mailbox.id == office.desk.id
    assert (await version(office.desk), len(await audited(RENEWED))) == (2, 1)


# ---------------------------------------------------------------- repeated calls


async def test_the_same_call_within_a_day_renews_once(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    request = await storage.request(database, office.anna)
    first = await renewals.generate(request, box_id(office.desk), "one")
    now += timedelta(hours=24) - timedelta(microseconds=1)
    before = await contents(database)
    assert await renewals.generate(request, box_id(office.desk), "one") == first
    assert await contents(database) == before
    # Another name, another viewer, another mailbox: other calls.
    await renewals.generate(request, box_id(office.desk), "One")
    await renewing(database, office.boss, office.desk, "one")
    await renewing(database, office.boss, await storage.mailbox(office.agency, "other"), "one")
    assert await version(office.desk) == 4
    now += timedelta(microseconds=1)
    assert (await renewals.generate(request, box_id(office.desk), "one")).mailbox.id == office.desk.id
    assert await version(office.desk) == 5


async def test_calls_that_are_too_old_to_be_repeated_are_forgotten(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    for request_id in ("one", "two"):
        await renewing(database, office.anna, office.desk, request_id)
    now += timedelta(hours=25)
    await renewing(database, office.anna, office.desk, "three")
    assert [row.request_id for row in await MailboxRenewal.all()] == ["three"]


async def test_the_same_call_twenty_times_at_once_renews_once(database: Database, office: Office) -> None:
    answers = await asyncio.gather(*(renewing(database, office.anna, office.desk, "one") for _ in range(20)))
    assert {(each.mailbox.id, each.effective) for each in answers} == {(office.desk.id, False)}
    assert (await version(office.desk), len(await audited(RENEWED))) == (2, 1)


async def test_a_call_that_lost_may_be_repeated(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = HASHER.new_mailbox_passwords

    async def lose_then_make(number: int) -> list[NewPassword]:
        await new_password(database, SEALS, office.desk, version=2)
        return await make(number)

    with monkeypatch.context() as patched:
        patched.setattr(HASHER, "new_mailbox_passwords", lose_then_make)
        with pytest.raises(ConflictError):
            await renewing(database, office.anna, office.desk, "one")
    assert (await MailboxRenewal.all().count(), await audited(RENEWED)) == (0, [])
    await renewing(database, office.anna, office.desk, "one")
    assert await version(office.desk) == 3


async def test_who_may_no_longer_is_not_answered_as_before(database: Database, office: Office) -> None:
    request = await storage.request(database, office.anna)
    await renewals.generate(request, box_id(office.desk), "one")
    await database.execute("UPDATE assignments SET until = $1", clock.now())
    await refuse(database, renewals.generate(request, box_id(office.desk), "one"), ForbiddenError)


async def test_a_name_that_cannot_be_is_refused(database: Database, office: Office) -> None:
    request = await storage.request(database, office.anna)
    for wrong in ("", "x" * 65, "a\nb", "a\tb", "\0", "\ud800", "a\u2028b", "\u200b", "\u202e", "a\u00a0b"):
        refused = renewals.generate(request, box_id(office.desk), wrong)
        assert (await refuse(database, refused, InvalidInputError)).path == ["requestId"]


async def test_any_printable_name_is_kept_as_it_is(database: Database, office: Office) -> None:
    names = ["x", "x" * 64, "Büro 7", "😀", "'; --", "%s{0}$1"]
    for name in [*names, *names]:
        await renewing(database, office.anna, office.desk, name)
    assert {row.request_id for row in await MailboxRenewal.all()} == set(names)
    assert await version(office.desk) == 1 + len(names)


# ---------------------------------------------------------------- how often


async def test_a_mailbox_is_renewed_ten_times_in_ten_minutes(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    for number in range(10):
        now += timedelta(seconds=1)
        await renewing(database, (office.anna, office.boss)[number % 2], office.desk, f"{number}")
    request = await storage.request(database, office.boss)
    error = await refuse(database, renewals.generate(request, box_id(office.desk), "new"), RateLimitedError)
    assert cast("RateLimitedError", error).retry_after == 591
    # What was done is answered again all the same.
    await renewals.generate(request, box_id(office.desk), "9")
    assert await version(office.desk) == 11
    now += timedelta(seconds=591)
    await renewals.generate(request, box_id(office.desk), "new")
    assert await version(office.desk) == 12


async def test_renewing_at_once_gets_round_no_limit(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "RENEWALS", rates.Rate(RENEWED, 3, 10, timedelta(minutes=10)))
    boxes = [await storage.mailbox(office.agency, f"box{number}") for number in range(12)]
    answers = await asyncio.gather(
        *(renewing(database, office.boss, box) for box in boxes), return_exceptions=True
    )
    kinds = [type(each).__name__ for each in answers]
    assert (kinds.count("Renewed"), kinds.count("RateLimitedError")) == (3, 9)
    assert await MailboxPassword.filter(mailbox_id__not=office.desk.id).count() == 3


# ---------------------------------------------------------------- what is told


async def test_no_password_is_in_any_table_or_log(
    database: Database, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    renewed = await renewing(database, office.anna, office.desk, "one")
    secret = await current(database, office.desk)
    assert secret not in f"{await contents(database)}{caplog.text}{renewed!r}"
    # Nobody has been shown it.
    assert await knowers(office.desk) == set()


async def test_the_number_of_statements_is_fixed(database: Database, office: Office) -> None:
    request = await storage.request(database, office.anna)
    counts = []
    for _ in range(2):
        with statements(database) as seen:
            await renewals.generate(request, box_id(office.desk), None)
        counts.append(len(seen))
    # On PostgreSQL the locks of the agency, of the viewer's turn and of the chain of the audit come to it.
    assert counts == ([19, 19] if database.is_sqlite else [24, 24])
