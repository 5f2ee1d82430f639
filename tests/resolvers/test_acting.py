"""Who acts is who the database says now, and stays so until the unit ends."""

import asyncio

import pytest

from models import clock
from models.database import Database, Unit
from models.tables.users import ReadLevel, Role, User, UserState
from resolvers.acting import acting_user
from resolvers.errors import UnauthenticatedError
from resolvers.request import Viewer
from tests import storage
from tests.storage import statements

pytestmark = pytest.mark.asyncio


async def test_rights_are_those_of_now_in_one_statement(database: Database) -> None:
    nord = await storage.agency("nord")
    anna = await storage.user(nord, "anna")
    request = await storage.request(database, anna)
    await User.filter(id=anna.id).update(
        role=Role.ADMINISTRATOR,
        activity_read_level=ReadLevel.ALL,
        agents_log_read_level=ReadLevel.NOTHING,
    )

    async def work(unit: Unit) -> Viewer:
        with statements(database) as seen:
            acting = await acting_user(unit, request)
        assert len(seen) == 1
        return acting

    assert request.viewer is not None
    assert await database.transact(work) == Viewer(
        anna.id,
        nord.id,
        "anna@nord.example",
        Role.ADMINISTRATOR,
        ReadLevel.ALL,
        ReadLevel.NOTHING,
        request.viewer.session_id,
    )


@pytest.mark.parametrize("reason", ["nobody", "LOCKED", "DEACTIVATED", "ended", "somebody else's session"])
async def test_whoever_may_not_come_in_does_not_act(database: Database, reason: str) -> None:
    nord = await storage.agency("nord")
    anna, ben = await storage.user(nord, "anna"), await storage.user(nord, "ben")
    request = await storage.request(database, None if reason == "nobody" else anna)
    if reason == "ended":
        await database.execute("UPDATE sessions SET ended_at = $1", clock.now())
    elif reason == "somebody else's session":
        await database.execute("UPDATE sessions SET user_id = $1", ben.id)
    elif reason != "nobody":
        await User.filter(id=anna.id).update(state=UserState(reason))

    async def work(unit: Unit) -> Viewer:
        return await acting_user(unit, request)

    with pytest.raises(UnauthenticatedError):
        await database.transact(work)


async def test_the_user_stays_as_acting_until_the_unit_ends(database: Database) -> None:
    """Whoever changes the user waits for those who act."""
    anna = await storage.user(await storage.agency("nord"), "anna")
    request = await storage.request(database, anna)
    acts, may_end = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def act(unit: Unit) -> None:
        await acting_user(unit, request)
        acts.set()
        await may_end.wait()
        order.append("acted")

    async def lock(unit: Unit) -> None:
        await unit.execute("UPDATE users SET state = 'LOCKED' WHERE id = $1", anna.id)
        order.append("locked")

    acting = asyncio.ensure_future(database.transact(act))
    await acts.wait()
    locking = asyncio.ensure_future(database.transact(lock))
    done, _ = await asyncio.wait([locking], timeout=0.2)
    assert done == set()
    may_end.set()
    await asyncio.gather(acting, locking)
    assert order == ["acted", "locked"]


async def test_a_session_that_ended_while_its_user_was_waited_for_acts_no_more(database: Database) -> None:
    """As after a new password, which changes the user's row and ends the sessions in one unit."""
    anna = await storage.user(await storage.agency("nord"), "anna")
    request = await storage.request(database, anna)
    is_held, may_end = asyncio.Event(), asyncio.Event()

    async def change(unit: Unit) -> None:
        await unit.execute("UPDATE users SET password_hash = 'another' WHERE id = $1", anna.id)
        is_held.set()
        await may_end.wait()
        await unit.execute("UPDATE sessions SET ended_at = $1", clock.now())

    async def act(unit: Unit) -> Viewer:
        return await acting_user(unit, request)

    changing = asyncio.ensure_future(database.transact(change))
    await is_held.wait()
    acting = asyncio.ensure_future(database.transact(act))
    done, _ = await asyncio.wait([acting], timeout=0.2)
    assert done == set()
    may_end.set()
    await changing
    with pytest.raises(UnauthenticatedError):
        await acting
