"""Ending sessions: at once, later, by whoever is there, once more, and never for a password that is not the current one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest
import pytest_asyncio

from mail import endings
from mail.doveadm import Doveadm
from mail.endings import Endings
from models import clock
from models.database import Database, Unit
from models.tables.mailboxes import Mailbox, SessionEnding
from tests import peers, storage
from tests.mail.answering import KEY, Api, answering, ended

if TYPE_CHECKING:
    from uuid import UUID

pytestmark = pytest.mark.asyncio


@dataclass
class Desk:
    """A mailbox, and what renews its password."""

    database: Database
    mailbox: Mailbox

    @property
    def id(self) -> UUID:
        return self.mailbox.id

    async def renew(self, ending: Endings, version: int) -> None:
        """The part of a renewal that is asked of the mail server."""

        async def work(unit: Unit) -> None:
            await ending.ask(unit, _Addressed(self.mailbox), version, clock.now())

        await self.database.transact(work)

    async def row(self) -> SessionEnding | None:
        return await SessionEnding.get_or_none(mailbox_id=self.mailbox.id)


class _Addressed:
    def __init__(self, mailbox: Mailbox) -> None:
        row: Any = mailbox
        self.id, self.agency_id, self.address = row.id, row.agency_id, row.address


@pytest_asyncio.fixture
async def desk(database: Database) -> Desk:
    return Desk(database, await storage.mailbox(await storage.agency(), "desk"))


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as opened:
        yield opened


async def due(database: Database, seconds: float = 0) -> None:
    """Makes every row due, since so many seconds."""
    moment = clock.now() - timedelta(seconds=seconds)
    await database.execute("UPDATE session_endings SET next_attempt_at = $1", moment)


async def until_gone(desk: Desk) -> None:
    async with asyncio.timeout(20):
        while await desk.row() is not None:  # noqa: ASYNC110 (rows go without an event)
            await asyncio.sleep(0.02)


async def test_sessions_end_right_after_the_commit_and_once_more_later(
    database: Database, desk: Desk, api: Api
) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    with mock.patch.object(endings, "SETTLED", timedelta(0)):
        await desk.renew(ending, 2)
        assert await ending.finish(database, [desk.id])
        row = await desk.row()
        assert row is not None
        assert (row.version, row.attempts, api.asked) == (2, 0, [["desk@nord.example"]])
        async with ending.running(database):
            await until_gone(desk)
    assert api.asked == [["desk@nord.example"]] * 2
    assert await ending.finish(database, [desk.id])


async def test_they_are_not_ended_again_before_logins_under_way_have_settled(
    database: Database, desk: Desk, api: Api
) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    await desk.renew(ending, 2)
    assert await ending.finish(database, [desk.id])
    row = await desk.row()
    assert row is not None
    assert row.ended_at is not None
    assert row.next_attempt_at - row.ended_at == timedelta(seconds=15)


async def test_nothing_ends_for_a_unit_that_fails(database: Database, desk: Desk, api: Api) -> None:
    ending = Endings(Doveadm(api.url, KEY))

    async def work(unit: Unit) -> None:
        await ending.ask(unit, _Addressed(desk.mailbox), 2, clock.now())
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(work)
    assert await ending.finish(database, [desk.id])
    assert (await desk.row(), api.asked) == (None, [])


async def test_what_one_unit_asks_for_goes_together(database: Database, desk: Desk, api: Api) -> None:
    other = await storage.mailbox(await storage.agency("sued"), "desk")
    ending = Endings(Doveadm(api.url, KEY))

    async def work(unit: Unit) -> None:
        for mailbox in (desk.mailbox, other):
            await ending.ask(unit, _Addressed(mailbox), 2, clock.now())

    await database.transact(work)
    assert await ending.finish(database, [desk.id, other.id])
    assert api.asked == [["desk@nord.example", "desk@sued.example"]]


async def test_whom_the_server_did_not_end_stays_open(database: Database, desk: Desk, api: Api) -> None:
    other = await storage.mailbox(await storage.agency("sued"), "desk")
    api.answer = lambda commands: orjson.dumps(
        [["error", {"type": "exitCode", "exitCode": 75}, commands[0][2]], *orjson.loads(ended(commands[1:]))]
    )
    ending = Endings(Doveadm(api.url, KEY))

    async def work(unit: Unit) -> None:
        for mailbox in (desk.mailbox, other):
            await ending.ask(unit, _Addressed(mailbox), 2, clock.now())

    await database.transact(work)
    assert not await ending.finish(database, [desk.id, other.id])
    assert not await ending.finish(database, [desk.id])
    assert await ending.finish(database, [other.id])


async def test_a_server_that_is_away_leaves_it_open_until_it_is_back(
    database: Database, desk: Desk, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[int] = []
    away = Endings(Doveadm(f"http://127.0.0.1:{peers.free_port()}", KEY))
    await desk.renew(away, 2)
    before = await SessionEnding.all().values()
    assert not await away.finish(database, [desk.id])
    assert await SessionEnding.all().values() == before
    (line,) = [each.getMessage() for each in caplog.records if each.name == "postfach.endings"]
    assert line.startswith(
        "sessions of older passwords are still open on the mail server: it can't be reached: "
    )
    await due(database)
    # Another process, as after kill -9: all it knows is in the database.
    with mock.patch.object(endings, "SETTLED", timedelta(0)):
        other = Endings(Doveadm(api.url, KEY), counted.append)
        async with other.running(database):
            await until_gone(desk)
    assert api.asked == [["desk@nord.example"]] * 2


async def test_each_failed_attempt_waits_longer(database: Database, desk: Desk) -> None:
    await desk.renew(Endings(None), 2)
    waits = []
    for _ in range(6):
        await due(database)
        now = clock.now()
        with mock.patch.object(clock, "now", return_value=now):
            claimed = await database.transact(endings._claim)  # noqa: SLF001 (what a worker does between attempts)
            assert await database.transact(endings._claim) == []  # noqa: SLF001
        row = await desk.row()
        assert row is not None
        assert [each.mailbox_id for each in claimed] == [desk.id]
        waits.append((row.attempts, (row.next_attempt_at - now).total_seconds()))
    assert waits == [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (6, 60)]


async def test_of_several_processes_one_takes_it(database: Database, desk: Desk) -> None:
    await desk.renew(Endings(None), 2)
    await due(database)
    taken = await asyncio.gather(*(database.transact(endings._claim) for _ in range(5)))  # noqa: SLF001
    assert sorted(len(each) for each in taken) == [0, 0, 0, 0, 1]


async def test_an_attempt_from_before_the_clock_went_back_is_due(database: Database, desk: Desk) -> None:
    await desk.renew(Endings(None), 2)
    assert await database.transact(endings._claim) == []  # noqa: SLF001
    await due(database, -3600)
    assert len(await database.transact(endings._claim)) == 1  # noqa: SLF001


async def test_a_newer_password_meanwhile_keeps_its_sessions_open(
    database: Database, desk: Desk, api: Api
) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    api.gate.clear()
    await desk.renew(ending, 2)
    await api.arrived.wait()
    # While the mail server is at it, another process renews.
    await desk.renew(Endings(None), 3)
    api.gate.set()
    assert not await ending.finish(database, [desk.id])
    row = await desk.row()
    assert row is not None
    assert (row.version, row.ended_at) == (3, None)


async def test_a_repetition_does_not_close_what_a_newer_password_opened(
    database: Database, desk: Desk, api: Api
) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    await desk.renew(ending, 2)
    assert await ending.finish(database, [desk.id])
    await due(database)
    (repetition,) = await database.transact(endings._claim)  # noqa: SLF001
    assert repetition.is_repetition
    await desk.renew(Endings(None), 3)
    await ending._end(database, [repetition])  # noqa: SLF001 (the worker's next step)
    row = await desk.row()
    assert row is not None
    assert (row.version, row.ended_at) == (3, None)


async def test_a_caller_who_goes_away_stops_nothing(database: Database, desk: Desk, api: Api) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    api.gate.clear()
    await desk.renew(ending, 2)
    caller = asyncio.create_task(ending.finish(database, [desk.id]))
    await api.arrived.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    api.gate.set()
    assert await ending.finish(database, [desk.id])


async def test_a_process_that_ends_finishes_what_is_under_way(
    database: Database, desk: Desk, api: Api
) -> None:
    ending = Endings(Doveadm(api.url, KEY))
    api.gate.clear()
    async with ending.running(database):
        await desk.renew(ending, 2)
        await api.arrived.wait()
        api.gate.set()
    row = await desk.row()
    assert row is not None
    assert row.ended_at is not None


async def test_without_an_api_all_stays_open_in_one_row_a_mailbox(database: Database, desk: Desk) -> None:
    ending = Endings(None)
    async with ending.running(database):
        for version in (2, 3, 4):
            await desk.renew(ending, version)
        assert not await ending.finish(database, [desk.id])
    assert [row.version for row in await SessionEnding.all()] == [4]


async def test_what_is_open_is_counted(database: Database, desk: Desk) -> None:
    counted: asyncio.Queue[int] = asyncio.Queue()
    other = await storage.mailbox(await storage.agency("sued"), "desk")
    await desk.renew(Endings(None), 2)
    await Desk(database, other).renew(Endings(None), 2)
    await database.execute(
        "UPDATE session_endings SET ended_at = $1 WHERE mailbox_id = $2", clock.now(), other.id
    )
    ending = Endings(Doveadm(f"http://127.0.0.1:{peers.free_port()}", KEY), counted.put_nowait)
    async with ending.running(database), asyncio.timeout(20):
        assert await counted.get() == 1
