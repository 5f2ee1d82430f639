import dns.name
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings

from mail.client_setup.dns import NoZoneError, zone
from mail.client_setup.pacc import digest_record, pacc
from mail.servers import MailServer, MailServers
from tests.docs.pages import ROOT
from tests.mail.client_setup.test_autoconfig import DOMAINS

ALL = MailServers(
    MailServer("imap.mail.example", 993, "tls"),
    MailServer("pop3.mail.example", 110, "starttls"),
    MailServer("smtp.mail.example", 465, "tls"),
)
PUBLIC_URL = "https://post.example/base"


def records(text: str, domain: str) -> dict[str, str]:
    """What a name server reads, by name and type; the zone has nothing else."""
    found = dns.zone.from_text(text, origin=f"{domain}.", relativize=False, check_origin=False)
    return {
        f"{name} {dns.rdatatype.to_text(rdata.rdtype)}": rdata.to_text()
        for name, _, rdata in found.iterate_rdatas()
    }


def test_a_domain_publishes_where_everything_is() -> None:
    document = pacc(ALL, "post.example")
    assert document
    assert records(zone(ALL, PUBLIC_URL, "nord.example"), "nord.example") == {
        "autoconfig.nord.example. CNAME": "post.example.",
        "autodiscover.nord.example. CNAME": "post.example.",
        "ua-auto-config.nord.example. CNAME": "post.example.",
        "_ua-auto-config.nord.example. TXT": f'"{digest_record(document)}"',
        "_autodiscover._tcp.nord.example. SRV": "0 0 443 post.example.",
        "_imaps._tcp.nord.example. SRV": "0 1 993 imap.mail.example.",
        "_imap._tcp.nord.example. SRV": "0 0 0 .",
        "_pop3s._tcp.nord.example. SRV": "0 0 0 .",
        "_pop3._tcp.nord.example. SRV": "10 1 110 pop3.mail.example.",
        "_submissions._tcp.nord.example. SRV": "0 1 465 smtp.mail.example.",
        "_submission._tcp.nord.example. SRV": "0 0 0 .",
    }


def test_the_records_are_lines_of_a_zone() -> None:
    text = zone(ALL, PUBLIC_URL, "nord.example")
    assert text.startswith(
        "; nord.example: how mail programs find their servers\n"
        "autoconfig.nord.example.           3600 IN CNAME post.example.\n"
    )
    assert text.endswith("_submission._tcp.nord.example.     3600 IN SRV   0 0 0 .\n")


def test_the_page_shows_what_the_command_prints() -> None:
    guessed = MailServers(
        MailServer("imap.post.example", 993, "tls"),
        MailServer("pop3.post.example", 995, "tls"),
        MailServer("smtp.post.example", 465, "tls"),
    )
    page = (ROOT / "docs" / "client-setup.md").read_text("utf-8")
    assert f"\n{zone(guessed, 'https://post.example', 'nord.example')}```\n" in page


def test_there_is_nothing_of_pacc_without_its_document() -> None:
    servers = MailServers(ALL.imap, ALL.pop3, MailServer("smtp.mail.example", 587, "starttls"))
    found = records(zone(servers, PUBLIC_URL, "nord.example"), "nord.example")
    assert not any("ua-auto-config" in name for name in found)
    assert found["_submission._tcp.nord.example. SRV"] == "0 1 587 smtp.mail.example."


def test_a_server_is_no_other_name_of_itself() -> None:
    found = records(zone(ALL, "https://autoconfig.nord.example", "nord.example"), "nord.example")
    assert "autoconfig.nord.example. CNAME" not in found
    assert found["autodiscover.nord.example. CNAME"] == "autoconfig.nord.example."


@settings(deadline=None, max_examples=30)
@given(domain=DOMAINS.filter(lambda name: len(name) < 200 and not name.rpartition(".")[2].isdigit()))
def test_the_records_of_every_domain_can_be_read(domain: str) -> None:
    found = records(zone(ALL, PUBLIC_URL, domain), domain)
    assert len(found) == 11
    assert all(dns.name.from_text(name.split()[0]).is_subdomain(dns.name.from_text(domain)) for name in found)


@pytest.mark.parametrize(
    "public_url",
    [
        "http://post.example",
        "https://post.example:8443",
        "https://127.0.0.1",
        "https://[::1]",
        "https://localhost",
    ],
)
def test_no_zone_is_made_where_no_program_would_look(public_url: str) -> None:
    with pytest.raises(NoZoneError, match=r"^https://NAME without a port") as refused:
        zone(ALL, public_url, "nord.example")
    assert refused.value.setting == "public_url"


@pytest.mark.parametrize("field", ["imap", "pop3", "submission"])
def test_no_zone_is_made_of_a_server_without_a_name(field: str) -> None:
    servers = {"imap": ALL.imap, "pop3": ALL.pop3, "submission": ALL.submission}
    servers[field] = MailServer("192.0.2.1", 993, "tls")
    with pytest.raises(NoZoneError, match=r"^a server with a name in the DNS$") as refused:
        zone(MailServers(**servers), PUBLIC_URL, "nord.example")
    assert refused.value.setting == field
