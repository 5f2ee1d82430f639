"""The passwords of mailboxes, who knows them, and what is still open on the mail servers.

A password's version only grows; its hash and moment stay as long as the version does, so that a token alone can be
sealed anew. Nothing refers across agencies.
"""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.fields import InstantField
from models.migration_steps import DialectSQL

INDEXES = """
CREATE UNIQUE INDEX mailbox_password_knowers_once ON mailbox_password_knowers (mailbox_id, version, user_id);
CREATE INDEX mailbox_password_knowers_user ON mailbox_password_knowers (user_id, mailbox_id);
CREATE UNIQUE INDEX mailbox_renewals_once ON mailbox_renewals (mailbox_id, user_id, request_id);
CREATE INDEX session_endings_due ON session_endings (next_attempt_at);
"""

REFERENCES = {
    ("mailbox_passwords", "mailbox_id"): "mailboxes",
    ("mailbox_password_knowers", "mailbox_id"): "mailboxes",
    ("mailbox_password_knowers", "user_id"): "users",
    ("mailbox_renewals", "mailbox_id"): "mailboxes",
    ("mailbox_renewals", "user_id"): "users",
    ("session_endings", "mailbox_id"): "mailboxes",
}
"""References within one agency, held together with `agency_id`."""

STEPS_BACK = (
    "NEW.version < OLD.version OR NEW.mailbox_id <> OLD.mailbox_id OR NEW.agency_id <> OLD.agency_id "
    "OR (NEW.version = OLD.version AND (NEW.hash <> OLD.hash OR NEW.changed_at <> OLD.changed_at))"
)


def _postgresql() -> str:
    script = [
        INDEXES,
        "ALTER TABLE mailbox_passwords ADD CONSTRAINT mailbox_passwords_version CHECK (version > 0);",
    ]
    script += [
        f"ALTER TABLE {table} ADD FOREIGN KEY (agency_id, {column}) REFERENCES {target} (agency_id, id);"
        for (table, column), target in REFERENCES.items()
    ]
    script.append(
        "CREATE TRIGGER mailbox_passwords_kept BEFORE DELETE ON mailbox_passwords FOR EACH ROW "
        "EXECUTE FUNCTION postfach_refuse();\n"
        f"CREATE TRIGGER mailbox_passwords_forward BEFORE UPDATE ON mailbox_passwords FOR EACH ROW WHEN ({STEPS_BACK}) "
        "EXECUTE FUNCTION postfach_refuse();"
    )
    return "\n".join(script)


def _sqlite() -> str:
    script = [INDEXES]
    script += [
        f"CREATE TRIGGER {table}_{column}_{event.lower()} BEFORE {event} ON {table} FOR EACH ROW BEGIN\n"
        f"    SELECT RAISE(ABORT, '{table}.{column} refers to nothing of its agency') WHERE NOT EXISTS "
        f"(SELECT 1 FROM {target} t WHERE t.id = NEW.{column} AND t.agency_id = NEW.agency_id);\nEND;"
        for (table, column), target in REFERENCES.items()
        for event in ("INSERT", "UPDATE")
    ]
    script += [
        f"CREATE TRIGGER mailbox_passwords_{name} BEFORE {event} ON mailbox_passwords FOR EACH ROW BEGIN\n"
        f"    SELECT RAISE(ABORT, '{message}') WHERE {condition};\nEND;"
        for name, event, condition, message in (
            ("version", "INSERT", "NEW.version < 1", "a version is counted from 1"),
            ("kept", "DELETE", "1", "mailbox_passwords rows are never deleted"),
            ("forward", "UPDATE", STEPS_BACK, "a password never goes back"),
        )
    ]
    return "\n".join(script)


class Migration(migrations.Migration):
    dependencies = [("models", "0002_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="MailboxPassword",
            fields=[
                ("mailbox_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("version", fields.IntField()),
                ("sealed", fields.TextField(unique=False)),
                ("hash", fields.TextField(unique=False)),
                ("changed_at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "mailbox_passwords",
                "app": "models",
                "pk_attr": "mailbox_id",
                "table_description": "A mailbox's current password (`models.mailbox_passwords`): one row each.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailboxPasswordKnower",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "mailbox",
                    fields.ForeignKeyField(
                        "models.Mailbox",
                        source_field="mailbox_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("version", fields.IntField()),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
            ],
            options={
                "table": "mailbox_password_knowers",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A user to whom, or by whom, the password of a version was shown or sent.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailboxRenewal",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "mailbox",
                    fields.ForeignKeyField(
                        "models.Mailbox",
                        source_field="mailbox_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("request_id", fields.TextField(unique=False)),
                ("version", fields.IntField()),
                ("at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "mailbox_renewals",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a client's `requestId` made of a mailbox's password, so that the same again renews nothing.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SessionEnding",
            fields=[
                ("mailbox_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("version", fields.IntField()),
                ("asked_at", InstantField(auto_now=False, auto_now_add=False)),
                ("attempts", fields.IntField()),
                ("next_attempt_at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "session_endings",
                "app": "models",
                "pk_attr": "mailbox_id",
                "table_description": "Sessions on the mail server that were opened with a mailbox's older passwords and are still to be ended.",
            },
            bases=["Model"],
        ),
        DialectSQL(postgresql=_postgresql(), sqlite=_sqlite()),
    ]
