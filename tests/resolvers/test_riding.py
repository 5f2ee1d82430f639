"""The statements of a query whose first one asks who the viewer is as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from models import clock
from models.sessions import HOLDS
from models.tables.users import Role, UserState
from resolvers import mailboxes
from resolvers import riding as room
from resolvers.errors import UnauthenticatedError
from resolvers.request import Request
from resolvers.riding import Riding, Viewers
from resolvers.windows import Arguments
from tests import storage

if TYPE_CHECKING:
    from models.database import Database, Unit
    from resolvers.request import Viewer

pytestmark = pytest.mark.asyncio

ONE = "SELECT $1::int AS number"


async def ann() -> Viewer:
    return await storage.viewer(await storage.user(await storage.agency(), "ann"))


async def test_the_order_and_the_values_of_rows_stay(database: Database) -> None:
    nord = await storage.agency()
    for number in (3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97, 93):
        await storage.mailbox(nord, f"box{number}", vip=number % 2 == 0, receiving_stops_at=clock.now())
    viewer = await storage.viewer(await storage.user(nord, "ann"))
    found = []
    for each in (database, Riding(database, viewer)):
        request = Request(each, (await storage.request(database, None)).services, viewer)
        pages = [Arguments(first=5), Arguments(last=5), Arguments()]
        found.append([await mailboxes.list_all(request, page, None).nodes() for page in pages])
        found[-1].append(await mailboxes.list_all(request, Arguments(first=5), "box9").nodes())
    assert found[0] == found[1]
    assert [len(page) for page in found[0]] == [5, 5, 12, 3]


async def test_the_second_statement_begins_when_the_first_has_answered(database: Database) -> None:
    riding = Riding(database, await ann())
    with storage.statements(database) as seen:
        rows = await asyncio.gather(*(riding.fetch_one(ONE, number) for number in range(4)))
    assert [row["number"] for row in rows if row is not None] == [0, 1, 2, 3]
    assert len(seen) == 4
    assert [HOLDS in statement for statement in seen] == [True, False, False, False]


async def test_a_statement_without_a_row_leaves_it_to_the_next(database: Database) -> None:
    riding = Riding(database, await ann())
    with storage.statements(database) as seen:
        assert await riding.fetch("SELECT 1 AS one FROM mailboxes") == []
        assert await riding.fetch_one(ONE, 1) is not None
        assert await riding.holds()
        assert await riding.fetch("SELECT 1 AS one FROM mailboxes") == []
    assert [HOLDS in statement for statement in seen] == [True, True, False]


async def test_a_statement_that_fails_leaves_it_to_the_next(database: Database) -> None:
    riding = Riding(database, await ann())
    with pytest.raises(Exception, match="nowhere"):
        await riding.fetch("SELECT 1 AS one FROM nowhere")
    with storage.statements(database) as seen:
        assert await riding.fetch_one(ONE, 1) is not None
    assert HOLDS in seen[0]


async def test_one_who_is_stopped_leaves_it_to_the_next(database: Database) -> None:
    riding = Riding(database, await ann())
    stopped = asyncio.ensure_future(riding.fetch_one(ONE, 1))
    waiting = asyncio.ensure_future(riding.fetch_one(ONE, 2))
    await asyncio.sleep(0)
    stopped.cancel()
    row = await waiting
    assert row is not None
    assert row["number"] == 2
    assert stopped.cancelled()


async def test_nothing_is_returned_and_nothing_begun_for_somebody_else(database: Database) -> None:
    viewer = await ann()
    await database.execute("UPDATE users SET state = $1", UserState.LOCKED.value)
    begun = []

    async def work(unit: Unit) -> None:
        begun.append(unit)

    for first in ("SELECT 1 AS one", "VALUES (1)", None):
        riding = Riding(database, viewer)
        if first is None:
            # Of nothing it is not told yet.
            assert await riding.fetch("SELECT 1 AS one FROM mailboxes") == []
        else:
            with pytest.raises(UnauthenticatedError):
                await riding.fetch(first)
        for _ in range(2):
            with pytest.raises(UnauthenticatedError):
                await riding.fetch("SELECT 1 AS one")
            with pytest.raises(UnauthenticatedError):
                await riding.transact(work)
        assert not await riding.holds()
    with pytest.raises(UnauthenticatedError):
        await Riding(database, viewer).transact(work)
    assert begun == []


async def test_a_unit_of_work_begins_when_the_viewer_is_known(database: Database) -> None:
    async def work(unit: Unit) -> int:
        row = await unit.fetch_one(ONE, 7)
        return 0 if row is None else row["number"]

    with storage.statements(database) as seen:
        assert await Riding(database, await ann()).transact(work) == 7
    assert len([each for each in seen if "FROM sessions" in each]) == 1


async def test_an_account_manager_is_the_same_without_an_agency(database: Database) -> None:
    manager = await storage.viewer(await storage.user(None, "jo", role=Role.ACCOUNT_MANAGER))
    riding = Riding(database, manager)
    with storage.statements(database) as seen:
        assert await riding.fetch_one(ONE, 1) is not None
        assert await riding.holds()
    assert len(seen) == 1


@pytest.mark.usefixtures("database")
async def test_what_is_remembered_of_viewers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REMEMBERED", 2)
    nord = await storage.agency()
    viewers = [await storage.viewer(await storage.user(nord, name)) for name in ("a", "b", "c")]
    known = Viewers()
    for each in viewers:
        known.keep(each.session_id, each)
    assert [known.last(each.session_id) for each in viewers] == [None, viewers[1], viewers[2]]
    known.keep(viewers[1].session_id, None)
    assert known.last(viewers[1].session_id) is None
