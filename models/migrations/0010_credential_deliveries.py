"""Letters with credentials, what waits to be sent, and whether an agency's letters may carry a password.

- What a letter is about never changes, and its row is never deleted. What became of it is final, and so is that its link was used.
- A letter waits as long as its delivery is queued: a row of one that was accepted or given up can't stay.
- Nothing refers across agencies.
"""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.fields import InstantField
from models.migration_steps import DialectSQL
from models.tables.letters import CredentialContent, DeliveryState

INDEXES = """
CREATE INDEX credential_deliveries_mailbox ON credential_deliveries (mailbox_id, requested_at DESC, id DESC);
CREATE INDEX credential_deliveries_target ON credential_deliveries (agency_id, fold_to, requested_at);
CREATE UNIQUE INDEX credential_deliveries_agency_id ON credential_deliveries (agency_id, id);
CREATE UNIQUE INDEX credential_deliveries_token ON credential_deliveries (token_hash) WHERE token_hash IS NOT NULL;
CREATE UNIQUE INDEX credential_deliveries_request ON credential_deliveries (mailbox_id, requested_by_id, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX outbox_letters_due ON outbox_letters (next_attempt_at);
"""

REFERENCES = {
    ("credential_deliveries", "mailbox_id"): "mailboxes",
    ("credential_deliveries", "requested_by_id"): "users",
    ("outbox_letters", "delivery_id"): "credential_deliveries",
}
"""References within one agency, held together with `agency_id`."""

FIXED = (
    "id",
    "agency_id",
    "mailbox_id",
    "requested_by_id",
    "to_address",
    "fold_to",
    "content",
    "language",
    "requested_at",
    "expires_at",
    "password_version",
    "token_hash",
)
"""Columns that stay as they were first written."""

CHECKS = {
    "link": "({0}content = 'ONE_TIME_LINK') = ({0}token_hash IS NOT NULL)",
    "expires": "({0}token_hash IS NULL) = ({0}expires_at IS NULL)",
    "sent": "({0}state = 'SENT') = ({0}sent_at IS NOT NULL)",
    "opened": "({0}opened_at IS NULL OR {0}token_hash IS NOT NULL)",
}
"""What holds for every letter."""

WAITS = "EXISTS (SELECT 1 FROM outbox_letters o WHERE o.delivery_id = NEW.id)"
IS_SETTLED = (
    "EXISTS (SELECT 1 FROM credential_deliveries d WHERE d.id = NEW.delivery_id AND d.state <> 'QUEUED')"
)


WAITING = (
    (
        "credential_deliveries_erased",
        "UPDATE ON credential_deliveries",
        f"NEW.state <> 'QUEUED' AND {WAITS}",
        "a letter that was accepted or given up is erased first",
    ),
    ("outbox_letters_queued", "INSERT ON outbox_letters", IS_SETTLED, "only queued letters wait"),
)
"""Triggers whose condition asks the other table."""


def _changes(differs: str) -> str:
    """Return the condition that a change touches what is settled."""
    changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in FIXED)
    state = f"OLD.state <> 'QUEUED' AND (OLD.state <> NEW.state OR OLD.sent_at {differs} NEW.sent_at)"
    opened = f"OLD.opened_at IS NOT NULL AND OLD.opened_at {differs} NEW.opened_at"
    return f"{changed} OR ({state}) OR ({opened})"


def _postgresql() -> str:
    script = [INDEXES]
    script += [
        f"ALTER TABLE credential_deliveries ADD CONSTRAINT credential_deliveries_{name} CHECK ({condition.format('')});"
        for name, condition in CHECKS.items()
    ]
    script += [
        f"ALTER TABLE {table} ADD FOREIGN KEY (agency_id, {column}) REFERENCES {target} (agency_id, id);"
        for (table, column), target in REFERENCES.items()
    ]
    script += [
        f"CREATE TRIGGER credential_deliveries_{name} BEFORE {event} EXECUTE FUNCTION postfach_refuse();"
        for name, event in (
            ("kept", "DELETE ON credential_deliveries FOR EACH ROW"),
            ("not_emptied", "TRUNCATE ON credential_deliveries FOR EACH STATEMENT"),
            (
                "fixed",
                f"UPDATE ON credential_deliveries FOR EACH ROW WHEN ({_changes('IS DISTINCT FROM')})",
            ),
        )
    ]
    script += [
        f"""
CREATE FUNCTION postfach_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN
        RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW EXECUTE FUNCTION postfach_{name}();
"""
        for name, event, condition, message in WAITING
    ]
    return "\n".join(script)


def _sqlite() -> str:
    changes = _changes("IS NOT")
    broken = " OR ".join(f"NOT ({condition.format('NEW.')})" for condition in CHECKS.values())
    refused = [
        (
            f"{table}_{column}_{event.lower()}",
            f"{event} ON {table}",
            f"NOT EXISTS (SELECT 1 FROM {target} t WHERE t.id = NEW.{column} AND t.agency_id = NEW.agency_id)",
            f"{table}.{column} refers to nothing of its agency",
        )
        for (table, column), target in REFERENCES.items()
        for event in ("INSERT", "UPDATE")
    ]
    refused += [
        (
            f"credential_deliveries_whole_{event.lower()}",
            f"{event} ON credential_deliveries",
            broken,
            "credential_deliveries: link, state and times belong together",
        )
        for event in ("INSERT", "UPDATE")
    ]
    refused += [
        (f"credential_deliveries_{name}", f"{event} ON credential_deliveries", condition, message)
        for name, event, condition, message in (
            ("kept", "DELETE", "1", "credential_deliveries rows are never deleted"),
            ("fixed", "UPDATE", changes, "credential_deliveries: these columns never change"),
            (
                "not_replaced",
                "INSERT",
                "EXISTS (SELECT 1 FROM credential_deliveries t WHERE t.id = NEW.id)",
                "credential_deliveries rows are never replaced",
            ),
        )
    ]
    refused += WAITING
    return "\n".join(
        [
            INDEXES,
            *(
                f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW BEGIN\n"
                f"    SELECT RAISE(ABORT, '{message}') WHERE {condition};\nEND;"
                for name, event, condition, message in refused
            ),
        ]
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0009_mail_views")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CredentialDelivery",
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
                    "requested_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="requested_by_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("to_address", fields.TextField(unique=False)),
                ("fold_to", fields.TextField(unique=False)),
                (
                    "content",
                    fields.CharEnumField(
                        description="ONE_TIME_LINK: ONE_TIME_LINK\nPASSWORD: PASSWORD",
                        enum_type=CredentialContent,
                        max_length=32,
                    ),
                ),
                ("language", fields.TextField(unique=False)),
                (
                    "state",
                    fields.CharEnumField(
                        description="QUEUED: QUEUED\nSENT: SENT\nFAILED: FAILED",
                        enum_type=DeliveryState,
                        max_length=32,
                    ),
                ),
                ("attempts", fields.IntField()),
                ("failure", fields.TextField(null=True, unique=False)),
                ("requested_at", InstantField(auto_now=False, auto_now_add=False)),
                ("expires_at", InstantField(null=True, auto_now=False, auto_now_add=False)),
                ("sent_at", InstantField(null=True, auto_now=False, auto_now_add=False)),
                ("opened_at", InstantField(null=True, auto_now=False, auto_now_add=False)),
                ("password_version", fields.IntField()),
                ("token_hash", fields.CharField(null=True, max_length=64)),
                ("request_id", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "credential_deliveries",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A letter with a mailbox's credentials, asked for at `requested_at`, a moment of the mailbox.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OutboxLetter",
            fields=[
                (
                    "delivery_id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
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
                ("sealed", fields.TextField(unique=False)),
                ("next_attempt_at", InstantField(auto_now=False, auto_now_add=False)),
                ("lease", fields.UUIDField(null=True)),
            ],
            options={
                "table": "outbox_letters",
                "app": "models",
                "pk_attr": "delivery_id",
                "table_description": "A finished letter that waits to be sent, sealed. It goes once it was accepted or given up (`mail.outbox`).",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Agency",
            name="passwords_in_letters",
            field=fields.BooleanField(db_default=False),
        ),
        DialectSQL(postgresql=_postgresql(), sqlite=_sqlite()),
    ]
