"""The demonstration world: two invented agencies with a year of mail, in the import format.

`lines` gives the world for one now, `LOGINS` who can sign in to it. docs/rule.md says where to look for what.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.demonstration import texts
from server.demonstration.clock import Clock
from server.demonstration.conversations import conversations
from server.demonstration.letters import letters
from server.demonstration.people import (
    ACCOUNT_MANAGER_CONTACT,
    ALSTER,
    BOXES,
    DEMO_PASSWORD,
    NORDLICHT,
    PEOPLE,
    Box,
    Person,
)
from server.demonstration.post import Mail
from server.demonstration.roster import Roster

__all__ = ["LOGINS", "DemoLogin", "lines"]


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """Somebody who can sign in to the demonstration; `sees` is one sentence for people."""

    login: str
    password: str
    sees: str


LOGINS: Final[list[DemoLogin]] = [
    DemoLogin(login, DEMO_PASSWORD, sees) for login, sees in texts.table("logins.txt")
]

_AGENCIES: Final = (
    {
        "key": NORDLICHT,
        "name": "Nordlicht Immobilien",
        "domains": ["nordlicht.example", "nordlicht-hausverwaltung.example"],
        "modules": ["VIP_MAILBOXES", "AUTOMATIC_BOOKING"],
    },
    {"key": ALSTER, "name": "Alster Wohnwerk", "domains": ["alster.example"], "modules": []},
)
_LETTERS: Final = (
    (NORDLICHT, "boss.txt"),
    (NORDLICHT, "staff.txt"),
    (NORDLICHT, "office.txt"),
    (NORDLICHT, "internal.txt"),
    (ALSTER, "alster.txt"),
)


def lines(now: datetime) -> Iterator[str]:
    """Give the demonstration world as JSON Lines, each without a line break, what is referred to first.

    The same now, which needs an offset, gives the same lines. No moment lies after it: the oldest period
    begins 900 days before, mails reach back a little more than a year and up to some minutes before now.
    """
    for line in _world(now):
        yield json.dumps(line, ensure_ascii=False)


def _world(now: datetime) -> Iterator[dict[str, object]]:
    roster = Roster(Clock(now))
    for agency in _AGENCIES:
        yield {"type": "agency", **agency, "accountManager": ACCOUNT_MANAGER_CONTACT}
    yield _account_manager()
    for key in PEOPLE:
        yield from (_user(key, person) for person in PEOPLE[key])
        yield from (_mailbox(key, box) for box in BOXES[key])
    for period in roster.periods:
        yield {
            "type": "assignment",
            "mailbox": period.box,
            "user": period.login,
            "from": period.since.isoformat(),
            "until": period.until.isoformat() if period.until else None,
        }
    yield from (mail.line() for mail in _mails(roster))


def _mails(roster: Roster) -> list[Mail]:
    told = [mail for agency, name in _LETTERS for mail in letters(agency, name, roster)]
    return sorted([*told, *conversations(roster)], key=lambda mail: (mail.occurred, mail.message_id))


def _account_manager() -> dict[str, object]:
    return {
        "type": "user",
        "agency": None,
        "login": "kern@provider.example",
        "firstName": "Jo",
        "lastName": "Kern",
        "role": "ACCOUNT_MANAGER",
        "password": DEMO_PASSWORD,
    }


def _user(agency: str, person: Person) -> dict[str, object]:
    activities, agents_log = person.levels
    return {
        "type": "user",
        "agency": agency,
        "login": person.login,
        "firstName": person.first,
        "lastName": person.last,
        "email": person.email,
        "emailName": person.email_name,
        "language": person.language,
        "role": person.role,
        "state": person.state,
        "officeGroups": list(person.groups),
        "activityReadLevel": activities,
        "agentsLogReadLevel": agents_log,
        "password": DEMO_PASSWORD,
    }


def _mailbox(agency: str, box: Box) -> dict[str, object]:
    return {
        "type": "mailbox",
        "agency": agency,
        "address": box.address,
        "emailName": box.email_name,
        "vip": box.vip,
        "active": box.active,
        "automaticBooking": box.automatic,
    }
