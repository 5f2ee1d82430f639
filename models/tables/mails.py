"""E-mails, their bookings and their entries. No module reads them but those that `tests/models/test_one_place.py` names."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.fields import WITHIN_AGENCY, InstantField

if TYPE_CHECKING:
    from models.tables.agencies import Agency
    from models.tables.mailboxes import Mailbox
    from models.tables.users import User


class ActivityKind(StrEnum):
    """At a contact or at a property."""

    ACTIVITY = "ACTIVITY"
    AGENTS_LOG = "AGENTS_LOG"


class MailDirection(StrEnum):
    """What the bookings of an e-mail make it."""

    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"
    INTERNAL = "INTERNAL"


class MailPart(StrEnum):
    """A mailbox's part in an e-mail."""

    SENDING = "SENDING"
    RECEIVING = "RECEIVING"


class Mail(Model):
    """An e-mail that took part in the agency.

    `identity` is the SHA-256 of all that makes it this e-mail and no other (`models.mails`). `recipients` are
    one a line.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    identity = fields.CharField(max_length=64)
    message_id = fields.TextField()
    sender = fields.TextField()
    recipients = fields.TextField()
    subject = fields.TextField()
    preview = fields.TextField()
    remark = fields.TextField()
    fold_search = fields.TextField()
    mail_date = InstantField(null=True)

    class Meta:
        table = "mails"


class MailMailbox(Model):
    """One of an e-mail's mailboxes: it guards the entries while it is VIP.

    `position` is that of the booking that brought it: 1 for those fixed at the first.
    """

    id = fields.BigIntField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    position = fields.SmallIntField()

    class Meta:
        table = "mail_mailboxes"


class Booking(Model):
    """A mailbox's part in an e-mail and the moment that decides who may see it. Never changes.

    `position` counts the bookings of one e-mail from 1 in the order in which they were made.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    part = fields.CharEnumField(MailPart, max_length=32)
    decisive_at = InstantField()
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", **WITHIN_AGENCY, null=True
    )
    position = fields.SmallIntField()

    class Meta:
        table = "bookings"


class Activity(Model):
    """An entry: an activity at a contact or an agents-log entry at a property.

    `occurred_at`, `guarded` and `direction` follow from the e-mail's bookings and mailboxes and change with
    them. `mailbox` is that of the only booking; with several it is null, and `activity_readers` and
    `activity_mailboxes` hold the entry's audience and mailboxes, because its place in a list is then no
    longer the moment that opens it. `position` is that of the booking that made the entry.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **WITHIN_AGENCY)
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    direction = fields.CharEnumField(MailDirection, max_length=32)
    contact_reference = fields.TextField(null=True)
    property_reference = fields.TextField(null=True)
    occurred_at = InstantField()
    guarded = fields.BooleanField()
    mailbox: fields.ForeignKeyNullableRelation[Mailbox] = fields.ForeignKeyField(
        "models.Mailbox", **WITHIN_AGENCY, null=True
    )
    position = fields.SmallIntField()

    class Meta:
        table = "activities"


class ActivityReader(Model):
    """Somebody of the audience of an entry with several bookings."""

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    guarded = fields.BooleanField()
    occurred_at = InstantField()

    class Meta:
        table = "activity_readers"


class ActivityMailbox(Model):
    """A booking's mailbox of an entry with several bookings."""

    id = fields.BigIntField(primary_key=True)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField(
        "models.Mailbox", related_name=False, on_delete=fields.RESTRICT
    )
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    guarded = fields.BooleanField()
    occurred_at = InstantField()

    class Meta:
        table = "activity_mailboxes"
