"""`postfach dns` as an operator runs it."""

import json
from pathlib import Path

from mail.client_setup.dns import zone
from mail.servers import MailServer, MailServers
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


def test_what_can_not_be_published_is_told(tmp_path: Path) -> None:
    environment = {"POSTFACH_DATA_DIR": str(tmp_path / "data")}
    done = command.run(environment, "dns", "nord.example")
    assert (done.code, done.output, done.error) == (
        1,
        "",
        "postfach: POSTFACH_PUBLIC_URL: expected https://NAME without a port, since mail programs look there\n",
    )
    done = command.run(
        {**environment, **SETTINGS, "POSTFACH_IMAP": "192.0.2.1:993:tls"}, "dns", "nord.example"
    )
    assert (done.code, done.output, done.error) == (
        1,
        "",
        "postfach: POSTFACH_IMAP: expected a server with a name in the DNS\n",
    )
    done = command.run({**environment, **SETTINGS}, "dns")
    assert (done.code, done.output, done.error) == (
        1,
        "",
        f"postfach: {tmp_path}/data/postfach.sqlite3: there is no database yet\n",
    )
    done = command.run({**environment, **SETTINGS}, "dns", "nord")
    assert (done.code, done.output) == (2, "")
    assert done.error.endswith("argument DOMAIN: no domain: 'nord'\n")
    assert list(tmp_path.iterdir()) == []
