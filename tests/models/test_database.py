"""Statements and units of work: what becomes of a unit whose caller goes away."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from tortoise.exceptions import OperationalError

from models.database import Database, Unit
from models.database_url import DatabaseUrl
from tests import storage


@pytest.mark.asyncio
async def test_values_come_back_as_they_went_in(database: Database) -> None:
    agency = await storage.agency()
    moment = datetime(2024, 2, 29, 23, 59, 59, 1, tzinfo=UTC)
    box = await storage.mailbox(agency, "info", vip=True, last_moment=moment)
    row = await database.fetch_one(
        "SELECT id, agency_id, vip, last_moment, email_name FROM mailboxes WHERE id = $1", box.id
    )
    assert row is not None
    assert dict(row) == {
        "id": box.id,
        "agency_id": agency.id,
        "vip": True,
        "last_moment": moment,
        "email_name": None,
    }
    assert isinstance(row["id"], UUID)


@pytest.mark.asyncio
async def test_an_exception_undoes_all_of_a_unit(database: Database) -> None:
    before = await storage.contents(database)

    async def work(unit: Unit) -> None:
        await _insert(unit)
        unit.after_commit(lambda: pytest.fail("told before the commit"))
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(work)
    assert await storage.contents(database) == before


@pytest.mark.asyncio
async def test_a_unit_runs_to_its_end_though_its_caller_is_cancelled(database: Database) -> None:
    begun, told = asyncio.Event(), asyncio.Event()
    may_go_on = asyncio.Event()

    async def work(unit: Unit) -> None:
        begun.set()
        await may_go_on.wait()
        await _insert(unit)
        unit.after_commit(told.set)

    caller = asyncio.ensure_future(database.transact(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_go_on.set()
    await asyncio.wait_for(told.wait(), 10)
    assert len((await storage.contents(database))["agencies"]) == 1


@pytest.mark.asyncio
async def test_a_hundred_cancelled_callers_leave_the_database_usable(database: Database) -> None:
    for turn in range(100):
        caller = asyncio.ensure_future(database.transact(_insert))
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    await asyncio.wait_for(database.transact(_insert), 10)
    assert len((await storage.contents(database))["agencies"]) >= 1


async def _insert(unit: Unit) -> None:
    await unit.execute(
        "INSERT INTO agencies (id, key, name, fold_name) VALUES ($1, $2, 'a', 'a')", uuid4(), uuid4().hex
    )


@pytest.mark.asyncio
async def test_migrating_again_changes_nothing(database: Database) -> None:
    assert await database.pending_migrations() == []
    before = await storage.contents(database)
    await database.migrate()
    assert await storage.contents(database) == before


@pytest.mark.asyncio
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_closing_ends_what_is_still_being_read(migrated_database_url: str) -> None:
    database = await Database.open(DatabaseUrl.parse(migrated_database_url))
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS total FROM n"
    )
    reading = asyncio.ensure_future(database.fetch(endless))
    # It has the connection: nobody else is answered.
    waiting = asyncio.ensure_future(database.fetch("SELECT 1 AS one"))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert done == set()
    waiting.cancel()
    async with asyncio.timeout(30):
        await database.close()
        with pytest.raises(OperationalError):
            await reading
