"""A seal opens where it belongs and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.keys import KeyRing
from models.seals import Purpose, SealError, Seals, UnknownKeyError, key_id_of

RING = KeyRing({"s.2": b"2" * 32, "s1": b"1" * 32})
SECRET = "Grüße-42"


def test_a_token_opens_with_what_it_is_bound_to_and_names_the_first_key() -> None:
    seals = Seals(RING)
    token = seals.seal(Purpose.MAILBOX_PASSWORD, SECRET, "chef@nord.example", 3)

    assert seals.open(token, Purpose.MAILBOX_PASSWORD, "chef@nord.example", 3) == SECRET
    assert key_id_of(token) == "s.2"
    assert SECRET not in token
    assert seals.seal(Purpose.MAILBOX_PASSWORD, SECRET, "chef@nord.example", 3) != token


@pytest.mark.parametrize(
    "purpose,bound",
    [
        (Purpose.LETTER, ("chef@nord.example", 3)),
        (Purpose.MAILBOX_PASSWORD, ("chef@nord.example", 4)),
        (Purpose.MAILBOX_PASSWORD, ("info@nord.example", 3)),
        (Purpose.MAILBOX_PASSWORD, ("chef@nord.example",)),
        (Purpose.MAILBOX_PASSWORD, ("chef@nord.example3",)),
        (Purpose.MAILBOX_PASSWORD, (3, "chef@nord.example")),
    ],
)
def test_a_token_does_not_open_elsewhere(purpose: Purpose, bound: tuple[str | int, ...]) -> None:
    seals = Seals(RING)
    token = seals.seal(Purpose.MAILBOX_PASSWORD, SECRET, "chef@nord.example", 3)
    with pytest.raises(SealError) as caught:
        seals.open(token, purpose, *bound)
    assert SECRET not in str(caught.value)
    assert token not in str(caught.value)


def test_an_older_key_opens_and_is_not_current() -> None:
    token = Seals(KeyRing({"s1": b"1" * 32})).seal(Purpose.LETTER, SECRET, "x")
    seals = Seals(RING)

    assert seals.open(token, Purpose.LETTER, "x") == SECRET
    assert not seals.is_current(token)
    assert seals.is_current(seals.seal(Purpose.LETTER, SECRET, "x"))


def test_a_key_that_is_gone_or_another_one_never_opens() -> None:
    token = Seals(RING).seal(Purpose.LETTER, SECRET, "x")
    with pytest.raises(UnknownKeyError, match=r"the key ring has no key 's\.2'"):
        Seals(KeyRing({"s1": b"1" * 32})).open(token, Purpose.LETTER, "x")
    with pytest.raises(SealError, match="another key"):
        Seals(KeyRing({"s.2": b"3" * 32})).open(token, Purpose.LETTER, "x")


def test_a_token_has_one_spelling() -> None:
    seals = Seals(RING)
    token = seals.seal(Purpose.LETTER, "ab", "x")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    for changed in (
        *(token[:-1] + other for other in alphabet if other != alphabet[last]),
        token + "=",
        token + "A",
        " " + token,
        token.replace("v1.", "v2.", 1),
        token.replace("s.2.", ".", 1),
        "",
        "v1.s1.",
        "v1.s1.AAAA",
    ):
        with pytest.raises(SealError):
            seals.open(changed, Purpose.LETTER, "x")


def test_what_was_stored_once_opens_for_ever() -> None:
    """The format is in databases: a token that was written down here has to open."""
    seals = Seals(KeyRing({"k.1": bytes(range(32))}))
    token = "v1.k.1.AAECAwQFBgcICQoLef_A-WLd-apo1x6pzomK-uC5ZRtX"
    assert seals.open(token, Purpose.MAILBOX_PASSWORD, "chef@nord.example", 7) == "wörd"


@settings(deadline=None, max_examples=200)
@given(secret=st.text(st.characters(exclude_categories=["Cs"])), data=st.data())
def test_a_changed_token_never_opens(secret: str, data: st.DataObject) -> None:
    seals = Seals(RING)
    token = seals.seal(Purpose.LETTER, secret, "x")
    assert seals.open(token, Purpose.LETTER, "x") == secret
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, len(token)))
    changed = token[:start] + data.draw(st.text(max_size=4)) + token[end:]
    if changed != token:
        with pytest.raises(SealError):
            seals.open(changed, Purpose.LETTER, "x")


@settings(deadline=None, max_examples=200)
@given(st.text() | st.text("v1.s2-_A=").map("v1.s1.".__add__))
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(SealError):
        Seals(RING).open(text, Purpose.LETTER, "x")
