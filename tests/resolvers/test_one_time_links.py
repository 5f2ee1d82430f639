"""The link in a letter: it shows a password once, and whatever is wrong with it is answered alike."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from models import clock
from models.database import Database
from models.seals import SealError
from models.tables.audit import AuditEvent
from models.tables.letters import CredentialDelivery
from models.tables.mailboxes import Mailbox, MailboxEventKind
from models.tables.users import User
from resolvers import deliveries, one_time_links, renewals
from resolvers.errors import CallerError, NotFoundError, RateLimitedError
from resolvers.one_time_links import REFUSALS, Shown
from resolvers.request import Request
from tests import storage
from tests.resolvers.links import give_link, opened_at
from tests.resolvers.offices import Office, audited, box_id, events, knowers, new_password
from tests.storage import contents, statements
from tests.surroundings import SEALS, services

pytestmark = pytest.mark.asyncio

SERVICES = services()
USED = "mailbox.password_link_use"
ADDRESS, ELSEWHERE = "192.0.2.7", "192.0.2.8"
MAKE_VIP = "UPDATE mailboxes SET vip = TRUE"
COUNTED = "sign_in_attempts"


@pytest_asyncio.fixture
async def office(database: Database, monkeypatch: pytest.MonkeyPatch) -> Office:  # noqa: ARG001 (open)
    """Anna is assigned to the desk. Nobody waits for a refusal."""
    monkeypatch.setattr(one_time_links, "ANSWER_AFTER", timedelta(0))
    opened = await Office.open()
    await storage.period(opened.desk, opened.anna)
    return opened


async def press(database: Database, token: str, address: str | None = ADDRESS) -> Shown:
    return await one_time_links.show(Request(database, SERVICES, None, address), token)


async def refuse(database: Database, token: str, error: type[CallerError] = NotFoundError) -> CallerError:
    """It shows nothing, and nothing changes but that it is counted."""
    before = await contents(database, COUNTED)
    with pytest.raises(error) as caught:
        await press(database, token)
    assert await contents(database, COUNTED) == before
    return caught.value


# ---------------------------------------------------------------- shown


@pytest.mark.parametrize("who", ["anna", "boss"])
async def test_a_link_shows_the_password_once_and_everything_is_written_down(
    database: Database, office: Office, who: str
) -> None:
    asker: User = getattr(office, who)
    secret = await new_password(database, SEALS, office.desk, 3)
    token = await give_link(office.desk, asker, version=3)

    shown = await press(database, token)

    assert shown == Shown(office.desk.address, office.desk.email_name, secret)
    assert secret not in repr(shown)
    delivery = await CredentialDelivery.get()
    assert await audited(USED) == [
        {
            "actor": None,
            "subject": ("mailbox", office.desk.id),
            "from": ADDRESS,
            "delivery": str(delivery.id),
            "version": 3,
        }
    ]
    assert await events(office.desk) == [(MailboxEventKind.PASSWORD_REVEALED, None)]
    assert await knowers(office.desk) == {(3, asker.id)}
    desk = await Mailbox.get(id=office.desk.id)
    assert await opened_at() == [desk.last_moment]

    assert (await refuse(database, token)).path == ["token"]


async def test_those_who_listen_are_told_when_it_was_used(database: Database, office: Office) -> None:
    await new_password(database, SEALS, office.desk)
    token = await give_link(office.desk, office.anna)
    told: list[dict[str, Any]] = []

    def note(payload: dict[str, Any]) -> bool:
        told.append(payload)
        return False

    with SERVICES.events.subscribe(deliveries.CHANGED, note):
        await refuse_uncounted(database, "x" * 43)
        assert told == []
        await press(database, token)
        await refuse_uncounted(database, token)
    assert told == [{"delivery_id": str((await CredentialDelivery.get()).id)}]


async def test_of_several_presses_at_once_one_is_shown_it(database: Database, office: Office) -> None:
    secret = await new_password(database, SEALS, office.desk)
    token = await give_link(office.desk, office.anna)

    answers = await asyncio.gather(*(press(database, token) for _ in range(6)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in answers) == ["NotFoundError"] * 5 + ["Shown"]
    assert [each.password for each in answers if isinstance(each, Shown)] == [secret]
    assert len(await audited(USED)) == 1
    assert len(await events(office.desk)) == 1


async def test_a_press_and_a_renewal_at_once_have_one_order(database: Database, office: Office) -> None:
    for version in range(1, 4):
        secret = await new_password(database, SEALS, office.desk, version * 2 - 1)
        token = await give_link(office.desk, office.anna, version=version * 2 - 1)
        before = len(await events(office.desk))
        request = await storage.request(database, office.anna)
        answer, renewed = await asyncio.gather(
            press(database, token),
            renewals.generate(request, box_id(office.desk), None),
            return_exceptions=True,
        )
        assert isinstance(renewed, renewals.Renewed)
        kinds = [kind for kind, _ in (await events(office.desk))[before:]]
        if isinstance(answer, Shown):
            assert answer.password == secret
            assert kinds == [MailboxEventKind.PASSWORD_REVEALED, MailboxEventKind.PASSWORD_RENEWED]
        else:
            assert isinstance(answer, NotFoundError)
            assert kinds == [MailboxEventKind.PASSWORD_RENEWED]
            assert (await opened_at())[-1] is None


async def test_a_token_that_does_not_open_leaves_the_link_as_it_was(
    database: Database, office: Office
) -> None:
    await new_password(database, SEALS, office.desk)
    token = await give_link(office.desk, office.anna)
    await database.execute("UPDATE mailbox_passwords SET sealed = 'v1.gone.x'")
    before = await contents(database)
    with pytest.raises(SealError) as caught:
        await press(database, token)
    assert token not in str(caught.value)
    assert await contents(database) == before


# ---------------------------------------------------------------- refused


Change = Callable[[Database, Office], Awaitable[None]]


async def nothing(database: Database, office: Office) -> None:
    """It is as it was."""


async def ask_for_a_newer_one(_: Database, office: Office) -> None:
    await give_link(office.desk, office.boss)


def changed(statement: str) -> Change:
    async def change(database: Database, _: Office) -> None:
        await database.execute(statement, *([clock.now()] if "$1" in statement else []))

    return change


CASES: dict[str, tuple[str, dict[str, Any], Change]] = {
    "used": ("anna", {}, changed("UPDATE credential_deliveries SET opened_at = $1")),
    "expired": ("anna", {"expires_at": datetime.fromisoformat("2026-01-01T00:00:00+00:00")}, nothing),
    "renewed": ("anna", {"version": 1}, nothing),
    "newer": ("anna", {}, ask_for_a_newer_one),
    "no longer assigned": ("anna", {}, changed("UPDATE assignments SET until = $1")),
    "locked": ("anna", {}, changed("UPDATE users SET state = 'LOCKED' WHERE role = 'USER'")),
    "deactivated": ("boss", {}, changed("UPDATE users SET state = 'DEACTIVATED' WHERE role <> 'USER'")),
    "VIP by now": ("boss", {}, changed(MAKE_VIP)),
    "no longer administrator": ("boss", {}, changed("UPDATE users SET role = 'USER'")),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_is_wrong_with_a_link_makes_no_difference(
    database: Database, office: Office, case: str
) -> None:
    """The same answer, by the same statements as for a token that never was."""
    who, columns, change = CASES[case]
    await new_password(database, SEALS, office.desk, 2)
    token = await give_link(office.desk, getattr(office, who), **{"version": 2, **columns})
    await change(database, office)

    with statements(database) as wrong:
        never = await refuse_uncounted(database, "x" * 43)
    with statements(database) as dead:
        gone = await refuse_uncounted(database, token)

    assert dead == wrong
    assert (gone.message, gone.path, gone.code) == (never.message, never.path, never.code)
    await refuse(database, token)


async def refuse_uncounted(database: Database, token: str) -> CallerError:
    with pytest.raises(NotFoundError) as caught:
        await press(database, token)
    return caught.value


async def test_a_link_of_a_vip_mailbox_works_for_those_assigned(database: Database, office: Office) -> None:
    await database.execute(MAKE_VIP)
    secret = await new_password(database, SEALS, office.desk)
    assert (await press(database, await give_link(office.desk, office.anna))).password == secret


async def test_no_refusal_comes_early(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_time_links, "ANSWER_AFTER", timedelta(milliseconds=400))
    loop = asyncio.get_running_loop()
    for token in ("", "x" * 43, "ä" * 1000):
        began = loop.time()
        await refuse_uncounted(database, token)
        assert loop.time() - began >= 0.39


# ---------------------------------------------------------------- limits


async def test_wrong_tokens_are_limited_by_address_and_lock_nobody_out(
    database: Database, office: Office
) -> None:
    secret = await new_password(database, SEALS, office.desk)
    token = await give_link(office.desk, office.anna)

    tried = await asyncio.gather(
        *(press(database, f"{number:043}") for number in range(REFUSALS + 3)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in tried) == (
        ["NotFoundError"] * REFUSALS + ["RateLimitedError"] * 3
    )
    waits = {each.retry_after for each in tried if isinstance(each, RateLimitedError)}
    assert all(0 < wait <= 15 * 60 for wait in waits)
    await refuse(database, "x" * 43, RateLimitedError)
    with pytest.raises(NotFoundError):
        await press(database, "x" * 43, ELSEWHERE)
    assert (await press(database, token)).password == secret
    with pytest.raises(RateLimitedError):
        await press(database, token)


async def test_a_network_of_ipv6_counts_as_one_address(database: Database, office: Office) -> None:
    for number in range(REFUSALS):
        with pytest.raises(NotFoundError):
            await press(database, "x", f"2001:db8::{number:x}")
    with pytest.raises(RateLimitedError):
        await press(database, "x", "2001:db8::ffff")
    with pytest.raises(NotFoundError):
        await press(database, "x", "2001:db8:0:1::1")
    assert not await AuditEvent.filter(agency_id=office.agency.id)
