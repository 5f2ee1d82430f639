"""The search for secrets at the end of a run finds what was planted, in one process and in two, and does not repeat it."""

from __future__ import annotations

import base64
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from models import clock, mailbox_passwords
from models.keys import KeyRing
from models.mailbox_passwords import NewPassword
from models.seals import Seals
from resolvers.tokens import Tokens
from tests import evidence, peers
from tests.client import Client
from tests.databases import key_ring
from tests.evidence import Evidence, Records
from tests.searching import SHAPES, search

PASSPHRASE = "zwölf 'Boxkämpfer' jagen"
ROOT = Path(__file__).parents[1]


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Path]:
    """The folder of a run of its own: what is planted there the real run never hears of."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    evidence.begin(Evidence(folder, "main"))
    yield folder
    evidence.end()


def found(folder: Path) -> list[tuple[str, str]]:
    """Which secret is where, without the test that it came from."""
    evidence.flush()
    leaks = search(folder)
    return [(each.secret.split(", in ")[0], each.origin.split(", in ")[0]) for each in leaks]


def samples() -> dict[str, str]:
    """One of each shape, made by the product."""
    new = NewPassword.make()
    tokens = Tokens(KeyRing.generate(), timedelta(minutes=1), timedelta(days=1))
    return {
        "a mailbox password": new.password,
        "a sealed token": mailbox_passwords.sealed(Seals(KeyRing.generate()), "x", "a@nord.example", 1),
        "an Argon2 hash": new.hash,
        "an access or refresh token": tokens.pair(uuid4(), 1, clock.now() + timedelta(days=1)).refresh,
        "a key of 32 bytes": KeyRing.generate().text(),
        "the token of a link": "https://postfach.example/credentials#" + "Ab-_" * 10,
    }


def test_every_shape_is_found_wherever_it_stands(planted: Path) -> None:
    made = samples()
    assert set(made) == set(SHAPES)
    for name, each in made.items():
        evidence.keep(f'at="x" value="{each}" and more', name)
    assert sorted(found(planted)) == sorted((name, name) for name in made)


def test_what_is_no_secret_is_not_found(planted: Path) -> None:
    evidence.secret("wrong")
    for each in (
        f"wrong {uuid4()} {'0f' * 32} session=<4TMzQSFhDrZ/AAAB> v1.2.3",
        base64.b64encode(os.urandom(16)).decode(),
        str(peers.PROGRAMS),
        'postfach_operation_seconds_bucket{kind="query",le="0.001"} 12.0',
    ):
        evidence.keep(each, "a log")
    assert found(planted) == []


@pytest.mark.parametrize("login", ["a@n.de", "an@n.de", "ann@n.de", "anna@nord.example"])
def test_a_named_secret_is_found_however_it_is_written(planted: Path, login: str) -> None:
    evidence.secret(PASSPHRASE, "a password")
    plain = f"\0{login}\0{PASSPHRASE}"
    ways = (
        f"password was {PASSPHRASE}!",
        f"/sign-in?password={quote(PASSPHRASE)}",
        json.dumps({"password": PASSPHRASE}),
        f"AUTH PLAIN {base64.b64encode(plain.encode()).decode()}",
    )
    for number, each in enumerate(ways):
        evidence.keep(each, f"way {number}")
    assert {origin for _, origin in found(planted)} == {f"way {number}" for number in range(len(ways))}


async def _sign_in(answer: dict[str, object], **variables: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    async with httpx.AsyncClient(base_url="http://x", transport=transport) as http:
        await Client(http).execute("mutation { x }", {"input": variables})


@pytest.mark.asyncio
async def test_what_clients_send_and_get_is_looked_for_in_errors(planted: Path) -> None:
    shown = {"revealMailboxPassword": {"password": "an older password", "errors": []}}
    await _sign_in({"data": shown}, currentPassword=PASSPHRASE, login="anna@nord.example")
    assert found(planted) == []
    # What an answer holds beside its errors may be a secret: it was asked for.
    await _sign_in({"data": shown})
    assert found(planted) == []
    told = [{"message": "an older password is wrong"}]
    await _sign_in({"data": None, "errors": told})
    await _sign_in({"data": {"signIn": {"errors": [{"message": f"{PASSPHRASE} is wrong"}]}}})
    assert sorted(found(planted)) == [
        ("what a client sent as currentPassword", "errors of an answer"),
        ("what an answer held", "errors of an answer"),
    ]


def test_log_records_are_searched_as_the_product_writes_them(planted: Path) -> None:
    evidence.secret(PASSPHRASE, "a password")
    log = logging.getLogger("postfach.planted")
    handler = Records(evidence.current())
    log.addHandler(handler)
    try:
        log.info("harmless")
        try:
            int(PASSPHRASE)
        except ValueError:
            # The text of an exception, which holds it, never is in the product's log.
            log.exception("crash")
        assert found(planted) == []
        log.warning("said", extra={"detail": PASSPHRASE})
        log.info("said %s", PASSPHRASE)
    finally:
        log.removeHandler(handler)
    assert found(planted) == [("a password", "a log record")] * 2


def test_what_a_server_writes_is_searched_when_its_file_is_gone(planted: Path, tmp_path: Path) -> None:
    file = tmp_path / "server.err"
    file.touch()
    evidence.follow(file, "standard error")
    ring = key_ring("k1")
    with file.open("a") as log:
        log.write(f"the ring is {ring}\n")
    file.unlink()
    assert sorted(found(planted)) == [
        ("a key of 32 bytes", "standard error"),
        ("a key of a ring", "standard error"),
    ]


def test_metrics_are_searched(planted: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("planted", "…", ["who"], registry=registry)
    counter.labels(who="anna").inc()
    evidence.metrics(registry)
    evidence.secret(PASSPHRASE, "a password")
    assert found(planted) == []
    counter.labels(who=PASSPHRASE).inc()
    evidence.metrics(registry)
    assert {origin for _, origin in found(planted)} == {"metrics"}


def test_the_audit_of_an_embedded_database_is_searched(planted: Path, tmp_path: Path) -> None:
    database = tmp_path / "x.sqlite3"
    evidence.audit_of_file(database)
    assert not database.exists()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE audit_events (details)")
        connection.execute("INSERT INTO audit_events VALUES (?)", [NewPassword.make().hash])
        connection.commit()
    evidence.audit_of_file(database)
    assert found(planted) == [("an Argon2 hash", "the audit")]


def test_the_audit_of_postgresql_is_searched_before_it_is_emptied_or_dropped(planted: Path) -> None:
    cluster = peers.postgresql()
    for leave in (cluster.emptied, cluster.keep_audit):
        url = cluster.fresh_database()
        name = peers.database_name(url)
        cluster.keep_audit(url)
        cluster.run_sql(
            "CREATE TABLE audit_events (details text); CREATE TABLE tortoise_migrations (name text);"
            f"INSERT INTO audit_events VALUES ('{NewPassword.make().password}')",
            name,
        )
        leave(url)
        cluster.drop_database(url)
    assert found(planted) == [("a mailbox password", "the audit")] * 2


# ---------------------------------------------------------------- a whole run

KNOWS = f"""
from tests import evidence
def test_knows():
    evidence.secret({PASSPHRASE!r}, "a password")
"""
TELLS = """
import logging
def test_tells():
    logging.getLogger("postfach.x").info("said {}")
"""


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("words", ["nothing", PASSPHRASE])
def test_a_run_fails_for_a_secret_that_another_test_knows(tmp_path: Path, processes: int, words: str) -> None:
    tests = tmp_path / "tests_of_its_own"
    tests.mkdir()
    (tests / "pytest.ini").write_text("[pytest]\n")
    (tests / "conftest.py").write_text(
        "from tests.searching import Searching\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(Searching(config))\n"
    )
    (tests / "test_knows.py").write_text(KNOWS)
    (tests / "test_tells.py").write_text(TELLS.format(words.replace("'", "\\'")))
    command = [sys.executable, "-m", "pytest", "-q", f"--numprocesses={processes}", "--rootdir", str(tests)]
    done = subprocess.run(
        [
            *command,
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-c",
            str(tests / "pytest.ini"),
            str(tests),
        ],
        cwd=tests,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    written = done.stdout + done.stderr
    assert "2 passed" in written, written
    assert PASSPHRASE not in written
    kept = list(tmp_path.glob("postfach-evidence-*"))
    if words == PASSPHRASE:
        assert (done.returncode, len(kept)) == (1, 1)
        assert "2 passed, 1 error" in written
        assert (
            "a password, in test_knows.py::test_knows: written to a log record, in test_tells.py::test_tells"
            in written
        )
    else:
        assert (done.returncode, kept) == (0, [])
