"""The rule as a condition on one entry: for single entries, for search and for what is asked by reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.tables.mails import ActivityKind
from models.tables.users import ReadLevel

if TYPE_CHECKING:
    from uuid import UUID

    from models.json_text import JsonText

ENTRY_COLUMNS = (
    "a.id, a.agency_id, a.mail_id, a.kind, a.direction, a.contact_reference, a.property_reference, a.occurred_at, "
    "a.guarded, m.message_id, m.sender, m.recipients, m.subject, m.preview, m.mail_date, "
    "(SELECT max(n.position) FROM bookings n WHERE n.mail_id = a.mail_id) AS booked"
)
"""What is read of an entry `a` and its e-mail `m`. `booked` is the position of the newest booking at that instant: whoever reads
the bookings later leaves out those that came since, because the reader may not see the entry with them any more."""
BOOKING_COLUMNS = "b.mailbox_id, b.part, b.decisive_at, b.user_id, b.position"


def written_bookings(write: JsonText, one: str, *, of_many: bool) -> str:
    """Return the bookings of a visible entry `a` as JSON, each by an expression of booking `b`, mailbox `o` and user `p`.

    In the statement that found the entry visible: they are of the same instant. `of_many`: such a statement finds a page of
    entries. Most have one booking, and to collect and sort that one takes longer than to write it.
    """
    source = (
        "bookings b JOIN mailboxes o ON o.id = b.mailbox_id LEFT JOIN users p ON p.id = b.user_id "
        "WHERE b.mail_id = a.mail_id"
    )
    several = write.collected(one, source, "b.decisive_at, o.address")
    if not of_many:
        return several
    single = f"(SELECT '[' || {one} || ']' FROM {source} AND b.mailbox_id = a.mailbox_id)"
    return f"CASE WHEN a.mailbox_id IS NULL THEN {several} ELSE {single} END"


@dataclass(frozen=True, slots=True)
class Reader:
    """An active user of an agency, as far as the rule looks at one."""

    user_id: UUID
    agency_id: UUID
    activity_read_level: ReadLevel
    agents_log_read_level: ReadLevel

    def level(self, kind: ActivityKind) -> ReadLevel:
        """Return the read level for a kind of entry."""
        return self.activity_read_level if kind is ActivityKind.ACTIVITY else self.agents_log_read_level


def _audience(people: str, upto: str = "") -> str:
    """Return the condition that the audience of entry `a` holds one of `people`."""
    return (
        "EXISTS (SELECT 1 FROM bookings b JOIN assignments s ON s.mailbox_id = b.mailbox_id "
        f"AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until) "
        f"WHERE b.mail_id = a.mail_id AND s.user_id {people}{upto})"
    )


def _level(activity: str, agents_log: str) -> str:
    """Return the read level for the kind of entry `a`."""
    return f"CASE a.kind WHEN 'ACTIVITY' THEN {activity} ELSE {agents_log} END"


def _mates(user: str) -> str:
    """Return the condition on a user's id that it is of somebody who shares an office group with a user."""
    return (
        "IN (SELECT theirs.user_id FROM office_group_members mine "
        f"JOIN office_group_members theirs ON theirs.group_id = mine.group_id WHERE mine.user_id = {user})"
    )


def permits(guarded: str = "a.guarded", upto: str = "") -> str:
    """Return the condition that user `u` may see entry `a`.

    `guarded` and `upto` say it for an earlier day: as if the e-mail had only its first bookings.
    """
    level = _level("u.activity_read_level", "u.agents_log_read_level")
    return (
        "(u.state = 'ACTIVE' AND u.agency_id = a.agency_id AND ("
        f"(({guarded} OR {level} <> 'NOTHING') AND {_audience('= u.id', upto)}) "
        f"OR (NOT {guarded} AND {level} = 'ALL') "
        f"OR (NOT {guarded} AND {level} = 'OFFICE_GROUP' AND {_audience(_mates('u.id'), upto)})))"
    )


def permits_reader(reader: Reader, user: str, agency: str) -> str:
    """Return the condition that a reader, whose id and agency these expressions are, may see entry `a`.

    It is `permits` for an active user whose rights are known, as lists know them: what they don't need is not in the statement.
    """
    own = _audience(f"= {user}")
    conditions = {
        ReadLevel.ALL: f"(NOT a.guarded OR {own})",
        ReadLevel.OFFICE_GROUP: f"({own} OR (NOT a.guarded AND {_audience(_mates(user))}))",
        ReadLevel.OWN: own,
        ReadLevel.NOTHING: f"(a.guarded AND {own})",
    }
    levels = {kind: reader.level(kind) for kind in ActivityKind}
    if len(set(levels.values())) == 1:
        condition = conditions[reader.activity_read_level]
    else:
        condition = " OR ".join(
            f"(a.kind = '{kind}' AND {conditions[level]})" for kind, level in levels.items()
        )
    return f"(a.agency_id = {agency} AND ({condition}))"


def as_of(position: str) -> str:
    """Return the condition that user `u` may see entry `a`, were there only the bookings up to a position."""
    guarded = (
        "EXISTS (SELECT 1 FROM mail_mailboxes g JOIN mailboxes v ON v.id = g.mailbox_id "
        f"WHERE g.mail_id = a.mail_id AND g.position <= {position} AND v.vip)"
    )
    return permits(guarded, f" AND b.position <= {position}")


ORDER_OF_MAIL = "a.kind, coalesce(a.contact_reference, a.property_reference, ''), a.id"


def shown_to_booker(activity_read_level: str, agents_log_read_level: str) -> str:
    """Return the condition that whoever just made an e-mail's first booking, with these read levels, may see its entry `a`.

    It is `permits` for somebody active who is of the audience: only who is assigned to the mailbox at that moment books.
    """
    return f"(a.guarded OR {_level(activity_read_level, agents_log_read_level)} <> 'NOTHING')"
