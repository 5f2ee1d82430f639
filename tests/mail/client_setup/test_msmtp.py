"""A real mail program finds where to send by the records of a domain, in a network of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from mail.client_setup.dns import zone
from mail.servers import MailServer, MailServers
from tests import peers
from tests.docs.pages import ROOT

NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--mount")
IMAP = MailServer("imap.mail.example", 993, "tls")
POP3 = MailServer("pop3.mail.example", 995, "tls")


def found(folder: Path, submission: MailServer, address: str) -> list[str]:
    """The lines that msmtp would set up for an address, where the records of nord.example are published."""
    msmtp = peers.require("msmtp")
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no network of its own to a process")
    records, resolv_conf = folder / "nord.example.zone", folder / "resolv.conf"
    records.write_text(zone(MailServers(IMAP, POP3, submission), "https://post.example", "nord.example"))
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    server = [sys.executable, "-m", "tests.mail.client_setup.name_server", str(records), "nord.example"]
    done = subprocess.run(
        [*NAMESPACE, *server, str(resolv_conf), msmtp, f"--configure={address}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    return [
        *filter(None, done.stderr.splitlines()),
        *(line for line in done.stdout.splitlines() if line[0] != "#"),
    ]


@pytest.mark.parametrize(
    "port,security,starttls", [(465, "tls", "off"), (587, "starttls", "on"), (2465, "tls", "off")]
)
def test_msmtp_finds_where_to_send(tmp_path: Path, port: int, security: str, starttls: str) -> None:
    submission = MailServer("smtp.mail.example", port, "tls" if security == "tls" else "starttls")
    assert found(tmp_path, submission, "anna@nord.example") == [
        "account anna@nord.example",
        "host smtp.mail.example",
        f"port {port}",
        "tls on",
        f"tls_starttls {starttls}",
        "auth on",
        "user anna",
        "from anna@nord.example",
    ]


def test_msmtp_finds_nothing_of_another_domain(tmp_path: Path) -> None:
    (told,) = found(tmp_path, MailServer("smtp.mail.example", 465, "tls"), "anna@sued.example")
    assert told.endswith("no SRV records for _submissions._tcp.sued.example or _submission._tcp.sued.example")
