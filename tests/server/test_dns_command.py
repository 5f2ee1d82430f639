"""`postfach dns` as an operator runs it."""

import argparse
import json
import os
from pathlib import Path

import pytest

from mail.client_setup.dns import zone
from mail.servers import MailServer, MailServers
from server.commands import CommandError, dns
from tests import command

PUBLIC_URL = "https://post.example"
SERVERS = MailServers(
    MailServer("imap.post.example", 993, "tls"),
    MailServer("pop3.post.example", 995, "tls"),
    MailServer("smtp.mail.example", 587, "starttls"),
)
SETTINGS = {"POSTFACH_PUBLIC_URL": PUBLIC_URL, "POSTFACH_SUBMISSION": "smtp.mail.example:587:starttls"}


def agency(key: str, *domains: str) -> str:
    return json.dumps({"type": "agency", "key": key, "name": key, "domains": domains, "modules": []})


def test_the_records_of_all_domains_are_printed_one_zone_after_the_other(environment: dict[str, str]) -> None:
    world = "\n".join((agency("nord", "nord.example", "a.example"), agency("sued", "sued.example")))
    command.run_well(environment, "import", "-", text=world)
    assert command.run_well({**environment, **SETTINGS}, "dns") == "\n".join(
        zone(SERVERS, PUBLIC_URL, domain) for domain in ("a.example", "nord.example", "sued.example")
    )


def test_named_domains_need_neither_a_database_nor_a_key(tmp_path: Path) -> None:
    environment = {"POSTFACH_DATA_DIR": str(tmp_path / "data"), **SETTINGS}
    assert command.run_well(environment, "dns", "Nord.example.", "bücher.example") == "\n".join(
        zone(SERVERS, PUBLIC_URL, domain) for domain in ("nord.example", "xn--bcher-kva.example")
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes,domains,told",
    [
        (
            {"POSTFACH_PUBLIC_URL": "http://post.example"},
            ["nord.example"],
            "POSTFACH_PUBLIC_URL: expected https://NAME without a port, since mail programs look there",
        ),
        (
            {"POSTFACH_IMAP": "192.0.2.1:993:tls"},
            ["nord.example"],
            "POSTFACH_IMAP: expected a server with a name in the DNS",
        ),
        ({}, [], "{folder}/data/postfach.sqlite3: there is no database yet"),
    ],
)
def test_what_can_not_be_published_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, str], domains: list[str], told: str
) -> None:
    for name in [each for each in os.environ if each.startswith("POSTFACH_")]:
        monkeypatch.delenv(name)
    for name, text in {"POSTFACH_DATA_DIR": str(tmp_path / "data"), **SETTINGS, **changes}.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(CommandError) as refused:
        dns.run(argparse.Namespace(domains=domains), None)
    assert str(refused.value) == told.format(folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_domain_is_told(tmp_path: Path) -> None:
    done = command.run({"POSTFACH_DATA_DIR": str(tmp_path / "data"), **SETTINGS}, "dns", "nord")
    assert (done.code, done.output) == (2, "")
    assert done.error.endswith("argument DOMAIN: no domain: 'nord'\n")
    assert list(tmp_path.iterdir()) == []
