"""A small world in the import format, line by line, to be imported and to be spoilt."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from models.database import Database
from resolvers.hashing import Hasher
from resolvers.importing import LineRefusedError, Summary, bring
from tests import evidence
from tests.oracle.world import CHEAP_HASH
from tests.surroundings import SEALS

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
Line = dict[str, Any]


def at(hours: float, microseconds: int = 0) -> str:
    """So many hours after noon, as the import writes it."""
    moment = NOON + timedelta(hours=hours, microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")


def agency(**changes: object) -> Line:
    return {"type": "agency", "key": "nord", "name": "Nord", "domains": ["nord.example"], **changes}


def user(login: str | None = "new@nord.example", **changes: object) -> Line:
    plain: Line = {"agency": "nord", "firstName": "Kim", "lastName": "Muster", "passwordHash": CHEAP_HASH}
    return {"type": "user", "login": login, **plain, **changes}


def mailbox(address: str = "new@nord.example", **changes: object) -> Line:
    return {"type": "mailbox", "agency": "nord", "address": address, **changes}


def assignment(**changes: object) -> Line:
    plain: Line = {"mailbox": "info@nord.example", "user": "anna@nord.example", "from": at(0)}
    return {"type": "assignment", **plain, **changes}


def booking(**changes: object) -> Line:
    return {"mailbox": "info@nord.example", "part": "RECEIVING", "decisiveAt": at(1), **changes}


def mail(*bookings: Line, **changes: object) -> Line:
    plain: Line = {
        "agency": "nord",
        "messageId": "m1@portal.example",
        "sender": "buyer@web.example",
        "recipients": ["info@nord.example"],
        "subject": "Haus",
        "text": "Guten Tag",
        "bookings": list(bookings) or [booking()],
    }
    return {"type": "mail", **plain, **changes}


WORLD = (
    agency(modules=["VIP_MAILBOXES"]),
    agency(key="west", name="West", domains=["west.example"]),
    user("anna@nord.example", officeGroups=["sales"]),
    user("bert@nord.example"),
    user("wanda@west.example", agency="west"),
    user("kern@provider.example", agency=None, role="ACCOUNT_MANAGER"),
    mailbox("chef@nord.example", vip=True),
    mailbox("info@nord.example"),
    mailbox("box@west.example", agency="west"),
    assignment(mailbox="chef@nord.example", until=at(2)),
    assignment(user="bert@nord.example"),
    assignment(mailbox="box@west.example", user="wanda@west.example"),
    mail(booking(user="bert@nord.example"), contactReferences=["K-1"]),
)
"""Two agencies: anna was at chef@ (VIP) for two hours, bert is at info@, where he read an e-mail after an hour."""


def written(lines: Iterable[Line | bytes]) -> list[bytes]:
    """The lines as bytes; those that are bytes already stay as they are."""
    return [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]


async def take(database: Database, *lines: Line | bytes) -> Summary:
    """Imports these lines in one unit of work."""
    hasher = Hasher()
    for line in written(lines):
        evidence.brought(line, "a password in an import")
    try:
        return await database.transact(lambda unit: bring(unit, written(lines), hasher, SEALS))
    except LineRefusedError as refused:
        evidence.keep(str(refused), "the refusal of a line")
        raise
    finally:
        hasher.close()
