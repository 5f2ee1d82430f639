"""Showing a mailbox's password: to whom, how often, and what stands written before and after."""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
import pytest_asyncio

from models import clock, mailbox_passwords
from models.database import Database
from models.seals import SealError
from models.tables.mailboxes import Mailbox, MailboxEventKind
from models.tables.users import Role, User, UserState
from resolvers import passwords, rates
from resolvers.errors import (
    CallerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    WrongPasswordError,
)
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage
from tests.resolvers.offices import Office, audited, box_id, events, knowers, new_password, user_id
from tests.resolvers.signing_in import OTHER_PASSWORD, PASSWORD, hashed
from tests.storage import contents, statements
from tests.surroundings import HASHER, SEALS

pytestmark = pytest.mark.asyncio

ASKED, SHOWN, REFUSED = (
    "mailbox.password_reveal_asked",
    "mailbox.password_reveal",
    "mailbox.password_reveal_refused",
)


@pytest_asyncio.fixture
async def office(database: Database) -> Office:  # noqa: ARG001 (open)
    """Everybody's own password is PASSWORD; Anna is assigned to the desk."""
    opened = await Office.open()
    await User.all().update(password_hash=hashed())
    await storage.period(opened.desk, opened.anna)
    return opened


async def refuse(database: Database, work: Awaitable[Any], error: type[CallerError]) -> CallerError:
    """It is refused and leaves no trace."""
    before = await contents(database)
    with pytest.raises(error) as caught:
        await work
    assert await contents(database) == before
    return caught.value


async def asking(database: Database, who: User, mailbox: Mailbox, password: str = PASSWORD) -> str:
    return await passwords.reveal(await storage.request(database, who), box_id(mailbox), password)


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("who", ["anna", "boss"])
async def test_it_is_shown_and_everything_is_written_down(
    database: Database, office: Office, who: str
) -> None:
    secret = await new_password(database, SEALS, office.desk, version=3)
    person: User = getattr(office, who)
    before = await contents(database, "sessions", "audit_events", "mailbox_events", "mailboxes")
    begun = await clock_of(office.desk)

    assert await asking(database, person, office.desk) == secret

    origin = {"actor": person.id, "subject": ("mailbox", office.desk.id), "from": "192.0.2.7"}
    assert await audited(ASKED) == [origin]
    assert await audited(SHOWN) == [{**origin, "version": 3}]
    assert await audited(REFUSED) == []
    assert await events(office.desk) == [(MailboxEventKind.PASSWORD_REVEALED, person.id)]
    assert await knowers(office.desk) == {(3, person.id)}
    assert await clock_of(office.desk) > begun
    after = await contents(database, "sessions", "audit_events", "mailbox_events", "mailboxes")
    after["mailbox_password_knowers"] = []
    assert after == before


async def clock_of(mailbox: Mailbox) -> datetime:
    moment: datetime = (await Mailbox.get(id=mailbox.id)).last_moment
    return moment


@pytest.mark.parametrize(
    "who,error",
    [
        ("nobody", UnauthenticatedError),
        ("ben", ForbiddenError),
        ("former", ForbiddenError),
        ("administrator of a VIP mailbox", ForbiddenError),
        ("stranger", NotFoundError),
        ("manager", NotFoundError),
        ("locked", UnauthenticatedError),
    ],
)
async def test_nobody_else_is_shown_it(
    database: Database, office: Office, who: str, error: type[CallerError]
) -> None:
    await new_password(database, SEALS, office.desk)
    former = await storage.user(office.agency, "former")
    await storage.period(office.desk, former, until=datetime(2020, 1, 2, tzinfo=UTC))
    people = {
        "nobody": None,
        "ben": await storage.user(office.agency, "ben"),
        "former": former,
        "administrator of a VIP mailbox": office.boss,
        "stranger": await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR),
        "manager": await storage.user(None, "manager"),
        "locked": await storage.user(office.agency, "locked", state=UserState.LOCKED),
    }
    await storage.period(office.desk, people["locked"] or former)
    if who == "administrator of a VIP mailbox":
        await Mailbox.filter(id=office.desk.id).update(vip=True)
    request = await storage.request(database, people[who])
    # The own password is wrong as well: rights come first.
    await refuse(database, passwords.reveal(request, box_id(office.desk), "wrong"), error)


async def test_somebody_assigned_to_a_vip_mailbox_is_shown_it(database: Database, office: Office) -> None:
    secret = await new_password(database, SEALS, office.desk)
    await Mailbox.filter(id=office.desk.id).update(vip=True)
    assert await asking(database, office.anna, office.desk) == secret


async def test_what_is_no_mailbox_of_the_agency_is_not_found(database: Database, office: Office) -> None:
    foreign = await storage.mailbox(await storage.agency("sued"), "desk")
    for wrong in ("", "\0", user_id(office.boss), encode(NodeKind.MAILBOX, uuid4()), box_id(foreign)):
        request = await storage.request(database, office.boss)
        error = await refuse(database, passwords.reveal(request, wrong, PASSWORD), NotFoundError)
        assert error.path == ["mailboxId"]


async def test_a_mailbox_without_a_password_shows_none(database: Database, office: Office) -> None:
    with pytest.raises(ConflictError):
        await asking(database, office.anna, office.desk)
    assert (await events(office.desk), await knowers(office.desk)) == ([], set())
    assert (len(await audited(ASKED)), await audited(SHOWN)) == (1, [])


# ---------------------------------------------------------------- the viewer's own password


async def test_a_wrong_password_is_written_down_and_shows_nothing(database: Database, office: Office) -> None:
    await new_password(database, SEALS, office.desk)
    request = await storage.request(database, office.anna)
    before = await contents(database, "audit_events")
    wrongs = ["", "wrong", OTHER_PASSWORD, "\ud800", "x" * 10_000, PASSWORD + "\0"]
    for wrong in wrongs:
        with pytest.raises(WrongPasswordError) as caught:
            await passwords.reveal(request, box_id(office.desk), wrong)
        assert caught.value.path == ["currentPassword"]
    assert await contents(database, "audit_events") == before
    origin = {"actor": office.anna.id, "subject": ("mailbox", office.desk.id), "from": "192.0.2.7"}
    assert await audited(ASKED) == await audited(REFUSED) == [origin] * len(wrongs)
    assert await audited(SHOWN) == []


async def test_neither_password_is_in_any_table_or_log(
    database: Database, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = await new_password(database, SEALS, office.desk)
    assert await asking(database, office.anna, office.desk) == secret
    with pytest.raises(WrongPasswordError) as caught:
        await asking(database, office.anna, office.desk, OTHER_PASSWORD)
    told = f"{await contents(database)}{caplog.text}{caught.value!r}"
    assert [each for each in (secret, PASSWORD, OTHER_PASSWORD) if each in told] == []


# ---------------------------------------------------------------- what happens meanwhile


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Awaitable[Any]) -> None:
    """Something happens once, after the viewer's password was found right and before the seal is opened."""
    verify = HASHER.verify
    pending = [happens]

    async def verify_then(password_hash: str | None, password: str) -> bool:
        right = await verify(password_hash, password)
        if pending:
            await pending.pop()
        return right

    monkeypatch.setattr(HASHER, "verify", verify_then)


@pytest.mark.parametrize(
    "what,error",
    [
        ("unassigned", ForbiddenError),
        ("locked", UnauthenticatedError),
        ("signed out", UnauthenticatedError),
        ("own password changed", WrongPasswordError),
    ],
)
async def test_who_may_no_longer_is_not_shown_it(
    database: Database,
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    error: type[CallerError],
) -> None:
    await new_password(database, SEALS, office.desk)
    change, *parameters = {
        "unassigned": ("UPDATE assignments SET until = $1", clock.now()),
        "locked": ("UPDATE users SET state = 'LOCKED' WHERE id = $1", office.anna.id),
        "signed out": ("UPDATE sessions SET ended_at = $1", clock.now()),
        "own password changed": ("UPDATE users SET password_hash = $1", hashed(OTHER_PASSWORD)),
    }[what]
    meanwhile(monkeypatch, database.execute(str(change), *parameters))
    with pytest.raises(error):
        await asking(database, office.anna, office.desk)
    assert (await events(office.desk), await knowers(office.desk)) == ([], set())
    assert (len(await audited(ASKED)), await audited(SHOWN)) == (1, [])


async def test_a_password_renewed_meanwhile_is_shown_as_it_is_then(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await new_password(database, SEALS, office.desk)
    renewed: list[str] = []

    async def renew() -> None:
        renewed.append(await new_password(database, SEALS, office.desk, version=2))

    meanwhile(monkeypatch, renew())
    assert await asking(database, office.anna, office.desk) == renewed[0]
    assert await knowers(office.desk) == {(2, office.anna.id)}


async def test_own_password_set_anew_meanwhile_is_checked_again(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody signed in meanwhile, and the same password has a stronger hash now."""
    secret = await new_password(database, SEALS, office.desk)

    async def rehash() -> None:
        await User.filter(id=office.anna.id).update(password_hash=HASHER.hash_now(PASSWORD))

    meanwhile(monkeypatch, rehash())
    assert await asking(database, office.anna, office.desk) == secret
    assert len(await audited(ASKED)) == len(await audited(SHOWN)) == 1


async def test_a_client_that_goes_away_leaves_a_row_for_what_was_asked(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await new_password(database, SEALS, office.desk)
    checking = asyncio.Event()

    async def never(_hash: str | None, _password: str) -> bool:
        checking.set()
        await asyncio.get_running_loop().create_future()
        return True

    monkeypatch.setattr(HASHER, "verify", never)
    asked = asyncio.ensure_future(asking(database, office.anna, office.desk))
    await checking.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert (len(await audited(ASKED)), await audited(SHOWN), await events(office.desk)) == (1, [], [])


async def test_a_token_of_another_mailbox_opens_nothing_and_nothing_is_written(
    database: Database, office: Office
) -> None:
    await new_password(database, SEALS, office.desk)
    other = await storage.mailbox(office.agency, "other")
    await new_password(database, SEALS, other)
    moved = await mailbox_passwords.of(database, other.id)
    assert moved is not None
    await database.execute(
        "UPDATE mailbox_passwords SET sealed = $2 WHERE mailbox_id = $1", office.desk.id, moved.sealed
    )
    with pytest.raises(SealError) as caught:
        await asking(database, office.anna, office.desk)
    assert moved.sealed not in repr(caught.value)
    assert (await events(office.desk), await knowers(office.desk), await audited(SHOWN)) == ([], set(), [])


# ---------------------------------------------------------------- how often


async def test_a_viewer_asks_ten_times_in_ten_minutes(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await new_password(database, SEALS, office.desk)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    request = await storage.request(database, office.anna)
    for second in range(10):
        now += timedelta(seconds=1)
        # Whether the own password is right does not matter for the number.
        if second % 2:
            assert await passwords.reveal(request, box_id(office.desk), PASSWORD) == secret
        else:
            with pytest.raises(WrongPasswordError):
                await passwords.reveal(request, box_id(office.desk), "wrong")
    now += timedelta(seconds=0.5)
    error = await refuse(database, passwords.reveal(request, box_id(office.desk), "wrong"), RateLimitedError)
    assert cast("RateLimitedError", error).retry_after == 591  # 600 - 9.5, in whole seconds
    # Somebody else is not concerned, nor another mailbox's limit.
    assert await asking(database, office.boss, office.desk) == secret
    now += timedelta(seconds=590)
    error = await refuse(database, passwords.reveal(request, box_id(office.desk), PASSWORD), RateLimitedError)
    assert cast("RateLimitedError", error).retry_after == 1
    now += timedelta(seconds=0.5)
    assert await passwords.reveal(request, box_id(office.desk), PASSWORD) == secret


async def test_a_mailbox_is_asked_for_twenty_times_in_ten_minutes(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await new_password(database, SEALS, office.desk)
    secret = await new_password(database, SEALS, other := await storage.mailbox(office.agency, "other"))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    ben = await storage.user(office.agency, "ben", password_hash=hashed())
    await storage.period(office.desk, ben)
    for who in (office.anna, ben):
        request = await storage.request(database, who)
        for _ in range(10):
            await passwords.reveal(request, box_id(office.desk), PASSWORD)
    request = await storage.request(database, office.boss)
    error = await refuse(database, passwords.reveal(request, box_id(office.desk), PASSWORD), RateLimitedError)
    assert cast("RateLimitedError", error).retry_after == 600
    assert await passwords.reveal(request, box_id(other), PASSWORD) == secret


async def test_asking_at_once_gets_round_no_limit(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At several mailboxes, from several sessions of one viewer."""
    monkeypatch.setattr(rates, "REVEALS", rates.Rate(ASKED, 3, 20, timedelta(minutes=10)))
    boxes = [await storage.mailbox(office.agency, f"box{number}") for number in range(10)]
    for box in boxes:
        await new_password(database, SEALS, box)
    answers = await asyncio.gather(
        *(asking(database, office.boss, box) for box in [*boxes, *boxes]), return_exceptions=True
    )
    kinds = [type(each).__name__ for each in answers]
    assert (kinds.count("str"), kinds.count("RateLimitedError")) == (3, 17)
    assert (len(await audited(ASKED)), len(await audited(SHOWN))) == (3, 3)


async def test_the_number_of_statements_is_fixed(database: Database, office: Office) -> None:
    await new_password(database, SEALS, office.desk)
    request: Request = await storage.request(database, office.anna)
    with statements(database) as first:
        await passwords.reveal(request, box_id(office.desk), PASSWORD)
    with statements(database) as second:
        await passwords.reveal(request, box_id(office.desk), PASSWORD)
    # On PostgreSQL the locks of the agency, of the viewer's turn and of the chain of the audit come to it.
    assert len(first) == len(second) == (18 if database.is_sqlite else 23)
