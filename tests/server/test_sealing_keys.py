"""A key that is lost or wrong stops every command that seals or opens, with one sentence, and nothing is made anew."""

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import command
from tests.resolvers.arrivals import agency, mailbox
from tests.server.test_import_command import text

OTHER = f"other:{base64.b64encode(b'o' * 32).decode()}"
COMMANDS = (("serve", "--port", "0"), ("reseal",), ("check",), ("demo",), ("import", "-"))


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """An embedded database with a mailbox, and with the keys that it made for itself."""
    environment = {"POSTFACH_DATA_DIR": str(tmp_path / "data")}
    command.run_well(environment, "import", "-", text=text(agency(), mailbox()))
    return environment


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_a_lost_file_is_not_made_anew(data: dict[str, str], arguments: tuple[str, ...]) -> None:
    file = Path(data["POSTFACH_DATA_DIR"], "sealing.keys")
    kept = file.read_text(encoding="ascii")
    file.unlink()
    done = command.run(data, *arguments)
    assert done.code != 0
    assert done.error.count("\n") == 1
    assert (
        f"{file} is missing, but the database holds passwords that its key {kept.split(':')[0]} sealed"
        in done.error
    )
    assert not file.exists()
    file.write_text(kept, encoding="ascii")
    assert command.run_well(data, "reseal") == f"0 sealed with the key {kept.split(':')[0]}, 1 were already\n"


def test_no_key_is_made_while_the_database_cannot_be_asked(data: dict[str, str]) -> None:
    folder = Path(data["POSTFACH_DATA_DIR"])
    (folder / "sealing.keys").unlink()
    with closing(sqlite3.connect(folder / "postfach.sqlite3", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        done = command.run(data, "reseal")
    assert done.code != 0
    assert done.error.count("\n") == 1
    assert "sealing.keys is missing, and the database can't be asked" in done.error
    assert not (folder / "sealing.keys").exists()


@pytest.mark.parametrize(
    "arguments, is_in_file",
    [*((each, False) for each in COMMANDS), (("serve", "--port", "0"), True)],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_another_key_of_the_same_id_is_refused(
    data: dict[str, str], arguments: tuple[str, ...], *, is_in_file: bool
) -> None:
    """Wherever the ring comes from, and nothing is written."""
    folder = Path(data["POSTFACH_DATA_DIR"])
    key_id = (folder / "sealing.keys").read_text(encoding="ascii").split(":")[0]
    wrong = OTHER.replace("other", key_id)
    before = stored(folder)
    if is_in_file:
        (folder / "sealing.keys").write_text(wrong, encoding="ascii")
    else:
        # Also behind a key that would do for what is new.
        data = {**data, "POSTFACH_SEALING_KEYS": f"{OTHER},{wrong}"}
    line = mailbox("late@nord.example", password="a password of theirs")
    done = command.run(data, *arguments, text=text(line))
    assert done.code != 0
    assert done.error.count("\n") == 1
    assert f"the key {key_id} is not the one that sealed what mailbox_passwords holds" in done.error
    assert wrong.partition(":")[2] not in done.error + done.output
    assert stored(folder) == before


def stored(folder: Path) -> list[str]:
    """Everything in the embedded database."""
    with closing(sqlite3.connect(folder / "postfach.sqlite3")) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_another_key_is_refused(data: dict[str, str], arguments: tuple[str, ...]) -> None:
    kept = Path(data["POSTFACH_DATA_DIR"], "sealing.keys").read_text(encoding="ascii").strip()
    key_id = kept.split(":")[0]
    done = command.run({**data, "POSTFACH_SEALING_KEYS": OTHER}, *arguments)
    assert done.code != 0
    assert done.error.count("\n") == 1
    assert (
        f"POSTFACH_SEALING_KEYS: the key {key_id}, which sealed what mailbox_passwords holds, is missing"
        in done.error
    )
    both = {**data, "POSTFACH_SEALING_KEYS": f"{OTHER},{kept}"}
    assert command.run_well(both, "reseal") == "1 sealed with the key other, 0 were already\n"
