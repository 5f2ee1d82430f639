"""Statements written by hand that return a finished answer: for each operation one, with the same visibility.

They share no code with `models.visibility`. `$1` is the viewer.
"""

from __future__ import annotations

PAGE = 50


def global_id(kind: int, column: str) -> str:
    """Return a global id: URL-safe base64 of a byte for the kind and the sixteen of the UUID."""
    encoded = f"encode('\\x0{kind}'::bytea || uuid_send({column}), 'base64')"
    return f"left(translate({encoded}, '+/', '-_'), 23)"


def instant(column: str, *, seconds: bool = False) -> str:
    """Return an instant as text; `seconds` where it never has microseconds."""
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS{"" if seconds else ".US"}"Z"')"""


def cursor(*columns: str) -> str:
    """Return a cursor: URL-safe base64, without padding, of a JSON list of texts."""
    listed = " || '\",\"' || ".join(columns)
    encoded = f"encode(convert_to('[\"' || {listed} || '\"]', 'UTF8'), 'base64')"
    return f"translate({encoded}, E'+/=\\n', '-_')"


def text(column: str) -> str:
    """Return any text as JSON; null, which makes the whole of what it is joined to null, where it is null."""
    return f"to_json({column})::text"


def quoted(expression: str) -> str:
    """Return a text that needs no escape as JSON; null where it is null."""
    return f"'\"' || {expression} || '\"'"


def optional(value: str) -> str:
    """Return JSON that is there even where the value is null."""
    return f"coalesce({value}, 'null')"


def made(**values: str) -> str:
    """Return a JSON object, written by joining texts: two thirds of what `json_build_object` costs."""
    pairs = " || ',".join(f'"{name}":\' || {value}' for name, value in values.items())
    return f"('{{{pairs} || '}}')"


def listed(value: str, order: str) -> str:
    """Return a JSON list of what an aggregate sees, null of nothing."""
    return f"'[' || string_agg({value}, ',' ORDER BY {order}) || ']'"


PERSON = made(id=quoted(global_id(1, "p.id")), firstName=text("p.first_name"), lastName=text("p.last_name"))
BOOKING = made(
    part=quoted("b.part"),
    mailbox=made(id=quoted(global_id(3, "o.id")), address=text("o.address")),
    user=optional(PERSON),
)
BOOKINGS = f"""(SELECT {listed(BOOKING, "b.decisive_at, o.address")} FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id
    LEFT JOIN users p ON p.id = b.user_id WHERE b.mail_id = a.mail_id)"""
ENTRY_VALUES = {
    "id": quoted(global_id(6, "a.id")),
    "kind": quoted("a.kind"),
    "direction": quoted("a.direction"),
    "subject": text("m.subject"),
    "preview": text("m.preview"),
    "sender": text("m.sender"),
    "messageId": text("m.message_id"),
    "mailDate": optional(quoted(instant("m.mail_date", seconds=True))),
    "occurredAt": quoted(instant("a.occurred_at")),
    "vip": "a.guarded::text",
    "contactReference": optional(text("a.contact_reference")),
    "propertyReference": optional(text("a.property_reference")),
    "bookings": BOOKINGS,
}

AUDIENCE = """EXISTS (
    SELECT FROM bookings b JOIN assignments s ON s.mailbox_id = b.mailbox_id
    AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until)
    WHERE b.mail_id = a.mail_id AND s.user_id {who}
)"""
MATES = """IN (
    SELECT y.user_id FROM office_group_members x JOIN office_group_members y ON y.group_id = x.group_id WHERE x.user_id = u.id
)"""
LEVEL = "CASE a.kind WHEN 'ACTIVITY' THEN u.activity_read_level ELSE u.agents_log_read_level END"
PERMITS = f"""u.state = 'ACTIVE' AND u.agency_id = a.agency_id AND CASE
    WHEN a.guarded OR {LEVEL} = 'OWN' THEN {AUDIENCE.format(who="= u.id")}
    WHEN {LEVEL} = 'ALL' THEN true
    WHEN {LEVEL} = 'OFFICE_GROUP' THEN {AUDIENCE.format(who="= u.id")} OR {AUDIENCE.format(who=MATES)}
    ELSE {LEVEL} <> 'NOTHING' AND {AUDIENCE.format(who="= u.id")} END"""
"""The rule as a condition on entry `a` for user `u`."""

BELOW = "({moment}, {identifier}) < ($2::timestamptz, $3::uuid)"
CUT = f"ORDER BY 1 DESC, 2 DESC LIMIT {PAGE + 1}"

_OPEN = " UNION ALL ".join(
    f"""(SELECT a.occurred_at, a.id FROM activities a WHERE a.agency_id = $4::uuid AND a.kind = '{kind}' AND NOT a.guarded
    AND {BELOW.format(moment="a.occurred_at", identifier="a.id")} {CUT})"""
    for kind in ("ACTIVITY", "AGENTS_LOG")
)
_STORED = " UNION ALL ".join(
    f"""(SELECT r.occurred_at, r.activity_id FROM activity_readers r WHERE r.user_id = $1 AND r.guarded AND r.kind = '{kind}'
    AND {BELOW.format(moment="r.occurred_at", identifier="r.activity_id")} {CUT})"""
    for kind in ("ACTIVITY", "AGENTS_LOG")
)
READS_ALL = f"""
    {_OPEN} UNION ALL {_STORED} UNION ALL
    (SELECT f.occurred_at, f.id FROM assignments s CROSS JOIN LATERAL (
        SELECT a.occurred_at, a.id FROM activities a WHERE a.mailbox_id = s.mailbox_id AND a.guarded AND a.occurred_at >= s.since
        AND (a.occurred_at, a.id) < (
            CASE WHEN s.until <= $2::timestamptz THEN s.until ELSE $2::timestamptz END,
            CASE WHEN s.until <= $2::timestamptz THEN '00000000-0000-0000-0000-000000000000' ELSE $3::uuid END) {CUT}
    ) f WHERE s.user_id = $1)"""
"""The page of whoever reads all entries: the open ones of both kinds, and the guarded ones of the viewer's periods."""

READS_SOME = f"""
    SELECT a.occurred_at, a.id FROM activities a JOIN users u ON u.id = $1 WHERE a.agency_id = $4::uuid
    AND {BELOW.format(moment="a.occurred_at", identifier="a.id")} AND {PERMITS}"""
"""The page of anybody, linear in what is not visible: right, and not meant to be quick."""


def last(column: str) -> str:
    """Return a column of the last row of page `z`, whose row after that only says that there is more."""
    return f"(array_agg(z.{column} ORDER BY z.place))[least(count(*), {PAGE})]"


def page_info(end_cursor: str) -> str:
    """Return where page `z` ends."""
    return made(hasNextPage=f"(count(*) > {PAGE})::text", endCursor=optional(quoted(end_cursor)))


def feed(page: str) -> str:
    """Return Q1 and Q4: `$2` and `$3` are the cursor, `$4` the agency."""
    end_cursor = cursor(instant(last("occurred_at")), f"{last('id')}::text")
    return f"""
WITH page AS MATERIALIZED (
    SELECT y.occurred_at, y.id, row_number() OVER (ORDER BY y.occurred_at DESC, y.id DESC) AS place
    FROM (SELECT x.occurred_at, x.id FROM ({page}) x {
        CUT
    }) y WHERE (SELECT state FROM users WHERE id = $1) = 'ACTIVE'
)
SELECT '{{"data":' || {
        made(
            activities=made(
                nodes=f"coalesce((SELECT {listed(made(**ENTRY_VALUES), 'z.place')} FROM page z JOIN activities a ON a.id = z.id "
                f"JOIN mails m ON m.id = a.mail_id WHERE z.place <= {PAGE}), '[]')",
                pageInfo=f"(SELECT {page_info(end_cursor)} FROM page z)",
            )
        )
    } || '}}'"""


FEED_ALL, FEED_SOME = feed(READS_ALL), feed(READS_SOME)

ACTIVITY = f"""
SELECT '{{"data":{{"node":' || coalesce((
    SELECT {made(**ENTRY_VALUES, remark=text("m.remark"))} FROM activities a JOIN mails m ON m.id = a.mail_id
    JOIN users u ON u.id = $1 WHERE a.id = $2 AND {PERMITS}
), 'null') || '}}}}'"""
"""Q3: `$2` is the entry."""

ASSIGNED = f"""CASE WHEN me.administers
    OR EXISTS (SELECT FROM assignments w WHERE w.mailbox_id = q.id AND w.user_id = me.id AND w.until IS NULL)
THEN '{{"nodes":' || coalesce((SELECT {listed(PERSON, "p.fold_name, p.login")} FROM (
    SELECT u.* FROM assignments s JOIN users u ON u.id = s.user_id
    WHERE s.mailbox_id = q.id AND s.until IS NULL ORDER BY u.fold_name, u.login LIMIT {PAGE}) p), '[]') || '}}' ELSE 'null' END"""
MAILBOX = made(
    id=quoted(global_id(3, "q.id")),
    address=text("q.address"),
    vip="q.vip::text",
    active="q.active::text",
    assignedUsers=ASSIGNED,
)
MAILBOXES = f"""
WITH me AS MATERIALIZED (
    SELECT id, agency_id, role = 'ADMINISTRATOR' AS administers FROM users WHERE id = $1 AND state = 'ACTIVE'
),
page AS MATERIALIZED (
    SELECT o.id, o.address, o.vip, o.active, row_number() OVER (ORDER BY o.address) AS place
    FROM me JOIN mailboxes o ON o.agency_id = me.agency_id ORDER BY o.address LIMIT {PAGE + 1}
)
SELECT '{{"data":' || {
    made(
        mailboxes=made(
            nodes=f"coalesce((SELECT {listed(MAILBOX, 'q.place')} FROM me, page q WHERE q.place <= {PAGE}), '[]')",
            pageInfo=f"(SELECT {page_info(cursor(last('address')))} FROM page z)",
        )
    )
} || '}}'"""
"""Q2."""
