"""A frozen world: what an import brings, as plain values. `World.lines` writes it in the import format."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Literal

Level = Literal["ALL", "OFFICE_GROUP", "OWN", "NOTHING"]
Role = Literal["USER", "ADMINISTRATOR", "ACCOUNT_MANAGER"]
State = Literal["ACTIVE", "LOCKED", "DEACTIVATED"]
Part = Literal["SENDING", "RECEIVING"]
Kind = Literal["ACTIVITY", "AGENTS_LOG"]

PASSWORD = "Muster-Passwort-17"
# The cheapest Argon2id there is, of PASSWORD: signing in dozens of users is not what most tests are about.
CHEAP_HASH = "$argon2id$v=19$m=8,t=1,p=1$F5aMTCv5L6Onm94rHBCSkA$d1piaDNTuDHuB7wwZnUCQUs6ABuU9NlBbzI9uHGJkuY"

OFFSETS_MINUTES = (0, 60, 120, -300, 345, -210, 840, -720, 1)


@dataclass(frozen=True)
class Agency:
    """A tenant. `modules` are the names of those that are switched on."""

    key: str
    name: str
    domains: tuple[str, ...]
    modules: tuple[str, ...] = ()
    contact: tuple[str, str, str | None] | None = None
    """The account manager's name, address and telephone."""


@dataclass(frozen=True)
class User:
    """A user, or an account manager, whose agency is None."""

    agency: str | None
    login: str
    first_name: str
    last_name: str
    email: str | None = None
    email_name: str | None = None
    language: str = "de"
    role: Role = "USER"
    state: State = "ACTIVE"
    office_groups: tuple[str, ...] = ()
    activity_level: Level = "OWN"
    agents_log_level: Level = "OWN"


@dataclass(frozen=True)
class Mailbox:
    """A mailbox of an agency."""

    agency: str
    address: str
    email_name: str | None = None
    vip: bool = False
    automatic_booking: bool = False


@dataclass(frozen=True)
class Period:
    """A user's assignment to a mailbox: `begin` is in it, `end` is not."""

    mailbox: str
    user: str
    begin: datetime
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in the period."""
        return self.begin <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True)
class Booking:
    """A mailbox's part in a mail with its decisive moment; `user` is None for an automatic booking."""

    mailbox: str
    part: Part
    at: datetime
    user: str | None = None


@dataclass(frozen=True)
class Mail:
    """An e-mail of one agency with its bookings and the references that make its entries."""

    agency: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    bookings: tuple[Booking, ...]
    mail_date: datetime | None = None
    contacts: tuple[str | None, ...] = ()
    """None is an activity without a contact that references joined later; no import can bring that."""
    properties: tuple[str, ...] = ()
    later: frozenset[str] = frozenset()
    """Addresses that became mailboxes after the first booking, which fixed its mailboxes. Never imported."""


@dataclass(frozen=True)
class World:
    """Everything that one import brings."""

    agencies: tuple[Agency, ...] = ()
    users: tuple[User, ...] = ()
    mailboxes: tuple[Mailbox, ...] = ()
    periods: tuple[Period, ...] = ()
    mails: tuple[Mail, ...] = field(default=(), repr=False)

    def __add__(self, other: "World") -> "World":
        """Both worlds in one; their keys must differ."""
        return World(
            self.agencies + other.agencies,
            self.users + other.users,
            self.mailboxes + other.mailboxes,
            self.periods + other.periods,
            self.mails + other.mails,
        )

    def lines(self, random: Random | None = None) -> Iterator[str]:
        """The world as JSON Lines, what is referred to first.

        With `random`, times are written with changing offsets and keys that equal their default are left out
        or written at will, which must not matter. Times without it are in UTC.
        """
        writer = _Writer(random)
        for agency in self.agencies:
            yield writer.agency(agency)
        for user in self.users:
            yield writer.user(user)
        for mailbox in self.mailboxes:
            yield writer.mailbox(mailbox)
        for period in self.periods:
            yield writer.period(period)
        for mail in self.mails:
            yield writer.mail(mail)

    def text(self, random: Random | None = None) -> str:
        """All lines as one text, which is the content of a file to import."""
        return "".join(line + "\n" for line in self.lines(random))


class _Writer:
    def __init__(self, random: Random | None) -> None:
        self._random = random

    def agency(self, agency: Agency) -> str:
        name, email, phone = agency.contact or ("", "", None)
        contact = {"name": name, "email": email, "phone": phone} if agency.contact else None
        return self._line(
            {"type": "agency", "key": agency.key, "name": agency.name, "domains": list(agency.domains)},
            {"modules": (list(agency.modules), []), "accountManager": (contact, None)},
        )

    def user(self, user: User) -> str:
        return self._line(
            {
                "type": "user",
                "agency": user.agency,
                "login": user.login,
                "firstName": user.first_name,
                "lastName": user.last_name,
                "passwordHash": CHEAP_HASH,
            },
            {
                "email": (user.email, None),
                "emailName": (user.email_name, None),
                "language": (user.language, "de"),
                "role": (user.role, "USER"),
                "state": (user.state, "ACTIVE"),
                "officeGroups": (list(user.office_groups), []),
                "activityReadLevel": (user.activity_level, "OWN"),
                "agentsLogReadLevel": (user.agents_log_level, "OWN"),
            },
        )

    def mailbox(self, mailbox: Mailbox) -> str:
        return self._line(
            {"type": "mailbox", "agency": mailbox.agency, "address": mailbox.address},
            {
                "emailName": (mailbox.email_name, None),
                "vip": (mailbox.vip, False),
                "automaticBooking": (mailbox.automatic_booking, False),
            },
        )

    def period(self, period: Period) -> str:
        return self._line(
            {
                "type": "assignment",
                "mailbox": period.mailbox,
                "user": period.user,
                "from": self._at(period.begin),
            },
            {"until": (self._at(period.end), None)},
        )

    def mail(self, mail: Mail) -> str:
        return self._line(
            {
                "type": "mail",
                "agency": mail.agency,
                "messageId": mail.message_id,
                "sender": mail.sender,
                "recipients": list(mail.recipients),
                "subject": mail.subject,
                "text": mail.text,
                "bookings": [self._booking(booking) for booking in mail.bookings],
            },
            {
                "mailDate": (self._at(mail.mail_date), None),
                "contactReferences": (list(mail.contacts), []),
                "propertyReferences": (list(mail.properties), []),
            },
        )

    def _booking(self, booking: Booking) -> dict[str, object]:
        return {
            "mailbox": booking.mailbox,
            "part": booking.part,
            "decisiveAt": self._at(booking.at),
        } | self._written({"user": (booking.user, None)})

    def _line(self, required: dict[str, object], optional: dict[str, tuple[object, object]]) -> str:
        return json.dumps(required | self._written(optional), ensure_ascii=self._at_will())

    def _written(self, optional: dict[str, tuple[object, object]]) -> dict[str, object]:
        return {
            key: value for key, (value, default) in optional.items() if value != default or self._at_will()
        }

    def _at_will(self) -> bool:
        return self._random is not None and self._random.random() < 0.5

    def _at(self, moment: datetime | None) -> str | None:
        if moment is None:
            return None
        if self._random is None:
            return moment.isoformat().replace("+00:00", "Z")
        offset = timezone(timedelta(minutes=self._random.choice(OFFSETS_MINUTES)))
        written = moment.astimezone(offset).isoformat()
        return written.replace("+00:00", "Z") if self._at_will() else written
