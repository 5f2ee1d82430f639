"""Tests of what is stored run on both databases, migrated and open."""

from tests.storage import database, storage_templates

__all__ = ["database", "storage_templates"]
