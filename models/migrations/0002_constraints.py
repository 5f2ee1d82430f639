"""What must never be wrong, held by the database; and the indexes that the reads rely on.

- No two periods of a user at a mailbox overlap; an ended period never changes; no period is deleted.
- A booking and an e-mail never change and are never deleted; entries and mailboxes of an e-mail are never deleted.
- Addresses, logins and domains are unique whatever their case; an e-mail is one within its agency; an entry is one for each reference.
- Nothing refers across agencies.
- Deactivated is final; the audit only grows.
"""

from tortoise import migrations

from models.migration_steps import DialectSQL

INDEXES = """
CREATE UNIQUE INDEX agencies_key ON agencies (key);
CREATE INDEX agencies_fold_name ON agencies (fold_name, id);
CREATE UNIQUE INDEX domains_name_any_case ON domains (lower(name));
CREATE INDEX domains_agency ON domains (agency_id, name);
CREATE UNIQUE INDEX modules_agency_name ON modules (agency_id, name);

CREATE UNIQUE INDEX users_login ON users (login);
CREATE UNIQUE INDEX users_login_any_case ON users (lower(login));
CREATE UNIQUE INDEX users_agency_id ON users (agency_id, id);
CREATE INDEX users_agency_fold_name ON users (agency_id, fold_name, login);

CREATE UNIQUE INDEX office_groups_agency_name ON office_groups (agency_id, name);
CREATE UNIQUE INDEX office_groups_agency_id ON office_groups (agency_id, id);
CREATE UNIQUE INDEX office_group_members_once ON office_group_members (group_id, user_id);
CREATE INDEX office_group_members_user ON office_group_members (user_id, group_id);

CREATE UNIQUE INDEX mailboxes_address ON mailboxes (address);
CREATE UNIQUE INDEX mailboxes_address_any_case ON mailboxes (lower(address));
CREATE UNIQUE INDEX mailboxes_agency_id ON mailboxes (agency_id, id);
CREATE INDEX mailboxes_agency_address ON mailboxes (agency_id, address);

CREATE INDEX assignments_user ON assignments (user_id, mailbox_id, since, until);
CREATE INDEX assignments_mailbox ON assignments (mailbox_id, since, until, user_id);
CREATE UNIQUE INDEX assignments_open ON assignments (mailbox_id, user_id) WHERE until IS NULL;
CREATE INDEX mailbox_events_mailbox ON mailbox_events (mailbox_id, at DESC, id DESC);

CREATE UNIQUE INDEX mails_identity ON mails (agency_id, identity);
CREATE UNIQUE INDEX mails_agency_id ON mails (agency_id, id);
CREATE UNIQUE INDEX mail_mailboxes_once ON mail_mailboxes (mail_id, mailbox_id);
CREATE INDEX mail_mailboxes_mailbox ON mail_mailboxes (mailbox_id, mail_id);
CREATE UNIQUE INDEX bookings_once ON bookings (mail_id, mailbox_id);
CREATE INDEX bookings_mailbox ON bookings (mailbox_id, decisive_at);

CREATE UNIQUE INDEX activities_once ON activities
    (mail_id, kind, coalesce(contact_reference, ''), coalesce(property_reference, ''));
CREATE INDEX activities_open ON activities (agency_id, kind, occurred_at DESC, id DESC) WHERE NOT guarded;
CREATE INDEX activities_open_at_mailbox ON activities (mailbox_id, kind, occurred_at DESC, id DESC)
    WHERE NOT guarded AND mailbox_id IS NOT NULL;
CREATE INDEX activities_guarded_at_mailbox ON activities (mailbox_id, occurred_at DESC, id DESC)
    WHERE guarded AND mailbox_id IS NOT NULL;
CREATE INDEX activities_contact ON activities (agency_id, contact_reference, occurred_at DESC, id DESC)
    WHERE contact_reference IS NOT NULL;
CREATE INDEX activities_property ON activities (agency_id, property_reference, occurred_at DESC, id DESC)
    WHERE property_reference IS NOT NULL;
CREATE UNIQUE INDEX activity_readers_once ON activity_readers (activity_id, user_id);
CREATE INDEX activity_readers_page ON activity_readers (user_id, guarded, kind, occurred_at DESC, activity_id DESC);
CREATE UNIQUE INDEX activity_mailboxes_once ON activity_mailboxes (activity_id, mailbox_id);
CREATE INDEX activity_mailboxes_page ON activity_mailboxes (mailbox_id, guarded, kind, occurred_at DESC, activity_id DESC);

CREATE INDEX sessions_user ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX audit_events_agency ON audit_events (agency_id, at, id);
CREATE INDEX audit_events_actor ON audit_events (actor_id, action, at);
CREATE INDEX audit_events_object ON audit_events (object_id, action, at);
"""

ORDERED_TEXT = {
    "agencies": ("key", "fold_name"),
    "domains": ("name",),
    "users": ("login", "fold_name"),
    "office_groups": ("name",),
    "mailboxes": ("address",),
    "mails": ("fold_search",),
}
"""Compared by code point on PostgreSQL as on SQLite, whatever the database's collation."""

REFERENCES = {
    ("office_group_members", "group_id"): "office_groups",
    ("office_group_members", "user_id"): "users",
    ("assignments", "mailbox_id"): "mailboxes",
    ("assignments", "user_id"): "users",
    ("mailbox_events", "mailbox_id"): "mailboxes",
    ("mailbox_events", "user_id"): "users",
    ("mail_mailboxes", "mail_id"): "mails",
    ("mail_mailboxes", "mailbox_id"): "mailboxes",
    ("bookings", "mail_id"): "mails",
    ("bookings", "mailbox_id"): "mailboxes",
    ("bookings", "user_id"): "users",
    ("activities", "mail_id"): "mails",
    ("activities", "mailbox_id"): "mailboxes",
}
"""References within one agency, held together with `agency_id`."""

KEPT = (
    "users",
    "mailboxes",
    "assignments",
    "mailbox_events",
    "mails",
    "mail_mailboxes",
    "bookings",
    "activities",
    "audit_events",
)
"""Never deleted."""

FROZEN = ("mailbox_events", "mails", "mail_mailboxes", "bookings", "audit_events")
"""Never changed."""

FIXED_COLUMNS = {
    "assignments": ("id", "agency_id", "mailbox_id", "user_id", "since"),
    "activities": (
        "id",
        "agency_id",
        "mail_id",
        "kind",
        "contact_reference",
        "property_reference",
        "position",
    ),
    "users": ("id", "agency_id", "login"),
    "mailboxes": ("id", "agency_id", "address"),
}
"""Columns that stay as they were first written."""


def _postgresql() -> str:
    script = ["CREATE EXTENSION IF NOT EXISTS btree_gist;", "CREATE EXTENSION IF NOT EXISTS pg_trgm;"]
    for table, columns in ORDERED_TEXT.items():
        script += [f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C";' for column in columns]
    script.append(INDEXES)
    script.append("CREATE INDEX mails_search ON mails USING gin (fold_search gin_trgm_ops);")
    script += [
        f"ALTER TABLE {table} ADD FOREIGN KEY (agency_id, {column}) REFERENCES {target} (agency_id, id);"
        for (table, column), target in REFERENCES.items()
    ]
    script.append("""
ALTER TABLE assignments ADD CONSTRAINT assignments_some_time CHECK (until > since);
ALTER TABLE assignments ADD CONSTRAINT assignments_apart
    EXCLUDE USING gist (mailbox_id WITH =, user_id WITH =, tstzrange(since, until, '[)') WITH &&);

CREATE FUNCTION postfach_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never %', TG_TABLE_NAME, lower(TG_OP) || 'd' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION postfach_keep_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.until IS NOT NULL THEN
        RAISE EXCEPTION 'an ended period never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER assignments_ended BEFORE UPDATE ON assignments FOR EACH ROW EXECUTE FUNCTION postfach_keep_ended();
CREATE FUNCTION postfach_keep_deactivated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'DEACTIVATED' AND NEW.state <> 'DEACTIVATED' THEN
        RAISE EXCEPTION 'deactivated is final' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_deactivated BEFORE UPDATE OF state ON users FOR EACH ROW EXECUTE FUNCTION postfach_keep_deactivated();
""")
    script += [
        f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION postfach_refuse();"
        for table in KEPT
    ]
    script += [
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION postfach_refuse();"
        for table in FROZEN
    ]
    for table, columns in FIXED_COLUMNS.items():
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
        script.append(
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) "
            "EXECUTE FUNCTION postfach_refuse();"
        )
    return "\n".join(script)


def _sqlite_trigger(name: str, event: str, table: str, condition: str, message: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW BEGIN\n"
        f"    SELECT RAISE(ABORT, '{message}') WHERE {condition};\nEND;"
    )


def _sqlite() -> str:
    script = [INDEXES]
    for (table, column), target in REFERENCES.items():
        condition = (
            f"NEW.{column} IS NOT NULL AND NOT EXISTS "
            f"(SELECT 1 FROM {target} t WHERE t.id = NEW.{column} AND t.agency_id = NEW.agency_id)"
        )
        message = f"{table}.{column} refers to nothing of its agency"
        script.append(_sqlite_trigger(f"{table}_{column}_insert", "INSERT", table, condition, message))
        script.append(
            _sqlite_trigger(f"{table}_{column}_update", f"UPDATE OF {column}", table, condition, message)
        )
    script += [
        _sqlite_trigger(
            f"assignments_some_time_{event.lower()}",
            event,
            "assignments",
            "NEW.until IS NOT NULL AND NEW.until <= NEW.since",
            "a period ends after it begins",
        )
        for event in ("INSERT", "UPDATE")
    ]
    script.append(
        _sqlite_trigger(
            "assignments_apart",
            "INSERT",
            "assignments",
            "EXISTS (SELECT 1 FROM assignments o WHERE o.mailbox_id = NEW.mailbox_id AND o.user_id = NEW.user_id "
            "AND (o.until IS NULL OR NEW.since < o.until) AND (NEW.until IS NULL OR o.since < NEW.until))",
            "periods of a user at a mailbox never overlap",
        )
    )
    script.append(
        _sqlite_trigger(
            "assignments_ended",
            "UPDATE",
            "assignments",
            "OLD.until IS NOT NULL",
            "an ended period never changes",
        )
    )
    script.append(
        _sqlite_trigger(
            "users_deactivated",
            "UPDATE OF state",
            "users",
            "OLD.state = 'DEACTIVATED' AND NEW.state <> 'DEACTIVATED'",
            "deactivated is final",
        )
    )
    script += [
        _sqlite_trigger(f"{table}_kept", "DELETE", table, "1", f"{table} rows are never deleted")
        for table in KEPT
    ]
    script += [
        _sqlite_trigger(f"{table}_frozen", "UPDATE", table, "1", f"{table} rows are never updated")
        for table in FROZEN
    ]
    for table, columns in FIXED_COLUMNS.items():
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        script.append(
            _sqlite_trigger(
                f"{table}_fixed", "UPDATE", table, changed, f"{table}: these columns never change"
            )
        )
    return "\n".join(script)


class Migration(migrations.Migration):
    """Constraints and indexes."""

    dependencies = [("models", "0001_tables")]
    operations = [DialectSQL(postgresql=_postgresql(), sqlite=_sqlite())]
