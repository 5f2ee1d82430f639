"""The audit."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.fields import InstantField

if TYPE_CHECKING:
    from models.tables.agencies import Agency
    from models.tables.users import User


class AuditEvent(Model):
    """Who did what, when, to what, from where.

    Holds no secret and nothing of an e-mail. `details` is a JSON object. `place` counts the events of an agency, `digest`
    chains each to the one before it (`models.audit`): both are null in rows from before there were chains.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyNullableRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    at = InstantField()
    actor: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    action = fields.TextField()
    object_type = fields.TextField(null=True)
    object_id = fields.UUIDField(null=True)
    details = fields.TextField()
    remote_address = fields.TextField(null=True)
    place = fields.BigIntField(null=True)
    digest = fields.CharField(max_length=64, null=True)

    class Meta:
        table = "audit_events"
