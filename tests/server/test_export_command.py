"""`postfach export` as an operator runs it."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from tests import command
from tests.databases import fresh_database, settings_environment
from tests.resolvers.arrivals import WORLD
from tests.server.test_import_command import ADDED, text

COUNTS = """\
agencies            2
users               4
mailboxes           3
assignments         3
mails               1
"""


@pytest.fixture
def filled(environment: dict[str, str]) -> dict[str, str]:
    command.run_well(environment, "import", "-", text=text(*WORLD))
    return environment


def test_a_file_is_written_for_its_owner_alone(filled: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "out" / "world.jsonl"
    path.parent.mkdir()
    path.write_text("an older export", encoding="utf-8")
    path.chmod(0o644)
    assert command.run_well(filled, "export", str(path)) == COUNTS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines] == [line["type"] for line in WORLD]


def test_standard_output_holds_the_lines_alone(filled: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    command.run_well(filled, "export", str(path))
    assert command.run_well(filled, "export", "-") == path.read_text(encoding="utf-8")


def test_a_device_stays_a_device(filled: dict[str, str]) -> None:
    assert command.run_well(filled, "export", "/dev/null") == COUNTS
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_link_leads_to_the_file(filled: dict[str, str], tmp_path: Path) -> None:
    path, link = tmp_path / "world.jsonl", tmp_path / "link.jsonl"
    path.write_text("", encoding="utf-8")
    link.symlink_to(path)
    command.run_well(filled, "export", str(link))
    assert link.is_symlink()
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(WORLD)


def test_an_export_is_imported_elsewhere(filled: dict[str, str], database_kind: str, tmp_path: Path) -> None:
    exported = command.run_well(filled, "export", "-")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with fresh_database(database_kind, folder) as url:
        same = filled["POSTFACH_SEALING_KEYS"]
        elsewhere = settings_environment(url, folder, SEALING_KEYS=same)
        assert command.run_well(elsewhere, "import", "-", text=exported) == ADDED
        assert command.run_well(elsewhere, "export", "-") == exported


def test_whoever_reads_may_stop(filled: dict[str, str]) -> None:
    process = subprocess.Popen(
        [command.COMMAND, "export", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=filled
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 1


def test_what_can_not_be_written_is_told(filled: dict[str, str], tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "world.jsonl"
    done = command.run(filled, "export", str(missing))
    assert (done.code, done.error) == (1, f"postfach: {missing}: No such file or directory\n")
    done = command.run(filled, "export", str(tmp_path))
    assert (done.code, done.error) == (1, f"postfach: {tmp_path}: Is a directory\n")


def test_a_failure_keeps_the_older_file(database_kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "world.jsonl"
    path.parent.mkdir()
    path.write_text("an older export", encoding="utf-8")
    with fresh_database(database_kind, tmp_path) as url:
        if database_kind == "sqlite":
            Path(url.removeprefix("sqlite:///")).touch()
        done = command.run(settings_environment(url, tmp_path), "export", str(path))
    expected = "postfach: the database is not up to date; postfach serve brings it there\n"
    assert (done.code, done.output, done.error) == (1, "", expected)
    assert path.read_text(encoding="utf-8") == "an older export"
    assert list(path.parent.iterdir()) == [path]


def test_an_export_makes_no_database(tmp_path: Path) -> None:
    database = tmp_path / "postfach.sqlite3"
    done = command.run(settings_environment(f"sqlite://{database}", tmp_path), "export", "-")
    assert (done.code, done.error) == (1, f"postfach: {database}: there is no database yet\n")
    assert not database.exists()
