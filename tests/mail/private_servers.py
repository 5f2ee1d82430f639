"""Dovecot and Postfix of one test: IMAP, POP3, submission and the HTTP API, on a mailbox database, started as root.

No TLS and no deployment: what they do here is to check logins, hold sessions, ask the filter and deliver into a folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.database import DatabaseUrl
from tests import peers

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a-key-for-tests-only"
START_SECONDS = 20

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
auth_cache_size = 0
auth_failure_delay = 0
listen = 127.0.0.1
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
doveadm_api_key = {key}
passdb {{
  driver = sql
  args = {folder}/sql.conf
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  inet_listener {{
    port = {auth}
  }}
}}
service auth-worker {{
  user = root
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service doveadm {{
  inet_listener http {{
    port = {doveadm}
  }}
}}
"""
SQL = """
driver = {driver}
connect = {connect}
default_pass_scheme = ARGON2ID
password_query = SELECT CASE WHEN '%s' = 'smtp' THEN m.address || '-v' || p.version ELSE m.address END AS "user", \\
  p.hash AS password FROM mailboxes m JOIN mailbox_passwords p ON p.mailbox_id = m.id WHERE m.address = '%Lu'
"""
POSTFIX = """
compatibility_level = 3.6
config_directory = {folder}/postfix
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mydestination =
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = {folder}/delivered
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtputf8_enable = yes
local_header_rewrite_clients =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_sender_login_maps = {logins}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_milters = {milter}
milter_default_action = tempfail
milter_protocol = 6
"""
LOGINS = "SELECT login FROM mail_senders WHERE address = '%s'"
MASTER = """
127.0.0.1:{submission} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
"""


@dataclass
class MailServers:
    """Where they listen; `milter` is where the filter is expected, and `delivered` what has arrived."""

    folder: Path
    imap: int = field(default_factory=peers.free_port)
    pop3: int = field(default_factory=peers.free_port)
    submission: int = field(default_factory=peers.free_port)
    doveadm: int = field(default_factory=peers.free_port)
    auth: int = field(default_factory=peers.free_port)
    milter: int = field(default_factory=peers.free_port)

    @property
    def doveadm_url(self) -> str:
        return f"http://127.0.0.1:{self.doveadm}"

    def start_dovecot(self) -> None:
        subprocess.run(["dovecot", "-c", str(self.folder / "dovecot.conf")], check=True)
        self._wait(self.imap, self.pop3, self.doveadm, self.auth)

    def stop_dovecot(self) -> None:
        file = self.folder / "run" / "master.pid"
        if not file.exists():
            return
        pid = int(file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def delivered(self) -> bytes:
        """The only mail that arrives; it is taken away."""
        deadline = time.monotonic() + START_SECONDS
        while not (found := list((self.folder / "delivered").glob("inbox/new/*"))):
            assert time.monotonic() < deadline, (self.folder / "postfix.log").read_text()
            time.sleep(0.02)
        (one,) = found
        content = one.read_bytes()
        one.unlink()
        return content

    def log(self) -> str:
        """What both wrote."""
        return "".join(each.read_text("utf-8", "replace") for each in self.folder.glob("*.log"))

    def _wait(self, *ports: int) -> None:
        for port in ports:
            deadline = time.monotonic() + START_SECONDS
            while not _listens(port):
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def start_postfix(self) -> None:
        self._postfix("start")
        self._wait(self.submission)

    def stop_postfix(self) -> None:
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._postfix("abort")

    def _postfix(self, word: str) -> None:
        subprocess.run(["postfix", "-c", str(self.folder / "postfix"), word], check=True, capture_output=True)


def _listens(port: int) -> bool:
    import socket  # noqa: PLC0415 (a name of its own)

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def mail_servers(database_url: str) -> Iterator[MailServers]:
    """Both, configured for this database and started; gone afterwards."""
    for name in ("dovecot", "dovecot-pop3", "dovecot-sqlite", "dovecot-pgsql"):
        peers.require(name)
    for name in ("postfix", "postfix-sqlite", "postfix-pgsql"):
        peers.require(name)
    if os.geteuid() != 0:
        peers.missing("Postfix and Dovecot are started as root")
    folder = Path(tempfile.mkdtemp(prefix="postfach-mail-"))
    try:
        folder.chmod(0o755)
        servers = MailServers(folder)
        _configure(servers, database_url)
        try:
            servers.start_dovecot()
            servers.start_postfix()
            yield servers
        finally:
            servers.stop_postfix()
            servers.stop_dovecot()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(servers: MailServers, database_url: str) -> None:
    folder, url = servers.folder, DatabaseUrl.parse(database_url)
    for name in ("run", "state", "mail", "postfix", "queue", "data", "delivered"):
        (folder / name).mkdir()
    for name in ("mail", "delivered"):
        shutil.chown(folder / name, "nobody", "nogroup")
    shutil.chown(folder / "data", "postfix")
    (folder / "postfix.log").touch()
    if url.dialect == "sqlite":
        driver, connect = "sqlite", url.path
        _open_for_postfix(Path(url.path))
        logins = f"sqlite:{folder}/postfix/logins.cf"
        table = f"dbpath = {url.path}\nquery = {LOGINS}\n"
    else:
        driver = "pgsql"
        connect = f"host={url.host} port={url.port} dbname={url.name} user={url.user} password={url.password}"
        logins = f"pgsql:{folder}/postfix/logins.cf"
        table = (
            f"hosts = postgresql://{url.user}:{url.password}@{url.host}:{url.port}/{url.name}\n"
            f"dbname = {url.name}\nuser = {url.user}\npassword = {url.password}\nquery = {LOGINS}\n"
        )
    values = {"folder": folder, "key": KEY, "logins": logins, **vars(servers)}
    values["milter"] = f"inet:127.0.0.1:{servers.milter}"
    (folder / "dovecot.conf").write_text(DOVECOT.format(**values))
    (folder / "sql.conf").write_text(SQL.format(driver=driver, connect=connect))
    (folder / "postfix" / "logins.cf").write_text(table)
    (folder / "postfix" / "main.cf").write_text(POSTFIX.format(**values))
    (folder / "postfix" / "master.cf").write_text(MASTER.format(**values))
    for source in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"):
        place = Path("/etc/postfix") / source
        if place.is_dir():
            shutil.copytree(place, folder / "postfix" / source)
        elif place.exists():
            shutil.copy(place, folder / "postfix" / source)


def _open_for_postfix(database: Path) -> None:
    """Let Postfix's own account read a database in WAL mode, which takes the right to write beside it."""
    for folder in database.parents[:-2]:
        folder.chmod(0o777 if folder == database.parent else 0o711)
    for file in database.parent.glob(f"{database.name}*"):
        file.chmod(0o666)
