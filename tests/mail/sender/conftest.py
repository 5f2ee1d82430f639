"""The view is asked on both databases."""

from tests.storage import database, storage_templates

__all__ = ["database", "storage_templates"]
