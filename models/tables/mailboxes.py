"""Mailboxes, who was assigned to them, what happened at them, and their passwords."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.fields import WITHIN_AGENCY, InstantField

if TYPE_CHECKING:
    from models.tables.agencies import Agency
    from models.tables.users import User


class MailboxEventKind(StrEnum):
    """What those assigned to a VIP mailbox can see was done to it."""

    VIP_ON = "VIP_ON"
    VIP_OFF = "VIP_OFF"
    SWITCHED_ON = "SWITCHED_ON"
    SWITCHED_OFF = "SWITCHED_OFF"
    PASSWORD_RENEWED = "PASSWORD_RENEWED"  # noqa: S105 (a kind of event)
    PASSWORD_REVEALED = "PASSWORD_REVEALED"  # noqa: S105 (a kind of event)
    CREDENTIALS_SENT = "CREDENTIALS_SENT"


class Mailbox(Model):
    """An address of one of the agency's domains.

    `last_moment` is the newest moment taken at the mailbox (a booking's, a period's end): the next one is
    later.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    address = fields.TextField()
    email_name = fields.TextField(null=True)
    fold_search = fields.TextField()
    vip = fields.BooleanField()
    active = fields.BooleanField()
    receiving_stops_at = InstantField(null=True)
    automatic_booking = fields.BooleanField()
    last_moment = InstantField()

    class Meta:
        table = "mailboxes"


class Assignment(Model):
    """A period in which a user was assigned to a mailbox: `since` is in it, `until` is not."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **WITHIN_AGENCY)
    since = InstantField()
    until = InstantField(null=True)

    class Meta:
        table = "assignments"


class MailboxEvent(Model):
    """What was switched, renewed, shown and sent at a mailbox."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    kind = fields.CharEnumField(MailboxEventKind, max_length=32)
    at = InstantField()
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", **WITHIN_AGENCY, null=True
    )

    class Meta:
        table = "mailbox_events"


class MailboxPassword(Model):
    """A mailbox's current password (`models.mailbox_passwords`): one row each."""

    mailbox_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    version = fields.IntField()
    sealed = fields.TextField()
    hash = fields.TextField()
    changed_at = InstantField()

    class Meta:
        table = "mailbox_passwords"


class MailboxPasswordKnower(Model):
    """A user to whom, or by whom, the password of a version was shown or sent."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    version = fields.IntField()
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **WITHIN_AGENCY)

    class Meta:
        table = "mailbox_password_knowers"


class MailboxRenewal(Model):
    """What a client's `requestId` made of a mailbox's password, so that the same again renews nothing."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **WITHIN_AGENCY)
    request_id = fields.TextField()
    version = fields.IntField()
    at = InstantField()

    class Meta:
        table = "mailbox_renewals"


class SessionEnding(Model):
    """Sessions on the mail server that were opened with a mailbox's older passwords and are still to be ended.

    At `ended_at` they were ended for its version; the row goes when that was repeated (`mail.endings`).
    """

    mailbox_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    version = fields.IntField()
    asked_at = InstantField()
    attempts = fields.IntField()
    next_attempt_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "session_endings"
