"""The outbox with real SMTP servers: nothing is lost, nothing leaves twice after it was accepted, nothing leaves that is dead."""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random, SystemRandom
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from mail.handing import Outcome
from mail.outbox import UNUSABLE_WORDS, Observer, Outbox, Pace
from mail.smtp import SmtpServer, SmtpTransport
from mail.trial import FolderTransport
from models import clock, sealed
from models.credential_deliveries import LINK_LIFETIME, Death
from models.database import Database, Unit
from models.keys import KeyRing
from models.outbox import GIVEN_UP, TOO_LATE
from models.seals import Seals
from models.tables import (
    Agency,
    CredentialContent,
    CredentialDelivery,
    DeliveryState,
    Mailbox,
    OutboxLetter,
    User,
    UserState,
)
from tests import storage
from tests.mail.smtp_servers import DROP, STEPS, TAKE_AND_DROP, TAKE_AND_HOLD, Post, serving
from tests.storage import contents

pytestmark = pytest.mark.asyncio

WAIT = 60
QUICK = Pace(
    pauses=(timedelta(seconds=0.05),),
    troubles=(timedelta(seconds=0.05),),
    lease=timedelta(seconds=20),
    renew=timedelta(seconds=0.1),
    look=timedelta(seconds=0.2),
    end=timedelta(seconds=0.1),
)
RING = KeyRing.generate()
SEALS = Seals(RING)


@dataclass
class Told:
    """What the outbox tells: changes of letters, counts, and whether a setting is wrong."""

    changes: asyncio.Queue[UUID] = field(default_factory=asyncio.Queue)
    counted: list[str] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    troubles: list[bool] = field(default_factory=list)
    failing: int = 0

    async def tell(self, unit: Unit, delivery_id: UUID) -> None:
        if self.failing > 0:
            self.failing -= 1
            raise RuntimeError("nobody can be told")
        unit.after_commit(lambda: self.changes.put_nowait(delivery_id))


@dataclass
class House:
    """An agency whose anna is assigned to a mailbox, and what was told of its letters."""

    database: Database
    agency: Agency
    anna: User
    desk: Mailbox
    told: Told = field(default_factory=Told)

    def outbox(
        self, transport: SmtpServer | FolderTransport, pace: Pace = QUICK, seals: Seals = SEALS
    ) -> Outbox:
        way = (
            SmtpTransport(transport, sender="postfach@crm.example", name="crm.example")
            if isinstance(transport, SmtpServer)
            else transport
        )
        told = self.told
        observer = Observer(told.counted.append, told.waiting.append, told.troubles.append)
        return Outbox(way, seals, told.tell, observer=observer, pace=pace)

    async def ask(
        self,
        outbox: Outbox,
        name: str = "a",
        mailbox: Mailbox | None = None,
        **columns: Any,  # noqa: ANN401 (whatever a letter has)
    ) -> UUID:
        """Has a letter wait, as asking for it does."""
        now, box = clock.now(), mailbox or self.desk
        plain: dict[str, Any] = {
            "agency_id": self.agency.id,
            "mailbox_id": box.id,
            "requested_by_id": self.anna.id,
            "to_address": f"{name}@home.example",
            "fold_to": f"{name}@home.example",
            "content": CredentialContent.ONE_TIME_LINK,
            "language": "de",
            "state": DeliveryState.QUEUED,
            "attempts": 0,
            "requested_at": now,
            "expires_at": now + LINK_LIFETIME,
            "password_version": 1,
            "token_hash": uuid4().hex * 2,
        }
        made = await CredentialDelivery.create(**(plain | columns))
        await self.database.transact(
            lambda unit: outbox.put(unit, letter(made.id), delivery_id=made.id, agency_id=self.agency.id)
        )
        return made.id

    async def mailbox(self, name: str) -> Mailbox:
        """A mailbox that anna is assigned to, with a password."""
        made = await storage.mailbox(self.agency, name)
        await storage.period(made, self.anna)
        await self.database.execute(
            "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at)"
            " VALUES ($1, $2, 1, 's', 'h', $3)",
            made.id,
            self.agency.id,
            clock.now(),
        )
        return made

    async def until(self, delivery_id: UUID, state: DeliveryState, attempts: int = 0) -> CredentialDelivery:
        """Waits until the letter is in this state after so many attempts at the least."""
        async with asyncio.timeout(WAIT):
            while True:
                row = await CredentialDelivery.get(id=delivery_id)
                if row.state is state and row.attempts >= attempts:
                    return row
                await self.told.changes.get()

    def running(self, outbox: Outbox) -> AbstractAsyncContextManager[None]:
        return outbox.running(self.database)


def letter(delivery_id: UUID) -> bytes:
    return f"Message-ID: <{delivery_id}@crm.example>\r\nSubject: s\r\n\r\n.k7Rtq secret\r\n".encode()


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    agency = await storage.agency("nord")
    found = House(database, agency, await storage.user(agency, "anna"), Mailbox())
    found.desk = await found.mailbox("desk")
    yield found


@pytest_asyncio.fixture
async def post() -> AsyncIterator[Post]:
    async with serving() as opened:
        yield opened


def taken(post: Post) -> list[bytes]:
    return [each.content for each in post.taken]


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
    wanted = [await house.ask(outboxes[0], f"r{number}", box) for number, box in enumerate(boxes)]
    async with house.running(outboxes[0]), house.running(outboxes[1]), house.running(outboxes[2]):
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


# ---------------------------------------------------------------- the letters of a trial


async def test_without_a_server_letters_land_in_a_folder(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "outbox"
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        row = await house.until(wanted, DeliveryState.SENT)
    (file,) = folder.iterdir()
    assert file.read_bytes() == letter(wanted)
    assert file.name == f"{row.requested_at:%Y%m%dT%H%M%S.%fZ}-{wanted}.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_letter_that_is_written_again_is_the_same_file(house: House, tmp_path: Path) -> None:
    house.told.failing = 2
    folder = tmp_path / "outbox"
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.SENT)
    assert [Path(each).suffix for each in os.listdir(folder)] == [".eml"]  # noqa: PTH208 (a look that blocks nobody)


async def test_a_folder_that_cannot_be_written_to_is_a_setting(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.write_text("a file")
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.QUEUED, attempts=1)
        assert house.told.troubles[-1:] == [True]
        folder.unlink()
        await house.until(wanted, DeliveryState.SENT)
    assert Outcome.UNUSABLE.value in house.told.counted
