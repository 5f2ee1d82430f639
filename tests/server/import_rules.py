"""The rules of the import said in plain Python: reads JSON Lines into a world and refuses what breaks one.

Stricter than the import itself where only the demonstration is concerned: invented domains alone, a receiving
mailbox is among the recipients, texts are clean.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from tests.oracle.rule import identity
from tests.oracle.world import Agency, Booking, Mail, Mailbox, Period, User, World

KEYS: Final = {
    "agency": {"type", "key", "name", "domains", "modules", "accountManager"},
    "user": {
        "type",
        "agency",
        "login",
        "firstName",
        "lastName",
        "email",
        "emailName",
        "language",
        "role",
        "state",
        "officeGroups",
        "activityReadLevel",
        "agentsLogReadLevel",
        "password",
    },
    "mailbox": {"type", "agency", "address", "emailName", "vip", "active", "automaticBooking"},
    "assignment": {"type", "mailbox", "user", "from", "until"},
    "mail": {
        "type",
        "agency",
        "messageId",
        "sender",
        "recipients",
        "subject",
        "text",
        "mailDate",
        "bookings",
        "contactReferences",
        "propertyReferences",
    },
}
BOOKING_KEYS: Final = {"mailbox", "part", "decisiveAt", "user"}
LEVELS: Final = {"ALL", "OFFICE_GROUP", "OWN", "NOTHING"}
ADDRESS: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*@[a-z0-9]+(?:-[a-z0-9]+)*\.example")
REFERENCE: Final = re.compile(r"[KP]-\d+")
LEFT_OVER: Final = re.compile(r"[\[\]{}|]|\s[,.]|  | \n|\n\n\n")


class Reader:
    """Takes lines one by one and asserts each rule; `world` is what they bring."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.agencies: dict[str, Agency] = {}
        self.users: dict[str, User] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.active: dict[str, bool] = {}
        self.passwords: dict[str, str] = {}
        self.periods: list[Period] = []
        self.mails: list[Mail] = []

    @classmethod
    def read(cls, lines: Iterable[str], now: datetime) -> "Reader":
        """Reads all lines, then asserts what only the whole can tell."""
        reader = cls(now)
        for line in lines:
            assert "\n" not in line
            row = json.loads(line)
            assert row.keys() <= KEYS[row["type"]], row
            getattr(reader, f"_{row['type']}")(row)
        reader._whole()
        return reader

    @property
    def world(self) -> World:
        """What was read."""
        return World(
            tuple(self.agencies.values()),
            tuple(self.users.values()),
            tuple(self.mailboxes.values()),
            tuple(self.periods),
            tuple(self.mails),
        )

    def _agency(self, row: dict[str, Any]) -> None:
        assert row["key"] not in self.agencies
        taken = {domain for agency in self.agencies.values() for domain in agency.domains}
        assert row["domains"]
        assert taken.isdisjoint(row["domains"])
        assert all(re.fullmatch(r"[a-z-]+\.example", domain) for domain in row["domains"])
        assert set(row["modules"]) <= {"VIP_MAILBOXES", "AUTOMATIC_BOOKING"}
        contact = row["accountManager"]
        assert contact.keys() == {"name", "email", "phone"}
        _assert_address(contact["email"])
        person = (contact["name"], contact["email"], contact["phone"])
        self.agencies[row["key"]] = Agency(
            row["key"], row["name"], tuple(row["domains"]), tuple(row["modules"]), person
        )

    def _user(self, row: dict[str, Any]) -> None:
        login = row["login"]
        _assert_address(login)
        assert login not in self.users
        user = User(
            agency=row["agency"],
            login=login,
            first_name=row["firstName"],
            last_name=row["lastName"],
            email=row.get("email"),
            email_name=row.get("emailName"),
            language=row.get("language", "de"),
            role=row.get("role", "USER"),
            state=row.get("state", "ACTIVE"),
            office_groups=tuple(row.get("officeGroups", ())),
            activity_level=row.get("activityReadLevel", "OWN"),
            agents_log_level=row.get("agentsLogReadLevel", "OWN"),
        )
        assert (user.role == "ACCOUNT_MANAGER") == (user.agency is None)
        if user.agency is None:
            assert all(not _is_in(login, agency) for agency in self.agencies.values())
            assert not user.office_groups
        else:
            assert _is_in(login, self.agencies[user.agency])
        assert user.role in {"USER", "ADMINISTRATOR", "ACCOUNT_MANAGER"}
        assert user.state in {"ACTIVE", "LOCKED", "DEACTIVATED"}
        assert {user.activity_level, user.agents_log_level} <= LEVELS
        assert user.language in {"de", "en"}
        assert len(set(user.office_groups)) == len(user.office_groups)
        _assert_clean(user.first_name, user.last_name, *user.office_groups)
        if user.email is not None:
            _assert_address(user.email)
        if user.email_name is not None:
            _assert_name(user.email_name)
        assert 12 <= len(row["password"]) <= 128
        self.passwords[login] = row["password"]
        self.users[login] = user

    def _mailbox(self, row: dict[str, Any]) -> None:
        address = row["address"]
        _assert_address(address)
        assert address not in self.mailboxes
        assert _is_in(address, self.agencies[row["agency"]])
        assert {type(row[key]) for key in ("vip", "active", "automaticBooking")} == {bool}
        if row["emailName"] is not None:
            _assert_name(row["emailName"])
        self.active[address] = row["active"]
        self.mailboxes[address] = Mailbox(
            row["agency"],
            address,
            row["emailName"],
            vip=row["vip"],
            automatic_booking=row["automaticBooking"],
        )

    def _assignment(self, row: dict[str, Any]) -> None:
        assert not self.mails, "assignments come before mails"
        until = None if row["until"] is None else self._moment(row["until"])
        period = Period(row["mailbox"], row["user"], self._moment(row["from"]), until)
        assert self.mailboxes[period.mailbox].agency == self.users[period.user].agency
        assert period.end is None or period.begin < period.end
        self.periods.append(period)

    def _mail(self, row: dict[str, Any]) -> None:
        mail = Mail(
            agency=row["agency"],
            message_id=row["messageId"],
            sender=row["sender"],
            recipients=tuple(row["recipients"]),
            subject=row["subject"],
            text=row["text"],
            bookings=tuple(self._booking(booking) for booking in row["bookings"]),
            mail_date=self._moment(row["mailDate"]),
            contacts=tuple(row["contactReferences"]),
            properties=tuple(row["propertyReferences"]),
        )
        assert mail.agency in self.agencies
        assert re.fullmatch(r"[0-9a-f.]+@[a-z.-]+\.example", mail.message_id)
        assert mail.recipients
        for addresses in (mail.recipients, [booking.mailbox for booking in mail.bookings]):
            assert len(set(addresses)) == len(addresses)
        for address in (mail.sender, *mail.recipients):
            _assert_address(address)
        _assert_clean(mail.subject)
        _assert_text(mail)
        self._assert_bookings(mail)
        references = (*mail.contacts, *mail.properties)
        assert all(reference and REFERENCE.fullmatch(reference) for reference in references), references
        assert len(set(references)) == len(references)
        self.mails.append(mail)

    def _booking(self, row: dict[str, Any]) -> Booking:
        assert row.keys() == BOOKING_KEYS
        assert row["part"] in {"SENDING", "RECEIVING"}
        return Booking(row["mailbox"], row["part"], self._moment(row["decisiveAt"]), row["user"])

    def _assert_bookings(self, mail: Mail) -> None:
        assert mail.bookings
        senders = [booking.mailbox for booking in mail.bookings if booking.part == "SENDING"]
        assert senders in ([], [mail.sender])
        for booking in mail.bookings:
            assert self.mailboxes[booking.mailbox].agency == mail.agency
            assert booking.part == "SENDING" or booking.mailbox in mail.recipients
            assert mail.mail_date is not None
            assert mail.mail_date <= booking.at, mail.subject
            if booking.user is None:
                assert self.mailboxes[booking.mailbox].automatic_booking, mail.subject
            else:
                assert self.users[booking.user].agency == mail.agency
                assert any(
                    (period.mailbox, period.user) == (booking.mailbox, booking.user)
                    and period.holds(booking.at)
                    for period in self.periods
                ), (mail.subject, booking)

    def _whole(self) -> None:
        assert len({identity(mail) for mail in self.mails}) == len(self.mails)
        pairs = {(period.mailbox, period.user) for period in self.periods}
        for pair in pairs:
            periods = [period for period in self.periods if (period.mailbox, period.user) == pair]
            for earlier, later in pairwise(sorted(periods, key=lambda period: period.begin)):
                assert earlier.end is not None
                assert earlier.end <= later.begin, pair
        for period in self.periods:
            assert period.end is not None or self.users[period.user].state != "DEACTIVATED"
        for agency in self.agencies:
            administrators = [user for user in self.users.values() if user.role == "ADMINISTRATOR"]
            assert any(user.agency == agency and user.state == "ACTIVE" for user in administrators)

    def _moment(self, written: str) -> datetime:
        moment = datetime.fromisoformat(written)
        assert moment.utcoffset() is not None, written
        assert moment <= self.now, written
        return moment


def _is_in(address: str, agency: Agency) -> bool:
    return address.split("@")[1] in agency.domains


def _assert_address(address: str) -> None:
    assert ADDRESS.fullmatch(address), address


def _assert_clean(*texts: str) -> None:
    for text in texts:
        assert text, "blank"
        assert text == " ".join(text.split()), text
        assert text == unicodedata.normalize("NFC", text)
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in text), text


def _assert_name(name: str) -> None:
    _assert_clean(name)
    assert len(name) <= 128
    assert not re.search(r'[<>"\\@]|=\?|\?=', name), name


def _assert_text(mail: Mail) -> None:
    _assert_clean(*(line.removeprefix(">").strip() or "-" for line in mail.text.split("\n")))
    assert mail.text == mail.text.strip()
    for text in (mail.subject, mail.text):
        assert not LEFT_OVER.search(text), text
