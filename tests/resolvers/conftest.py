"""Tests of what a field does run on both databases, migrated and open, without a schema above."""

from tests.storage import database, storage_templates

__all__ = ["database", "storage_templates"]
