"""Reading a line: what each key takes, what is assumed, what is refused, and that nothing of the line is told."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bookings import References
from models.tables.mails import MailPart
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.lines import (
    AgencyContent,
    AgencyLine,
    AnyLine,
    AssignmentLine,
    BookingPart,
    LineReader,
    MailboxContent,
    MailboxLine,
    MailLine,
    UserContent,
    UserLine,
)
from resolvers.importing.passwords import Plain
from resolvers.importing.records import LINE_BYTES, parse
from tests.oracle.world import CHEAP_HASH
from tests.resolvers.arrivals import NOON, WORLD, agency, assignment, at, booking, mail, mailbox, user

NOW = NOON + timedelta(hours=10)
CONTACT = {"name": "Jo Kern", "email": "kern@provider.example"}


def read(line: dict[str, Any] | bytes) -> AnyLine:
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return LineReader(NOW).read(parse(text))


def refusal(line: dict[str, Any] | bytes) -> str:
    with pytest.raises(LineRefusedError) as refused:
        read(line)
    assert refused.value.number is None
    return refused.value.reason


# ---------------------------------------------------------------- what a line means


def test_an_agency_needs_no_more_than_key_and_name() -> None:
    line = {"type": "agency", "key": " nord ", "name": " Nord Immobilien "}
    assert read(line) == AgencyLine("nord", AgencyContent("Nord Immobilien", frozenset(), frozenset(), None))


def test_domains_are_taken_as_addresses_have_them() -> None:
    line = read(agency(domains=["Nord.Example", "nord.example", "münchen.example"]))
    assert isinstance(line, AgencyLine)
    assert line.content.domains == {"nord.example", "xn--mnchen-3ya.example"}


@pytest.mark.parametrize(
    "given, phone",
    [(CONTACT, None), ({**CONTACT, "phone": None}, None), ({**CONTACT, "phone": " 04 "}, "04")],
)
def test_an_account_manager_may_have_a_telephone(given: dict[str, Any], phone: str | None) -> None:
    line = read(agency(accountManager=given))
    assert isinstance(line, AgencyLine)
    assert line.content.contact == ("Jo Kern", "kern@provider.example", phone)


def test_a_user_gets_the_defaults() -> None:
    line = user(" Anna+x@NORD.example ".strip())
    content = UserContent("Kim", "Muster", None, None, "de", "USER", "ACTIVE", frozenset(), "OWN", "OWN")
    assert read(line) == UserLine("nord", "anna+x@nord.example", content, None, CHEAP_HASH, False)  # noqa: FBT003


def test_a_user_is_taken_whole() -> None:
    line = user(
        email="Anna@HOME.example",
        emailName="  Anna P. ",
        language="en-GB",
        role="ADMINISTRATOR",
        state="LOCKED",
        officeGroups=[" sales ", "sales", "rent"],
        activityReadLevel="ALL",
        agentsLogReadLevel="NOTHING",
        passwordChangeRequired=True,
    )
    del line["passwordHash"]
    content = UserContent(
        "Kim",
        "Muster",
        "Anna@home.example",
        "Anna P.",
        "en-GB",
        "ADMINISTRATOR",
        "LOCKED",
        frozenset({"sales", "rent"}),
        "ALL",
        "NOTHING",
    )
    expected = UserLine("nord", "new@nord.example", content, "a long password", None, True)  # noqa: FBT003
    assert read({**line, "password": "a long password"}) == expected


def test_an_account_manager_belongs_to_nobody() -> None:
    line = read(user("kern@provider.example", agency=None, role="ACCOUNT_MANAGER"))
    assert isinstance(line, UserLine)
    assert (line.agency, line.content.role) == (None, "ACCOUNT_MANAGER")


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_mailbox_gets_the_defaults(blank: str | None) -> None:
    content = MailboxContent(email_name=None, vip=False, active=True, automatic_booking=False)
    assert read(mailbox(emailName=blank)) == MailboxLine(
        "nord", "new@nord.example", content, None, Plain(None)
    )


def test_a_mailbox_that_is_off_may_say_when_it_stops() -> None:
    line = mailbox(active=False, vip=True, automaticBooking=True, receivingStopsAt=at(10.5))
    content = MailboxContent(email_name=None, vip=True, active=False, automatic_booking=True)
    expected = MailboxLine("nord", "new@nord.example", content, NOON + timedelta(hours=10.5), Plain(None))
    assert read(line) == expected


@pytest.mark.parametrize(
    "written, moment",
    [
        ("2024-03-01T12:00:00Z", NOON),
        ("2024-03-01t12:00:00z", NOON),
        ("2024-03-01T13:30:00.5+01:30", NOON + timedelta(seconds=0.5)),
        ("2024-02-29T23:59:59.999999-12:01", NOON + timedelta(minutes=1, microseconds=-1)),
        ("2024-03-01T12:00:00-00:00", NOON),
    ],
)
def test_times_are_instants(written: str, moment: datetime) -> None:
    line = read(assignment(**{"from": written}))
    assert line == AssignmentLine("info@nord.example", "anna@nord.example", moment, None)
    assert isinstance(line, AssignmentLine)
    assert line.since.tzinfo is UTC


def test_the_present_is_not_the_future() -> None:
    line = read(assignment(**{"from": at(9), "until": at(10)}))
    assert isinstance(line, AssignmentLine)
    assert line.until == NOW


def test_a_mail_needs_little() -> None:
    line = mail(booking())
    del line["recipients"]
    read_line = read(line)
    assert isinstance(read_line, MailLine)
    assert read_line.content.recipients == ()
    assert read_line.content.mail_date is None
    assert read_line.references == References((), ())
    assert read_line.bookings == (
        BookingPart("info@nord.example", MailPart.RECEIVING, NOON + timedelta(hours=1), None),
    )


def test_a_mail_is_taken_as_it_was_sent() -> None:
    line = mail(
        booking(mailbox=" INFO@nord.example", part="SENDING", user="BERT@nord.example"),
        messageId=" x@y ",
        sender=" Info@Nord.example ",
        recipients=["A B@web.example", "Ä.Kunde@web.example"],
        subject=" Haus\t1 ",
        text=" \n",
        mailDate="2999-01-01T00:00:00Z",
        contactReferences=["K-1", " K-1 ", "k-1"],
        propertyReferences=["P-1"],
    )
    found = read(line)
    assert isinstance(found, MailLine)
    assert found.content.message_id == "x@y"
    assert found.content.sender == "Info@Nord.example"
    assert found.content.recipients == ("A B@web.example", "Ä.Kunde@web.example")
    assert (found.content.subject, found.content.text) == (" Haus\t1 ", " \n")
    assert found.content.mail_date == datetime(2999, 1, 1, tzinfo=UTC)
    assert found.references == References(("K-1", "k-1"), ("P-1",))
    moment = NOON + timedelta(hours=1)
    assert found.bookings == (
        BookingPart("info@nord.example", MailPart.SENDING, moment, "bert@nord.example"),
    )


def test_more_references_are_taken_than_one_call_may_bring() -> None:
    line = read(mail(contactReferences=[f"K-{number}" for number in range(150)]))
    assert isinstance(line, MailLine)
    assert len(line.references.contacts) == 150


def test_keys_may_be_written_in_any_way() -> None:
    line = b'{"type"\t: "agency" , "key":"nord","name" :"a\\":b", "accountManager":{"name":"\\\\\\":","email" :"a@b.example"}}'
    found = read(line)
    assert isinstance(found, AgencyLine)
    assert found.content.name == 'a":b'


# ---------------------------------------------------------------- what is refused

TIME = "Expected a time of RFC 3339 with an offset, to the microsecond, as 2024-03-01T09:30:00Z."
VERSION = "Expected a whole number from 1 to 2147483647."
SEALED: dict[str, Any] = {
    "passwordHash": CHEAP_HASH,
    "passwordSealed": "v1.k.x",
    "passwordVersion": 1,
    "passwordChangedAt": "2024-03-01T12:00:00Z",
}
LEVELS = "Expected ALL or OFFICE_GROUP or OWN or NOTHING."
MISSING = "This key is missing."
NAME = "Control, invisible and direction-changing characters and line breaks are not allowed."

REFUSED: list[tuple[dict[str, Any] | bytes, str]] = [
    # Not a line at all.
    (b"", "This is not JSON, column 1."),
    (b"{", "This is not JSON, column 2."),
    (b'{"type": "agency"} x', "This is not JSON, column 20."),
    (b"[" * 3000, "This is not JSON, column 1026."),
    (b'{"type": "\xff"}', "This is not UTF-8."),
    (b'{"type": "\\ud800"}', "A lone surrogate is not text, column 11."),
    (b"[]", "A line is one JSON object."),
    (b"null", "A line is one JSON object."),
    (b'"agency"', "A line is one JSON object."),
    (b'{"type": "agency", "type": "agency"}', "A key stands twice in an object."),
    (b'{"type": "agency", "accountManager": {"name": "a", "name": "b"}}', "A key stands twice in an object."),
    (b'{"type": "mail", "bookings": [{"user" : "a", "user": "b"}]}', "A key stands twice in an object."),
    (b'{"a": 1, "a": 2, "b": ' + b"[" * 1020 + b"]" * 1020 + b"}", "No line is as deep or as large as that."),
    (b" " * (LINE_BYTES + 1), f"A line has at most {LINE_BYTES} bytes."),
    ({}, "type: Expected agency or user or mailbox or assignment or mail."),
    ({"type": "group"}, "type: Expected agency or user or mailbox or assignment or mail."),
    ({"type": ["agency"]}, "type: Expected agency or user or mailbox or assignment or mail."),
    # Agencies.
    ({"type": "agency", "key": "nord"}, f"name: {MISSING}"),
    (agency(color="red"), "Key number 5 is unknown."),
    (agency(key=7), "key: Expected a text."),
    (agency(key="a\0"), "key: NUL is not text."),
    (agency(key=" "), "key: It must not be blank."),
    (agency(name="a\nb"), "name: Control and direction-changing characters and line breaks are not allowed."),
    (agency(name="a" * 101), "name: At most 100 characters."),
    (agency(domains="nord.example"), "domains: Expected a list."),
    (agency(domains=None), "domains: Expected a list."),
    (agency(domains=["nord.example", 1]), "domains.1: Expected a text."),
    (agency(domains=["nord.example", "no domain"]), "domains.1: This is not a domain."),
    (agency(domains=["a@nord.example"]), "domains.0: This is not a domain."),
    (agency(modules=["VIP"]), "modules.0: Expected VIP_MAILBOXES or AUTOMATIC_BOOKING."),
    (agency(modules=[{}]), "modules.0: Expected VIP_MAILBOXES or AUTOMATIC_BOOKING."),
    (agency(accountManager="Jo"), "accountManager: Expected an object or null."),
    (agency(accountManager={"name": "Jo"}), f"accountManager.email: {MISSING}"),
    (agency(accountManager={**CONTACT, "fax": "1"}), "accountManager: Key number 3 is unknown."),
    (
        agency(accountManager={**CONTACT, "email": "x"}),
        "accountManager.email: This is not an e-mail address.",
    ),
    (agency(accountManager={**CONTACT, "name": ""}), "accountManager.name: It must not be blank."),
    # Users.
    ({key: value for key, value in user().items() if key != "agency"}, f"agency: {MISSING}"),
    (user(id="1"), "Key number 7 is unknown."),
    (user(agency=None), "agency: Only an account manager has none."),
    (user(role="ACCOUNT_MANAGER"), "agency: An account manager has none: null."),
    (
        user(agency=None, role="ACCOUNT_MANAGER", officeGroups=["a"]),
        "officeGroups: An account manager is in none.",
    ),
    (user("anna"), "login: This is not an e-mail address."),
    (user("a b@nord.example"), "login: This is not an e-mail address."),
    (user(login=None), "login: Expected a text."),
    (user(firstName=None), "firstName: Expected a text."),
    (user(lastName=""), "lastName: It must not be blank."),
    (user(email="home"), "email: This is not an e-mail address."),
    (user(emailName="a\u200bb"), f"emailName: {NAME}"),
    (user(emailName="x@y.example"), "emailName: An address other than the mailbox's own is not allowed."),
    (user(language="deutsch!"), "language: A language is a tag of BCP 47, such as de or en-GB."),
    (user(language=None), "language: Expected a text."),
    (user(role="BOSS"), "role: Expected USER or ADMINISTRATOR or ACCOUNT_MANAGER."),
    (user(role=None), "role: Expected a text."),
    (user(state="active"), "state: Expected ACTIVE or LOCKED or DEACTIVATED."),
    (user(officeGroups=[" "]), "officeGroups: It must not be blank."),
    (user(officeGroups=[None]), "officeGroups.0: Expected a text."),
    (user(activityReadLevel="MY"), f"activityReadLevel: {LEVELS}"),
    (user(agentsLogReadLevel="MY"), f"agentsLogReadLevel: {LEVELS}"),
    (user(password="a long password"), "passwordHash: Either this or password is there, not both."),
    (
        {key: value for key, value in user().items() if key != "passwordHash"},
        "password: Either this or passwordHash is there.",
    ),
    (user(passwordChangeRequired="yes"), "passwordChangeRequired: Expected true or false."),
    # Mailboxes.
    (mailbox(color="red"), "Key number 4 is unknown."),
    (mailbox(agency=None), "agency: Expected a text."),
    (
        mailbox("new+tag@nord.example"),
        "address: Before the @ only letters, digits and . _ - between them are possible.",
    ),
    (agency(passwordsInLetters=1), "passwordsInLetters: Expected true or false."),
    (mailbox(vip=1), "vip: Expected true or false."),
    (mailbox(vip=None), "vip: Expected true or false."),
    (mailbox(active="no"), "active: Expected true or false."),
    (mailbox(automaticBooking=0), "automaticBooking: Expected true or false."),
    (
        mailbox(emailName="x@nord.example"),
        "emailName: An address other than the mailbox's own is not allowed.",
    ),
    (mailbox(emailName=7), "emailName: Expected a text."),
    (mailbox(password=7), "password: Expected a text."),
    (mailbox(password=""), "password: Expected 1 to 128 characters."),
    (mailbox(password="x" * 129), "password: Expected 1 to 128 characters."),
    (mailbox(password="two\tparts"), "password: Expected printable characters."),
    (
        mailbox(password="x", passwordVersion=1),
        "passwordVersion: Either this or password is there, not both.",
    ),
    (mailbox(passwordHash=CHEAP_HASH), "passwordSealed: It is missing beside passwordHash."),
    (mailbox(passwordChangedAt=None), "passwordHash: It is missing beside passwordChangedAt."),
    (mailbox(**{**SEALED, "passwordHash": "x"}), "passwordHash: Expected Argon2id in PHC form."),
    (
        mailbox(**{**SEALED, "passwordHash": CHEAP_HASH.replace("m=8,", "m=262144,")}),
        "passwordHash: Less than 256 MiB: the mail servers check it.",
    ),
    (mailbox(**{**SEALED, "passwordSealed": None}), "passwordSealed: Expected a text."),
    (mailbox(**{**SEALED, "passwordVersion": 0}), f"passwordVersion: {VERSION}"),
    (mailbox(**{**SEALED, "passwordVersion": 2**31}), f"passwordVersion: {VERSION}"),
    (mailbox(**{**SEALED, "passwordVersion": True}), f"passwordVersion: {VERSION}"),
    (mailbox(**{**SEALED, "passwordChangedAt": None}), f"passwordChangedAt: {TIME}"),
    (
        mailbox(**{**SEALED, "passwordChangedAt": "9999-01-01T00:00:00Z"}),
        "passwordChangedAt: Expected a moment that is not in the future.",
    ),
    (mailbox(receivingStopsAt=at(1)), "receivingStopsAt: Only a mailbox that is not active stops."),
    (
        mailbox(active=False, receivingStopsAt=at(10.5, 1)),
        "receivingStopsAt: A mailbox stops within 30 minutes.",
    ),
    (mailbox(active=False, receivingStopsAt="now"), f"receivingStopsAt: {TIME}"),
    # Assignments.
    (assignment(agency="nord"), "Key number 5 is unknown."),
    ({key: value for key, value in assignment().items() if key != "from"}, f"from: {MISSING}"),
    (assignment(mailbox=None), "mailbox: Expected a text."),
    (assignment(user=None), "user: Expected a text."),
    *[
        (assignment(**{"from": wrong}), f"from: {TIME}")
        for wrong in (
            None,
            1709294400,
            "2024-03-01T12:00:00",
            "2024-03-01 12:00:00Z",
            "2024-03-01T12:00Z",
            "2024-03-01T12:00:00.1234567Z",
            "2024-03-01T24:00:00Z",
            "2024-03-01T12:00:60Z",
            "2024-02-30T12:00:00Z",
            "2024-03-01T12:00:00+24:00",
            "2024-03-01T12:00:00+01:60",
            "2024-03-01T12:00:00+0100",
            "20240301T120000Z",
            "2024-W09-5T12:00:00Z",
            "0000-03-01T12:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
            "٢٠٢٤-03-01T12:00:00Z",
        )
    ],
    (assignment(**{"from": at(10, 1)}), "from: This lies in the future."),
    (assignment(**{"from": "0001-01-01T23:59:59Z"}), "from: This is too long ago."),
    (assignment(until=at(10, 1)), "until: This lies in the future."),
    (assignment(until=at(0)), "until: A period ends after it begins."),
    (assignment(until=at(0, -1)), "until: A period ends after it begins."),
    # E-mails.
    (mail(bcc=[]), "Key number 9 is unknown."),
    ({key: value for key, value in mail().items() if key != "subject"}, f"subject: {MISSING}"),
    (mail(agency=None), "agency: Expected a text."),
    (mail(messageId="<a@b>"), "messageId: A Message-ID is one word, without angle brackets."),
    (mail(messageId=" "), "messageId: A Message-ID is one word, without angle brackets."),
    (mail(sender="buyer"), "sender: This is not an e-mail address."),
    (mail(recipients="info@nord.example"), "recipients: Expected a list."),
    (mail(recipients=["a@b.example", "a@b\n.example"]), "recipients.1: This is not an e-mail address."),
    (mail(subject=None), "subject: Expected a text."),
    (mail(text="a\0b"), "text: NUL is not text."),
    (mail(text="a" * 500_001), "text: At most 500000 characters."),
    (mail(mailDate="yesterday"), f"mailDate: {TIME}"),
    (mail(bookings=[]), "bookings: An e-mail has at least one booking."),
    (mail(bookings=None), "bookings: Expected a list."),
    (mail(bookings=[[]]), "bookings.0: Expected an object."),
    (
        {key: value for key, value in mail().items() if key != "bookings"},
        "bookings: An e-mail has at least one booking.",
    ),
    (mail({"mailbox": "info@nord.example", "part": "RECEIVING"}), f"bookings.0.decisiveAt: {MISSING}"),
    (mail(booking(at=1)), "bookings.0: Key number 4 is unknown."),
    (mail(booking(), booking(mailbox=1)), "bookings.1.mailbox: Expected a text."),
    (mail(booking(part="READING")), "bookings.0.part: Expected SENDING or RECEIVING."),
    (mail(booking(decisiveAt=at(10, 1))), "bookings.0.decisiveAt: This lies in the future."),
    (mail(booking(user=1)), "bookings.0.user: Expected a text."),
    (mail(booking(part="SENDING")), "bookings.0.mailbox: A mailbox that sends is the e-mail's sender."),
    (
        mail(
            booking(part="SENDING"),
            booking(mailbox="a@nord.example", part="SENDING"),
            sender="info@nord.example",
        ),
        "bookings.1.mailbox: A mailbox that sends is the e-mail's sender.",
    ),
    (
        mail(booking(), booking(mailbox="INFO@nord.example")),
        "bookings: A mailbox has one booking of an e-mail.",
    ),
    (mail(contactReferences=["K-1", ""]), "contactReferences.1: It must not be blank."),
    (mail(contactReferences=[None]), "contactReferences.0: Expected a text."),
    (mail(propertyReferences=["a" * 201]), "propertyReferences.0: At most 200 characters."),
    (mail(propertyReferences="P-1"), "propertyReferences: Expected a list."),
    (mail(laterMailboxes="x"), "laterMailboxes: Expected a list."),
    (mail(activityWithoutContact=1), "activityWithoutContact: Expected true or false."),
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_a_line_that_is_wrong_is_refused(place: int) -> None:
    line, reason = REFUSED[place]
    assert refusal(line) == reason


HASH = CHEAP_HASH.split("$")


def hash_with(**parts: str) -> str:
    kind, version, costs = (
        parts.get("kind", HASH[1]),
        parts.get("version", HASH[2]),
        parts.get("costs", HASH[3]),
    )
    return "$".join(["", kind, version, costs, parts.get("salt", HASH[4]), parts.get("digest", HASH[5])])


@pytest.mark.parametrize("costs", ["m=262144,t=10,p=4", "m=512,t=1,p=64", "m=8,t=1,p=1"])
def test_hashes_up_to_the_limit_are_taken(costs: str) -> None:
    line = read(user(passwordHash=hash_with(costs=costs)))
    assert isinstance(line, UserLine)
    assert line.password_hash == hash_with(costs=costs)


@pytest.mark.parametrize(
    "wrong, reason",
    [
        ("", "Expected Argon2id in PHC form."),
        ("$2b$12$abcdefghijklmnopqrstuv", "Expected Argon2id in PHC form."),
        (hash_with(kind="argon2i"), "Expected Argon2id in PHC form."),
        (hash_with(version="v=16"), "Expected Argon2id in PHC form."),
        (hash_with(costs="m=08,t=1,p=1"), "Expected Argon2id in PHC form."),
        (hash_with(costs="t=1,m=8,p=1"), "Expected Argon2id in PHC form."),
        (CHEAP_HASH + "\n", "Expected Argon2id in PHC form."),
        (CHEAP_HASH + "=", "Expected Argon2id in PHC form."),
        (hash_with(costs="m=262145,t=1,p=1"), "At most 256 MiB, 10 passes and 64 lanes."),
        (hash_with(costs="m=8,t=11,p=1"), "At most 256 MiB, 10 passes and 64 lanes."),
        (hash_with(costs="m=1024,t=1,p=65"), "At most 256 MiB, 10 passes and 64 lanes."),
        (hash_with(costs="m=15,t=1,p=2"), "At least 8 KiB for each lane."),
        (hash_with(salt="AAAA"), "Salt or hash is not base64 of a usual length."),
        (hash_with(salt=HASH[4][:-1] + "B"), "Salt or hash is not base64 of a usual length."),
        (hash_with(digest="AAAAAAAAA"), "Salt or hash is not base64 of a usual length."),
        (hash_with(digest="A" * 180), "Salt or hash is not base64 of a usual length."),
    ],
)
def test_other_hashes_are_refused(wrong: str, reason: str) -> None:
    assert refusal(user(passwordHash=wrong)) == f"passwordHash: {reason}"


@pytest.mark.parametrize("password", ["a" * 12, "a" * 128, "ßü€😀" * 3])
def test_passwords_are_taken_as_the_api_takes_them(password: str) -> None:
    line = {key: value for key, value in user().items() if key != "passwordHash"}
    found = read({**line, "password": password})
    assert isinstance(found, UserLine)
    assert (found.password, found.password_hash) == (password, None)


@pytest.mark.parametrize("password", ["a" * 11, "a" * 129])
def test_passwords_of_another_length_are_refused(password: str) -> None:
    line = {key: value for key, value in user().items() if key != "passwordHash"}
    assert refusal({**line, "password": password}) == "password: A password has 12 to 128 characters."


# ---------------------------------------------------------------- whatever comes

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(
        ["agency", "mail", "nord", "ACTIVE", "info@nord.example", at(0), "9999-12-31T23:59:59-23:59"]
    ),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(), each, max_size=4),
    max_leaves=12,
)
SECRET = "Tresor-Schlüssel-9Q7"


def clean_or_read(line: bytes) -> None:
    """A line is read, or refused in one line of text that shows nothing of it."""
    try:
        read(line)
    except LineRefusedError as error:
        refused = error
    else:
        return
    assert refused.reason
    assert refused.reason.isprintable()
    assert len(refused.reason) < 200
    assert SECRET not in refused.reason


@given(line=st.binary())
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    clean_or_read(line)


@given(value=ANYTHING)
def test_any_json_is_read_or_refused(value: object) -> None:
    clean_or_read(json.dumps(value).encode())


@given(data=st.data())
@settings(max_examples=400)
def test_a_line_changed_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    line = json.loads(json.dumps(data.draw(st.sampled_from(WORLD))))
    places = list(places_in(line))
    for put in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        put(data.draw(st.one_of(ANYTHING, st.just(SECRET), st.just([SECRET]), st.just({SECRET: SECRET}))))
    clean_or_read(json.dumps(line).encode())


@given(data=st.data())
@settings(max_examples=200)
def test_a_line_with_other_bytes_is_read_or_refused(data: st.DataObject) -> None:
    line = bytearray(orjson.dumps(data.draw(st.sampled_from(WORLD))))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    clean_or_read(bytes(line[: data.draw(st.integers(0, len(line)))]))


def places_in(line: Any) -> list[Callable[[object], None]]:  # noqa: ANN401 - any JSON
    """Functions that put something else in each place of a line, or a new key beside the others."""
    found: list[Callable[[object], None]] = []
    if isinstance(line, dict):
        found.append(partial(line.__setitem__, SECRET))
    for key in list(line) if isinstance(line, dict) else range(len(line)) if isinstance(line, list) else ():
        found += [partial(line.__setitem__, key), *places_in(line[key])]
    return found
