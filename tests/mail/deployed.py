"""Dovecot and Postfix of one test, configured by the very files of `deploy/`, started as root on private folders and ports.

Only what is of a machine is replaced in these files: folders, ports, accounts, passwords. Both end with the test.
"""

from __future__ import annotations

import datetime as dt
import grp
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from models.database import DatabaseUrl
from tests import peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLES = ("postfach_dovecot", "postfach_postfix", "postfach_milter")
START_SECONDS = 20
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
    """Where the servers listen. `trusts` is a TLS context that knows their certificate."""

    folder: Path
    trusts: ssl.SSLContext
    doveadm_key: str
    imap: int = field(default_factory=peers.free_port)
    imaps: int = field(default_factory=peers.free_port)
    pop3: int = field(default_factory=peers.free_port)
    pop3s: int = field(default_factory=peers.free_port)
    smtp: int = field(default_factory=peers.free_port)
    submission: int = field(default_factory=peers.free_port)
    submissions: int = field(default_factory=peers.free_port)
    doveadm: int = field(default_factory=peers.free_port)

    def start(self) -> None:
        """Start both and wait until they listen."""
        self._postfix("start")
        subprocess.run(["dovecot", "-c", str(self.folder / "dovecot.conf")], check=True)
        ports = (self.imap, self.imaps, self.pop3, self.pop3s, self.smtp, self.submission, self.submissions)
        for port in ports:
            _wait_for(partial(_listens, port), self.log)

    def stop(self) -> None:
        """End whatever runs."""
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._postfix("stop")
        file = self.folder / "run" / "master.pid"
        if file.exists():
            pid = int(file.read_text())
            os.kill(pid, signal.SIGTERM)
            _wait_for(lambda: not Path(f"/proc/{pid}").exists(), self.log)

    def reload_postfix(self) -> None:
        """Have Postfix begin anew with everything that it looks up."""
        self._postfix("reload")

    def log(self) -> str:
        """What both wrote."""
        return "".join(each.read_text("utf-8", "replace") for each in self.folder.glob("*.log"))

    def _postfix(self, word: str) -> None:
        command = ["postfix", "-c", str(self.folder / "postfix"), word]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def mail_host(url: DatabaseUrl, *, milter: str = "") -> Iterator[MailHost]:
    """Both servers on this database; on PostgreSQL under the roles of `deploy/roles.sql`, made for it and dropped again."""
    for name in PROGRAMS:
        peers.require(name)
    if os.geteuid() != 0:
        peers.missing("Postfix and Dovecot are started as root")
    folder = Path(tempfile.mkdtemp(prefix="postfach-mail-"))
    try:
        folder.chmod(0o755)
        with _accounts(url) as passwords:
            host = MailHost(folder, _certificate(folder), secrets.token_hex(12))
            _make_folders(folder)
            _configure_dovecot(host, url, passwords)
            _configure_postfix(host, url, passwords, milter)
            try:
                host.start()
                yield host
            finally:
                host.stop()
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
    passwords = {role: secrets.token_hex(12) for role in ROLES}
    script = re.sub(r"^--.*$", "", (DEPLOY / "roles.sql").read_text("utf-8"), flags=re.MULTILINE)
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
    for parent in database.parents[1:-1]:
        if parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.chown(database.parent, -1, group)
    database.parent.chmod(0o2770)
    for file in database.parent.glob(f"{database.name}*"):
        os.chown(file, -1, group)
        file.chmod(0o660)


def _make_folders(folder: Path) -> None:
    for name in ("run", "state", "vmail", "queue/private", "data", "postfix"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "vmail", "nobody", "nogroup")
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "queue/private", "postfix")
    (folder / "postfix.log").touch()


def _configure_dovecot(host: MailHost, url: DatabaseUrl, passwords: dict[str, str]) -> None:
    folder = host.folder
    text = _replaced(
        (DEPLOY / "dovecot-2.3" / "postfach.conf").read_text("utf-8"),
        {
            "/etc/dovecot/sql.conf.ext": f"{folder}/sql.conf.ext",
            "/etc/dovecot/local.conf": f"{folder}/local.conf",
            "/etc/dovecot/private/": f"{folder}/",
            "/var/spool/postfix/private/": f"{folder}/queue/private/",
            "/var/vmail/": f"{folder}/vmail/",
            "mail_uid = vmail": "mail_uid = nobody",
            "mail_gid = vmail": "mail_gid = nogroup",
            "port = 143\n": f"port = {host.imap}\n",
            "port = 993\n": f"port = {host.imaps}\n",
            "port = 110\n": f"port = {host.pop3}\n",
            "port = 995\n": f"port = {host.pop3s}\n",
            "port = 8080\n": f"port = {host.doveadm}\n",
        },
    )
    (folder / "dovecot.conf").write_text(text)
    local = {
        "listen": "127.0.0.1",
        "base_dir": f"{folder}/run",
        "state_dir": f"{folder}/state",
        "log_path": f"{folder}/dovecot.log",
        "doveadm_api_key": host.doveadm_key,
    }
    (folder / "local.conf").write_text("".join(f"{name} = {value}\n" for name, value in local.items()))
    if url.dialect == "sqlite":
        source, changes = "sql-sqlite.conf.ext", {"/var/lib/postfach/postfach.sqlite3": url.path}
    else:
        source = "sql-postgresql.conf.ext"
        changes = {
            "host=127.0.0.1 port=5432 dbname=postfach": f"host={url.host} port={url.port} dbname={url.name}",
            "CHANGE-ME": passwords["postfach_dovecot"],
        }
    text = (DEPLOY / "dovecot-2.3" / source).read_text("utf-8")
    (folder / "sql.conf.ext").write_text(_replaced(text, changes))
    (folder / "sql.conf.ext").chmod(0o600)


def _configure_postfix(host: MailHost, url: DatabaseUrl, passwords: dict[str, str], milter: str) -> None:
    folder, place = host.folder, host.folder / "postfix"
    kind = "sqlite" if url.dialect == "sqlite" else "pgsql"
    main = (DEPLOY / "postfix" / "main.cf").read_text("utf-8").replace("pgsql:", f"{kind}:")
    main = _replaced(main, {"/etc/postfix/private/": f"{folder}/", "inet:127.0.0.1:8025": milter})
    local = {
        "config_directory": place,
        "queue_directory": folder / "queue",
        "data_directory": folder / "data",
        "maillog_file": folder / "postfix.log",
        "maillog_file_prefixes": folder,
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
    }
    (place / "main.cf").write_text(main + "".join(f"{name} = {value}\n" for name, value in local.items()))
    master = (DEPLOY / "postfix" / "master.cf").read_text("utf-8")
    for name in ("smtp", "submission", "submissions"):
        master = re.sub(
            rf"^{name} +inet", f"127.0.0.1:{getattr(host, name)} inet", master, flags=re.MULTILINE
        )
    (place / "master.cf").write_text(master)
    (place / "postfach").mkdir()
    for source in (DEPLOY / "postfix" / kind).glob("*.cf"):
        changes = (
            {"/var/lib/postfach/postfach.sqlite3": url.path}
            if kind == "sqlite"
            else {
                "127.0.0.1:5432": f"{url.host}:{url.port}",
                "dbname = postfach": f"dbname = {url.name}",
                "CHANGE-ME": passwords["postfach_postfix"],
            }
        )
        target = place / "postfach" / source.name
        target.write_text(_replaced(source.read_text("utf-8"), changes))
        shutil.chown(target, group="postfix")
        target.chmod(0o640)
    for name in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"):
        part = Path("/etc/postfix") / name
        if part.is_dir():
            shutil.copytree(part, place / name)
        elif part.exists():
            shutil.copy(part, place / name)


def _replaced(text: str, changes: dict[str, str]) -> str:
    """Replace what is of a machine; every word has to be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _certificate(folder: Path) -> ssl.SSLContext:
    """Make a key and a certificate for localhost, `mail.key` and `mail.pem`, and what trusts them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "mail.pem").write_bytes(pem)
    (folder / "mail.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "mail.key").chmod(0o600)
    return ssl.create_default_context(cadata=pem.decode())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: Callable[[], bool], log: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, log()
        time.sleep(0.02)
