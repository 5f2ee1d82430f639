"""The suite's own peers: found or skipped by name, private, and gone when the suite is gone."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest

from tests import peers


def test_a_missing_program_skips_with_the_name_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PROGRAMS, "teleporter", peers.Program("teleporter-bin", ("no-such-program",)))
    monkeypatch.delenv("POSTFACH_TEST_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"teleporter is missing, install .* teleporter-bin"):
        peers.require("teleporter")


def test_a_missing_program_fails_where_everything_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PROGRAMS, "teleporter", peers.Program("teleporter-bin", ("no-such-program",)))
    monkeypatch.setenv("POSTFACH_TEST_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="install the package teleporter-bin"):
        peers.require("teleporter")


def test_the_newest_of_several_versions_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "15", "100"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "postgres").touch()
    program = peers.Program("postgresql", (str(tmp_path / "*" / "postgres"),))
    monkeypatch.setitem(peers.PROGRAMS, "postgresql", program)
    assert peers.find("postgresql") == str(tmp_path / "100" / "postgres")


@pytest.mark.asyncio
async def test_a_fresh_database_is_empty_and_its_owner_is_no_superuser() -> None:
    cluster = peers.postgresql()
    url = cluster.fresh_database()
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert (
            await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        )
        await connection.execute("CREATE TABLE mine (id int)")
        # Whoever stays there is thrown out.
        copy = await asyncio.to_thread(cluster.fresh_database, template=peers.database_name(url))
        with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
            await connection.fetchval("SELECT count(*) FROM mine")
    finally:
        await connection.close()
    connection = await asyncpg.connect(copy)
    try:
        assert await connection.fetchval("SELECT count(*) FROM mine") == 0
    finally:
        await connection.close()
    for each in (url, copy):
        cluster.drop_database(each)
    names = cluster.run_sql("SELECT datname FROM pg_database").splitlines()
    assert not {peers.database_name(url), peers.database_name(copy)} & set(names)


def test_a_database_is_emptied_again_and_again_whoever_was_thrown_out() -> None:
    cluster = peers.postgresql()
    url = cluster.fresh_database()
    name = peers.database_name(url)
    cluster.run_sql(
        "CREATE TABLE audit_events (details text); CREATE TABLE tortoise_migrations (name text);"
        "INSERT INTO tortoise_migrations VALUES ('first')",
        name,
    )
    everybody = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
    shape = cluster.shape(url)
    for row in ("plain", "of\nseveral lines", "ü|$$';"):
        cluster.run_sql("INSERT INTO audit_events VALUES ('" + row.replace("'", "''") + "')", name)
        assert cluster.emptied(url) == shape
        assert cluster.run_sql("SELECT count(*) FROM audit_events", name) == "0"
    staying = cluster.run_sql(everybody)
    cluster.emptied(url)
    assert cluster.run_sql(everybody) == staying
    cluster.run_sql(f"SELECT pg_terminate_backend({staying}, 10000)")
    assert cluster.emptied(url) == shape
    assert cluster.run_sql(everybody) not in {staying, ""}
    # Nobody may be there for this.
    cluster.leave(url)
    cluster.run_sql(f"ALTER DATABASE {name} RENAME TO {name}_left")
    cluster.drop_database(f"{url}_left")


def test_a_killed_suite_leaves_no_database_behind() -> None:
    peers.require("postgresql")
    script = """
        import os, signal
        from tests import peers
        cluster = peers.postgresql()
        print(cluster._folder, cluster._guard.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder, guard = done.stdout.split()
    await_end(int(guard))
    assert not Path(folder).exists()


def await_end(process: int) -> None:
    """Returns when a process that is not ours to wait for has ended."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], 30)
    os.close(descriptor)
    assert ended, "the guard is still there"
