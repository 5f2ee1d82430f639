"""A document by its hash: the operator's, those that clients sent before, and how much of these is kept."""

from __future__ import annotations

import pytest

from execution.persisted import MismatchError, NotFoundError, NotTrustedError, Persisted, sha256

TEXT, OTHER = "{ viewer { id } }", "{ __typename }"


def test_a_text_is_itself_unless_its_hash_is_another() -> None:
    known = Persisted()
    assert known.text_of(TEXT, None) == known.text_of(TEXT, sha256(TEXT)) == TEXT
    with pytest.raises(MismatchError):
        known.text_of(TEXT, sha256(OTHER))
    with pytest.raises(MismatchError):
        Persisted({sha256(OTHER): OTHER}, only=True).text_of(TEXT, sha256(OTHER))


def test_a_hash_is_known_once_its_text_was_kept() -> None:
    known = Persisted({sha256(OTHER): OTHER})
    assert known.text_of(None, sha256(OTHER)) == OTHER
    with pytest.raises(NotFoundError):
        known.text_of(None, sha256(TEXT))
    known.keep(TEXT, sha256(TEXT))
    assert known.text_of(None, sha256(TEXT)) == TEXT


def test_only_the_operators_are_let_through_where_that_is_wanted() -> None:
    only = Persisted({sha256(OTHER): OTHER}, only=True)
    assert only.text_of(None, sha256(OTHER)) == only.text_of(OTHER, None) == OTHER
    only.keep(TEXT, sha256(TEXT))
    for text, name in (
        (TEXT, None),
        (None, sha256(TEXT)),
        (TEXT, sha256(TEXT)),
        (OTHER + " ", None),
        (None, None),
    ):
        with pytest.raises(NotTrustedError):
            only.text_of(text, name)


def test_what_is_kept_is_bounded_and_the_newest_stay() -> None:
    known = Persisted(kept_bytes=3_000)
    texts = [f"{{ a{number}: __typename }}" for number in range(20)]
    for text in texts:
        known.keep(text, sha256(text))
        known.keep(text, sha256(text))
        assert known.bytes <= 3_000
    assert known.text_of(None, sha256(texts[-1])) == texts[-1]
    with pytest.raises(NotFoundError):
        known.text_of(None, sha256(texts[0]))
    before = known.bytes
    known.keep("#" * 3_000, sha256("#" * 3_000))
    assert known.bytes == before
