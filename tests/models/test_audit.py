"""The chains of the audit: one for each agency, without a gap whatever happens at once, and no change goes unseen."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from models import audit, audit_chain
from models.database import Database, Unit
from models.tables.agencies import Agency
from tests import storage

pytestmark = pytest.mark.asyncio


async def record(
    database: Database, *owners: Agency | None, action: str = "test.one", fail: bool = False
) -> None:
    """One unit that writes an event for each of these."""

    async def work(unit: Unit) -> None:
        for place, owner in enumerate(owners):
            await audit.record(
                unit,
                action,
                agency_id=None if owner is None else owner.id,
                actor_id=None,
                remote_address="192.0.2.7",
                subject=("user", UUID(int=place)),
                details={"n": place, "names": ["ä", "b"]},
            )
        if fail:
            raise LookupError

    await database.transact(work)


async def rows(database: Database, owner: Agency | None) -> list[Any]:
    """The events of a chain."""
    return [row async for row in audit_chain.events(database, None if owner is None else owner.id)]


async def finding(database: Database, owner: Agency | None) -> tuple[int, str | None]:
    """How long the chain holds, and what is wrong then."""
    place, _, wrong = await audit_chain.finding(database, None if owner is None else owner.id)
    return place, wrong


async def tamper(database: Database, statement: str, *values: object) -> None:
    """A statement past the triggers that refuse it."""
    kept: list[str] = []
    if database.is_sqlite:
        found = await database.fetch(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
        )
        for row in found:
            kept.append(row["sql"])
            await database.execute(f"DROP TRIGGER {row['name']}")
    else:
        await database.execute("ALTER TABLE audit_events DISABLE TRIGGER USER")
    await database.execute(statement, *values)
    for each in kept or ["ALTER TABLE audit_events ENABLE TRIGGER USER"]:
        await database.execute(each)


async def test_every_agency_has_a_chain_of_its_own_and_nobody_too(database: Database) -> None:
    nord, sued = await storage.agency("nord"), await storage.agency("sued")
    await record(database, nord, None, sued, nord)
    await record(database, nord)
    for owner, length in ((nord, 3), (sued, 1), (None, 1)):
        found = await rows(database, owner)
        assert [row["place"] for row in found] == list(range(1, length + 1))
        assert await finding(database, owner) == (length, None)
        before = audit.BEGINNING
        for row in found:
            before = audit.digest(row, row["place"], before)
            assert row["digest"] == before
    assert set(await audit_chain.owners(database)) == {nord.id, sued.id, None}


async def test_a_digest_is_the_same_for_ever(database: Database) -> None:
    row = {
        **dict.fromkeys(audit.COLUMNS),
        "id": UUID(int=1),
        "at": storage.LONG_AGO,
        "action": "a.b",
        "details": "{}",
    }
    assert audit.digest(row, 1, audit.BEGINNING) == (
        "00e8c3d167bc753fe26392677d75d0bcbc61c19eb20aef490d7aefcbd1b41a91"
    )
    others = [{**row, name: "x"} for name in ("actor_id", "action", "object_type", "object_id", "details")]
    assert len({audit.digest(each, 1, audit.BEGINNING) for each in [row, *others]}) == 6
    assert database.observer is None


async def test_what_is_rolled_back_takes_no_place(database: Database) -> None:
    nord = await storage.agency("nord")
    await record(database, nord)
    with pytest.raises(LookupError):
        await record(database, nord, fail=True)
    await record(database, nord)
    assert [row["place"] for row in await rows(database, nord)] == [1, 2]


async def test_units_at_once_make_one_chain(database: Database) -> None:
    nord, sued = await storage.agency("nord"), await storage.agency("sued")
    # In either order: whoever holds one chain must not wait for the other.
    await asyncio.gather(
        *(record(database, *((nord, sued, None) if n % 2 else (None, sued, nord))) for n in range(60)),
    )
    for owner in (nord, sued, None):
        assert await finding(database, owner) == (60, None)


@pytest.mark.parametrize(
    "statement,holds,wrong",
    [
        ("UPDATE audit_events SET action = 'x.y' WHERE place = 3", 2, "event 3 is not what was written"),
        ("UPDATE audit_events SET details = '{}' WHERE place = 3", 2, "event 3 is not what was written"),
        (
            "UPDATE audit_events SET remote_address = NULL WHERE place = 5",
            4,
            "event 5 is not what was written",
        ),
        ("DELETE FROM audit_events WHERE place = 2", 1, "the events 2 to 2 are missing"),
        ("DELETE FROM audit_events WHERE place < 3", 0, "the events 1 to 2 are missing"),
        ("UPDATE audit_events SET place = NULL WHERE place = 5", 4, "1 events have no place in it"),
    ],
)
async def test_no_change_goes_unseen(database: Database, statement: str, holds: int, wrong: str) -> None:
    nord = await storage.agency("nord")
    for _ in range(5):
        await record(database, nord)
    await tamper(database, statement)
    place, found = await finding(database, nord)
    assert (place, (found or "").startswith(wrong)) == (holds, True), found


async def test_a_changed_event_with_its_digest_made_anew_breaks_the_next_one(database: Database) -> None:
    nord = await storage.agency("nord")
    for _ in range(3):
        await record(database, nord)
    first, second, _ = await rows(database, nord)
    forged = audit.digest({**second, "action": "x.y"}, 2, first["digest"])
    await tamper(database, "UPDATE audit_events SET action = 'x.y', digest = $1 WHERE place = 2", forged)
    assert await finding(database, nord) == (2, "event 3 is not what was written, or follows another one")


async def test_events_from_before_there_were_chains_are_left_alone(database: Database) -> None:
    nord = await storage.agency("nord")
    await record(database, nord)
    old = (
        "INSERT INTO audit_events (id, agency_id, at, action, details) VALUES ($1, $2, $3, 'test.old', '{}')"
    )
    await database.execute(old, UUID(int=9), nord.id, storage.LONG_AGO)
    assert await finding(database, nord) == (1, None)
