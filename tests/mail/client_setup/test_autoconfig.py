from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mail.client_setup.autoconfig import autoconfig
from mail.servers import MailServer, MailServers
from tests.surroundings import SERVERS

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("published") / "autoconfig.rng"))
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=2, max_size=4).map(".".join).filter(lambda name: len(name) < 254)
HOSTS = st.builds(MailServer, DOMAINS, st.integers(1, 65535), st.sampled_from(["tls", "starttls"]))


def test_the_document_says_all_that_the_settings_say() -> None:
    assert (
        autoconfig(SERVERS, "nord.example").decode()
        == """\
<?xml version='1.0' encoding='UTF-8'?>
<clientConfig version="1.1">
  <emailProvider id="nord.example">
    <domain>nord.example</domain>
    <displayName>nord.example</displayName>
    <displayShortName>nord.example</displayShortName>
    <incomingServer type="imap">
      <hostname>imap.mail.example</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </incomingServer>
    <incomingServer type="pop3">
      <hostname>pop3.mail.example</hostname>
      <port>995</port>
      <socketType>SSL</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.mail.example</hostname>
      <port>587</port>
      <socketType>STARTTLS</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </outgoingServer>
  </emailProvider>
</clientConfig>
"""
    )


@settings(deadline=None, max_examples=40)
@given(domain=DOMAINS, servers=st.builds(MailServers, HOSTS, HOSTS, HOSTS))
def test_every_document_is_valid_by_the_published_schema(domain: str, servers: MailServers) -> None:
    document = etree.fromstring(autoconfig(servers, domain))
    SCHEMA.assertValid(document)
    assert document.findtext("emailProvider/domain") == domain
    assert [each.text for each in document.iter("hostname")] == [
        servers.imap.host,
        servers.pop3.host,
        servers.submission.host,
    ]
    # What the draft says in words: programs have room for so much.
    assert len(document.findtext("emailProvider/displayName") or "") in range(1, 61)
    assert len(document.findtext("emailProvider/displayShortName") or "") in range(1, 21)


@pytest.mark.parametrize(
    "written,instead",
    [
        (b"<port>993</port>", b"<port>none</port>"),
        (b' version="1.1"', b""),
        (b' id="nord.example"', b""),
        (b' type="imap"', b""),
    ],
)
def test_the_schema_finds_what_is_not_valid(written: bytes, instead: bytes) -> None:
    spoilt = autoconfig(SERVERS, "nord.example").replace(written, instead)
    assert not SCHEMA.validate(etree.fromstring(spoilt))


def test_a_long_domain_is_shortened_to_whole_labels_for_people() -> None:
    domain = f"{'a' * 30}.{'b' * 30}.gruppe.nord.example"
    document = etree.fromstring(autoconfig(SERVERS, domain))
    assert document.findtext("emailProvider/domain") == domain
    assert document.findtext("emailProvider/displayName") == f"{'b' * 30}.gruppe.nord.example"
    assert document.findtext("emailProvider/displayShortName") == "gruppe.nord.example"
