"""Stored audiences within one agency, and the ways around triggers: TRUNCATE, and REPLACE on SQLite.

- A reader or a mailbox of an entry with several bookings is of the entry's agency, goes to no other entry and is never deleted. Triggers
  hold it, not a column: what they ask for never changes, and a table of millions stays as it is.
- Tables that nothing is deleted from are not emptied either.
- SQLite lets REPLACE delete rows without their triggers. So a row with an id that is there already is refused before, and the
  server's connection turns on `recursive_triggers` for every other key.
"""

from tortoise import migrations

from models.migration_steps import DialectSQL

COPIES = {"activity_readers": ("user_id", "users"), "activity_mailboxes": ("mailbox_id", "mailboxes")}
"""Whom or what a row names, and where that is."""

KEPT = (
    "mails",
    "mailboxes",
    "bookings",
    "mail_mailboxes",
    "activities",
    "activity_readers",
    "activity_mailboxes",
    "users",
    "assignments",
    "mailbox_events",
    "mailbox_passwords",
    "audit_events",
)
"""Never deleted, emptied or replaced. In the order in which a booking takes them, which may be under way in another process."""


def _of_one_agency(column: str, target: str) -> str:
    return (
        f"SELECT 1 FROM activities a JOIN {target} t ON t.agency_id = a.agency_id "
        f"WHERE a.id = NEW.activity_id AND t.id = NEW.{column}"
    )


def _postgresql() -> str:
    script = [f"LOCK TABLE {', '.join(KEPT)} IN SHARE ROW EXCLUSIVE MODE;"]
    for table, (column, target) in COPIES.items():
        script.append(f"""
CREATE FUNCTION postfach_{table}_agency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS ({_of_one_agency(column, target)}) THEN
        RAISE EXCEPTION '{table}.{column} refers to nothing of its agency' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_agency AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION postfach_{table}_agency();
CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION postfach_refuse();
CREATE TRIGGER {table}_fixed BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.activity_id <> NEW.activity_id OR OLD.{column} <> NEW.{column} OR OLD.kind <> NEW.kind)
    EXECUTE FUNCTION postfach_refuse();
""")
    script += [
        f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION postfach_refuse();"
        for table in KEPT
    ]
    return "\n".join(script)


def _sqlite() -> str:
    script = []
    for table, (column, target) in COPIES.items():
        changed = " OR ".join(
            f"OLD.{each} IS NOT NEW.{each}" for each in ("id", "activity_id", column, "kind")
        )
        script += [
            f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW BEGIN\n"
            f"    SELECT RAISE(ABORT, '{message}') WHERE {condition};\nEND;"
            for name, event, condition, message in (
                (
                    "agency",
                    "INSERT",
                    f"NOT EXISTS ({_of_one_agency(column, target)})",
                    f"{table}.{column} refers to nothing of its agency",
                ),
                ("kept", "DELETE", "1", f"{table} rows are never deleted"),
                ("fixed", "UPDATE", changed, f"{table}: these columns never change"),
            )
        ]
    script += [
        f"CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table} FOR EACH ROW BEGIN\n"
        f"    SELECT RAISE(ABORT, '{table} rows are never replaced') WHERE EXISTS "
        f"(SELECT 1 FROM {table} t WHERE t.id = NEW.id);\nEND;"
        for table in KEPT
        if table != "mailbox_passwords"
    ]
    return "\n".join(script)


class Migration(migrations.Migration):
    """Constraints."""

    dependencies = [("models", "0005_sign_in_limits")]
    operations = [DialectSQL(postgresql=_postgresql(), sqlite=_sqlite())]
