"""A booking in one statement, for PostgreSQL: a function in which every step of it stands, from the locks to the answer.

What `resolvers.booking` and `models.bookings` do step by step costs a way to the database and back for each. In here the steps
are the same and come in the same order. Each statement of the function sees what was committed before that statement began, as
each statement of a transaction does, so what is read after a lock is what holds under the lock.

The clock is read before, by whoever calls: the moment is then still later than every other at the mailbox, since it is made from
`last_moment` too, which is read under the mailbox's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import bookings, clock, visibility
from models.database import lock_key
from models.functions import Function
from models.mails import identity, preview, same_address, search_text
from models.notifications import telling
from models.sessions import HOLDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from models.bookings import Booked, MailContent, References
    from models.database import Database
    from models.tables.mails import MailPart

DONE, OTHER, NO_MAILBOX, NOT_ASSIGNED, NOT_SENDER = (
    "DONE",
    "OTHER",
    "NO_MAILBOX",
    "NOT_ASSIGNED",
    "NOT_SENDER",
)
"""How it comes out: the e-mail is booked now, or why it is not. OTHER is a viewer who is not, or no longer, who was said."""

_TABLES = {"a": "activities", "m": "mails"}


_PAIRS = [each.split(".") for each in visibility.ENTRY_COLUMNS.partition(", (")[0].split(", ")]
"""Table and name of each of `visibility.ENTRY_COLUMNS` but the last, `booked`."""


def _answer_columns() -> str:
    """Return the columns of an answer with their types."""
    return ", ".join(
        [*(f"{name} {_TABLES[table]}.{name}%TYPE" for table, name in _PAIRS), "booked bookings.position%TYPE"]
    )


def _of_new_mail() -> str:
    """Return the same of entries `a` that have just been made, with what was given of their e-mail."""
    names = (f"a.{name}" if table == "a" else f"given_{name}" for table, name in _PAIRS)
    return ", ".join((*names, "booked_position"))


_ENTRIES = """INSERT INTO activities (id, agency_id, mail_id, kind, direction, contact_reference, property_reference,
                    occurred_at, guarded, mailbox_id, position)
                SELECT e.id, given_agency, booked_mail, e.kind, the_direction, e.contact, e.property,
                    first_at, is_guarded, CASE WHEN is_only THEN given_box END, booked_position
                FROM unnest(given_entries, given_kinds, given_contacts, given_properties) AS e (id, kind, contact, property)
                ON CONFLICT DO NOTHING"""


_EVENT = """json_build_array(given_topic, json_build_object(
                'agency_id', given_agency, 'mail_id', booked_mail, 'position', booked_position))::text"""
"""As `resolvers.events` sends it."""

_BOOK = f"""
CREATE FUNCTION pg_temp.book(
    given_session uuid, given_actor uuid, given_agency uuid, given_login text, given_role text, given_activity_read_level text,
    given_agents_log_read_level text, given_agency_lock bigint, given_box uuid, given_clock timestamptz,
    given_part text, given_sending_address text,
    given_mail uuid, given_identity text, given_message_id text, given_sender text, given_recipients text, given_subject text,
    given_preview text, given_remark text, given_fold_search text, given_mail_date timestamptz, given_addresses text[],
    given_booking uuid, given_entries uuid[], given_kinds text[], given_contacts text[], given_properties text[],
    given_unreferenced boolean, given_topic text
) RETURNS TABLE ({HOLDS} boolean, outcome text, booked_mail uuid, booked_position smallint, {_answer_columns()})
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $book$
#variable_conflict use_column
DECLARE
    the_box record;
    the_moment timestamptz;
    the_direction text;
    first_at timestamptz;
    is_guarded boolean;
    is_new boolean;
    is_only boolean;
    is_shown boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(given_agency_lock);
    PERFORM 1 FROM users u
        WHERE u.id = given_actor AND u.state = 'ACTIVE' AND u.agency_id = given_agency
            AND u.login = given_login AND u.role = given_role AND u.activity_read_level = given_activity_read_level
            AND u.agents_log_read_level = given_agents_log_read_level
        FOR SHARE OF u;
    -- By itself: together with the user it would be read as it was before that row was waited for.
    {HOLDS} := FOUND AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = given_session AND s.user_id = given_actor
        AND s.ended_at IS NULL AND s.expires_at > given_clock);
    IF NOT {HOLDS} THEN
        outcome := '{OTHER}';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT o.id, o.address, o.last_moment, o.vip INTO the_box FROM mailboxes o
        WHERE o.id = given_box AND o.agency_id = given_agency FOR NO KEY UPDATE;
    outcome := CASE
        WHEN NOT FOUND THEN '{NO_MAILBOX}'
        WHEN NOT EXISTS (SELECT 1 FROM assignments s
            WHERE s.mailbox_id = given_box AND s.user_id = given_actor AND s.until IS NULL) THEN '{NOT_ASSIGNED}'
        WHEN given_part = 'SENDING' AND given_sending_address <> the_box.address THEN '{NOT_SENDER}'
        ELSE '{DONE}' END;
    IF outcome <> '{DONE}' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    booked_mail := given_mail;
    booked_position := 1;
    INSERT INTO mails (id, agency_id, identity, message_id, sender, recipients, subject, preview, remark, fold_search, mail_date)
        VALUES (given_mail, given_agency, given_identity, given_message_id, given_sender, given_recipients, given_subject,
            given_preview, given_remark, given_fold_search, given_mail_date) ON CONFLICT DO NOTHING;
    is_new := FOUND;
    IF NOT is_new THEN
        SELECT m.id INTO STRICT booked_mail FROM mails m
            WHERE m.agency_id = given_agency AND m.identity = given_identity FOR NO KEY UPDATE;
        SELECT CASE WHEN bool_or(b.mailbox_id = given_box) THEN NULL ELSE coalesce(max(b.position), 0) + 1 END
            INTO booked_position FROM bookings b WHERE b.mail_id = booked_mail;
    END IF;
    IF booked_position IS NOT NULL THEN
        the_moment := greatest(given_clock, the_box.last_moment + interval '1 microsecond');
        UPDATE mailboxes SET last_moment = the_moment WHERE id = given_box;
        INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, user_id, position)
            VALUES (given_booking, given_agency, booked_mail, given_box, given_part, the_moment, given_actor, booked_position);
        IF is_new THEN
            INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position)
                VALUES (given_agency, booked_mail, given_box, 1);
            INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position)
                SELECT given_agency, booked_mail, o.id, 1 FROM mailboxes o
                WHERE o.agency_id = given_agency AND o.address = ANY(given_addresses) AND o.id <> given_box;
            is_guarded := the_box.vip OR (FOUND AND {bookings.has_vip("booked_mail")});
            is_only := true;
            first_at := the_moment;
            the_direction := CASE given_part WHEN 'SENDING' THEN 'OUTGOING' ELSE 'INCOMING' END;
        ELSE
            INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position)
                VALUES (given_agency, booked_mail, given_box, booked_position) ON CONFLICT DO NOTHING;
            SELECT count(*) = 1, min(b.decisive_at), CASE WHEN count(DISTINCT b.part) > 1 THEN 'INTERNAL'
                    WHEN min(b.part) = 'SENDING' THEN 'OUTGOING' ELSE 'INCOMING' END
                INTO is_only, first_at, the_direction FROM bookings b WHERE b.mail_id = booked_mail;
            is_guarded := {bookings.has_vip("booked_mail")};
            UPDATE activities SET direction = the_direction, occurred_at = first_at, guarded = is_guarded,
                    mailbox_id = CASE WHEN is_only THEN given_box END
                WHERE mail_id = booked_mail;
        END IF;
        IF is_new THEN
            RETURN QUERY WITH a AS ({_ENTRIES} RETURNING *)
                SELECT {HOLDS}, outcome, booked_mail, booked_position, {_of_new_mail()} FROM a
                WHERE {visibility.shown_to_booker("given_activity_read_level", "given_agents_log_read_level")}
                ORDER BY {visibility.ORDER_OF_MAIL};
            is_shown := FOUND;
        ELSIF booked_position = 1 OR NOT given_unreferenced THEN
            {_ENTRIES};
        END IF;
        IF NOT is_only THEN
            {"; ".join(bookings.audience("booked_mail"))};
        END IF;
        IF given_topic IS NOT NULL THEN
            {telling(_EVENT)}
        END IF;
    END IF;

    IF NOT is_new THEN
        RETURN QUERY SELECT {HOLDS}, outcome, booked_mail, booked_position, seen.*
            FROM ({visibility.of_mail("given_actor", "booked_mail")}) seen;
        is_shown := FOUND;
    END IF;
    IF NOT is_shown THEN
        RETURN NEXT;
    END IF;
END $book$
"""

BOOK = Function("book", _BOOK, parameters=30)
"""Parameters in the order in which `book` gives them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be booked, where, and by whom: `viewer` is what `sessions.viewer` gave, in the order of its columns."""

    session_id: UUID
    viewer: Sequence[Any]
    agency_id: UUID
    mailbox_id: UUID
    part: MailPart
    content: MailContent
    references: References


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it came out. `rows` are the entries that the user may see, where it is DONE: `visibility.ENTRY_COLUMNS`."""

    outcome: str
    booked: Booked
    rows: Sequence[Mapping[str, Any]]


async def book(
    database: Database, wanted: Wanted, topic: str | None, then: Callable[[Booked], None]
) -> Outcome:
    """Book an e-mail at a mailbox that the user is assigned to now, and tell of it, in one transaction.

    Whoever attends hears of `topic` with the commit; without one, `then` is called after it, where a booking was made.
    """
    content, references = wanted.content, wanted.references
    entries = bookings.entries_of(references)

    def finish(rows: Sequence[Mapping[str, Any]]) -> None:
        made = _booked(rows)
        if made.position is not None:
            then(made)

    rows = await database.call(
        BOOK,
        wanted.session_id,
        *wanted.viewer,
        lock_key(wanted.agency_id),
        wanted.mailbox_id,
        clock.now(),
        wanted.part.value,
        same_address(content.sender),
        uuid4(),
        identity(content.message_id, content.sender, content.recipients, content.subject, content.text),
        content.message_id,
        content.sender,
        "\n".join(content.recipients),
        content.subject,
        preview(content.text),
        content.text,
        search_text(content.subject, content.text, content.sender, content.recipients),
        content.mail_date,
        content.addresses,
        uuid4(),
        [uuid4() for _ in entries],
        [kind.value for kind, _, _ in entries],
        [contact for _, contact, _ in entries],
        [property_ for _, _, property_ in entries],
        not (references.contacts or references.properties),
        topic,
        then=finish,
    )
    outcome = rows[0]["outcome"]
    return Outcome(outcome, _booked(rows), [row for row in rows if row["id"] is not None])


def _booked(rows: Sequence[Mapping[str, Any]]) -> Booked:
    return bookings.Booked(rows[0]["booked_mail"], rows[0]["booked_position"])
