"""What a mailbox's mail says it is from: a table of cases, and anything at all."""

from __future__ import annotations

import email
import email.policy
import re
import unicodedata
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mail.sender import headers
from mail.sender.headers import HeaderError
from mail.sender.rule import Change, Field, RefusedError, Sender, changes, name_of
from models import names

OWN = "chef@nordlicht.example"
NAMED = Sender(OWN, "Nordlicht Immobilien", ("Anna Petersen", None))
ANNA = Sender(OWN, None, ("Anna Petersen",))
SEVERAL = Sender(OWN, None, ("Anna Petersen", "Jörg Müller", None))
NAMELESS = Sender(OWN, None, (None,))
NOBODY = Sender(OWN, None, ())


def leaving(sender: Sender, *fields: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    """The fields as they leave."""
    numbers: dict[str, int] = {}
    given: list[Field] = []
    for name, content in fields:
        numbers[name.lower()] = numbers.get(name.lower(), 0) + 1
        given.append(Field(name, numbers[name.lower()], content))
    wanted = {(each.name, each.number): each.value for each in changes(sender, given)}
    result = []
    for field in given:
        changed = wanted.get((field.name, field.number))
        if changed != "":
            result.append((field.name, field.value if changed is None else changed.encode()))
    return result


@pytest.mark.parametrize(
    "sender, given, leaves",
    [
        (NAMED, b"Anna Petersen <chef@nordlicht.example>", b"Nordlicht Immobilien <chef@nordlicht.example>"),
        (NAMED, b"chef@nordlicht.example", b"Nordlicht Immobilien <chef@nordlicht.example>"),
        (ANNA, b"Anna Petersen <chef@nordlicht.example>", b"Anna Petersen <chef@nordlicht.example>"),
        (ANNA, b"The Boss <chef@nordlicht.example>", b"Anna Petersen <chef@nordlicht.example>"),
        (ANNA, b"<chef@nordlicht.example>", b"Anna Petersen <chef@nordlicht.example>"),
        (SEVERAL, b"anna petersen <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (SEVERAL, b'"Anna  Petersen " <chef@nordlicht.example>', b"Anna Petersen <chef@nordlicht.example>"),
        (SEVERAL, b"Anna\n\tPetersen <chef@nordlicht.example>", b"Anna Petersen <chef@nordlicht.example>"),
        (SEVERAL, b"chef@nordlicht.example (Anna Petersen)", b"Anna Petersen <chef@nordlicht.example>"),
        (SEVERAL, b"The Boss <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (SEVERAL, b"<CHEF@Nordlicht.Example>", b"chef@nordlicht.example"),
        (
            SEVERAL,
            "Jörg Müller <chef@nordlicht.example>".encode(),
            b"=?utf-8?B?SsO2cmcgTcO8bGxlcg==?= <chef@nordlicht.example>",
        ),
        (
            SEVERAL,
            unicodedata.normalize("NFD", "Jörg Müller <chef@nordlicht.example>").encode(),
            b"=?utf-8?B?SsO2cmcgTcO8bGxlcg==?= <chef@nordlicht.example>",
        ),
        (
            SEVERAL,
            b"=?iso-8859-1?Q?J=F6rg?=\n =?utf-8?B?IE3DvGxsZXI=?= <chef@nordlicht.example>",
            b"=?utf-8?B?SsO2cmcgTcO8bGxlcg==?= <chef@nordlicht.example>",
        ),
        (
            SEVERAL,
            b"=?utf-8?Q?J=C3?= =?utf-8?Q?=B6rg_M=C3=BCller?= <chef@nordlicht.example>",
            b"=?utf-8?B?SsO2cmcgTcO8bGxlcg==?= <chef@nordlicht.example>",
        ),
        (SEVERAL, b"J\xf6rg M\xfcller <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (SEVERAL, b"=?utf-8?Q?=00=0D=0A?= <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (SEVERAL, b"=?hex_codec?Q?4142?= <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (SEVERAL, b'"ceo@bank.example" <chef@nordlicht.example>', b"chef@nordlicht.example"),
        (SEVERAL, b"chef@nordlicht.example <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (NAMELESS, b"Anna Petersen <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (NOBODY, b"Anna Petersen <chef@nordlicht.example>", b"chef@nordlicht.example"),
        (
            Sender(OWN, 'Dr. Kern, "evil"', ("Anna Petersen",)),
            b"chef@nordlicht.example",
            b"chef@nordlicht.example",
        ),
        (
            Sender(OWN, "Dr. Kern, Vertrieb (Nord)", ()),
            b"chef@nordlicht.example",
            b'"Dr. Kern, Vertrieb (Nord)" <chef@nordlicht.example>',
        ),
    ],
)
def test_the_name_is_set_right(sender: Sender, given: bytes, leaves: bytes) -> None:
    assert leaving(sender, ("From", given)) == [("From", leaves)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Anna Petersen",
        b"<>",
        b"boss@nordlicht.example",
        b"chef@nordlicht.example.evil.example",
        b"chef <chef@nordlicht.example>, boss@bank.example",
        b"chef@nordlicht.example, chef@nordlicht.example",
        b"<chef@nordlicht.example> <boss@bank.example>",
        b"<boss@bank.example> chef@nordlicht.example",
        b"chef@nordlicht.example <boss@bank.example>",
        b"<chef@nordlicht.example> boss@bank.example",
        b"Friends: chef@nordlicht.example;",
        b"<@bank.example:chef@nordlicht.example>",
        b'"chef"@nordlicht.example',
        b"<chef @ nordlicht . example>",
        b"chef@nordlicht.example\0",
        b"chef@nordlicht.example\r\nFrom: boss@bank.example",
        b"chef@nordlicht.example\rboss@bank.example",
        b"chef@nordlicht.example\nFrom: boss@bank.example",
        b'"unended <chef@nordlicht.example>',
        b"(a (b) c) chef@nordlicht.example",
        b"=?utf-8?Q?chef=40nordlicht.example?=",
        "\u212aern@nordlicht.example".encode(),
        b"chef@nordlicht.example " + b"x" * 20_000,
    ],
)
def test_what_is_not_ones_own_address_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        leaving(NAMED, ("From", value))
    assert str(caught.value).isascii()


def test_the_kelvin_sign_is_no_k() -> None:
    with pytest.raises(RefusedError):
        leaving(Sender("kern@nordlicht.example", None, ()), ("From", "\u212aern@nordlicht.example".encode()))


def test_a_domain_may_be_written_in_its_own_letters() -> None:
    own = "chef@xn--mller-kva.example"
    assert leaving(Sender(own, None, ()), ("From", "chef@müller.example".encode())) == [
        ("From", own.encode())
    ]


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Sender", OWN)],
        [("From", OWN), ("From", OWN)],
        [("From", OWN), ("FROM", OWN)],
        [("From", OWN), ("Sender", "boss@bank.example")],
        [("From", OWN), ("Sender", OWN), ("sender", OWN)],
        [("From", OWN), ("Resent-From", "boss@bank.example")],
        [("From", OWN), ("Resent-Sender", "boss@bank.example")],
    ],
)
def test_missing_doubled_and_foreign_fields_are_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(RefusedError):
        leaving(NAMED, *((name, value.encode()) for name, value in fields))


def test_a_sender_of_ones_own_goes_and_a_resent_mail_is_named_alike() -> None:
    own, named = OWN.encode(), b"Nordlicht Immobilien <chef@nordlicht.example>"
    fields = [("Resent-From", own), ("sender", b"X <" + own + b">"), ("FROM", own), ("Resent-From", named)]
    assert leaving(NAMED, *fields, ("Resent-Sender", own)) == [
        ("Resent-From", named),
        ("FROM", named),
        ("Resent-From", named),
    ]
    assert Change("sender", 1, "") in changes(NAMED, [Field("From", 1, own), Field("sender", 1, own)])


@given(st.text(max_size=128))
@example("Geschäftsführung der Nordlicht Immobilienverwaltungsgesellschaft mbH & Co. KG, Niederlassung Süd")
@example("W" * 128)
@example("ä" * 128)
@example("a  b " * 25)
def test_every_name_that_is_allowed_is_read_as_it_was_written(name: str) -> None:
    if names.problem(name) is not None or not name.strip():
        assert name_of(Sender(OWN, None, (name,)), "") is None
        return
    value = headers.write("From", name.strip(), OWN)
    assert value.isascii()
    assert value.isprintable() or re.fullmatch(r"[ -~\n]+", value)
    lines = f"From: {value}".split("\n")
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert all(len(line) <= 76 for line in lines) or all(len(line) <= 150 for line in lines)
    assert headers.same_name(headers.read(value.encode()).name, name)
    # Python's own reader, as somebody else's.
    message = email.message_from_string(f"From: {value}\n\n", policy=email.policy.compat32)
    unfolded = str(message["From"]).replace("\n", "")
    ((shown, address),) = getaddresses([unfolded])
    assert address == OWN
    assert headers.same_name(str(make_header(decode_header(shown))), name)


ODD = st.sampled_from(
    [
        *(OWN, "boss@bank.example", "<", ">", "<chef@nordlicht.example>", ",", ";", ":", '"', "\\", "(", ")"),
        *("@", " ", "\n ", "\n\t", "\r", "\n", "\0", "=?utf-8?Q?", "?=", "=?utf-8?B?QUJD?=", "Anna Petersen"),
        *("Jörg Müller", "\u202e", "\u200b", "\u212a", "\xff", "From: ", "group:", "(a)", '"q"'),
    ]
)
VALUES = st.one_of(
    st.lists(ODD, max_size=12).map(lambda parts: "".join(parts).encode()),
    st.lists(ODD, max_size=8).map(lambda parts: " ".join([*parts, "<chef@nordlicht.example>"]).encode()),
    st.binary(max_size=60),
)
FIELDS = st.lists(
    st.tuples(st.sampled_from(["From", "from", "FROM", "Sender", "Resent-From", "Resent-Sender"]), VALUES),
    max_size=4,
)


@given(st.sampled_from([NAMED, ANNA, SEVERAL, NAMELESS, NOBODY]), FIELDS)
def test_what_leaves_is_one_from_with_the_own_address_and_an_allowed_name_or_nothing(
    sender: Sender, fields: list[tuple[str, bytes]]
) -> None:
    try:
        left = leaving(sender, *fields)
    except RefusedError:
        return
    assert sum(name.lower() == "from" for name, _ in left) == 1
    assert all(name.lower() in {"from", "resent-from"} for name, _ in left)
    possible = {sender.name} if sender.name else {*sender.assigned, None}
    if not sender.name and len(sender.assigned) == 1:
        possible = set(sender.assigned)
    canonical = {
        headers.write(field, name, OWN).encode() for name in possible for field in ("From", "Resent-From")
    }
    assert {value for _, value in left} <= canonical


@given(st.binary(max_size=200))
def test_reading_anything_gives_one_plain_address_or_is_refused(value: bytes) -> None:
    try:
        found = headers.read(value)
    except HeaderError:
        return
    assert re.fullmatch(r'[^\s\0,;:<>"()\\@]+@[^\s\0,;:<>"()\\@]+', found.address)
