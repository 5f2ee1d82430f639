"""The outbox with real SMTP servers: nothing is lost, and nothing leaves twice after it was accepted."""

import asyncio
import os
from datetime import datetime, timedelta
from random import Random, SystemRandom
from uuid import uuid4

import pytest

from mail.outbox import Pace
from models import clock, sealed
from models.keys import KeyRing
from models.seals import Seals
from models.tables.letters import CredentialDelivery, DeliveryState, OutboxLetter
from tests.mail.outboxes import QUICK, RING, WAIT, House, house, letter, post, taken
from tests.mail.smtp_servers import DROP, STEPS, TAKE_AND_DROP, TAKE_AND_HOLD, Post
from tests.storage import contents

__all__ = ["house", "post"]
pytestmark = pytest.mark.asyncio


# ---------------------------------------------------------------- what becomes of a letter


async def test_a_letter_leaves_once_and_is_erased(house: House, post: Post) -> None:
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        row = await house.until(wanted, DeliveryState.SENT)
    assert row.attempts == 1
    assert not row.failure
    assert row.sent_at is not None
    assert row.sent_at > row.requested_at
    assert taken(post) == [letter(wanted)]
    assert [(each.sender, each.to) for each in post.taken] == [("postfach@crm.example", ("a@home.example",))]
    assert await OutboxLetter.all().count() == 0
    assert house.told.counted == ["accepted"]
    assert house.told.troubles == []


async def test_what_waits_shows_nothing_of_the_letter(house: House, post: Post) -> None:
    wanted = await house.ask(house.outbox(post.address()))
    assert "k7Rtq" not in repr(await contents(house.database))
    # And it is sealed anew with the rest.
    newer = KeyRing({"newer": b"n" * 32, **RING.keys})
    done = await sealed.reseal(house.database, Seals(newer))
    assert (done.sealed, done.spoilt) == (1, 1)
    outbox = house.outbox(post.address(), seals=Seals(KeyRing({"newer": b"n" * 32})))
    async with house.running(outbox):
        await house.until(wanted, DeliveryState.SENT)
    assert taken(post) == [letter(wanted)]


async def test_greylisting_is_waited_out_with_the_same_bytes(house: House, post: Post) -> None:
    post.then("rcpt", *["450 4.2.0 greylisted"] * 3)
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        between = await house.until(wanted, DeliveryState.QUEUED, attempts=1)
        row = await house.until(wanted, DeliveryState.SENT)
    assert between.failure == "450 4.2.0 greylisted"
    assert row.attempts == 4
    assert not row.failure
    assert taken(post) == [letter(wanted)]
    assert house.told.counted == ["later"] * 3 + ["accepted"]


async def test_what_is_refused_for_good_is_not_tried_again(house: House, post: Post) -> None:
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        for step in ("rcpt", "data", "content"):
            post.then(step, "550 5.1.1 nobody here by that name")
            row = await house.until(await house.ask(outbox), DeliveryState.FAILED)
            assert (row.attempts, row.failure) == (1, "550 5.1.1 nobody here by that name")
            assert not row.sent_at
        other = await house.ask(outbox, "b")
        await house.until(other, DeliveryState.SENT)
    assert taken(post) == [letter(other)]
    assert await OutboxLetter.all().count() == 0


async def test_no_broken_connection_loses_a_letter_or_doubles_it(house: House, post: Post) -> None:
    for step in STEPS:
        post.then(step, DROP)
    outbox = house.outbox(post.address(user=True))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        row = await house.until(wanted, DeliveryState.SENT)
    assert row.attempts == len(STEPS) + 1
    assert taken(post) == [letter(wanted)]


async def test_a_letter_whose_acceptance_was_not_heard_is_the_same_bytes_again(
    house: House, post: Post
) -> None:
    """SMTP has no way to ask: the reader's mail server knows the Message-ID."""
    post.then("content", TAKE_AND_DROP)
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.SENT)
    assert taken(post) == [letter(wanted)] * 2


async def test_what_was_accepted_is_not_sent_again_though_it_cannot_be_written_down_yet(
    house: House, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    house.told.failing = 3
    outbox = house.outbox(post.address(), pace=QUICK)
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.SENT)
    assert house.told.failing == 0
    assert taken(post) == [letter(wanted)]
    assert "what became of a letter can't be written down yet" in caplog.messages


WHIMS = {
    "connect": (DROP, "421 4.3.2 too busy"),
    "ehlo": (DROP, "421 4.3.2 too busy"),
    "mail": (DROP, "450 4.7.1 later"),
    "rcpt": (DROP, "450 4.2.0 greylisted", "550 5.1.1 unknown"),
    "data": (DROP, "451 4.3.0 disk"),
    "content": (DROP, TAKE_AND_DROP, "451 4.3.0 disk", "554 5.7.1 spam"),
}


async def test_whatever_a_server_does_nothing_is_lost_or_doubled(house: House, post: Post) -> None:
    """Each step goes wrong every fifth time, in a way drawn by chance; two processes send."""
    seed = int(os.environ.get("POSTFACH_SEED") or SystemRandom().randrange(10**9))
    chance = Random(seed)
    post.whim = lambda step: chance.choice(WHIMS[step]) if step in WHIMS and chance.random() < 0.2 else None
    outboxes = [house.outbox(post.address()) for _ in range(2)]
    boxes = [await house.mailbox(f"box{number}") for number in range(20)]
    async with house.running(outboxes[0]), house.running(outboxes[1]), asyncio.timeout(WAIT):
        wanted = [
            await house.ask(chance.choice(outboxes), f"r{number}", box) for number, box in enumerate(boxes)
        ]
        while await OutboxLetter.all().count():
            await house.told.changes.get()
    for each in wanted:
        row = await CredentialDelivery.get(id=each)
        heard = taken(post).count(letter(each)) - post.unheard.count(letter(each))
        refused = row.state is DeliveryState.FAILED and str(row.failure).startswith("55")
        assert (row.state is DeliveryState.SENT, heard) in {(True, 1), (False, 0)}, f"POSTFACH_SEED={seed}"
        assert (row.state is DeliveryState.SENT) is not refused, f"POSTFACH_SEED={seed}"


# ---------------------------------------------------------------- several processes


async def test_several_processes_share_the_letters_and_send_none_twice(house: House, post: Post) -> None:
    outboxes = [house.outbox(post.address()) for _ in range(3)]
    boxes = [await house.mailbox(f"box{number}") for number in range(12)]
    async with house.running(outboxes[0]), house.running(outboxes[1]), house.running(outboxes[2]):
        wanted = [await house.ask(outboxes[0], f"r{number}", box) for number, box in enumerate(boxes)]
        for outbox in outboxes:
            outbox.wake()
        for each in wanted:
            await house.until(each, DeliveryState.SENT)
    assert sorted(taken(post)) == sorted(map(letter, wanted))


async def test_a_slow_server_keeps_its_letter_as_long_as_it_wants(house: House, post: Post) -> None:
    """It has taken the letter and answers late: the lease is renewed, and another process takes nothing."""
    post.then("content", TAKE_AND_HOLD)
    post.gate.clear()
    first, second = house.outbox(post.address()), house.outbox(post.address())
    async with house.running(first), house.running(second), asyncio.timeout(WAIT):
        wanted = await house.ask(first)
        await post.arrived.wait()
        begun = await OutboxLetter.get(delivery_id=wanted)
        renewed: set[datetime] = set()
        while len(renewed) < 4:
            second.wake()
            await asyncio.sleep(0.02)
            row = await OutboxLetter.get(delivery_id=wanted)
            assert row.lease == begun.lease
            renewed.add(row.next_attempt_at)
        post.gate.set()
        sent = await house.until(wanted, DeliveryState.SENT)
    assert sent.attempts == 1
    assert taken(post) == [letter(wanted)]


async def test_what_a_killed_process_left_is_taken_up_when_its_lease_is_over(
    house: House, post: Post
) -> None:
    outbox = house.outbox(post.address())
    wanted = await house.ask(outbox)
    lease = uuid4()
    later = clock.now() + timedelta(seconds=0.5)
    await house.database.execute("UPDATE outbox_letters SET lease = $1, next_attempt_at = $2", lease, later)
    async with house.running(outbox):
        row = await house.until(wanted, DeliveryState.SENT)
    if not house.database.is_sqlite:
        # There is only one process with SQLite: what it finds at its start was left by one that is gone.
        assert row.sent_at > later
    assert taken(post) == [letter(wanted)]


async def test_a_letter_that_lies_ahead_because_the_clock_went_back_is_not_forgotten(
    house: House, post: Post
) -> None:
    outbox = house.outbox(post.address())
    wanted = await house.ask(outbox)
    await house.database.execute(
        "UPDATE outbox_letters SET next_attempt_at = $1", clock.now() + timedelta(days=400)
    )
    async with house.running(outbox):
        await house.until(wanted, DeliveryState.SENT)


# ---------------------------------------------------------------- the end of the process


async def test_what_is_being_sent_at_the_end_comes_to_an_end(house: House, post: Post) -> None:
    post.then("content", TAKE_AND_HOLD)
    post.gate.clear()
    pace = Pace(QUICK.pauses, QUICK.troubles, end=timedelta(seconds=WAIT))
    outbox = house.outbox(post.address(), pace)
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await asyncio.wait_for(post.arrived.wait(), WAIT)
        asyncio.get_running_loop().call_later(0.1, post.gate.set)
    row = await CredentialDelivery.get(id=wanted)
    assert row.state is DeliveryState.SENT
    assert taken(post) == [letter(wanted)]


async def test_what_takes_too_long_at_the_end_is_left_to_the_next_process(house: House, post: Post) -> None:
    post.held_at = "mail"
    post.gate.clear()
    outbox = house.outbox(post.address())
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await asyncio.wait_for(post.arrived.wait(), WAIT)
    assert (await CredentialDelivery.get(id=wanted)).state is DeliveryState.QUEUED
    post.gate.set()
    await house.database.execute("UPDATE outbox_letters SET next_attempt_at = $1", clock.now())
    async with house.running(house.outbox(post.address())):
        await house.until(wanted, DeliveryState.SENT)
    assert taken(post) == [letter(wanted)]
