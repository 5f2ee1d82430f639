"""Dovecot and Postfix of one test, configured by the very files of `deploy/`, started as root on private folders and ports.

Only what is of a machine is replaced in these files: folders, ports, accounts, passwords. Both end with the test.
"""

from __future__ import annotations

import grp
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.database_url import DatabaseUrl
from tests import evidence, peers
from tests.mail import configured

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

ROLES = ("postfach_dovecot", "postfach_postfix", "postfach_milter")
START_SECONDS = 60
PROGRAMS = (
    "dovecot",
    "dovecot-pop3",
    "dovecot-lmtp",
    "dovecot-sqlite",
    "dovecot-pgsql",
    "postfix",
    "postfix-sqlite",
    "postfix-pgsql",
)


@dataclass
class MailHost:
    """Where the servers listen, and where the filter is expected.

    `trusts` is a TLS context that knows their certificate, `passwords` are those of the roles, `dovecot` more settings.
    """

    folder: Path
    trusts: ssl.SSLContext
    doveadm_key: str
    is_filtered: bool
    passwords: dict[str, str] = field(repr=False)
    dovecot: Mapping[str, str]
    imap: int = field(default_factory=peers.free_port)
    imaps: int = field(default_factory=peers.free_port)
    pop3: int = field(default_factory=peers.free_port)
    pop3s: int = field(default_factory=peers.free_port)
    smtp: int = field(default_factory=peers.free_port)
    submission: int = field(default_factory=peers.free_port)
    submissions: int = field(default_factory=peers.free_port)
    doveadm: int = field(default_factory=peers.free_port)
    milter: int = field(default_factory=peers.free_port)

    @property
    def doveadm_url(self) -> str:
        """What POSTFACH_DOVEADM_URL is told."""
        return f"http://127.0.0.1:{self.doveadm}"

    def start_dovecot(self) -> None:
        """Start it and wait until it listens."""
        subprocess.run(["dovecot", "-c", str(self.folder / "dovecot.conf")], check=True)
        self._wait(self.imap, self.imaps, self.pop3, self.pop3s, self.doveadm)

    def stop_dovecot(self) -> None:
        """End it, if it runs."""
        file = self.folder / "run" / "master.pid"
        if file.exists():
            pid = int(file.read_text())
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), self.log)

    def start_postfix(self) -> None:
        """Start it and wait until it listens."""
        self._postfix("start")
        self._wait(self.smtp, self.submission, self.submissions)

    def stop_postfix(self) -> None:
        """End it, if it runs."""
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._postfix("stop")

    def reload_postfix(self) -> None:
        """Have Postfix begin anew with everything that it looks up."""
        self._postfix("reload")

    def penalties(self) -> list[str]:
        """For whose earlier failures Dovecot would have others at the same address wait."""
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), "penalty"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()[1:]

    def has_user(self, login: str) -> bool:
        """Whether Dovecot knows somebody by this name."""
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), "auth", "lookup", "--", login]
        done = subprocess.run(command, check=False, capture_output=True)
        return done.returncode == 0

    def queue(self) -> list[dict[str, Any]]:
        """The mails that Postfix has not passed on yet."""
        command = ["postqueue", "-c", str(self.folder / "postfix"), "-j"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def delivered(self, address: str) -> bytes:
        """The only mail in a mailbox, as soon as it is there; it is taken away."""
        name, _, domain = address.partition("@")
        place = self.folder / "vmail" / domain / name / "Maildir"

        def there() -> list[Path]:
            # Once somebody looked, it is not new any more.
            return [*place.glob("new/*"), *place.glob("cur/*")]

        wait_for(lambda: bool(there()), self.log)
        (one,) = there()
        content = one.read_bytes()
        one.unlink()
        return content

    def log(self) -> str:
        """What both wrote."""
        return "".join(each.read_text("utf-8", "replace") for each in self.folder.glob("*.log"))

    def _wait(self, *ports: int) -> None:
        for port in ports:
            wait_for(partial(_listens, port), self.log)

    def _postfix(self, word: str) -> None:
        command = ["postfix", "-c", str(self.folder / "postfix"), word]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def mail_host(
    url: DatabaseUrl, *, filtered: bool = False, dovecot: Mapping[str, str] | None = None
) -> Iterator[MailHost]:
    """Both servers on this database; on PostgreSQL under the roles of `deploy/roles.sql`, made for it and dropped again.

    `filtered` has Postfix ask the filter of sent mail, which the test starts at the port `milter`; `dovecot` are more
    lines for Dovecot's `local.conf`. Whoever gives a wrong password is told soon, which no test is about.
    """
    for name in PROGRAMS:
        peers.require(name)
    if os.geteuid() != 0:
        peers.missing("Postfix and Dovecot are started as root")
    folder = Path(tempfile.mkdtemp(prefix="postfach-mail-"))
    try:
        folder.chmod(0o755)
        with _accounts(url) as passwords:
            key = evidence.secret(secrets.token_hex(12), "the key of Dovecot's API")
            settings = {"auth_failure_delay": "0", **(dovecot or {})}
            host = MailHost(folder, configured.certificate(folder), key, filtered, passwords, settings)
            configured.make_folders(folder)
            configured.configure_dovecot(host, url, passwords)
            configured.configure_postfix(host, url, passwords)
            try:
                host.start_dovecot()
                host.start_postfix()
                yield host
            finally:
                host.stop_postfix()
                host.stop_dovecot()
                evidence.keep(host.log(), "the logs of Dovecot and Postfix")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _accounts(url: DatabaseUrl) -> Iterator[dict[str, str]]:
    """Give both servers their way to the database, as an operator does."""
    if url.dialect == "sqlite":
        _share_with_postfix(Path(url.path))
        yield {}
        return
    cluster = peers.postgresql()
    passwords = {role: evidence.secret(secrets.token_hex(12), f"the password of {role}") for role in ROLES}
    script = re.sub(r"^--.*$", "", (configured.DEPLOY / "roles.sql").read_text("utf-8"), flags=re.MULTILINE)
    for role, password in passwords.items():
        script = script.replace(f":'{role.removeprefix('postfach_')}_password'", f"'{password}'")
    _drop_roles(url.name)
    cluster.run_sql(script, url.name)
    try:
        yield passwords
    finally:
        _drop_roles(url.name)


def _drop_roles(name: str) -> None:
    cluster = peers.postgresql()
    for role in ROLES:
        if cluster.run_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            cluster.run_sql(f"DROP OWNED BY {role} CASCADE", name)
            cluster.run_sql(f"DROP ROLE {role}")


def _share_with_postfix(database: Path) -> None:
    """Let Postfix's own account read a database in WAL mode, which takes the right to write beside it."""
    group = grp.getgrnam("postfix").gr_gid
    os.chown(database.parent, -1, group)
    database.parent.chmod(0o2770)
    for file in database.parent.glob(f"{database.name}*"):
        os.chown(file, -1, group)
        file.chmod(0o660)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool], log: Callable[[], str]) -> None:
    """Wait until this is so; after a minute fail with what was logged."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, log()
        time.sleep(0.02)
