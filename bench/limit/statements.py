"""Statements written by hand that return a finished answer: for each operation one, with the same visibility.

They share no code with `models.visibility`. `$1` is the viewer.
"""

from __future__ import annotations

PAGE = 50


def global_id(kind: int, column: str) -> str:
    """Return a global id: URL-safe base64 of a byte for the kind and the sixteen of the UUID."""
    encoded = f"encode('\\x0{kind}'::bytea || uuid_send({column}), 'base64')"
    return f"left(replace(replace({encoded}, '+', '-'), '/', '_'), 23)"


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
    # Literals that meet are one.
    return f"('{{{pairs} || '}}')".replace("' || '", "")


def listed(value: str, order: str) -> str:
    """Return a JSON list of what an aggregate sees, null of nothing."""
    return f"'[' || string_agg({value}, ',' ORDER BY {order}) || ']'"


PERSON = made(id=quoted(global_id(1, "p.id")), firstName=text("p.first_name"), lastName=text("p.last_name"))
BOOKING = made(
    part=quoted("b.part"),
    mailbox=made(id=quoted(global_id(3, "o.id")), address=text("o.address")),
    user=optional(PERSON),
)
_BOOKED = """FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id
    LEFT JOIN users p ON p.id = b.user_id WHERE b.mail_id = a.mail_id"""
BOOKINGS = f"(SELECT {listed(BOOKING, 'b.decisive_at, o.address')} {_BOOKED})"
ONE_OR_MORE = f"""CASE WHEN a.mailbox_id IS NULL THEN {BOOKINGS}
    ELSE (SELECT '[' || {BOOKING} || ']' {_BOOKED} AND b.mailbox_id = a.mailbox_id) END"""
"""The same for many entries, most of which have one booking: to collect and sort that one takes longer than to write it."""
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
PERMITS_ALL = f"""u.state = 'ACTIVE' AND u.agency_id = a.agency_id AND (NOT a.guarded OR {AUDIENCE.format(who="= u.id")})"""
"""What is left of it for a user who reads all entries."""

BELOW = "({moment}, {identifier}) < ($2::timestamptz, $3::uuid)"
CUT = f"ORDER BY 1 DESC, 2 DESC LIMIT {PAGE + 1}"

COLUMNS = "a.mail_id, a.mailbox_id, a.kind, a.direction, a.guarded, a.contact_reference, a.property_reference"
"""What is read of an entry beside its place."""

_OPEN = " UNION ALL ".join(
    f"""(SELECT a.occurred_at, a.id, {COLUMNS} FROM activities a
    WHERE a.agency_id = $4::uuid AND a.kind = '{kind}' AND NOT a.guarded
    AND {BELOW.format(moment="a.occurred_at", identifier="a.id")} {CUT})"""
    for kind in ("ACTIVITY", "AGENTS_LOG")
)
_STORED = " UNION ALL ".join(
    f"""(SELECT r.occurred_at, r.activity_id AS id FROM activity_readers r
    WHERE r.user_id = $1 AND r.guarded AND r.kind = '{kind}'
    AND {BELOW.format(moment="r.occurred_at", identifier="r.activity_id")} {CUT})"""
    for kind in ("ACTIVITY", "AGENTS_LOG")
)
_GUARDED = f"""
    {_STORED} UNION ALL
    (SELECT f.occurred_at, f.id FROM assignments s CROSS JOIN LATERAL (
        SELECT a.occurred_at, a.id FROM activities a WHERE a.mailbox_id = s.mailbox_id AND a.guarded AND a.occurred_at >= s.since
        AND (a.occurred_at, a.id) < (
            CASE WHEN s.until <= $2::timestamptz THEN s.until ELSE $2::timestamptz END,
            CASE WHEN s.until <= $2::timestamptz THEN '00000000-0000-0000-0000-000000000000' ELSE $3::uuid END) {CUT}
    ) f WHERE s.user_id = $1)"""
READS_ALL = f"""SELECT x.* FROM ({_OPEN} UNION ALL (
    SELECT k.occurred_at, k.id, {COLUMNS} FROM (SELECT x.occurred_at, x.id FROM ({_GUARDED}) x {CUT}) k
    JOIN activities a ON a.id = k.id ORDER BY 1 DESC, 2 DESC)) x {CUT}"""
"""The page of whoever reads all entries: the open ones of both kinds, and the guarded ones of the viewer's periods.

An open entry comes from an index with its place, as far as the page goes; a guarded one is looked up when its place is there.
"""

READS_SOME = f"""
    SELECT a.occurred_at, a.id, {COLUMNS} FROM activities a JOIN users u ON u.id = $1 WHERE a.agency_id = $4::uuid
    AND {BELOW.format(moment="a.occurred_at", identifier="a.id")} AND {PERMITS} {CUT}"""
"""The page of anybody, linear in what is not visible: right, and not meant to be quick."""


def last(column: str) -> str:
    """Return a column of the last row of page `z`, whose row after that only says that there is more; its rows are in order."""
    return f"(array_agg(z.{column}))[least(count(*), {PAGE})]"


def page(one: str, end_cursor: str) -> str:
    """Return the nodes of page `z`, each with its JSON as `one`, and where it ends."""
    info = made(hasNextPage=f"(count(*) > {PAGE})::text", endCursor=optional(quoted(end_cursor)))
    return made(nodes=f"'[' || coalesce(string_agg({one}, ','), '') || ']'", pageInfo=info)


def on_page(value: str, order: str) -> str:
    """Return what is written of those rows only that are on the page."""
    return f"CASE WHEN row_number() OVER (ORDER BY {order}) <= {PAGE} THEN {value} END"


def feed(entries: str) -> str:
    """Return Q1 and Q4: `$2` and `$3` are the cursor, `$4` the agency."""
    order = "a.occurred_at DESC, a.id DESC"
    end_cursor = cursor(instant(last("occurred_at")), f"{last('id')}::text")
    entry = made(**ENTRY_VALUES, bookings=ONE_OR_MORE)
    return f"""
SELECT {made(data=made(activities=page("z.entry", end_cursor)))} FROM (
    SELECT a.occurred_at, a.id, {on_page(entry, order)} AS entry FROM ({entries}) a JOIN mails m ON m.id = a.mail_id
    WHERE (SELECT state FROM users WHERE id = $1) = 'ACTIVE' ORDER BY {order}) z"""


FEED_ALL, FEED_SOME = feed(READS_ALL), feed(READS_SOME)


def activity(permits: str) -> str:
    """Return Q3: `$2` is the entry."""
    entry = made(**ENTRY_VALUES, bookings=BOOKINGS, remark=text("m.remark"))
    return f"""
SELECT '{{"data":{{"node":' || coalesce((
    SELECT {entry} FROM activities a JOIN mails m ON m.id = a.mail_id JOIN users u ON u.id = $1 WHERE a.id = $2 AND {permits}
), 'null') || '}}}}'"""


ACTIVITY_ALL, ACTIVITY_SOME = activity(PERMITS_ALL), activity(PERMITS)

ASSIGNED = f"""CASE WHEN (SELECT administers FROM me)
    OR EXISTS (SELECT FROM assignments w WHERE w.mailbox_id = q.id AND w.user_id = $1 AND w.until IS NULL)
THEN '{{"nodes":[' || (SELECT coalesce(string_agg({PERSON}, ','), '') FROM (
    SELECT u.id, u.first_name, u.last_name FROM assignments s JOIN users u ON u.id = s.user_id
    WHERE s.mailbox_id = q.id AND s.until IS NULL ORDER BY u.fold_name, u.login LIMIT {PAGE}) p) || ']}}' ELSE 'null' END"""
MAILBOX = made(
    id=quoted(global_id(3, "q.id")),
    address=text("q.address"),
    vip="q.vip::text",
    active="q.active::text",
    assignedUsers=ASSIGNED,
)
MAILBOXES = f"""
WITH me AS MATERIALIZED (
    SELECT agency_id, role = 'ADMINISTRATOR' AS administers FROM users WHERE id = $1 AND state = 'ACTIVE'
)
SELECT {made(data=made(mailboxes=page("z.mailbox", cursor(last("address")))))} FROM (
    SELECT q.address, {on_page(MAILBOX, "q.address")} AS mailbox FROM mailboxes q
    WHERE q.agency_id = (SELECT agency_id FROM me) ORDER BY q.address LIMIT {PAGE + 1}) z"""
"""Q2."""
