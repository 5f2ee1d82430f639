"""A slow database, broken connections, a full disk: what is answered meanwhile, and that no hand is needed."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import pytest
import strawberry
from tortoise import Tortoise

from models import audit, postgres_pool
from models.database import DatabaseUnavailableError, Unit
from models.postgres_engine import PostfachPostgresClient
from schema.context import Info
from schema.root import Schema
from tests import peers
from tests.client import Answer
from tests.databases import Template
from tests.server.cable import cabled
from tests.server.doors import Doors, doors
from tests.server.test_websocket import served
from tests.storage import Templates
from tests.stream import stream

pytestmark = pytest.mark.asyncio
WAIT = 30
POOL = 16
KEPT = "x" * 2_000
READY, SILENT, FULL = "ready", "the database does not answer", "the database takes no changes"


@strawberry.type
class Query:
    @strawberry.field
    async def kept(self, info: Info) -> int:
        (row,) = await info.context.request.database.fetch(
            "SELECT count(*) AS total FROM audit_events WHERE action LIKE 'test.%'"
        )
        number: int = row["total"]
        return number


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def keep(self, info: Info, name: str, times: int = 1) -> int:
        """Keep what counts as `times`, all or nothing."""

        async def work(unit: Unit) -> None:
            for _ in range(times):
                await audit.record(
                    unit,
                    f"test.{name}",
                    agency_id=None,
                    actor_id=None,
                    remote_address=None,
                    details={"text": KEPT},
                )

        await info.context.request.database.transact(work)
        return times


KEEPING = Schema(query=Query, mutation=Mutation)


async def record(unit: Unit) -> None:
    await audit.record(unit, "test.one", agency_id=None, actor_id=None, remote_address=None)


def is_unavailable(answer: Answer, *codes: str) -> None:
    assert answer.status == 503
    (code,) = answer.codes
    assert code in (codes or ("UNAVAILABLE",))
    assert answer.headers.get("retry-after") == ("5" if code == "UNAVAILABLE" else None)


async def ready(house: Doors) -> str:
    """What /readyz says; /healthz says that the process lives."""
    async with house.client() as client:
        assert (await client.http.get("/healthz")).status_code == 200
        answer = await client.http.get("/readyz")
    words: str = answer.json()["status"]
    assert answer.status_code == (200 if words == READY else 503)
    return words


async def whole(house: Doors) -> None:
    """As many units and reads as there are connections go on at once, so none is lost."""
    async with asyncio.timeout(WAIT):
        before = (await house.ask("{ kept }")).good()["kept"]
        both = [house.ask('mutation { keep(name: "whole") }') for _ in range(POOL)]
        answers = await asyncio.gather(*both, *(house.ask("{ kept }") for _ in range(POOL)))
        assert [answer.status for answer in answers] == [200] * 2 * POOL
        assert (await house.ask("{ kept }")).good() == {"kept": before + POOL}
        assert await ready(house) == READY
        if not house.runtime.database.is_sqlite:
            client = cast("PostfachPostgresClient", Tortoise.get_connection("default"))
            assert client.in_use() == 0
            assert client._pool.get_size() <= POOL  # type: ignore[union-attr]  # noqa: SLF001 (what is asked about)


# ---------------------------------------------------------------- connections that break


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_broken_connections_cost_the_pool_nothing(door_database: str, tmp_path: Path) -> None:
    cluster, name = peers.postgresql(), peers.database_name(door_database)
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND application_name = 'postfach'"
    )
    async with doors(door_database, tmp_path, schema=KEEPING) as house:
        for _ in range(POOL + 4):
            # Nothing here runs meanwhile, so the pool hands out a connection that is broken already.
            cluster.run_sql(kill)
            with pytest.raises(DatabaseUnavailableError):
                await house.runtime.database.transact(record)
            cluster.run_sql(kill)
            answer = await house.ask("{ kept }")
            if answer.status != 200:
                is_unavailable(answer)
        await whole(house)
        assert (await house.ask("{ kept }")).good() == {"kept": POOL}


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_an_answer_does_not_claim_what_a_lost_commit_leaves_open(
    door_database: str, tmp_path: Path
) -> None:
    async with cabled(door_database) as (cable, url), doors(url, tmp_path, schema=KEEPING) as house:
        await house.ask("{ kept }")

        async def work(unit: Unit) -> None:
            await record(unit)
            unit.last["zz pulled"] = cable.pull

        with pytest.raises(DatabaseUnavailableError) as lost:
            await house.runtime.database.transact(work)
        assert type(lost.value).__name__ == "OutcomeUnknownError"
        await cable.plug()
        await whole(house)


# ---------------------------------------------------------------- a database that is slow


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_database_that_says_nothing_holds_nobody_up(
    door_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_pool, "STOPPED_SECONDS", 0.2)
    monkeypatch.setattr(postgres_pool, "ACQUIRE_SECONDS", 1)
    monkeypatch.setattr("server.health.PATIENCE_SECONDS", 0.5)
    async with (
        cabled(door_database) as (cable, url),
        served(url, tmp_path, KEEPING, OPERATION_SECONDS="1") as house,
    ):
        token = await house.token(house.anna)
        await whole(house)
        cable.freeze()
        asked = ["{ kept }", 'mutation { keep(name: "slow") }']
        answers = await asyncio.gather(
            *(house.ask(query, token=who) for query in asked for who in (None, token) for _ in range(POOL))
        )
        for answer in answers:
            is_unavailable(answer, "UNAVAILABLE", "TIMED_OUT")
        assert await ready(house) == SILENT
        async with stream(house.socket_url, initialise=False) as opened:
            assert await opened.initialise(token) == {"type": "closed", "code": 1013}
        cable.thaw()
        await whole(house)
        # Units that had begun went on to their end, as their clients were told; no other did anything.
        kept = (await house.ask("{ kept }")).good()["kept"]
        assert 2 * POOL <= kept <= 3 * POOL


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_reads_go_on_while_another_process_writes(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, schema=KEEPING) as house:
        other = sqlite3.connect(door_database.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(house.ask('mutation { keep(name: "later") }')) for _ in range(3)]
        for _ in range(20):
            assert (await house.ask("{ kept }")).good() == {"kept": 0}
        assert await ready(house) == READY
        assert not any(each.done() for each in waiting)
        other.execute("COMMIT")
        other.close()
        assert [(await each).good() for each in waiting] == [{"keep": 1}] * 3
        assert (await house.ask("{ kept }")).good() == {"kept": 3}


# ---------------------------------------------------------------- a full disk


class Disk:
    """A small disk of its own that can be filled and emptied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._filler.open("ab") as filler:
            while (free := shutil.disk_usage(self.folder).free) > 0:
                os.posix_fallocate(filler.fileno(), filler.tell(), free)
                filler.seek(0, os.SEEK_END)

    def empty(self) -> None:
        """Give the room back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of this size; skips the test for who may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def on_a_small_disk(template: Template, folder: Path) -> AsyncIterator[tuple[Disk, str]]:
    """A database whose tables lie on a small disk, and that disk."""
    if template.kind == "sqlite":
        with small_disk(folder / "disk", 8) as disk, template.copied(disk.folder) as url:
            yield disk, url
        return
    cluster = peers.postgresql()
    with small_disk(folder / "disk", 64) as disk, template.copied(folder) as url:
        name = peers.database_name(url)
        place = disk.folder / "tables"
        place.mkdir()
        shutil.chown(place, "postgres")
        # PostgreSQL's own account has to reach it.
        for each in (place, *place.parents):
            if each.stat().st_mode & 0o005 != 0o005:
                each.chmod(each.stat().st_mode | 0o011)
        cluster.run_sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
        cluster.leave(url)
        cluster.run_sql(f"ALTER DATABASE {name} SET TABLESPACE {name}")
        try:
            yield disk, url
        finally:
            cluster.run_sql(f"ALTER DATABASE {name} SET TABLESPACE pg_default")
            cluster.run_sql(f"DROP TABLESPACE {name}")


async def test_a_full_disk_refuses_changes_whole_and_is_over_when_there_is_room(
    database_kind: str, storage_templates: Templates, tmp_path: Path
) -> None:
    async with (
        on_a_small_disk(storage_templates.template(database_kind), tmp_path) as (disk, url),
        doors(url, tmp_path, schema=KEEPING) as house,
    ):
        assert (await house.ask('mutation { keep(name: "before", times: 3) }')).good() == {"keep": 3}
        for turn in range(2):
            kept = (await house.ask("{ kept }")).good()["kept"]
            disk.fill()
            async with asyncio.timeout(WAIT):
                while (answer := await house.ask('mutation { keep(name: "full", times: 3) }')).status == 200:
                    kept += 3
            is_unavailable(answer)
            for _ in range(3):
                is_unavailable(await house.ask('mutation { keep(name: "full", times: 3) }'))
            assert await ready(house) == FULL
            # What is there can be read, and of what was refused nothing is there.
            assert (await house.ask("{ kept }")).good() == {"kept": kept}
            disk.empty()
            assert await ready(house) == READY, turn
            await whole(house)
