"""The places and digests that chain the events of the audit. Rows from before have none."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.migration_steps import DialectSQL

INDEXES = """
CREATE UNIQUE INDEX audit_events_place ON audit_events (agency_id, place) WHERE agency_id IS NOT NULL AND place IS NOT NULL;
CREATE UNIQUE INDEX audit_events_nobodys_place ON audit_events (place) WHERE agency_id IS NULL AND place IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0006_kept_whole")]

    initial = False

    operations = [
        ops.AddField(
            model_name="AuditEvent",
            name="digest",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="AuditEvent",
            name="place",
            field=fields.BigIntField(null=True),
        ),
        DialectSQL(postgresql=INDEXES, sqlite=INDEXES),
    ]
