"""The command as an operator runs it: the server's start and end, its workers, its log, and the small commands."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from resolvers.hashing import Hasher
from tests import command, hashing, peers
from tests.client import SignInRefusedError, connected
from tests.databases import fresh_database, settings_environment
from tests.mail.client_setup.certificates import chain
from tests.server.doors import SIGN_IN
from tests.stream import stream

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "a staple and a lamp"
AGENCY = {"type": "agency", "key": "nord", "name": "Nord", "domains": ["nord.example"]}


@cache
def stored_hash() -> str:
    """A hash of PASSWORD that a server has no reason to make anew."""
    with hashing.as_in_the_product():
        return Hasher().hash_now(PASSWORD)


def world() -> str:
    """Anna and her agency, to be imported."""
    anna = {
        "type": "user",
        "agency": "nord",
        "login": "anna@nord.example",
        "firstName": "Anna",
        "lastName": "Petersen",
        "role": "ADMINISTRATOR",
        "passwordHash": stored_hash(),
    }
    return f"{json.dumps(AGENCY)}\n{json.dumps(anna)}\n"


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Settings on an empty database."""
    return settings_environment(database_url, tmp_path)


@pytest.fixture
def populated(environment: dict[str, str]) -> dict[str, str]:
    """Settings on a database with Anna in it."""
    command.run_well(environment, "import", "-", text=world())
    return environment


@pytest.fixture
def on_sqlite(tmp_path: Path) -> dict[str, str]:
    """Settings on an empty embedded database."""
    return settings_environment(f"sqlite:///{tmp_path / 'postfach.sqlite3'}", tmp_path)


@pytest.fixture
def on_postgresql(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings on an empty PostgreSQL."""
    with fresh_database("postgresql", tmp_path) as url:
        yield settings_environment(url, tmp_path)


def fails(environment: Mapping[str, str], *arguments: str, text: str | None = None) -> str:
    """The one line of a command that fails."""
    done = command.run(environment, *arguments, text=text, seconds=60)
    assert done.code == 1, done
    assert done.output == ""
    assert done.error.count("\n") == 1, done.error
    return done.error.removesuffix("\n")


async def sign_in(url: str, password: str = PASSWORD) -> str | None:
    """An access token of Anna's."""
    async with connected(url) as client:
        return (await client.sign_in("anna@nord.example", password)).token


# ---------------------------------------------------------------- serving


def test_the_server_starts_on_an_empty_database_and_ends_when_asked(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = command.Server(environment, tmp_path)
    with server:
        assert httpx.get(f"{server.url}/healthz", trust_env=False).json() == {"status": "alive"}
        assert httpx.get(f"{server.url}/readyz", trust_env=False).json() == {"status": "ready"}
    assert server.process.returncode == 0
    assert server.written == f"Postfach serves {server.url}, GraphiQL is at {server.url}/graphql\n"
    # Once more, and by the other signal.
    server.start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0


def test_the_start_goes_on_where_a_crash_left_it(populated: dict[str, str], tmp_path: Path) -> None:
    server = command.Server(populated, tmp_path)
    server.start()
    token = asyncio.run(sign_in(server.url))
    server.kill()
    with server:
        answer = httpx.post(
            f"{server.url}/graphql",
            json={"query": "{ viewer { login } }"},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
    assert answer.json() == {"data": {"viewer": {"login": "anna@nord.example"}}}


def test_the_end_waits_for_what_is_under_way(populated: dict[str, str], tmp_path: Path) -> None:
    async def run() -> None:
        async with connected(server.url) as client, stream(server.socket_url) as idle:
            variables = {"login": "anna@nord.example", "password": PASSWORD}
            # Hashing takes long enough for the signal to come in between.
            answers = [asyncio.create_task(client.execute(SIGN_IN, variables)) for _ in range(6)]
            await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            server.process.send_signal(signal.SIGTERM)
            for answer in answers:
                assert (await answer).good()["signIn"]["viewer"]["login"] == "anna@nord.example"
            assert await asyncio.wait_for(idle.others.get(), 10) == {"type": "closed", "code": 1012}

    with command.Server(populated, tmp_path) as server:
        asyncio.run(run())
        assert server.process.wait(30) == 0


def test_a_free_port_is_taken_when_none_is_named(on_sqlite: dict[str, str]) -> None:
    process = subprocess.Popen(
        [command.COMMAND, "serve", "--port", "0"], env=on_sqlite, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process:
        url = process.stderr.readline().split()[2].removesuffix(",")
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        process.terminate()
        assert process.wait(30) == 0


def test_a_port_in_use_is_told(on_sqlite: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails(on_sqlite, "serve", "--port", str(port)) == f"postfach: 127.0.0.1:{port} is in use"


def test_a_host_that_is_not_ours_is_told(on_sqlite: dict[str, str]) -> None:
    assert fails(on_sqlite, "serve", "--host", "nowhere.invalid") == (
        "postfach: --host nowhere.invalid: expected an address of this machine"
    )
    assert fails(on_sqlite, "serve", "--host", "192.0.2.1", "--port", "0").startswith(
        "postfach: 192.0.2.1:0 can't be used: "
    )


def test_a_database_that_is_down_is_told(tmp_path: Path) -> None:
    port = peers.free_port()
    environment = settings_environment(f"postgresql://ada:s3cret@127.0.0.1:{port}/postfach", tmp_path)
    line = fails(environment, "serve", "--port", "0")
    assert line.startswith("postfach: the database does not answer: ")
    assert "s3cret" not in line
    assert fails(environment, "serve", "--port", "0", "--workers", "2").startswith(
        "postfach: the database does not answer: "
    )


def test_a_wrong_password_of_the_database_is_told(on_postgresql: dict[str, str]) -> None:
    user, _, rest = on_postgresql["POSTFACH_DATABASE_URL"].rpartition("@")
    scheme_and_user = user.rpartition(":")[0]
    wrong = {**on_postgresql, "POSTFACH_DATABASE_URL": f"{scheme_and_user}:s3cret@{rest}"}
    line = fails(wrong, "serve", "--port", "0")
    assert line.startswith("postfach: the database does not answer: password authentication failed")
    assert "s3cret" not in line


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = settings_environment(f"sqlite:///{tmp_path}/nowhere/x.sqlite3", tmp_path)
    assert "nowhere/x.sqlite3" in fails(environment, "serve", "--port", "0")


def test_wrong_settings_are_told(on_sqlite: dict[str, str]) -> None:
    assert fails({**on_sqlite, "POSTFACH_TOKEN_KEYS": "s3cret"}, "serve") == (
        "postfach: POSTFACH_TOKEN_KEYS: expected id:base64-of-32-bytes,… "
        "(entry 1 has no id of 1 to 64 letters, digits, '.', '_', '-' before a colon)"
    )


def test_letters_are_shown_on_a_loopback_address_alone(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    environment = {**on_sqlite, "POSTFACH_OUTBOX_PAGE": "on"}
    for host in ("0.0.0.0", "::", "example.org"):  # noqa: S104 (refused)
        assert fails(environment, "serve", "--host", host) == (
            f"postfach: POSTFACH_OUTBOX_PAGE: on is refused with --host {host}, expected a loopback address"
        )
    with command.Server(environment, tmp_path):
        pass


def test_the_embedded_database_has_one_server(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    assert fails(on_sqlite, "serve", "--workers", "2") == (
        "postfach: --workers: more than one process needs PostgreSQL, see POSTFACH_DATABASE_URL"
    )
    with command.Server(on_sqlite, tmp_path) as server:
        assert fails(on_sqlite, "serve", "--port", "0") == (
            f"postfach: {on_sqlite['POSTFACH_DATABASE_URL']}: another postfach serve has this database"
        )
        command.run_well(on_sqlite, "import", "-", text=json.dumps(AGENCY))
        server.kill()
        # The lock went with the process.
        server.start()


@pytest.mark.parametrize(
    "arguments", [["serve", "--port", "x"], ["serve", "--workers", "0"], ["nothing"], []]
)
def test_wrong_usage_is_told(on_sqlite: dict[str, str], arguments: list[str]) -> None:
    done = command.run(on_sqlite, *arguments)
    assert done.code == 2
    assert done.error.startswith("usage: postfach")


# ---------------------------------------------------------------- several processes


def workers_of(server: command.Server) -> list[psutil.Process]:
    """The processes that serve."""
    found = []
    for each in psutil.Process(server.process.pid).children():
        # One that has just died has no command any more.
        with suppress(psutil.NoSuchProcess):
            if any("spawn_main" in part for part in each.cmdline()):
                found.append(each)
    return found


def until(condition: Any) -> None:  # noqa: ANN401 (anything that can be called)
    """Wait for what nobody tells."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_several_processes_serve_and_hear_each_other(on_postgresql: dict[str, str], tmp_path: Path) -> None:
    command.run_well(on_postgresql, "import", "-", text=world())

    async def run() -> None:
        async with connected(server.url) as client:
            signed_in = [await client.sign_in("anna@nord.example", PASSWORD) for _ in range(2)]
        # Enough sockets that both processes have some.
        async with AsyncExitStack() as sockets, connected(server.url) as client:
            opened = [
                await sockets.enter_async_context(stream(server.socket_url, token=signed_in[0].token))
                for _ in range(12)
            ]
            client.token = signed_in[1].token
            out = "mutation { signOut(everywhere: true) { errors { code } } }"
            assert (await client.execute(out)).good() == {"signOut": {"errors": []}}
            for each in opened:
                assert await asyncio.wait_for(each.others.get(), 10) == {"type": "closed", "code": 4401}

    with command.Server(on_postgresql, tmp_path, "--workers", "2") as server:
        until(lambda: "Postfach serves" in server.written)
        assert len(workers_of(server)) == 2
        asyncio.run(run())
    assert server.process.returncode == 0
    assert server.written.count("Postfach serves") == 1


def test_a_process_that_dies_is_replaced(on_postgresql: dict[str, str], tmp_path: Path) -> None:
    with command.Server(on_postgresql, tmp_path, "--workers", "2") as server:
        until(lambda: "Postfach serves" in server.written)
        dead, other = workers_of(server)
        dead.kill()
        until(lambda: {each.pid for each in workers_of(server)} - {dead.pid, other.pid})
        until(lambda: len(workers_of(server)) == 2)
        assert httpx.get(f"{server.url}/readyz", trust_env=False).status_code == 200
    assert "a worker died, another one takes its place exit_code=-9" in server.written


def test_no_process_outlives_the_first(on_postgresql: dict[str, str], tmp_path: Path) -> None:
    server = command.Server(on_postgresql, tmp_path, "--workers", "2")
    server.start()
    until(lambda: "Postfach serves" in server.written)
    workers = workers_of(server)
    server.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    # The port is free again.
    with server:
        pass


@pytest.mark.parametrize("is_asked", [False, True], ids=["killed", "Ctrl-C"])
def test_workers_that_are_starting_end_with_the_first_in_plain_words(
    on_postgresql: dict[str, str], tmp_path: Path, *, is_asked: bool
) -> None:
    server = command.Server(on_postgresql, tmp_path, "--workers", "2")
    server.launch()
    until(lambda: len(workers_of(server)) == 2)
    workers = workers_of(server)
    # They read the modules by now, which takes longer.
    until(lambda: all(each.cpu_times().user > 0.1 for each in workers))
    if is_asked:
        for each in workers:
            each.send_signal(signal.SIGINT)
        # It is the first process that decides: they go on meanwhile.
        until(lambda: all(each.cpu_times().user > 0.3 for each in workers))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
    else:
        server.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    assert "Traceback" not in server.written
    told = [
        line for line in server.written.splitlines() if "the first process is gone, this one ends" in line
    ]
    assert len(told) == (0 if is_asked else 2)


def test_servers_that_start_at_once_migrate_once(on_postgresql: dict[str, str], tmp_path: Path) -> None:
    servers = [command.Server(on_postgresql, tmp_path) for _ in range(3)]
    for server in servers:
        server.launch()
    try:
        for server in servers:
            server.await_ready()
    finally:
        codes = [server.stop() for server in servers]
    assert codes == [0, 0, 0]


# ---------------------------------------------------------------- the log


def test_the_log_tells_who_and_what_and_no_secret(populated: dict[str, str], tmp_path: Path) -> None:
    environment = {**populated, "POSTFACH_LOG_FORMAT": "json"}

    async def run() -> tuple[str, str]:
        async with connected(server.url) as client:
            signed_in = await client.sign_in("anna@nord.example", PASSWORD)
            await signed_in.execute('query Mine { viewer { login } node(id: "n0de") { id } }')
            await signed_in.execute('mutation { signIn(login: "l0gin", password: "l1teral") { nope } }')
            await signed_in.execute("query ($x: Int!) { node(id: $x) { id } }", {"x": "v4riable"})
            await client.http.get("/graphql?query=qu3ry")
            answer = await signed_in.execute("{ agency { name } }")
            assert signed_in.token is not None
            return signed_in.token, answer.headers["x-request-id"]

    with command.Server(environment, tmp_path) as server:
        token, request = asyncio.run(run())
    announced, *lines = server.written.splitlines()
    assert announced.startswith("Postfach serves ")
    records = [json.loads(line) for line in lines]
    operations = [record for record in records if record["logger"] == "postfach.operations"]
    assert [(each["kind"], each["operation"], each["outcome"], each["codes"]) for each in operations] == [
        ("mutation", "SignIn", "ok", None),
        ("query", "Mine", "ok", None),
        ("none", None, "refused", ["GRAPHQL_VALIDATION_FAILED"]),
        ("none", None, "refused", ["GRAPHQL_VALIDATION_FAILED"]),
        ("query", None, "ok", None),
    ]
    assert operations[-1]["request"] == request
    assert len({each["viewer"] for each in operations}) == 1
    assert all(each["milliseconds"] > 0 and each["at"].endswith("Z") for each in operations)
    for secret in (PASSWORD, token, "n0de", "l0gin", "l1teral", "v4riable", "qu3ry", "anna@"):
        assert secret not in server.written


# ---------------------------------------------------------------- the small commands


def test_the_schema_is_printed_whatever_the_settings(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "POSTFACH_NONSENSE": "x", "HOME": str(tmp_path)}
    printed = command.run_well(environment, "schema")
    assert printed.startswith(('"', "type", "schema", "scalar"))
    assert "\ntype Query {" in printed
    assert printed.endswith("}\n")


def test_a_reader_that_has_enough_is_no_failure_to_speak_of(on_sqlite: dict[str, str]) -> None:
    process = subprocess.Popen(
        [command.COMMAND, "schema"], env=on_sqlite, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_a_password_is_set_and_ends_the_sessions_of_a_running_server(
    populated: dict[str, str], tmp_path: Path
) -> None:
    async def run() -> None:
        token = await sign_in(server.url)
        async with stream(server.socket_url, token=token) as opened:
            text = f"{OTHER_PASSWORD}\n"
            done = await asyncio.to_thread(command.run, populated, "password", "Anna@nord.example", text=text)
            assert (done.code, done.output, done.error) == (0, "", "")
            assert await asyncio.wait_for(opened.others.get(), 10) == {"type": "closed", "code": 4401}
        with pytest.raises(SignInRefusedError) as caught:
            await sign_in(server.url, OTHER_PASSWORD)
        assert caught.value.args == (["PASSWORD_CHANGE_REQUIRED"],)
        async with connected(server.url) as client:
            await client.sign_in("anna@nord.example", OTHER_PASSWORD, new_password=PASSWORD)

    with command.Server(populated, tmp_path) as server:
        asyncio.run(run())


def test_a_password_that_cannot_be_set_is_told(populated: dict[str, str]) -> None:
    too_short = "postfach: standard input: A password has 12 to 128 characters."
    login = "anna@nord.example"
    assert fails(populated, "password", "nobody@nord.example", text=OTHER_PASSWORD) == (
        "postfach: nobody@nord.example: No user has this login."
    )
    for text in ("", "\n", "x" * 11 + "\n", "x" * 129):
        assert fails(populated, "password", login, text=text) == too_short
    # One line end belongs to the terminal, a second to the password.
    command.run_well(populated, "password", login, text="x" * 128 + "\r\n")
    command.run_well(populated, "password", login, text="x" * 11 + "\n\n")


def test_a_sound_set_up_checks_well(environment: dict[str, str]) -> None:
    done = command.run(environment, "check")
    assert (done.code, done.output) == (1, "")
    command.run_well(environment, "import", "-")
    assert command.run_well(environment, "check") == "All is well.\n"


def test_what_is_wrong_with_a_set_up_is_told(on_sqlite: dict[str, str], tmp_path: Path) -> None:
    assert check(on_sqlite) == [
        f"{on_sqlite['POSTFACH_DATABASE_URL']}: not there yet, postfach serve makes it"
    ]
    assert check({**on_sqlite, "POSTFACH_X": "1", "POSTFACH_GRAPHIQL": "maybe"}) == [
        "POSTFACH_X: unknown, expected a name that docs/operating.md lists",
        "POSTFACH_GRAPHIQL: expected on or off",
    ]
    for days, told in (
        (30, []),
        (-1, ["POSTFACH_PROFILE_CERTIFICATE_FILE: the certificate has run out on "]),
    ):
        files = chain(tmp_path, days=days)
        certificate = {
            "POSTFACH_PROFILE_CERTIFICATE_FILE": str(files.certificates),
            "POSTFACH_PROFILE_KEY_FILE": str(files.key),
        }
        *problems, _ = check({**on_sqlite, **certificate})
        assert [re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$", "", each) for each in problems] == told
    made = {name: text for name, text in on_sqlite.items() if not name.endswith("_KEYS")}
    command.run_well(made, "import", "-")
    keys = tmp_path / "data" / "token.keys"
    keys.chmod(0o640)
    port = peers.free_port()
    with socket.create_server(("127.0.0.1", 0)) as reached:
        there = f"127.0.0.1:{reached.getsockname()[1]}"
        found = check(
            {
                **made,
                "POSTFACH_IMAP": f"{there}:tls",
                "POSTFACH_SMTP_URL": f"smtp://u:s3cret@127.0.0.1:{port}",
                "POSTFACH_DOVEADM_URL": f"http://127.0.0.1:{port}",
                "POSTFACH_DOVEADM_KEY": "k",
            }
        )
    assert found == [
        f"{keys}: others on this machine can read the keys, expected mode 0600",
        f"POSTFACH_SMTP_URL: 127.0.0.1:{port} can't be reached: Connection refused",
        f"POSTFACH_DOVEADM_URL: 127.0.0.1:{port} can't be reached: Connection refused",
    ]


def test_a_database_that_is_not_ready_is_told(on_postgresql: dict[str, str]) -> None:
    url = on_postgresql["POSTFACH_DATABASE_URL"]
    shown = url.partition("://")[0] + "://postfach@" + url.rpartition("@")[2]
    assert check(on_postgresql) == [
        f"{shown}: the tables are not up to date, postfach serve brings them up to date"
    ]
    command.run_well(on_postgresql, "import", "-")
    name = peers.database_name(url)
    peers.postgresql().run_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    told = check(on_postgresql)
    assert any(line.startswith(f"{shown}: can't be written: ") for line in told), told
    peers.postgresql().run_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert command.run_well(on_postgresql, "check") == "All is well.\n"


def check(environment: Mapping[str, str]) -> list[str]:
    """The lines of a check that finds something."""
    done = command.run(environment, "check")
    assert (done.code, done.output) == (1, "")
    return done.error.splitlines()
