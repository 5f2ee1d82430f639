"""What the pages name as the test of a promise is there."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT

NAMED = re.compile(r"`((?:tests|models|resolvers|schema|server|execution|mail)/[\w./-]+)`")


@pytest.mark.parametrize("page", [str(each.relative_to(ROOT)) for each in PAGES])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    # A subject.py stands for a file that a reader would add.
    named = [name for name in NAMED.findall(text) if "subject" not in name]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_table_of_threats_names_a_test_for_each() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    _, _, table = text.partition("## Threats, and the tests that cover them")
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []
