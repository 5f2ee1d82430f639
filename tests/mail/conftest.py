"""Tests of what leaves run on both databases, migrated and open, and against servers that were started for them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage import database, storage_templates

__all__ = ["database", "storage_templates"]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that Postfix's account can be let into: those of pytest are closed to others whenever a session begins."""
    folder = Path(tempfile.mkdtemp(prefix="postfach-mail-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
