"""Letters with credentials: the same call again, and how many there may be."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from models import clock
from models.database import Database
from models.tables.letters import CredentialDelivery, OutboxLetter
from models.tables.users import Role
from resolvers import credentials, letter_requests, rates
from resolvers.errors import (
    ConflictError,
    ForbiddenError,
    RateLimitedError,
)
from resolvers.rates import Rate
from tests import storage
from tests.resolvers.letters import HOME, SENT, asked, office, refuse, sending
from tests.resolvers.offices import Office, audited, events, new_password
from tests.storage import contents
from tests.surroundings import SEALS

__all__ = ["office"]
pytestmark = pytest.mark.asyncio


# ---------------------------------------------------------------- repeated calls


async def test_the_same_call_within_a_day_sends_one_letter(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    request = await storage.request(database, office.anna)
    wanted = asked(office.desk, request_id="one")
    first = await credentials.send(request, wanted)
    now += timedelta(hours=24) - timedelta(microseconds=1)
    before = await contents(database)
    assert await credentials.send(request, wanted) == first
    assert await contents(database) == before
    now += timedelta(microseconds=1)
    second = await credentials.send(request, wanted)
    assert second.id != first.id
    assert {row.id: row.request_id for row in await CredentialDelivery.all()} == {
        first.id: None,
        second.id: "one",
    }


async def test_another_letter_under_the_same_name_is_refused(database: Database, office: Office) -> None:
    await sending(database, office.anna, office.desk, request_id="one")
    for changes in ({"to": "ben@home.example"}, {"language": "en"}):
        error = await refuse(
            database, sending(database, office.anna, office.desk, request_id="one", **changes), ConflictError
        )
        assert error.path == ["input", "requestId"]
    # Somebody else's names are others.
    await sending(database, office.boss, office.desk, "boss@home.example", request_id="one")
    assert await CredentialDelivery.all().count() == 2


async def test_the_same_call_twenty_times_at_once_sends_one_letter(
    database: Database, office: Office
) -> None:
    found = await asyncio.gather(
        *(sending(database, office.anna, office.desk, request_id="one") for _ in range(20))
    )
    assert len({each.id for each in found}) == 1
    assert await CredentialDelivery.all().count() == await OutboxLetter.all().count() == 1
    assert len(await audited(SENT)) == len(await events(office.desk)) == 1


async def test_who_may_no_longer_is_not_answered_as_before(database: Database, office: Office) -> None:
    request = await storage.request(database, office.anna)
    wanted = asked(office.desk, request_id="one")
    await credentials.send(request, wanted)
    await database.execute("UPDATE assignments SET until = $1", clock.now())
    await refuse(database, credentials.send(request, wanted), ForbiddenError)


# ---------------------------------------------------------------- how often


async def limited(database: Database, work: Awaitable[Any], path: list[str] | None, after: int) -> str:
    error = await refuse(database, work, RateLimitedError)
    assert isinstance(error, RateLimitedError)
    assert (error.path, error.retry_after) == (path, after)
    return error.message


async def test_the_same_letter_again_says_why_it_was_not_sent(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    await sending(database, office.anna, office.desk)
    now += timedelta(seconds=20)
    # Whoever asks, and however it is written.
    for who, to in ((office.anna, HOME), (office.boss, "ANNA@home.example")):
        message = await limited(database, sending(database, who, office.desk, to), ["input", "to"], 40)
        assert "asked for a moment ago" in message
    await sending(database, office.anna, office.desk, "other@home.example")
    now += timedelta(seconds=40)
    await sending(database, office.anna, office.desk)
    # What failed may be asked for again at once.
    await database.execute("DELETE FROM outbox_letters")
    await database.execute("UPDATE credential_deliveries SET state = 'FAILED'")
    await sending(database, office.anna, office.desk)


async def test_a_viewer_a_mailbox_and_an_address_have_so_many(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    hour = timedelta(hours=1)
    monkeypatch.setattr(rates, "LETTERS", Rate(SENT, by_user=3, at_mailbox=2, within=hour))
    monkeypatch.setattr(letter_requests, "TO_ONE_ADDRESS", 2)
    other, third = [await storage.mailbox(office.agency, name) for name in ("other", "third")]
    for each in (other, third):
        await new_password(database, SEALS, each)
    await sending(database, office.boss, office.desk, "a@x.example")
    await sending(database, office.boss, office.desk, "b@x.example")
    await limited(database, sending(database, office.anna, office.desk, "c@x.example"), None, 3600)
    await sending(database, office.boss, other, "b@x.example")
    await limited(database, sending(database, office.boss, third, "d@x.example"), None, 3600)
    deputy = await storage.user(office.agency, "deputy", role=Role.ADMINISTRATOR)
    await limited(database, sending(database, deputy, third, "B@x.example"), ["input", "to"], 3600)
    # Another agency's letters to the address are no business of this one.
    sued = await storage.agency("sued")
    theirs, abroad = (
        await storage.user(sued, "boss", role=Role.ADMINISTRATOR),
        await storage.mailbox(sued, "desk"),
    )
    await new_password(database, SEALS, abroad)
    await sending(database, theirs, abroad, "b@x.example")
    now += hour
    await sending(database, office.boss, office.desk, "b@x.example")


async def test_at_once_no_more_are_sent_than_may_be(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "LETTERS", Rate(SENT, by_user=100, at_mailbox=3, within=timedelta(hours=1)))
    calls = [
        sending(database, who, office.desk, f"{number}@x.example")
        for who in (office.anna, office.boss)
        for number in range(6)
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, RateLimitedError) for each in answers) == 9
    assert await CredentialDelivery.all().count() == await OutboxLetter.all().count() == 3
