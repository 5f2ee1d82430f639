"""Attempts to sign in, to be counted, and the addresses from which users have signed in."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.fields import InstantField
from models.migration_steps import DialectSQL

INDEXES = """
CREATE INDEX sign_in_attempts_key ON sign_in_attempts (key, at);
CREATE INDEX sign_in_attempts_address ON sign_in_attempts (address, at);
CREATE INDEX sign_in_attempts_at ON sign_in_attempts (at);
CREATE UNIQUE INDEX sign_in_addresses_once ON sign_in_addresses (user_id, address);
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0004_session_endings_ended_at")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SignInAddress",
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
                ("address", fields.TextField(unique=False)),
                ("at", InstantField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sign_in_addresses",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An address from which a user has signed in.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SignInAttempt",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("key", fields.CharField(max_length=64)),
                ("address", fields.TextField(null=True, unique=False)),
                ("at", InstantField(auto_now=False, auto_now_add=False)),
                ("failed", fields.BooleanField()),
            ],
            options={
                "table": "sign_in_attempts",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An attempt to sign in that failed or is under way: of one that succeeds the row is removed.",
            },
            bases=["Model"],
        ),
        DialectSQL(postgresql=INDEXES, sqlite=INDEXES),
    ]
