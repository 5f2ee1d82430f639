"""What leaves is what was meant, and no name or address makes a header of its own."""

from __future__ import annotations

import email
import re
import unicodedata
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail.client_setup.profile import profile
from mail.client_setup.qr import qr_png, thunderbird_account
from mail.client_setup.settings import client_settings
from mail.letters import LetterError, compose
from tests.mail.letters.letters import PASSWORD, TOKEN, letter, with_password

HEADERS = {
    "MIME-Version",
    "Content-Type",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Language",
}


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_letter_has_its_headers_a_text_an_html_and_the_profile() -> None:
    settings = client_settings(letter().servers, "anna@nordlicht.example")
    unsigned = profile(settings, "https://crm.example", name="Anna Petersen")
    signed = b"<plist>\r\n\n\0\xff</plist>"
    raw = compose(letter(), lambda content: signed + content)
    message = read(raw)

    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert message["From"] == "Nordlicht Immobilien <postfach@crm.example>"
    assert message["To"] == "anna@home.example"
    assert message["Subject"] == "Zugangsdaten für anna@nordlicht.example"
    assert message["Date"].datetime == letter().date
    assert message["Message-ID"] == "<2f7c@crm.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert f"https://crm.example/credentials#{TOKEN}\n" in body(message, "plain")
    assert f'href="https://crm.example/credentials#{TOKEN}"' in body(message, "html")
    [attached] = message.iter_attachments()
    assert attached.get_content_type() == "application/x-apple-aspen-config"
    assert attached.get_filename() == "anna@nordlicht.example.mobileconfig"
    assert attached.get_payload(decode=True) == signed + unsigned
    assert raw.isascii()
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))


def test_a_letter_sets_up_a_phone_by_a_qr_code_and_by_a_profile() -> None:
    message = read(compose(letter()))
    settings = client_settings(letter().servers, "anna@nordlicht.example")

    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/x-apple-aspen-config",
    ]
    [picture] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture.get_payload(decode=True) == qr_png(thunderbird_account(settings, name="Anna Petersen"))
    assert picture["Content-ID"] == "<qr.2f7c@crm.example>"
    assert picture.get_content_disposition() == "inline"
    assert 'src="cid:qr.2f7c@crm.example"' in body(message, "html")
    [attached] = message.iter_attachments()
    assert attached.get_payload(decode=True) == profile(settings, "https://crm.example", name="Anna Petersen")


def test_a_host_that_the_code_can_not_name_gives_a_letter_without_it() -> None:
    servers = letter().servers
    message = read(
        compose(letter(servers=replace(servers, imap=replace(servers.imap, host="imap.bücher.example"))))
    )

    assert "image/png" not in [part.get_content_type() for part in message.walk()]
    assert "scannen" not in body(message, "html")
    assert "cid:" not in body(message, "html")


def test_the_html_loads_nothing_runs_nothing_and_leads_to_the_link_alone() -> None:
    html = body(
        read(compose(letter(requested_by="<img src=//x.example>", agency="<script>x</script>"))), "html"
    )

    assert re.findall(r"(?:src|href|action|background)=\"([^\"]*)\"", html) == [
        letter().link,
        "cid:qr.2f7c@crm.example",
    ]
    assert not re.search(r"<(?:script|link|style|form|iframe)|url\(|@import", html)


def test_a_letter_carries_the_password_only_where_it_is_given_one() -> None:
    with_it, without = read(compose(with_password())), read(compose(letter()))

    for kind in ("plain", "html"):
        assert PASSWORD in body(with_it, kind)
        assert "/credentials" not in body(with_it, kind)
        assert PASSWORD not in body(without, kind)


def test_the_representation_of_a_letter_shows_no_secret() -> None:
    shown = repr(letter()) + repr(with_password())
    assert TOKEN not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    "changes,reason",
    [
        ({"link": None}, "a letter carries a link or a password"),
        ({"password": PASSWORD}, "a letter carries a link or a password"),
        ({"expires_at": None}, "a link expires"),
        ({"link": f"https://other.example/credentials#{TOKEN}"}, "the link does not lead to the page that shows a password"),
        ({"link": f"https://crm.example/credentials?x#{TOKEN}"}, "the link does not lead to the page that shows a password"),
        ({"link": "https://crm.example/credentials#short"}, "the link does not lead to the page that shows a password"),
        ({"to": "a@x.example\r\nBcc: b@x.example"}, "a control character or a line break in it"),
        ({"to": "a@x.example, b@x.example"}, "an address is none"),
        ({"to": "nobody"}, "an address is none"),
        ({"to": ""}, "an address is none"),
        ({"to": "a@"}, "an address is none"),
        ({"sender": "Evil <a@x.example>"}, "an address is none"),
        ({"address": "=?utf-8?q?=0D=0ABcc=3A_b=40x.example?=@n.example"}, "what looks like an encoded word in the subject"),
        ({"address": "a@n.example\nBcc: b@x.example"}, "a control character or a line break in it"),
        ({"message_id": "<a@x>\r\nBcc: b@x.example"}, "a control character or a line break in it"),
        ({"message_id": "a@x"}, "the Message-ID is none"),
        ({"agency": "A\x85B"}, "a control character or a line break in it"),
        ({"requested_by": "A\ud800B"}, "a control character or a line break in it"),
    ],
)  # fmt: skip
def test_what_can_be_no_letter_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(LetterError) as caught:
        compose(letter(**changes))
    assert str(caught.value) == reason


def test_an_international_address_is_kept_and_its_domain_written_in_ascii() -> None:
    domain = compose(letter(to="anna@bücher.example"))
    assert read(domain)["To"] == "anna@xn--bcher-kva.example"
    assert domain.isascii()

    both = compose(letter(to="jürgen@bücher.example"))
    assert re.search("(?m)^To: jürgen@xn--bcher-kva.example\r$", both.decode())


@pytest.mark.parametrize(
    "agency", ["=?utf-8?q?=0D=0ABcc=3A_evil=40x.example?=", 'A "B" <ceo@bank.example>', "ceo@bank.example"]
)
def test_a_name_that_can_be_none_beside_an_address_is_left_out(agency: str) -> None:
    message = read(compose(letter(agency=agency)))
    assert message["From"] == "postfach@crm.example"
    assert set(message.keys()) == HEADERS
    assert agency in body(message, "plain")


PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=100)
ANY_TEXT = st.text(max_size=200) | st.text(
    st.sampled_from('=?utf8qb_0DA \t\r\n:,;<>@"\\()[]äß€🏠éﬀ\u202e\u200b'), max_size=80
)


@settings(max_examples=40, deadline=None)
@given(
    names=st.tuples(PRINTABLE, PRINTABLE) | st.tuples(ANY_TEXT, ANY_TEXT),
    local=st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters="@"), min_size=1, max_size=20
    ),
    domain=st.sampled_from(
        ["x.example", "bücher.example", "=?utf-8?q?=0D=0A?=.example", "x.example\r\nBcc: y"]
    ),
)
def test_whatever_names_and_addresses_are_the_headers_are_those_of_a_letter(
    names: tuple[str, str], local: str, domain: str
) -> None:
    try:
        raw = compose(letter(agency=names[0], requested_by=names[1], to=f"{local}@{domain}"))
    except LetterError:
        return
    head = raw.partition(b"\r\n\r\n")[0].decode()
    fields = [line.partition(":") for line in re.sub(r"\r\n[ \t]", " ", head).split("\r\n")]
    assert sorted(name for name, _, _ in fields) == sorted(HEADERS)
    assert [value for name, _, value in fields if name == "To"] == [
        f" {local}@{'x.example' if domain == 'x.example' else 'xn--bcher-kva.example'}"
    ]


@settings(max_examples=30, deadline=None)
# The standard library folds these so that they read otherwise.
@example("0" + "\u0800" * 12 + "\u0898" * 2 + " \xa1")
@example("Geschäftsführung der Nordlicht Gesellschaft für Häuser und Gärten in Köln mbH")
@given(agency=ANY_TEXT.filter(lambda text: not any(unicodedata.category(each)[0] == "C" for each in text)))
def test_every_printable_name_gives_a_letter(agency: str) -> None:
    text = re.sub("[\u2028\u2029]", "", agency)
    assert text in body(read(compose(letter(agency=text, requested_by=text))), "plain")
