"""Export: the whole world as JSON Lines in the import's format, what is referred to first.

Equal contents give equal lines: nothing in them or in their order depends on ids. The audit, sessions, letters and the events
of mailboxes stay behind. Users' passwords go as their hashes, those of mailboxes as hashes and sealed tokens, with the logins
of those who know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from models import snapshot
from models.mails import addressed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from models.database import Statements


async def lines(statements: Statements) -> AsyncIterator[tuple[str, bytes]]:
    """Return the type and the text of each line, with its line break.

    `statements` are those of a `models.snapshot`. E-mails are read some at a time: any number of them needs the same memory.
    """
    async for line in _lines(statements):
        yield line["type"], orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


async def _lines(statements: Statements) -> AsyncIterator[dict[str, Any]]:
    found = [_Agency(statements, row) for row in await snapshot.agencies(statements)]
    for agency in found:
        yield await agency.line()
    for row in await snapshot.users(statements, None):
        yield _user(None, row, [])
    for part in (_Agency.users, _Agency.mailboxes, _Agency.assignments, _Agency.mails):
        for agency in found:
            async for line in part(agency):
                yield line


class _Agency:
    """Writes the lines of one agency, type by type."""

    def __init__(self, statements: Statements, row: Mapping[str, Any]) -> None:
        self._statements = statements
        self._row = row
        self._id: UUID = row["id"]
        self._logins: dict[UUID, str] = {}
        self._addresses: dict[UUID, str] = {}

    async def line(self) -> dict[str, Any]:
        row = self._row
        contact = {"name": row["contact_name"], "email": row["contact_email"], "phone": row["contact_phone"]}
        return {
            "type": "agency",
            "key": row["key"],
            "name": row["name"],
            "domains": await snapshot.domains(self._statements, self._id),
            "modules": await snapshot.modules(self._statements, self._id),
            "accountManager": None if row["contact_name"] is None else contact,
            **({"passwordsInLetters": True} if row["passwords_in_letters"] else {}),
        }

    async def users(self) -> AsyncIterator[dict[str, Any]]:
        groups = await snapshot.office_groups(self._statements, self._id)
        for row in await snapshot.users(self._statements, self._id):
            self._logins[row["id"]] = row["login"]
            yield _user(self._row["key"], row, groups.get(row["id"], []))

    async def mailboxes(self) -> AsyncIterator[dict[str, Any]]:
        knowers = await snapshot.password_knowers(self._statements, self._id)
        for row in await snapshot.mailboxes(self._statements, self._id):
            self._addresses[row["id"]] = row["address"]
            stops_at = row["receiving_stops_at"]
            line = {
                "type": "mailbox",
                "agency": self._row["key"],
                "address": row["address"],
                "emailName": row["email_name"],
                "vip": row["vip"],
                "active": row["active"],
                "automaticBooking": row["automatic_booking"],
            }
            if not row["active"] and stops_at is not None:
                line["receivingStopsAt"] = _instant(stops_at)
            yield line | _mailbox_password(row, knowers.get(row["id"], []))

    async def assignments(self) -> AsyncIterator[dict[str, Any]]:
        for mailbox_id, address in self._addresses.items():
            for row in await snapshot.assignments(self._statements, mailbox_id):
                yield {
                    "type": "assignment",
                    "mailbox": address,
                    "user": row["login"],
                    "from": _instant(row["since"]),
                    "until": _instant(row["until"]),
                }

    async def mails(self) -> AsyncIterator[dict[str, Any]]:
        ids = {address: mailbox_id for mailbox_id, address in self._addresses.items()}
        async for some in snapshot.mails(self._statements, self._id):
            for row in some.rows:
                mail_id = row["id"]
                recipients = row["recipients"].split("\n") if row["recipients"] else []
                addresses = addressed((row["sender"], *recipients))
                later = [
                    address
                    for address in sorted(addresses & ids.keys())
                    if ids[address] not in some.mailboxes[mail_id]
                ]
                yield {
                    "type": "mail",
                    "agency": self._row["key"],
                    "messageId": row["message_id"],
                    "sender": row["sender"],
                    "recipients": recipients,
                    "subject": row["subject"],
                    "text": row["remark"],
                    "mailDate": _instant(row["mail_date"]),
                    "bookings": self._bookings(some.bookings[mail_id]),
                    **_entries(some.entries[mail_id]),
                    **({"laterMailboxes": later} if later else {}),
                }

    def _bookings(self, rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "mailbox": self._addresses[row["mailbox_id"]],
                "part": row["part"],
                "decisiveAt": _instant(row["decisive_at"]),
                "user": None if row["user_id"] is None else self._logins[row["user_id"]],
            }
            for row in sorted(rows, key=lambda row: (row["decisive_at"], self._addresses[row["mailbox_id"]]))
        ]


def _user(agency: str | None, row: Mapping[str, Any], groups: list[str]) -> dict[str, Any]:
    return {
        "type": "user",
        "agency": agency,
        "login": row["login"],
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "email": row["email"],
        "emailName": row["email_name"],
        "language": row["language"],
        "role": row["role"],
        "state": row["state"],
        "officeGroups": groups,
        "activityReadLevel": row["activity_read_level"],
        "agentsLogReadLevel": row["agents_log_read_level"],
        "passwordHash": row["password_hash"],
        "passwordChangeRequired": row["password_change_required"],
    }


def _mailbox_password(row: Mapping[str, Any], known_by: list[str]) -> dict[str, Any]:
    """Return the keys of a mailbox's password; one that comes from before passwords has none yet."""
    if row["version"] is None:
        return {}
    return {
        "passwordHash": row["hash"],
        "passwordSealed": row["sealed"],
        "passwordVersion": row["version"],
        "passwordChangedAt": _instant(row["changed_at"]),
        **({"passwordKnownBy": known_by} if known_by else {}),
    }


def _entries(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    contacts = sorted(row["contact_reference"] for row in rows if row["contact_reference"] is not None)
    properties = sorted(row["property_reference"] for row in rows if row["property_reference"] is not None)
    # An e-mail without references has one entry; with them it has one for each, and that one only from an earlier booking.
    stands_alone = bool(contacts or properties) and len(rows) > len(contacts) + len(properties)
    return {"contactReferences": contacts, "propertyReferences": properties} | (
        {"activityWithoutContact": True} if stands_alone else {}
    )


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
