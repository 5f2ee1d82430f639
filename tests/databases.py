"""Both databases for a test: new ones, quickly, and the environment in which the command uses them."""

import base64
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import evidence, peers

KINDS = ("sqlite", "postgresql")


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new, empty database; it is gone afterwards. Skips where PostgreSQL is not installed."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'postfach.sqlite3'}"
        evidence.audit_of_file(folder / "postfach.sqlite3")
        return
    cluster = peers.postgresql()
    url = cluster.fresh_database()
    try:
        yield url
    finally:
        cluster.keep_audit(url)
        cluster.drop_database(url)


@dataclass(frozen=True)
class Template:
    """A database that nobody uses, to be copied. `source` is a file or a name in the cluster.

    Copies of one without rows are not thrown away after use but emptied and used again, which is much
    quicker; `shape` is what such a copy has to look like then, and the empty text where the template has rows.
    """

    kind: str
    source: str
    shape: str = ""

    @classmethod
    def of(cls, url: str, *, empty: bool = False) -> "Template":
        """Takes the database at this URL, which nobody may be connected to any more."""
        if url.startswith("sqlite"):
            return cls("sqlite", url.removeprefix("sqlite:///"))
        return cls("postgresql", peers.database_name(url), peers.postgresql().shape(url) if empty else "")

    @contextmanager
    def copied(self, folder: Path) -> Iterator[str]:
        """The URL of a copy; it is gone afterwards."""
        if self.kind == "sqlite":
            target = folder / "postfach.sqlite3"
            shutil.copyfile(self.source, target)
            yield f"sqlite:///{target}"
            evidence.audit_of_file(target)
            return
        cluster = peers.postgresql()
        idle = _IDLE.setdefault(self.source, [])
        url = idle.pop() if idle else cluster.fresh_database(template=self.source)
        try:
            yield url
        finally:
            if not self.shape:
                cluster.keep_audit(url)
                cluster.drop_database(url)
            elif cluster.emptied(url) == self.shape:
                idle.append(url)
            else:
                cluster.drop_database(url)


_IDLE: dict[str, list[str]] = {}
"""Emptied copies by their template, to be used again."""


def settings_environment(database_url: str, folder: Path, **changes: str | None) -> dict[str, str]:
    """The environment for the command: this database, a data folder of its own, keys made up now.

    `changes` are names without the prefix, `ACCESS_TOKEN_MINUTES="1"`; None leaves a name out. Nothing else
    that begins with the prefix is taken over, since the server refuses what it does not know.
    """
    data = folder / "data"
    data.mkdir(exist_ok=True)
    settings: dict[str, str | None] = {
        "DATA_DIR": str(data),
        "DATABASE_URL": database_url,
        "SEALING_KEYS": key_ring("s1"),
        "TOKEN_KEYS": key_ring("t1"),
        "LOG_FORMAT": "text",
        **({"COMPILED": "off"} if os.environ.get("POSTFACH_TEST_COMPILED") == "off" else {}),
        **changes,
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith("POSTFACH_")}
    return plain | {f"POSTFACH_{name}": value for name, value in settings.items() if value is not None}


def key_ring(*names: str) -> str:
    """A new key for each name, as the settings want them."""
    keys = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names}
    return ",".join(f"{name}:{evidence.secret(key, 'a key of a ring')}" for name, key in keys.items())
