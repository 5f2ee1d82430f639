"""Every operation of the documentation is valid, and every answer beside one is what the demonstration answers."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from resolvers.errors import ErrorCode
from schema import schema
from schema.errors import ERROR_TYPES
from server.settings import Settings
from tests.databases import KINDS, Template, fresh_database, settings_environment
from tests.docs.pages import PAGES, ROOT, examples, fences
from tests.docs.play import fill, play
from tests.docs.words import Words, lines

ANSWERED = [page for page in PAGES if any(example.answer for example in examples(page))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module", params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """The demonstration, in each kind of database."""
    folder = tmp_path_factory.mktemp("filled")
    with ExitStack() as databases:
        url = databases.enter_context(fresh_database(request.param, folder))
        asyncio.run(fill(Settings.load(settings_environment(url, folder))))
        yield Template.of(url)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", ANSWERED, ids=_name)
def test_server_answers_what_the_page_says(page: Path, filled: Template, tmp_path: Path) -> None:
    with filled.copied(tmp_path) as url:
        outcomes = asyncio.run(play(page, Settings.load(settings_environment(url, tmp_path))))
    untrue = [f"{each.place} is answered\n{lines(each.told)}" for each in outcomes if not each.is_true]
    assert untrue == [], "python -m tests.docs writes the answers anew"
    asked = [example for example in examples(page) if example.answer]
    assert len(outcomes) == len(asked) + sum(example.event is not None for example in asked)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_operation_is_valid(page: Path) -> None:
    known = build_schema(schema.as_str())
    for example in examples(page):
        assert validate(known, parse(example.document)) == [], example.place


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for fence in fences(text):
        text = text.replace(fence.text, "")
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(ROOT), target
        assert found.exists(), target
        if anchor:
            assert anchor in {_anchor(heading) for heading in HEADING.findall(found.read_text("utf-8"))}, (
                target
            )


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_page_of_the_api_lists_every_code_with_its_class() -> None:
    row = re.compile(r"^\| `([A-Z_]+)` \| `(\w+)` \|", re.MULTILINE)
    listed = row.findall((ROOT / "docs/api.md").read_text("utf-8"))
    assert [code for code, _ in listed] == [code.name for code in ErrorCode]
    assert {name for _, name in listed} == {each.__name__ for each in ERROR_TYPES}


def test_word_stands_for_one_value() -> None:
    words = Words()
    assert words.told({"id": "A", "name": "A mailbox…"}, {"id": "a…", "name": "x"}) == {
        "id": "a…",
        "name": "A mailbox…",
    }
    assert words.meant({"ids": ["a…", "other"]}) == {"ids": ["A", "other"]}
    # Another value under the same word is shown as it is, so that the page is found untrue.
    assert words.told({"id": "B"}, {"id": "a…"}) == {"id": "B"}
    # And the same value has the same word wherever it comes.
    assert words.told(["A", "B"], ["c…", "b…"]) == ["a…", "b…"]
    with pytest.raises(KeyError):
        words.meant("never-told…")


def test_answer_that_is_longer_or_shorter_than_the_page_says_is_shown_whole() -> None:
    words = Words()
    assert words.told([1, {"a": None}], [1]) == [1, {"a": None}]
    assert words.told([1], [1, 2]) == [1]
    assert words.told({"a": 1}, {"a": 1, "b": 2}) == {"a": 1}
