"""Users, their rights and their office groups."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.fields import WITHIN_AGENCY

if TYPE_CHECKING:
    from models.tables.agencies import Agency


class Role(StrEnum):
    """What a user may change."""

    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"
    ACCOUNT_MANAGER = "ACCOUNT_MANAGER"


class UserState(StrEnum):
    """Whether a user may come in; DEACTIVATED is final."""

    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    DEACTIVATED = "DEACTIVATED"


class ReadLevel(StrEnum):
    """Which entries that are not guarded a user reads."""

    ALL = "ALL"
    OFFICE_GROUP = "OFFICE_GROUP"
    OWN = "OWN"
    NOTHING = "NOTHING"


class User(Model):
    """A person who signs in: somebody of an agency or, without one, an account manager."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyNullableRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    login = fields.TextField()
    first_name = fields.TextField()
    last_name = fields.TextField()
    fold_name = fields.TextField()
    fold_search = fields.TextField()
    email = fields.TextField(null=True)
    email_name = fields.TextField(null=True)
    language = fields.TextField()
    role = fields.CharEnumField(Role, max_length=32)
    state = fields.CharEnumField(UserState, max_length=32)
    activity_read_level = fields.CharEnumField(ReadLevel, max_length=32)
    agents_log_read_level = fields.CharEnumField(ReadLevel, max_length=32)
    password_hash = fields.TextField()
    password_change_required = fields.BooleanField()

    class Meta:
        table = "users"


class OfficeGroup(Model):
    """A group in use: it goes with its last member."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    name = fields.TextField()

    class Meta:
        table = "office_groups"


class OfficeGroupMember(Model):
    """A user in an office group."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **WITHIN_AGENCY)
    group: fields.ForeignKeyRelation[OfficeGroup] = fields.ForeignKeyField(
        "models.OfficeGroup", **WITHIN_AGENCY
    )
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **WITHIN_AGENCY)

    class Meta:
        table = "office_group_members"
