"""Text from outside: what is taken, in which form, and what is refused at which path."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers import text
from resolvers.errors import CallerError, InvalidInputError

PATH = ["input", "x"]
NOT_STORABLE = ["a\0b", "\0", "a\ud800", "\udfff", "\ud83d"]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def refused(check: Callable[..., object], value: object, **options: object) -> str:
    """The message of the refusal, whose path must be the one given."""
    with pytest.raises(InvalidInputError) as caught:
        check(value, PATH, **options)
    assert caught.value.path == PATH
    return caught.value.message


@pytest.mark.parametrize("bad", NOT_STORABLE)
def test_what_no_database_holds_is_refused_everywhere(bad: str) -> None:
    refused(text.clean, bad)
    refused(text.line, bad)
    refused(text.own_address, f"{bad}@nord.example")
    refused(text.email, f"{bad}@nord.example")
    refused(text.display_name, bad)
    refused(text.password, bad * 12)
    refused(text.language, f"de-{bad}")
    refused(text.office_groups, [bad])
    refused(text.search, bad)


def test_clean_text_stays_as_it_is() -> None:
    everything_else = " \t\r\n\u2028é\U0001f600"
    assert text.clean(everything_else, PATH) == everything_else
    assert text.clean("aaa", PATH, most=3) == "aaa"
    refused(text.clean, "aaaa", most=3)


def test_a_line_is_trimmed() -> None:
    assert text.line("  Anna-Maria  von der Höhe\u00a0", PATH) == "Anna-Maria  von der Höhe"
    assert text.line("x" * 100, PATH) == "x" * 100
    assert text.line("\U0001f600" * 100, PATH) == "\U0001f600" * 100


@pytest.mark.parametrize(
    "bad", ["", "  ", "\n", "x" * 101, "a\nb", "a\rb", "a\tb", "a\x7fb", "a\x85b", "a\u2028b", "a\u2029b"]
)
def test_no_line_is_blank_or_too_long_or_breaks(bad: str) -> None:
    refused(text.line, bad)


@pytest.mark.parametrize("direction", BIDI)
def test_no_line_changes_the_direction(direction: str) -> None:
    refused(text.line, f"a{direction}b")


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "given_text,stored",
    [
        ("anna@nord.example", "anna@nord.example"),
        ("Anna.Petersen@NORD.Example", "anna.petersen@nord.example"),
        ("a_b-c@nord.test", "a_b-c@nord.test"),
        ("1@nord.example", "1@nord.example"),
        ("a@büro.example", "a@xn--bro-hoa.example"),
        ("x" * 64 + "@nord.example", "x" * 64 + "@nord.example"),
    ],
)
def test_own_addresses_are_lower_case_ascii(given_text: str, stored: str) -> None:
    assert text.own_address(given_text, PATH) == stored
    assert text.lookup_address(given_text) == stored


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "anna",
        "@nord.example",
        "anna@",
        "anna@nord",
        "anna@localhost",
        "a b@nord.example",
        " anna@nord.example",
        "anna@nord.example\n",
        "a..b@nord.example",
        ".a@nord.example",
        "a.@nord.example",
        "-a@nord.example",
        "a-@nord.example",
        "a%b@nord.example",
        "a!b@nord.example",
        "*@nord.example",
        "'a'@nord.example",
        '"a b"@nord.example',
        "änna@nord.example",
        "\uff41nna@nord.example",
        "anna@[192.0.2.1]",
        "Anna <anna@nord.example>",
        "a@b@nord.example",
        "x" * 65 + "@nord.example",
        "a@" + "x" * 300 + ".example",
    ],
)
def test_what_is_no_own_address(bad: str) -> None:
    refused(text.own_address, bad, plus=True)
    assert text.lookup_address(bad) == ""


def test_only_logins_have_a_plus() -> None:
    refused(text.own_address, "a+b@nord.example")
    assert text.own_address("A+b@nord.example", PATH, plus=True) == "a+b@nord.example"


def test_other_addresses_are_normal() -> None:
    assert text.email("Änna.B+c@BÜRO.example", PATH) == "Änna.B+c@büro.example"
    for bad in (
        "",
        "anna",
        "a@b",
        "a b@c.example",
        "a@c.example\r\nBcc: d@e.example",
        "a" * 300 + "@c.example",
    ):
        refused(text.email, bad)


# ---------------------------------------------------------------- names beside addresses

OWN = "chef@nord.example"


@pytest.mark.parametrize(
    "name,kept",
    [
        (None, None),
        ("", None),
        (" \t\u00a0", None),
        ("\n", None),
        ("Anna Petersen", "Anna Petersen"),
        ("  Anna  ", "Anna"),
        ("O'Brien & Söhne (Büro), 100 %", "O'Brien & Söhne (Büro), 100 %"),
        ("Team @ Nord", "Team @ Nord"),
        ("=", "="),
        ("Fragen? = Ja", "Fragen? = Ja"),
        ("שלום", "שלום"),
        ("`quoted`", "`quoted`"),
        ("x" * 128, "x" * 128),
        (" " + "x" * 128 + " ", "x" * 128),
    ],
)
def test_names_are_trimmed_and_blank_is_none(name: str | None, kept: str | None) -> None:
    assert text.display_name(name, PATH) == kept
    assert text.display_name(name, PATH, own=OWN) == kept


@pytest.mark.parametrize(
    "bad",
    [
        "x" * 129,
        "=?utf-8?Q?a?=",
        "a =? b",
        "a ?= b",
        "a<b",
        "a>b",
        'a"b',
        "a\\b",
        "\uff1cb",
        "Anna\n",
        "Anna\r\nBcc: x",
        "a\tb",
        "a\x0bb",
        "a\x7fb",
        "a\u2028b",
        "a\u200bb",
        "a\u200db",
        "a\u00adb",
        "a\ufeffb",
        "a\u034fb",
        "a\u115fb",
        "a\u2800b",
        "a\u3164b",
        "a\ufe0fb",
        "a\U000e0100b",
        "a\U000e0041b",
        "a\ue000b",
        "a\uffffb",
        *(f"a{direction}b" for direction in BIDI),
        "ceo@bank.example",
        "CEO ceo@bank.example CEO",
        "a@b",
        "ceo \uff20 bank.example",
        "ceo\uff20bank.example",
        "ceo\ufe6bbank.example",
        "ceo @ bank.example",
        "ceo @bank.example",
        "x" + OWN,
        OWN + ".evil.example",
        f"{OWN}, ceo@bank.example",
        f"{OWN}@evil.example",
    ],
)
def test_names_that_hide_something_are_refused(bad: str) -> None:
    refused(text.display_name, bad)
    refused(text.display_name, bad, own=OWN)


@pytest.mark.parametrize("name", [OWN, f"Chef {OWN}", f"Chef ({OWN.upper()})", f"{OWN}, {OWN}"])
def test_only_a_mailbox_may_name_its_own_address(name: str) -> None:
    assert text.display_name(name, PATH, own=OWN) == name
    refused(text.display_name, name)


@given(st.text(max_size=140))
def test_every_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        kept = text.display_name(name, PATH)
    except CallerError:
        return
    assert kept is None or (kept == name.strip() and 0 < len(kept) <= 128)
    # A space of any width may stand between words.
    assert all(each.isprintable() or unicodedata.category(each) == "Zs" for each in kept or "")


# ---------------------------------------------------------------- the rest


def test_passwords_have_12_to_128_characters_of_any_kind() -> None:
    for good in ("x" * 12, "x" * 128, " \t\né\U0001f600" + "x" * 8, " " * 12):
        assert text.password(good, PATH) == good
    for bad in ("", "x" * 11, "x" * 129, "\U0001f600" * 11):
        message = refused(text.password, bad)
        assert not bad or bad not in message


@pytest.mark.parametrize(
    "tag",
    [
        "de",
        "DE",
        "de-DE",
        "de-Latn-DE-1996",
        "zh-min-nan",
        "zh-cmn-Hans-CN",
        "es-419",
        "en-GB-oed",
        "i-klingon",
        "sl-rozaj-biske",
        "de-CH-x-phonebk",
        "x-whatever",
        "en-a-bbb-x-a-ccc",
        "qaa-Qaaa-QM-x-southern",
    ],
)
def test_well_formed_languages_stay_as_they_are(tag: str) -> None:
    assert text.language(tag, PATH) == tag


@pytest.mark.parametrize(
    "tag",
    [
        "",
        " ",
        "d",
        "x",
        "de-",
        "-de",
        "de--DE",
        "de_DE",
        "de DE",
        "deutschsprachig",
        "de-x",
        "de-a",
        "dé",
        "de\n",
    ],
)
def test_other_languages_are_refused(tag: str) -> None:
    refused(text.language, tag)


def test_a_language_has_an_end() -> None:
    refused(text.language, "de-x" + "-aaaaaaaa" * 8)


def test_office_groups_are_trimmed_and_each_once() -> None:
    assert text.office_groups([" sales ", "Sales", "sales", "Büro Nord"], PATH) == [
        "Büro Nord",
        "Sales",
        "sales",
    ]
    assert text.office_groups([], PATH) == []
    for bad in (["ok", " "], ["x" * 101], ["a\nb"], [str(number) for number in range(101)]):
        refused(text.office_groups, bad)


def test_a_search_is_its_folded_words() -> None:
    assert text.search(None, PATH) == []
    assert text.search("  ", PATH) == []
    assert text.search(" Straße ANNA anna%", PATH) == ["strasse", "anna%", "anna"]
    assert text.search("x" * 200, PATH) == ["x" * 200]
    refused(text.search, "x" * 201)
