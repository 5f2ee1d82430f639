"""Letters to try things with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mail.letters import Letter
from mail.servers import MailServer, MailServers

TOKEN = "Zm9yLXRoZS1sZXR0ZXJzLW9mLXRoZS10ZXN0cy0wMDA"
PASSWORD = "k7Rtq-9WmXb-4hVnz-Yc3pL-d8fGs"


def letter(**changes: Any) -> Letter:  # noqa: ANN401 (whatever a letter has)
    """Return a letter in German with a link, but for what is changed."""
    base = Letter(
        language="de",
        agency="Nordlicht Immobilien",
        address="anna@nordlicht.example",
        email_name="Anna Petersen",
        requested_by="Jörg Sommer",
        to="anna@home.example",
        sender="postfach@crm.example",
        servers=MailServers(
            imap=MailServer("imap.crm.example", 993, "tls"),
            pop3=MailServer("pop3.crm.example", 995, "tls"),
            submission=MailServer("smtp.crm.example", 587, "starttls"),
        ),
        link=f"https://crm.example/credentials#{TOKEN}",
        password=None,
        expires_at=datetime(2026, 11, 28, 21, 5, tzinfo=UTC),
        public_url="https://crm.example",
        message_id="<2f7c@crm.example>",
        date=datetime(2026, 11, 25, 21, 5, tzinfo=UTC),
    )
    return replace(base, **changes)


def with_password(**changes: Any) -> Letter:  # noqa: ANN401 (whatever a letter has)
    """Return a letter with the password itself."""
    return letter(**{"link": None, "expires_at": None, "password": PASSWORD, **changes})
