"""`postfach demo` as an operator and `make run` run it."""

import asyncio
import subprocess

from resolvers.hashing import Hasher
from server.demonstration import LOGINS
from tests import command
from tests.resolvers.arrivals import agency
from tests.server.test_import_command import stored, text

TWO_LOGINS = "".join(f"  {each.login}  {each.password}  {each.sees}\n" for each in LOGINS[:2])
FILLED = "The demonstration agency is filled. Sign in with one of these:\n" + TWO_LOGINS
THERE = (
    "The demonstration agency is there already and stays as it is. Sign in with one of these:\n" + TWO_LOGINS
)
NOT_EMPTY = "The database is not empty, so the demonstration agency was not filled.\n"


def test_the_agency_is_filled_once(environment: dict[str, str], migrated_database_url: str) -> None:
    assert command.run_well(environment, "demo", "--once") == FILLED
    before = stored(migrated_database_url)
    assert len(before["mails"]) > 300
    assert command.run_well(environment, "demo") == THERE
    assert command.run_well(environment, "demo", "--once") == THERE
    assert stored(migrated_database_url) == before


def test_who_is_printed_can_sign_in(environment: dict[str, str], migrated_database_url: str) -> None:
    command.run_well(environment, "demo")
    hashes = {row["login"]: row["password_hash"] for row in stored(migrated_database_url)["users"]}
    hasher = Hasher()
    for login in LOGINS[:2]:
        assert asyncio.run(hasher.verify(hashes[login.login], login.password))
    hasher.close()


def test_a_database_in_use_gets_it_only_when_asked(
    environment: dict[str, str], migrated_database_url: str
) -> None:
    command.run_well(environment, "import", "-", text=text(agency()))
    before = stored(migrated_database_url)
    assert command.run_well(environment, "demo", "--once") == NOT_EMPTY
    assert stored(migrated_database_url) == before
    assert command.run_well(environment, "demo") == FILLED
    assert len(stored(migrated_database_url)["agencies"]) == 3


def test_a_domain_that_is_taken_is_told(environment: dict[str, str], migrated_database_url: str) -> None:
    command.run_well(environment, "import", "-", text=text(agency(domains=["nordlicht.example"])))
    before = stored(migrated_database_url)
    done = command.run(environment, "demo")
    expected = "postfach: the demonstration:1: domains: A domain belongs to one agency.\n"
    assert (done.code, done.output, done.error) == (1, "", expected)
    assert stored(migrated_database_url) == before


def test_two_at_once_fill_it_once(environment: dict[str, str], migrated_database_url: str) -> None:
    running = [
        subprocess.Popen([command.COMMAND, "demo"], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(2)
    ]
    outputs = sorted(process.communicate(timeout=110)[0] for process in running)
    assert outputs == [FILLED, THERE]
    assert len(stored(migrated_database_url)["agencies"]) == 2
