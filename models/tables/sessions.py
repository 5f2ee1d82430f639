"""Sessions, and what limits guessing passwords."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.fields import InstantField

if TYPE_CHECKING:
    from models.tables.users import User


class SessionKind(StrEnum):
    """Where a client keeps its tokens."""

    BEARER = "BEARER"
    COOKIE = "COOKIE"


class Session(Model):
    """What a sign-in opened: a family of refresh tokens.

    Each trade makes the next `generation`, at `advanced_at`; `ended_at` ends the session for good.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(SessionKind, max_length=32)
    generation = fields.IntField()
    opened_at = InstantField()
    advanced_at = InstantField()
    expires_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "sessions"


class SignInAttempt(Model):
    """An attempt to sign in that failed or is under way: of one that succeeds the row is removed.

    `key` stands for the login, without telling it. `address` is the remote address, of IPv6 the network.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    key = fields.CharField(max_length=64)
    address = fields.TextField(null=True)
    at = InstantField()
    failed = fields.BooleanField()

    class Meta:
        table = "sign_in_attempts"


class SignInAddress(Model):
    """An address from which a user has signed in."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    address = fields.TextField()
    at = InstantField()

    class Meta:
        table = "sign_in_addresses"
