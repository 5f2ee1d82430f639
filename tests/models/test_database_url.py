"""Where the database is: what is read of its address, and how it is opened."""

import json
from pathlib import Path

import pytest

from models import database_url, tables
from models.database_url import DatabaseUrl, DatabaseUrlError
from tests import storage

FULL = 2
"""As SQLite counts: every commit waits for the disk."""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sqlite://x",
        "sqlite:///",
        "sqlite:////data/postfach.sqlite3?mode=ro",
        "postgresql://u:p@h/n?sslmode=require",
        "postgresql://u:p@h/n#one",
        "postgresql://h/n",
        "postgresql://u@h/",
        "mysql://u@h/n",
        "postgresql://u:p@h:x/n",
    ],
)
def test_an_address_that_does_not_parse_says_what_was_expected(text: str) -> None:
    with pytest.raises(DatabaseUrlError, match="postgresql://USER:PASSWORD@HOST:PORT/NAME"):
        DatabaseUrl.parse(text)


def test_an_address_never_shows_its_password() -> None:
    url = DatabaseUrl.parse("postgresql://user:s3cret%21@db.example:5433/mail")
    assert (url.password, url.port) == ("s3cret!", 5433)
    assert "s3cret" not in f"{url} {url!r}"


def test_every_module_with_tables_is_known_to_tortoise_and_its_commands() -> None:
    folder = Path(tables.__file__).parent
    names = [f"models.tables.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    told = json.loads((folder.parent / "migrations" / "tortoise.json").read_text("utf-8"))
    for apps in (told["apps"], DatabaseUrl("sqlite", path="/x").tortoise_config(1)["apps"]):
        assert apps["models"]["models"] == names


@pytest.mark.asyncio
async def test_what_sqlite_has_committed_is_on_the_disk(
    tmp_path: Path, synchronous: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_url, "SQLITE_SYNCHRONOUS", synchronous)
    async with storage.opened(f"sqlite:///{tmp_path / 'x.sqlite3'}") as opened:
        (row,) = await opened.fetch("PRAGMA synchronous")
    assert row["synchronous"] == FULL
