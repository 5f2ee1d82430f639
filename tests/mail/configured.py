"""The files of `deploy/` for servers on private folders and ports: only what is of a machine is replaced in them.

Folders, ports, accounts and passwords, that is. Whatever else the tests need of the servers, an operator gets.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests import peers

if TYPE_CHECKING:
    from models.database_url import DatabaseUrl
    from tests.mail.deployed import MailHost

DEPLOY = Path(__file__).parents[2] / "deploy"


def dovecot_version() -> str:
    """`2.3` or `2.4`: which folder of `deploy/` is for the Dovecot that is installed."""
    done = subprocess.run([peers.require("dovecot"), "--version"], check=True, capture_output=True, text=True)
    return ".".join(done.stdout.split(".")[:2])


def make_folders(folder: Path) -> None:
    """Make what the servers write into."""
    for name in ("run", "state", "vmail", "queue/private", "data", "postfix"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "vmail", "nobody", "nogroup")
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "queue/private", "postfix")
    (folder / "postfix.log").touch()


def configure_dovecot(host: MailHost, url: DatabaseUrl, passwords: dict[str, str]) -> None:
    """Write Dovecot's files, of the version that is installed."""
    folder, version = host.folder, dovecot_version()
    text = _replaced(
        (DEPLOY / f"dovecot-{version}" / "postfach.conf").read_text("utf-8"),
        {
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
            **({} if version == "2.4" else {"/etc/dovecot/": f"{folder}/"}),
        },
    )
    (folder / "dovecot.conf").write_text(text)
    local = {
        "listen": "127.0.0.1",
        "base_dir": f"{folder}/run",
        "state_dir": f"{folder}/state",
        "log_path": f"{folder}/dovecot.log",
        "doveadm_api_key": host.doveadm_key,
        **host.dovecot,
    }
    (folder / "local.conf").write_text("".join(f"{name} = {value}\n" for name, value in local.items()))
    ending = "conf" if version == "2.4" else "conf.ext"
    if url.dialect == "sqlite":
        source, changes = f"sql-sqlite.{ending}", {"/var/lib/postfach/postfach.sqlite3": url.path}
    elif version == "2.4":
        source = f"sql-postgresql.{ending}"
        changes = {
            "pgsql 127.0.0.1": f"pgsql {url.host}",
            "port = 5432": f"port = {url.port}",
            "dbname = postfach": f"dbname = {url.name}",
            "CHANGE-ME": passwords["postfach_dovecot"],
        }
    else:
        source = f"sql-postgresql.{ending}"
        changes = {
            "host=127.0.0.1 port=5432 dbname=postfach": f"host={url.host} port={url.port} dbname={url.name}",
            "CHANGE-ME": passwords["postfach_dovecot"],
        }
    text = (DEPLOY / f"dovecot-{version}" / source).read_text("utf-8")
    (folder / f"sql.{ending}").write_text(_replaced(text, changes))
    (folder / f"sql.{ending}").chmod(0o600)


def configure_postfix(host: MailHost, url: DatabaseUrl, passwords: dict[str, str]) -> None:
    """Write Postfix's files, for the filter at the port of `host`."""
    folder, place = host.folder, host.folder / "postfix"
    kind = "sqlite" if url.dialect == "sqlite" else "pgsql"
    main = (DEPLOY / "postfix" / "main.cf").read_text("utf-8").replace("pgsql:", f"{kind}:")
    main = _replaced(
        main,
        {
            "/etc/postfix/private/": f"{folder}/",
            "inet:127.0.0.1:8025": f"inet:127.0.0.1:{host.milter}" if host.is_filtered else "",
        },
    )
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


def certificate(folder: Path) -> ssl.SSLContext:
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
