"""Letters with credentials: what was asked for, and what waits to be sent."""

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


class CredentialContent(StrEnum):
    """How a letter brings a mailbox's password."""

    ONE_TIME_LINK = "ONE_TIME_LINK"
    PASSWORD = "PASSWORD"  # noqa: S105 (a kind of letter)


class DeliveryState(StrEnum):
    """What became of a letter; the last two are final."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class CredentialDelivery(Model):
    """A letter with a mailbox's credentials, asked for at `requested_at`, a moment of the mailbox.

    With a one-time link it has the SHA-256 of the link's token in hex, and `expires_at`; the token itself is nowhere.
    `password_version` is that of the password which the letter is about. `request_id` is the client's, and forgotten once
    it may be used again. The letter itself waits in `outbox_letters`, as long as the state is QUEUED.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **WITHIN_AGENCY)
    requested_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **WITHIN_AGENCY)
    to_address = fields.TextField()
    fold_to = fields.TextField()
    content = fields.CharEnumField(CredentialContent, max_length=32)
    language = fields.TextField()
    state = fields.CharEnumField(DeliveryState, max_length=32)
    attempts = fields.IntField()
    failure = fields.TextField(null=True)
    requested_at = InstantField()
    expires_at = InstantField(null=True)
    sent_at = InstantField(null=True)
    opened_at = InstantField(null=True)
    password_version = fields.IntField()
    token_hash = fields.CharField(max_length=64, null=True)
    request_id = fields.TextField(null=True)

    class Meta:
        table = "credential_deliveries"


class OutboxLetter(Model):
    """A finished letter that waits to be sent, sealed. It goes once it was accepted or given up (`mail.outbox`).

    Until `next_attempt_at` nobody takes it; with a `lease` because somebody is sending it.
    """

    delivery_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    sealed = fields.TextField()
    next_attempt_at = InstantField()
    lease = fields.UUIDField(null=True)

    class Meta:
        table = "outbox_letters"
