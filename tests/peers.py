"""The programs beyond Python that tests need, and a private PostgreSQL for the session.

A missing program skips the test and names the Debian package to install; with `POSTFACH_TEST_REQUIRE_ALL=1`
it fails the test.
"""

import atexit
import functools
import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests import evidence
from tests.psql import Psql

GUARD = Path(__file__).with_name("guard.py")
START_SECONDS = 60

# Fewer syncs make the suite quick; a test about durability kills the server process, never the database.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Program:
    """Where a program may lie and which Debian package brings it."""

    package: str
    places: tuple[str, ...]


PROGRAMS = {
    "postgresql": Program("postgresql", ("/usr/lib/postgresql/*/bin/postgres", "postgres")),
    "libfaketime": Program("libfaketime", ("/usr/lib/*/faketime/libfaketimeMT.so.1",)),
    "chromium": Program("chromium", ("chromium", "chromium-browser", "google-chrome")),
    "dovecot": Program("dovecot-imapd", ("dovecot", "/usr/sbin/dovecot")),
    "dovecot-pop3": Program("dovecot-pop3d", ("/usr/lib/dovecot/pop3*",)),
    "dovecot-lmtp": Program("dovecot-lmtpd", ("/usr/lib/dovecot/lmtp*",)),
    "dovecot-sqlite": Program("dovecot-sqlite", ("/usr/lib/dovecot/modules/libdriver_sqlite.s*",)),
    "dovecot-pgsql": Program("dovecot-pgsql", ("/usr/lib/dovecot/modules/libdriver_pgsql.s*",)),
    "msmtp": Program("msmtp", ("msmtp",)),
    "thunderbird": Program("thunderbird", ("/usr/lib/thunderbird/thunderbird", "thunderbird")),
    "openssl": Program("openssl", ("openssl",)),
    "postfix": Program("postfix", ("postfix", "/usr/sbin/postfix")),
    "postfix-sqlite": Program("postfix-sqlite", ("/usr/lib/postfix/postfix-sqlite.s*",)),
    "postfix-pgsql": Program("postfix-pgsql", ("/usr/lib/postfix/postfix-pgsql.s*",)),
}


def find(name: str) -> str | None:
    """The path of a program of `PROGRAMS`, the newest where there are several, or None."""
    for place in PROGRAMS[name].places:
        if "*" in place:
            found = sorted(map(str, Path("/").glob(place.lstrip("/"))), key=_version)
            if found:
                return found[-1]
        elif path := shutil.which(place):
            return path
    return None


def require(name: str) -> str:
    """The path of a program; skips the test, or fails it where everything is required, when it is missing."""
    path = find(name)
    if path is None:
        missing(f"{name} is missing, install the package {PROGRAMS[name].package}")
    return path


def missing(reason: str) -> NoReturn:
    """Ends the running test: skipped, or failed where POSTFACH_TEST_REQUIRE_ALL is 1."""
    if os.environ.get("POSTFACH_TEST_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A port of the loopback address that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# The superuser alone may leave triggers out, those too that refuse what this does. TRUNCATE makes new files for every table and
# index: deleting a few rows takes a quarter of the time.
EMPTYING = """
    SET client_min_messages = warning;
    SET session_replication_role = replica;
    DO $$ DECLARE each text; deleted bigint; BEGIN
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid();
        FOR each IN SELECT quote_ident(tablename) FROM pg_tables
            WHERE schemaname = 'public' AND tablename <> 'tortoise_migrations' LOOP
            EXECUTE 'DELETE FROM ' || each;
            GET DIAGNOSTICS deleted = ROW_COUNT;
            IF deleted > 1000 THEN
                EXECUTE 'TRUNCATE ' || each || ' CASCADE';
            END IF;
        END LOOP;
        PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
            WHERE schemaname = 'public' AND sequencename NOT LIKE 'tortoise_migrations%';
    END $$;
"""
SHAPE = """
    SELECT count(DISTINCT c.oid), count(DISTINCT (a.attrelid, a.attnum)),
        (SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O'),
        (SELECT string_agg(name, ' ' ORDER BY name) FROM tortoise_migrations)
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace
"""


class PostgreSQL:
    """A private cluster. It ends with the process that made it, however that ends.

    `durable` keeps every sync on, for tests that crash the database itself; `settings` are further ones, `name=value`.
    """

    def __init__(self, postgres: str, *, durable: bool = False, settings: tuple[str, ...] = ()) -> None:
        self._programs = Path(postgres).parent
        self._folder = Path(tempfile.mkdtemp(prefix="postfach-pg-"))
        # The server is another user when the suite runs as root.
        self._folder.chmod(0o755)
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        self._account = "postgres" if os.geteuid() == 0 else getpass.getuser()
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._account)
            shutil.chown(self._data, self._account)
        self.port = free_port()
        self.user = "postfach"
        self._password = evidence.secret(secrets.token_urlsafe(18), "PostgreSQL's password")
        self._names = 0
        self._staying: dict[str, Psql] = {}
        try:
            self._initialise()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._guard = self._start((*(() if durable else QUICK), *settings))
        self._wait()
        self.run_sql(f"CREATE ROLE {self.user} LOGIN NOSUPERUSER NOCREATEDB PASSWORD '{self._password}'")

    @property
    def pid(self) -> int:
        """The process that the cluster's processes descend from."""
        return self._guard.pid

    def fresh_database(self, template: str = "template0") -> str:
        """The URL of a new database that the unprivileged role owns: empty, or a copy of `template`.

        A template is the name of a database that nobody is connected to: who stays there to empty it leaves.
        """
        if (staying := self._staying.pop(template, None)) is not None:
            staying.end()
        self._names += 1
        name = f"test_{self._names}_{secrets.token_hex(4)}"
        # Copying files is quicker than logging pages where nothing waits for a disk.
        statement = f"CREATE DATABASE {name} OWNER {self.user} TEMPLATE {template} STRATEGY file_copy"
        try:
            self.run_sql(statement)
        except RuntimeError as error:
            if "is being accessed by other users" not in str(error):
                raise
            # Somebody's connection takes longer to end than PostgreSQL waits for it.
            self.run_sql(
                f"SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '{template}'"
            )
            self.run_sql(statement)
        return f"postgresql://{self.user}:{self._password}@127.0.0.1:{self.port}/{name}"

    def emptied(self, url: str) -> str:
        """Keeps the audit, throws out whoever is connected, removes every row; returns the shape of what is left.

        Who asks stays connected, for the next time, until `leave`.
        """
        statements = f"{evidence.AUDIT};{EMPTYING}{SHAPE}"
        try:
            written = self._staying_at(url).run(statements)
        except RuntimeError:
            # A test may have thrown out everybody.
            self.leave(url)
            written = self._staying_at(url).run(statements)
        audit, _, shape = written.rpartition("\n")
        evidence.keep(audit, "the audit")
        return shape

    def _staying_at(self, url: str) -> Psql:
        name = database_name(url)
        if name not in self._staying:
            self._staying[name] = Psql(self._psql(name), self._psql_environment)
        return self._staying[name]

    def leave(self, url: str) -> None:
        """Disconnects from a database: nobody of the suite's own is there any more."""
        staying = self._staying.pop(database_name(url), None)
        if staying is not None:
            staying.end()

    def keep_audit(self, url: str) -> None:
        """Keeps the audit of a database that goes, if it came to have one."""
        name = database_name(url)
        if self.run_sql("SELECT to_regclass('audit_events')", name):
            evidence.keep(self.run_sql(evidence.AUDIT, name), "the audit")

    def shape(self, url: str) -> str:
        """How many tables, columns, constraints and triggers a database has, and which migrations."""
        return self.run_sql(SHAPE, database_name(url))

    def drop_database(self, url: str) -> None:
        """Removes a database of `fresh_database`, whoever is still connected."""
        self.leave(url)
        self.run_sql(f"DROP DATABASE IF EXISTS {database_name(url)} WITH (FORCE)")

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """Runs a statement as the superuser and returns its rows: columns by `|`, rows by line."""
        done = subprocess.run(
            [*self._psql(database), f"--command={statement}"],
            capture_output=True,
            text=True,
            check=False,
            env=self._psql_environment,
        )
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def _psql(self, database: str) -> list[str]:
        return [
            str(self._programs / "psql"),
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            *(f"--host={self._folder}", f"--port={self.port}", f"--username={self._account}"),
            f"--dbname={database}",
        ]

    @property
    def _psql_environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PGPASSWORD": self._password}

    def crash(self) -> None:
        """Ends the cluster as a crash does, and returns when nobody is answered any more."""
        self._guard.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return
            time.sleep(0.01)
        raise RuntimeError("PostgreSQL did not end")

    def start_again(self) -> None:
        """Starts the cluster after a crash, and returns when it answers."""
        self._guard.send_signal(signal.SIGUSR2)
        self._wait()

    def stop(self) -> None:
        """Ends the cluster and removes its folder. More than once is allowed."""
        for staying in self._staying.values():
            staying.end()
        self._staying.clear()
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()
        self._guard.wait(30)

    def _initialise(self) -> None:
        secret = self._folder / "secret"
        secret.write_text(self._password + "\n")
        if os.geteuid() == 0:
            shutil.chown(secret, self._account)
        done = subprocess.run(
            self._as_account(
                str(self._programs / "initdb"),
                *(f"--pgdata={self._data}", f"--username={self._account}", f"--pwfile={secret}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        secret.unlink()
        if done.returncode != 0:
            raise RuntimeError(f"initdb: {done.stderr.strip()}")

    def _start(self, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
        command = self._as_account(
            str(self._programs / "postgres"),
            *("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=64MB"),
            *(part for setting in settings for part in ("-c", setting)),
        )
        log = (self._folder / "log").open("wb")
        evidence.follow(self._folder / "log", "PostgreSQL's log")
        with log:
            guard = subprocess.Popen(
                [sys.executable, str(GUARD), str(self._folder), str(signal.SIGINT.value), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.stop)
        return guard

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.run_sql("SELECT 1")
            except RuntimeError:
                if time.monotonic() > deadline or self._guard.poll() is not None:
                    words = (self._folder / "log").read_text()
                    self.stop()
                    raise RuntimeError(f"PostgreSQL did not start: {words}") from None
                time.sleep(0.05)
            else:
                return

    @staticmethod
    def _as_account(*command: str) -> list[str]:
        if os.geteuid() != 0:
            return list(command)
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


@functools.cache
def postgresql() -> PostgreSQL:
    """The cluster of this session, started at the first call; skips the test where it is not installed."""
    return PostgreSQL(require("postgresql"))


def stop_all() -> None:
    """Ends what this session started."""
    if postgresql.cache_info().currsize:
        postgresql().stop()
        postgresql.cache_clear()


def database_name(url: str) -> str:
    """The name at the end of a PostgreSQL URL."""
    return url.rpartition("/")[2]


def _version(path: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path))
