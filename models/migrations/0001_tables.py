from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.fields import InstantField
from models.tables.agencies import ModuleName
from models.tables.mailboxes import MailboxEventKind
from models.tables.mails import ActivityKind, MailDirection, MailPart
from models.tables.sessions import SessionKind
from models.tables.users import ReadLevel, Role, UserState


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Agency",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("key", fields.TextField(unique=False)),
                ("name", fields.TextField(unique=False)),
                ("fold_name", fields.TextField(unique=False)),
                ("contact_name", fields.TextField(null=True, unique=False)),
                ("contact_email", fields.TextField(null=True, unique=False)),
                ("contact_phone", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "agencies",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A customer, the tenant.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Domain",
            fields=[
                ("name", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=253)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "domains",
                "app": "models",
                "pk_attr": "name",
                "table_description": "A mail domain, lower case, and the one agency it belongs to.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Mail",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("identity", fields.CharField(max_length=64)),
                ("message_id", fields.TextField(unique=False)),
                ("sender", fields.TextField(unique=False)),
                ("recipients", fields.TextField(unique=False)),
                ("subject", fields.TextField(unique=False)),
                ("preview", fields.TextField(unique=False)),
                ("remark", fields.TextField(unique=False)),
                ("fold_search", fields.TextField(unique=False)),
                ("mail_date", InstantField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "mails",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An e-mail that took part in the agency.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Mailbox",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("address", fields.TextField(unique=False)),
                ("email_name", fields.TextField(null=True, unique=False)),
                ("fold_search", fields.TextField(unique=False)),
                ("vip", fields.BooleanField()),
                ("active", fields.BooleanField()),
                ("receiving_stops_at", InstantField(null=True, auto_now=False, auto_now_add=False)),
                ("automatic_booking", fields.BooleanField()),
                ("last_moment", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "mailboxes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An address of one of the agency's domains.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Activity",
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
                    "mail",
                    fields.ForeignKeyField(
                        "models.Mail",
                        source_field="mail_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="ACTIVITY: ACTIVITY\nAGENTS_LOG: AGENTS_LOG",
                        enum_type=ActivityKind,
                        max_length=32,
                    ),
                ),
                (
                    "direction",
                    fields.CharEnumField(
                        description="INCOMING: INCOMING\nOUTGOING: OUTGOING\nINTERNAL: INTERNAL",
                        enum_type=MailDirection,
                        max_length=32,
                    ),
                ),
                ("contact_reference", fields.TextField(null=True, unique=False)),
                ("property_reference", fields.TextField(null=True, unique=False)),
                ("occurred_at", InstantField(auto_now=False, auto_now_add=False)),
                ("guarded", fields.BooleanField()),
                (
                    "mailbox",
                    fields.ForeignKeyField(
                        "models.Mailbox",
                        source_field="mailbox_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("position", fields.SmallIntField()),
            ],
            options={
                "table": "activities",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An entry: an activity at a contact or an agents-log entry at a property.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ActivityMailbox",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "mailbox",
                    fields.ForeignKeyField(
                        "models.Mailbox",
                        source_field="mailbox_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "activity",
                    fields.ForeignKeyField(
                        "models.Activity",
                        source_field="activity_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="ACTIVITY: ACTIVITY\nAGENTS_LOG: AGENTS_LOG",
                        enum_type=ActivityKind,
                        max_length=32,
                    ),
                ),
                ("guarded", fields.BooleanField()),
                ("occurred_at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "activity_mailboxes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A booking's mailbox of an entry with several bookings.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailMailbox",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
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
                    "mail",
                    fields.ForeignKeyField(
                        "models.Mail",
                        source_field="mail_id",
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
                ("position", fields.SmallIntField()),
            ],
            options={
                "table": "mail_mailboxes",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One of an e-mail's mailboxes: it guards the entries while it is VIP.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Module",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "name",
                    fields.CharEnumField(
                        description="VIP_MAILBOXES: VIP_MAILBOXES\nAUTOMATIC_BOOKING: AUTOMATIC_BOOKING",
                        enum_type=ModuleName,
                        max_length=32,
                    ),
                ),
                ("enabled", fields.BooleanField()),
            ],
            options={
                "table": "modules",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A module that an agency has or had: no row is the same as not enabled.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OfficeGroup",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
            ],
            options={
                "table": "office_groups",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A group in use: it goes with its last member.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="User",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("login", fields.TextField(unique=False)),
                ("first_name", fields.TextField(unique=False)),
                ("last_name", fields.TextField(unique=False)),
                ("fold_name", fields.TextField(unique=False)),
                ("fold_search", fields.TextField(unique=False)),
                ("email", fields.TextField(null=True, unique=False)),
                ("email_name", fields.TextField(null=True, unique=False)),
                ("language", fields.TextField(unique=False)),
                (
                    "role",
                    fields.CharEnumField(
                        description="USER: USER\nADMINISTRATOR: ADMINISTRATOR\nACCOUNT_MANAGER: ACCOUNT_MANAGER",
                        enum_type=Role,
                        max_length=32,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="ACTIVE: ACTIVE\nLOCKED: LOCKED\nDEACTIVATED: DEACTIVATED",
                        enum_type=UserState,
                        max_length=32,
                    ),
                ),
                (
                    "activity_read_level",
                    fields.CharEnumField(
                        description="ALL: ALL\nOFFICE_GROUP: OFFICE_GROUP\nOWN: OWN\nNOTHING: NOTHING",
                        enum_type=ReadLevel,
                        max_length=32,
                    ),
                ),
                (
                    "agents_log_read_level",
                    fields.CharEnumField(
                        description="ALL: ALL\nOFFICE_GROUP: OFFICE_GROUP\nOWN: OWN\nNOTHING: NOTHING",
                        enum_type=ReadLevel,
                        max_length=32,
                    ),
                ),
                ("password_hash", fields.TextField(unique=False)),
                ("password_change_required", fields.BooleanField()),
            ],
            options={
                "table": "users",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A person who signs in: somebody of an agency or, without one, an account manager.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ActivityReader",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "activity",
                    fields.ForeignKeyField(
                        "models.Activity",
                        source_field="activity_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="ACTIVITY: ACTIVITY\nAGENTS_LOG: AGENTS_LOG",
                        enum_type=ActivityKind,
                        max_length=32,
                    ),
                ),
                ("guarded", fields.BooleanField()),
                ("occurred_at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "activity_readers",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Somebody of the audience of an entry with several bookings.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Assignment",
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
                ("since", InstantField(auto_now=False, auto_now_add=False)),
                ("until", InstantField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "assignments",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A period in which a user was assigned to a mailbox: `since` is in it, `until` is not.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "agency",
                    fields.ForeignKeyField(
                        "models.Agency",
                        source_field="agency_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("at", InstantField(auto_now=False, auto_now_add=False)),
                (
                    "actor",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="actor_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("action", fields.TextField(unique=False)),
                ("object_type", fields.TextField(null=True, unique=False)),
                ("object_id", fields.UUIDField(null=True)),
                ("details", fields.TextField(unique=False)),
                ("remote_address", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "audit_events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who did what, when, to what, from where.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Booking",
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
                    "mail",
                    fields.ForeignKeyField(
                        "models.Mail",
                        source_field="mail_id",
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
                    "part",
                    fields.CharEnumField(
                        description="SENDING: SENDING\nRECEIVING: RECEIVING",
                        enum_type=MailPart,
                        max_length=32,
                    ),
                ),
                ("decisive_at", InstantField(auto_now=False, auto_now_add=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("position", fields.SmallIntField()),
            ],
            options={
                "table": "bookings",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A mailbox's part in an e-mail and the moment that decides who may see it. Never changes.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailboxEvent",
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
                    "kind",
                    fields.CharEnumField(
                        description="VIP_ON: VIP_ON\nVIP_OFF: VIP_OFF\nSWITCHED_ON: SWITCHED_ON\nSWITCHED_OFF: SWITCHED_OFF\nPASSWORD_RENEWED: PASSWORD_RENEWED\nPASSWORD_REVEALED: PASSWORD_REVEALED\nCREDENTIALS_SENT: CREDENTIALS_SENT",
                        enum_type=MailboxEventKind,
                        max_length=32,
                    ),
                ),
                ("at", InstantField(auto_now=False, auto_now_add=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
            ],
            options={
                "table": "mailbox_events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What was switched, renewed, shown and sent at a mailbox.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OfficeGroupMember",
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
                    "group",
                    fields.ForeignKeyField(
                        "models.OfficeGroup",
                        source_field="group_id",
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
            ],
            options={
                "table": "office_group_members",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A user in an office group.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="BEARER: BEARER\nCOOKIE: COOKIE", enum_type=SessionKind, max_length=32
                    ),
                ),
                ("generation", fields.IntField()),
                ("opened_at", InstantField(auto_now=False, auto_now_add=False)),
                ("advanced_at", InstantField(auto_now=False, auto_now_add=False)),
                ("expires_at", InstantField(auto_now=False, auto_now_add=False)),
                ("ended_at", InstantField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sessions",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a sign-in opened: a family of refresh tokens.",
            },
            bases=["Model"],
        ),
    ]
