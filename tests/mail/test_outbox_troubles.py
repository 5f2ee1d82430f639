"""The outbox when the mail server is away, a setting is wrong, or a letter dies."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mail.outbox import UNUSABLE_WORDS, Pace
from mail.trial import FolderTransport
from models import clock
from models.credential_deliveries import Death
from models.keys import KeyRing
from models.outbox import GIVEN_UP, TOO_LATE
from models.seals import Seals
from models.tables.agencies import Agency
from models.tables.letters import CredentialContent, CredentialDelivery, DeliveryState, OutboxLetter
from models.tables.users import User, UserState
from tests import storage
from tests.mail.outboxes import QUICK, WAIT, House, house, letter, post, taken
from tests.mail.smtp_servers import Post, serving

__all__ = ["house", "post"]
pytestmark = pytest.mark.asyncio


# ---------------------------------------------------------------- the server and its settings


async def test_while_the_server_is_away_one_letter_tries(
    house: House, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "postfach.outbox")
    post.then("connect", *["421 4.3.2 too busy"] * 5)
    outbox = house.outbox(post.address())
    wanted = [
        await house.ask(outbox, f"r{number}", await house.mailbox(f"box{number}")) for number in range(6)
    ]
    async with house.running(outbox):
        rows = [await house.until(each, DeliveryState.SENT) for each in wanted]
    # The first four were tried at once before anybody knew.
    assert sum(row.attempts for row in rows) == len(wanted) + 5
    assert sorted(taken(post)) == sorted(map(letter, wanted))
    said = [each for each in caplog.messages if each != "a letter was tried"]
    assert said == [
        "letters wait for the mail server: 421 4.3.2 too busy",
        "the mail server takes letters again",
    ]
    assert True not in house.told.troubles


async def test_a_wrong_setting_alarms_and_loses_nothing(
    house: House, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "postfach.outbox")
    right, post.password = post.password, "another"
    outbox = house.outbox(post.address(user=True))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        between = await house.until(wanted, DeliveryState.QUEUED, attempts=3)
        assert between.failure == UNUSABLE_WORDS
        assert house.told.troubles[-1:] == [True]
        post.password = right
        await house.until(wanted, DeliveryState.SENT)
    assert house.told.troubles[-1] is False
    assert taken(post) == [letter(wanted)]
    errors = [
        each for each in caplog.records if each.levelno >= logging.WARNING and each.name == "postfach.outbox"
    ]
    # Said once, however often it was tried.
    assert [each.getMessage()[:46] for each in errors] == ["letters can't be sent until a setting is chang"]
    assert post.password not in caplog.text


async def test_a_letter_whose_key_is_missing_waits_for_it(house: House, post: Post) -> None:
    wanted = await house.ask(house.outbox(post.address()))
    outbox = house.outbox(post.address(), seals=Seals(KeyRing.generate()))
    async with house.running(outbox):
        row = await house.until(wanted, DeliveryState.QUEUED, attempts=2)
    assert row.failure == UNUSABLE_WORDS
    again = house.outbox(post.address())
    async with house.running(again):
        await house.until(wanted, DeliveryState.SENT)
    assert taken(post) == [letter(wanted)]


async def test_a_letter_that_somebody_spoilt_fails(house: House, post: Post) -> None:
    outbox = house.outbox(post.address())
    wanted = await house.ask(outbox)
    other = await house.ask(outbox, "b", await house.mailbox("other"))
    token = (await OutboxLetter.get(delivery_id=other)).sealed
    await house.database.execute(
        "UPDATE outbox_letters SET sealed = $1 WHERE delivery_id = $2", token, wanted
    )
    async with house.running(outbox):
        row = await house.until(wanted, DeliveryState.FAILED)
        await house.until(other, DeliveryState.SENT)
    assert row.failure == "The stored letter does not open."
    assert taken(post) == [letter(other)]


# ---------------------------------------------------------------- letters that die


async def lock(house: House) -> None:
    await User.filter(id=house.anna.id).update(state=UserState.LOCKED)


async def unassign(house: House) -> None:
    await house.database.execute("UPDATE assignments SET until = $1", clock.now())


async def renew(house: House) -> None:
    await house.database.execute("UPDATE mailbox_passwords SET version = 2, hash = 'n'")


async def ask_again(house: House) -> None:
    boss = await storage.user(house.agency, "boss", role="ADMINISTRATOR")
    async with serving() as elsewhere:
        await house.ask(house.outbox(elsewhere.address()), "newer", requested_by_id=boss.id)


DEATHS = {lock: "RIGHTS", unassign: "RIGHTS", renew: "RENEWED", ask_again: "NEWER"}


@pytest.mark.parametrize("death", DEATHS)
async def test_a_letter_that_dies_while_it_waits_is_not_sent(house: House, post: Post, death: Any) -> None:  # noqa: ANN401
    post.then("connect", *["421 4.3.2 too busy"] * 1000)
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.QUEUED, attempts=1)
        await death(house)
        outbox.wake()
        row = await house.until(wanted, DeliveryState.FAILED)
    assert row.failure == GIVEN_UP[DEATHS[death]]  # type: ignore[index]
    assert taken(post) == []
    assert await OutboxLetter.filter(delivery_id=wanted).count() == 0


@pytest.mark.parametrize("death", [lock, renew, ask_again])
async def test_a_letter_that_dies_on_its_way_is_not_handed_over(house: House, post: Post, death: Any) -> None:  # noqa: ANN401
    post.held_at = "rcpt"
    post.gate.clear()
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await asyncio.wait_for(post.arrived.wait(), WAIT)
        await death(house)
        post.gate.set()
        row = await house.until(wanted, DeliveryState.FAILED)
    assert row.failure == GIVEN_UP[DEATHS[death]]  # type: ignore[index]
    assert row.attempts == 1
    assert taken(post) == []


async def test_letters_that_follow_one_another_are_tried_once_at_the_most(
    house: House, tmp_path: Path
) -> None:
    """However the looks for the dead and the attempts fall together."""
    outbox = house.outbox(FolderTransport(tmp_path / "outbox"))
    async with house.running(outbox):
        wanted = [await house.ask(outbox, f"r{number}") for number in range(20)]
        await house.until(wanted[-1], DeliveryState.SENT)
        async with asyncio.timeout(WAIT):
            while await OutboxLetter.all().count():
                await house.told.changes.get()
    rows = await CredentialDelivery.all()
    assert [row.attempts for row in rows if row.attempts > 1] == []
    assert {row.failure for row in rows if row.state is DeliveryState.FAILED} <= {GIVEN_UP[Death.NEWER]}


async def test_a_password_that_is_not_allowed_any_more_is_not_sent(house: House, post: Post) -> None:
    outbox = house.outbox(post.address())
    password: dict[str, Any] = {
        "content": CredentialContent.PASSWORD,
        "token_hash": None,
        "expires_at": None,
    }
    wanted = await house.ask(outbox, **password)
    async with house.running(outbox):
        row = await house.until(wanted, DeliveryState.FAILED)
        await Agency.all().update(passwords_in_letters=True)
        allowed = await house.ask(outbox, **password)
        await house.until(allowed, DeliveryState.SENT)
    assert row.failure == GIVEN_UP["NOT_ALLOWED"]  # type: ignore[index]
    assert taken(post) == [letter(allowed)]


async def test_a_letter_is_given_up_with_the_last_words(house: House, post: Post) -> None:
    post.then("rcpt", *["450 4.2.0 greylisted"] * 1000)
    pace = Pace(QUICK.pauses, QUICK.troubles, give_up=timedelta(seconds=1), look=timedelta(seconds=0.1))
    outbox = house.outbox(post.address(), pace)
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        row = await house.until(wanted, DeliveryState.FAILED)
    assert row.failure == f"{TOO_LATE} 450 4.2.0 greylisted"
    assert house.told.counted[-1] == "given up"
    assert taken(post) == []
    assert await OutboxLetter.all().count() == 0
