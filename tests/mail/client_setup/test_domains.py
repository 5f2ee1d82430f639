import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.client_setup.domains import domain_name, shortened


@pytest.mark.parametrize(
    "text,name",
    [
        ("nord.example", "nord.example"),
        ("Nord.EXAMPLE.", "nord.example"),
        ("a.b-c.d_e.example", "a.b-c.d_e.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("nord.xn--p1ai", "nord.xn--p1ai"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
    ],
)
def test_a_domain_is_in_lower_case_and_ascii(text: str, name: str) -> None:
    assert domain_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "example", "nord..example", ".example", "nord.example..", "-a.example", "a-.example"),
        *("127.0.0.1", "1.2", "[::1]", "nord.example:80", "nord example", "nord.ex ample", "a/b.example"),
        *(f"{'a' * 64}.example", f"{'a.' * 130}example", "ü" * 300 + ".example", "nord.exa\u202emple"),
        *("nord.example\n", "\0.example", "nord.\ud800", '"><x.example', "nord.-example", "a.example-"),
    ],
)
def test_what_no_domain_is_is_none(text: str) -> None:
    assert domain_name(text) is None


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_whatever_is_sent_is_a_domain_or_none(text: str) -> None:
    name = domain_name(text)
    assert name is None or (domain_name(name) == name and name.isascii() and len(name) <= 253)


@pytest.mark.parametrize(
    "domain,most,found",
    [
        ("nord.example", 12, "nord.example"),
        ("nord.example", 11, "example"),
        ("nord.example", 6, "exampl"),
    ],
)
def test_a_domain_is_shortened_by_whole_labels_if_it_can(domain: str, most: int, found: str) -> None:
    assert shortened(domain, most) == found
