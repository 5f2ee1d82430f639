"""Agencies, their domains and their modules."""

from __future__ import annotations

import uuid
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class ModuleName(StrEnum):
    """A paid feature of an agency."""

    VIP_MAILBOXES = "VIP_MAILBOXES"
    AUTOMATIC_BOOKING = "AUTOMATIC_BOOKING"


class Agency(Model):
    """A customer, the tenant."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    key = fields.TextField()
    name = fields.TextField()
    fold_name = fields.TextField()
    contact_name = fields.TextField(null=True)
    contact_email = fields.TextField(null=True)
    contact_phone = fields.TextField(null=True)
    passwords_in_letters = fields.BooleanField(db_default=False)

    class Meta:
        table = "agencies"


class Domain(Model):
    """A mail domain, lower case, and the one agency it belongs to."""

    name = fields.CharField(max_length=253, primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )

    class Meta:
        table = "domains"


class Module(Model):
    """A module that an agency has or had: no row is the same as not enabled."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    name = fields.CharEnumField(ModuleName, max_length=32)
    enabled = fields.BooleanField()

    class Meta:
        table = "modules"
