"""A real Thunderbird finds its servers by nothing but an address, at a real server that it takes for every host's."""

from pathlib import Path

import pytest

from tests import command
from tests.mail.client_setup.thunderbird import Thunderbird

SETTINGS = {
    "POSTFACH_IMAP": "imap.mail.example:993:tls",
    "POSTFACH_POP3": "pop3.mail.example:110:starttls",
    "POSTFACH_SUBMISSION": "smtp.mail.example:587:starttls",
}


@pytest.fixture
def database_kind() -> str:
    """No database is asked."""
    return "sqlite"


@pytest.mark.timeout(300)
def test_thunderbird_finds_the_servers_of_any_address(environment: dict[str, str], tmp_path: Path) -> None:
    with (
        command.Server({**environment, **SETTINGS}, tmp_path) as server,
        Thunderbird(tmp_path, server.port) as thunderbird,
    ):
        for address in ("anna@nord.example", "nobody@sued.example"):
            assert thunderbird.look_for(address) == {
                "isComplete": True,
                "incoming": [
                    ["imap", "imap.mail.example", 993, "SSL", "passwordCleartext", address],
                    ["pop3", "pop3.mail.example", 110, "alwaysSTARTTLS", "passwordCleartext", address],
                ],
                "outgoing": [
                    "smtp",
                    "smtp.mail.example",
                    587,
                    "alwaysSTARTTLS",
                    "passwordCleartext",
                    address,
                ],
            }
