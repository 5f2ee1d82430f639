"""Databases for the tests of the doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage import Templates, storage_templates

__all__ = ["storage_templates"]


@pytest.fixture
def door_database(database_kind: str, storage_templates: Templates, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is up to date and holds nothing."""
    with storage_templates.template(database_kind).copied(tmp_path) as url:
        yield url
