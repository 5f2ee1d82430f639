"""`postfach audit` as an operator runs it."""

from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path

import pytest

from tests import command
from tests.resolvers.arrivals import WORLD
from tests.server.test_import_command import text


@pytest.fixture
def database_kind() -> str:
    """The chains themselves are tested on both."""
    return "sqlite"


@pytest.fixture
def filled(environment: dict[str, str]) -> dict[str, str]:
    """A world, and some events in the chain of its first agency."""
    command.run_well(environment, "import", "-", text=text(*WORLD))
    login = next(line["login"] for line in WORLD if line["type"] == "user" and line["agency"] is not None)
    for _ in range(2):
        command.run_well(environment, "password", login, text="a staple and a lamp")
    return environment


def change(environment: dict[str, str], statement: str) -> None:
    """What somebody with the file in hands does."""
    path = environment["POSTFACH_DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
            )
        ]
        for name in names:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    connection.close()


def test_an_audit_is_exported_and_held_against_the_export(filled: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    total = int(command.run_well(filled, "audit", "export", str(path)).split()[0])
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert (len(lines), stat.S_IMODE(path.stat().st_mode)) == (total, 0o600)
    assert {"agencyId", "place", "id", "at", "action", "details", "digest"} <= set(lines[0])
    assert command.run_well(filled, "audit", "export", "-") == path.read_text("utf-8")
    whole = command.run_well(filled, "audit", "verify")
    assert command.run_well(filled, "audit", "verify", str(path)) == whole
    chain = [line for line in lines if line["action"] == "user.password"]
    assert f"{chain[-1]['place']} events, {chain[-1]['digest']}\n" in whole

    # More events are no harm, and fewer are: the end that was cut off is missing from nothing but the export.
    user = next(line["login"] for line in WORLD if line["type"] == "user" and line["agency"] is not None)
    command.run_well(filled, "password", user, text="a staple and a lamp")
    assert command.run(filled, "audit", "verify", str(path)).code == 0
    change(filled, "DELETE FROM audit_events WHERE action = 'user.password' AND place >= 3")
    assert command.run(filled, "audit", "verify").code == 0
    cut = command.run(filled, "audit", "verify", str(path))
    assert cut.code == 1
    assert f"event {chain[-1]['place']} of the export is gone" in cut.output


def test_a_chain_that_does_not_hold_is_told(filled: dict[str, str]) -> None:
    change(filled, "UPDATE audit_events SET details = '{}' WHERE place = 2 AND agency_id IS NOT NULL")
    done = command.run(filled, "audit", "verify")
    assert (done.code, done.error) == (1, "")
    assert ": event 2 is not what was written, or follows another one\n" in done.output


@pytest.mark.parametrize("line", ["{", "[]", '{"agencyId": null, "place": "x", "digest": ""}', "{}"])
def test_a_file_that_is_no_export_is_refused(environment: dict[str, str], tmp_path: Path, line: str) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(line + "\n", "utf-8")
    done = command.run(environment, "audit", "verify", str(path))
    assert (done.code, done.output) == (1, "")
    assert done.error == f"postfach: {path}:1: this is no line of an export of the audit\n"


def test_without_a_database_there_is_nothing_to_verify(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.sqlite3"
    done = command.run({**environment, "POSTFACH_DATABASE_URL": f"sqlite://{nowhere}"}, "audit", "verify")
    assert (done.code, done.error) == (1, f"postfach: {nowhere}: there is no database yet\n")
