"""The languages say the same things, and the reader's is found by its tag."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest

from mail.letters.languages import accepted, choose, languages


def fields(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_language_has_the_sentences_of_the_others_with_the_same_values_in_them() -> None:
    german = languages()["de"]
    assert set(languages()) == {"de", "en"}
    for language in languages().values():
        assert language.sentences.keys() == german.sentences.keys()
        assert language.page.keys() == german.page.keys()
        assert all(not fields(sentence) for sentence in language.page.values())
        for key, sentence in language.sentences.items():
            assert fields(sentence) == fields(german.sentences[key]), key
        assert (len(language.months), len(language.weekdays)) == (12, 7)


@pytest.mark.parametrize(
    "tag,chosen",
    [
        ("de", "de"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-Latn-US-x-any", "en"),
        ("de-AT", "de"),
        ("fr", "de"),
        ("eng", "de"),
        ("", "de"),
        (None, "de"),
        ("x-en", "de"),
    ],
)
def test_a_language_is_found_by_what_its_tag_begins_with(tag: str | None, chosen: str) -> None:
    assert choose(tag).tag == chosen


@pytest.mark.parametrize(
    "header,chosen",
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.1", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.5", "en"),
        ("de;q=0.4, EN ; q=0.5", "en"),
        ("en,de", "en"),
        ("en;q=0, de;q=0.1", "de"),
        ("en;q=0", "de"),
        ("en;q=x", "de"),
        ("en;q=1e9", "de"),
        ("fr", "de"),
        ("*", "de"),
        (",;,", "de"),
        ("", "de"),
    ],
)
def test_a_browsers_languages_are_weighed(header: str, chosen: str) -> None:
    assert accepted(header).tag == chosen


def test_moments_are_told_in_words_with_their_zone() -> None:
    winter, summer = datetime(2026, 11, 28, 23, 5, tzinfo=UTC), datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    assert choose("de").moment(winter) == "Sonntag, 29. November 2026, 00:05 Uhr (MEZ)"
    assert choose("de").moment(summer) == "Mittwoch, 1. Juli 2026, 08:00 Uhr (MESZ)"
    assert choose("en").moment(winter) == "Sunday, 29 November 2026, 00:05 (CET)"


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    values = {"requested_by": "<b>Zoë</b> & {agency}", "agency": "A", "address": "a@a.example"}
    german = choose("de")
    assert "&lt;b&gt;Zoë&lt;/b&gt; &amp; {agency} (A) schickt" in german.html("opening", **values)
    assert "<b>Zoë</b> & {agency} (A) schickt" in german.text("opening", **values)
