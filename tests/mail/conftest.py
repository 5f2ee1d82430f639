"""Tests of what leaves run on both databases, migrated and open, and against servers that were started for them."""

from tests.storage import database, storage_templates

__all__ = ["database", "storage_templates"]
