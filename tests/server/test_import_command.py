"""`postfach import` as an operator runs it."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from bench.import_million import lines as many_lines
from bench.import_million import measure, write
from tests import command, peers
from tests.databases import Template, fresh_database, settings_environment
from tests.resolvers.arrivals import WORLD, Line, agency, mailbox, user
from tests.storage import contents, opened

ADDED = """\
agencies            2 added        0 skipped
users               4 added        0 skipped
mailboxes           3 added        0 skipped
assignments         3 added        0 skipped
mails               1 added        0 skipped
"""
SKIPPED = """\
agencies            0 added        2 skipped
users               0 added        4 skipped
mailboxes           0 added        3 skipped
assignments         0 added        3 skipped
mails               0 added        1 skipped
"""
NOTHING = ADDED.replace("2", "0").replace("4", "0").replace("3", "0").replace("1", "0")


def text(*lines: Line) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def stored(url: str) -> dict[str, list[dict[str, Any]]]:
    """Everything in the database."""

    async def read() -> dict[str, list[dict[str, Any]]]:
        async with opened(url) as database:
            return await contents(database)

    return asyncio.run(read())


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world.jsonl"
    path.write_text(text(*WORLD), encoding="utf-8")
    return path


def test_a_file_is_imported_once(
    environment: dict[str, str], migrated_database_url: str, world: Path
) -> None:
    first = command.run(environment, "import", str(world))
    assert (first.code, first.output, first.error) == (0, ADDED, "")
    before = stored(migrated_database_url)
    again = command.run(environment, "import", str(world))
    assert (again.code, again.output, again.error) == (0, SKIPPED, "")
    assert stored(migrated_database_url) == before


def test_standard_input_is_imported(environment: dict[str, str]) -> None:
    assert command.run_well(environment, "import", "-", text=text(*WORLD)) == ADDED
    assert command.run_well(environment, "import", "-", text="") == NOTHING


def test_a_new_database_is_brought_up_to_date(database_kind: str, tmp_path: Path, world: Path) -> None:
    with fresh_database(database_kind, tmp_path) as url:
        environment = settings_environment(url, tmp_path)
        assert command.run_well(environment, "import", str(world)) == ADDED
        assert len(stored(url)["users"]) == 4


def test_a_refusal_is_one_line_that_shows_nothing(
    environment: dict[str, str], migrated_database_url: str, tmp_path: Path
) -> None:
    before = stored(migrated_database_url)
    path = tmp_path / "spoilt.jsonl"
    path.write_text(text(*WORLD, user(password="Tresor-Schlüssel")), encoding="utf-8")
    done = command.run(environment, "import", str(path))
    reason = "passwordHash: Either this or password is there, not both."
    assert (done.code, done.output, done.error) == (1, "", f"postfach: {path}:14: {reason}\n")
    assert stored(migrated_database_url) == before
    done = command.run(environment, "import", "-", text=text(*WORLD) + "{\n")
    expected = "postfach: standard input:14: This is not JSON, column 2.\n"
    assert (done.code, done.output, done.error) == (1, "", expected)
    assert stored(migrated_database_url) == before


def test_a_file_that_is_not_there_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    missing = tmp_path / "missing.jsonl"
    done = command.run(environment, "import", str(missing))
    assert (done.code, done.error) == (1, f"postfach: {missing}: No such file or directory\n")
    done = command.run(environment, "import", str(tmp_path))
    assert (done.code, done.error) == (1, f"postfach: {tmp_path}: Is a directory\n")


def test_a_database_that_refuses_is_told_in_one_line(tmp_path: Path, world: Path) -> None:
    with fresh_database("postgresql", tmp_path) as url:
        peers.postgresql().run_sql(f"ALTER DATABASE {peers.database_name(url)} OWNER TO CURRENT_USER")
        done = command.run(settings_environment(url, tmp_path), "import", str(world))
    expected = "postfach: the database refuses: permission denied for schema public\n"
    assert (done.code, done.output, done.error) == (1, "", expected)


def test_a_terminal_sees_progress(environment: dict[str, str], world: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    done = subprocess.run(
        [command.COMMAND, "import", str(world)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
        check=True,
        text=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.stdout == ADDED
    assert "import: 100%" in shown


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_an_import_that_is_stopped_leaves_nothing(
    environment: dict[str, str], migrated_database_url: str, ending: signal.Signals
) -> None:
    before = stored(migrated_database_url)
    sent = "".join(line + "\n" for line in many_lines(4_500, mailboxes=10)).encode()
    process = subprocess.Popen(
        [command.COMMAND, "import", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    # Once all of it went through the pipe but the last of its 64 KiB, the first e-mails were written.
    process.stdin.write(sent)
    process.stdin.flush()
    process.send_signal(ending)
    output, error = process.communicate(timeout=60)
    assert output == b""
    assert error == b""
    assert process.returncode == (130 if ending is signal.SIGINT else -signal.SIGKILL)
    assert stored(migrated_database_url) == before
    assert command.run_well(environment, "import", "-", text=text(*WORLD)) == ADDED


def test_another_import_waits(
    migrated_database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """The second finds what the first brought, and both end well."""
    world = [agency(), agency(key="west", domains=["west.example"]), user(), mailbox()]
    running = []
    for number, lines in enumerate((world, [world[1], world[0], *world[2:]])):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(text(*lines), encoding="utf-8")
        running.append(
            subprocess.Popen(
                [command.COMMAND, "import", str(path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                text=True,
            )
        )
    outputs = sorted(process.communicate(timeout=110) for process in running)
    assert [error for _, error in outputs] == ["", ""]
    assert [output.splitlines()[0] for output, _ in outputs] == [
        "agencies            0 added        2 skipped",
        "agencies            2 added        0 skipped",
    ]
    assert len(stored(migrated_database_url)["agencies"]) == 2


@pytest.mark.timeout(600)
def test_memory_stays_flat(database_kind: str, migrated: Any, tmp_path: Path) -> None:  # noqa: ANN401 - a fixture of the conftest
    """Many times the e-mails need no more memory; the limit for a million is 300 MB."""
    peaks = []
    for mails in (3_000, 30_000 if database_kind == "postgresql" else 9_000):
        folder = tmp_path / str(mails)
        folder.mkdir()
        template: Template = migrated.template(database_kind)
        with template.copied(folder) as url:
            path = folder / "world.jsonl"
            write(path, mails, mailboxes=10)
            peaks.append(measure(settings_environment(url, folder), path)[1])
    assert peaks[1] < peaks[0] + 25
    assert peaks[1] < 200
