"""The five types of lines: their keys, what each key takes, and what is assumed where it is missing.

Reading a line asks nothing of what is stored. Names, addresses and lengths are checked as the API does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from models import clock
from models.mails import same_address
from models.tables.agencies import ModuleName
from models.tables.mails import MailPart
from models.tables.users import ReadLevel, Role, UserState
from resolvers import mail_input, text
from resolvers.errors import InvalidInputError
from resolvers.importing import passwords
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.hashes import check_hash
from resolvers.mail_input import MailInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from models.bookings import MailContent, References
    from resolvers.importing.passwords import MailboxPassword
    from resolvers.importing.records import Record

STOPS_WITHIN = timedelta(minutes=30)
"""A mailbox that is switched off takes in no mail after so long, so no later end can have been said."""

KEY_LENGTH = 100


@dataclass(frozen=True, slots=True)
class AgencyContent:
    """An agency but for its key. `contact` is the account manager's name, address and telephone."""

    name: str
    domains: frozenset[str]
    modules: frozenset[str]
    contact: tuple[str, str, str | None] | None
    passwords_in_letters: bool = False


@dataclass(frozen=True, slots=True)
class AgencyLine:
    """A line of type agency."""

    key: str
    content: AgencyContent


@dataclass(frozen=True, slots=True)
class UserContent:
    """A user but for agency, login and password."""

    first_name: str
    last_name: str
    email: str | None
    email_name: str | None
    language: str
    role: str
    state: str
    office_groups: frozenset[str]
    activity_read_level: str
    agents_log_read_level: str


@dataclass(frozen=True, slots=True)
class UserLine:
    """A line of type user, with a password or the hash of one. `agency` is None for an account manager."""

    agency: str | None
    login: str
    content: UserContent
    password: str | None
    password_hash: str | None
    password_change_required: bool


@dataclass(frozen=True, slots=True)
class MailboxContent:
    """A mailbox but for agency and address, and for the moment that a line need not say."""

    email_name: str | None
    vip: bool
    active: bool
    automatic_booking: bool


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """A line of type mailbox."""

    agency: str
    address: str
    content: MailboxContent
    receiving_stops_at: datetime | None
    password: MailboxPassword
    password_known_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssignmentLine:
    """A line of type assignment; mailbox and user as they compare."""

    mailbox: str
    user: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class BookingPart:
    """A booking within a line of type mail; mailbox and user as they compare."""

    mailbox: str
    part: MailPart
    decisive_at: datetime
    user: str | None


@dataclass(frozen=True, slots=True)
class MailLine:
    """A line of type mail.

    Two keys are there for what bookings through the API bring about. `later` are mailboxes among sender and
    recipients that did not exist when the e-mail was first booked, so that they are none of its own.
    `stands_alone` says that it has the ACTIVITY without a contact though it has references, which came later.
    """

    agency: str
    content: MailContent
    bookings: tuple[BookingPart, ...]
    references: References
    later: frozenset[str]
    stands_alone: bool


AnyLine = AgencyLine | UserLine | MailboxLine | AssignmentLine | MailLine


class Keys:
    """The keys of an object: those that it must have, and all that it may have."""

    def __init__(self, required: str, optional: str = "") -> None:
        self.required = frozenset(required.split())
        self.allowed = self.required | frozenset(optional.split())

    def check(self, record: Record) -> None:
        """Refuse a key that is unknown and one that is missing."""
        record.check_keys(self.required, self.allowed)


AGENCY = Keys("type key name", "domains modules accountManager passwordsInLetters")
CONTACT = Keys("name email", "phone")
USER = Keys(
    "type agency login firstName lastName",
    "email emailName language role state officeGroups activityReadLevel agentsLogReadLevel "
    "password passwordHash passwordChangeRequired",
)
MAILBOX = Keys(
    "type agency address",
    " ".join(
        (
            "emailName vip active automaticBooking receivingStopsAt password passwordKnownBy",
            *passwords.EXPORTED,
        ),
    ),
)
ASSIGNMENT = Keys("type mailbox user from", "until")
MAIL = Keys(
    "type agency messageId sender subject text",
    "recipients bookings mailDate contactReferences propertyReferences laterMailboxes activityWithoutContact",
)
BOOKING = Keys("mailbox part decisiveAt", "user")


class LineReader:
    """Reads lines at one moment, which no moment in them may lie after."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._readers: dict[str, Callable[[Record], AnyLine]] = {
            "agency": self._agency,
            "user": self._user,
            "mailbox": self._mailbox,
            "assignment": self._assignment,
            "mail": self._mail,
        }

    def read(self, record: Record) -> AnyLine:
        """Return what the line says. Raises `LineRefusedError`."""
        kind = record.values.get("type")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise record.refusal("type", f"Expected {' or '.join(self._readers)}.")
        try:
            return reader(record)
        except InvalidInputError as error:
            raise LineRefusedError(f"{'.'.join(error.path or [])}: {error.message}") from None

    def _agency(self, record: Record) -> AgencyLine:
        AGENCY.check(record)
        contact = record.record_or_none("accountManager")
        return AgencyLine(
            text.line(record.text("key"), ["key"], most=KEY_LENGTH),
            AgencyContent(
                name=text.line(record.text("name"), ["name"]),
                domains=frozenset(
                    _domain(each, ["domains", str(place)])
                    for place, each in enumerate(record.texts("domains"))
                ),
                modules=frozenset(each.value for each in record.choices("modules", ModuleName)),
                contact=None if contact is None else _contact(contact),
                passwords_in_letters=record.flag("passwordsInLetters", default=False),
            ),
        )

    def _user(self, record: Record) -> UserLine:
        USER.check(record)
        agency = record.text_or_none("agency")
        role = record.choice("role", Role, Role.USER)
        if agency is None and role is not Role.ACCOUNT_MANAGER:
            raise record.refusal("agency", "Only an account manager has none.")
        if agency is not None and role is Role.ACCOUNT_MANAGER:
            raise record.refusal("agency", "An account manager has none: null.")
        email = record.text_or_none("email")
        groups = record.texts("officeGroups")
        if agency is None and groups:
            raise record.refusal("officeGroups", "An account manager is in none.")
        password, password_hash = _password(record)
        return UserLine(
            agency=agency,
            login=text.own_address(record.text("login"), ["login"], plus=True),
            content=UserContent(
                first_name=text.line(record.text("firstName"), ["firstName"]),
                last_name=text.line(record.text("lastName"), ["lastName"]),
                email=None if email is None else text.email(email, ["email"]),
                email_name=text.display_name(record.text_or_none("emailName"), ["emailName"]),
                language=text.language(record.text("language"), ["language"])
                if "language" in record.values
                else "de",
                role=role.value,
                state=record.choice("state", UserState, UserState.ACTIVE).value,
                office_groups=frozenset(text.office_groups(groups, ["officeGroups"])),
                activity_read_level=record.choice("activityReadLevel", ReadLevel, ReadLevel.OWN).value,
                agents_log_read_level=record.choice("agentsLogReadLevel", ReadLevel, ReadLevel.OWN).value,
            ),
            password=password,
            password_hash=password_hash,
            password_change_required=record.flag("passwordChangeRequired", default=False),
        )

    def _mailbox(self, record: Record) -> MailboxLine:
        MAILBOX.check(record)
        address = text.own_address(record.text("address"), ["address"])
        active = record.flag("active", default=True)
        stops_at = record.instant_or_none("receivingStopsAt")
        if stops_at is not None:
            if active:
                raise record.refusal("receivingStopsAt", "Only a mailbox that is not active stops.")
            if not clock.BEGINNING <= stops_at <= self.now + STOPS_WITHIN:
                raise record.refusal("receivingStopsAt", "A mailbox stops within 30 minutes.")
        return MailboxLine(
            agency=record.text("agency"),
            address=address,
            content=MailboxContent(
                email_name=text.display_name(record.text_or_none("emailName"), ["emailName"], own=address),
                vip=record.flag("vip", default=False),
                active=active,
                automatic_booking=record.flag("automaticBooking", default=False),
            ),
            receiving_stops_at=stops_at,
            password=passwords.read(record, self.now),
            password_known_by=passwords.known_by(record),
        )

    def _assignment(self, record: Record) -> AssignmentLine:
        ASSIGNMENT.check(record)
        since = self._moment(record, "from")
        until = None if record.values.get("until") is None else self._moment(record, "until")
        if until is not None and until <= since:
            raise record.refusal("until", "A period ends after it begins.")
        return AssignmentLine(
            same_address(record.text("mailbox")), same_address(record.text("user")), since, until
        )

    def _mail(self, record: Record) -> MailLine:
        MAIL.check(record)
        content = mail_input.content(
            MailInput(
                message_id=record.text("messageId"),
                sender=record.text("sender"),
                recipients=record.texts("recipients"),
                subject=record.text("subject"),
                text=record.text("text"),
                mail_date=record.instant_or_none("mailDate"),
            ),
            [],
        )
        bookings = tuple(self._booking(each, content) for each in record.records("bookings"))
        if not bookings:
            raise record.refusal("bookings", "An e-mail has at least one booking.")
        if len({booking.mailbox for booking in bookings}) < len(bookings):
            raise record.refusal("bookings", "A mailbox has one booking of an e-mail.")
        contacts, properties = record.texts("contactReferences"), record.texts("propertyReferences")
        return MailLine(
            agency=record.text("agency"),
            content=content,
            bookings=bookings,
            references=mail_input.references(contacts, properties, [], most=None),
            later=frozenset(same_address(address) for address in record.texts("laterMailboxes")),
            stands_alone=record.flag("activityWithoutContact", default=False),
        )

    def _booking(self, record: Record, content: MailContent) -> BookingPart:
        BOOKING.check(record)
        part = record.choice("part", MailPart)
        mailbox = same_address(record.text("mailbox"))
        if part is MailPart.SENDING and mailbox != same_address(content.sender):
            raise record.refusal("mailbox", "A mailbox that sends is the e-mail's sender.")
        user = record.text_or_none("user")
        return BookingPart(
            mailbox, part, self._moment(record, "decisiveAt"), None if user is None else same_address(user)
        )

    def _moment(self, record: Record, key: str) -> datetime:
        moment = record.instant(key)
        if moment > self.now:
            raise record.refusal(key, "This lies in the future.")
        if moment < clock.BEGINNING:
            raise record.refusal(key, "This is too long ago.")
        return moment


def _domain(name: str, path: list[str]) -> str:
    """Return a domain as those of logins and addresses are written."""
    try:
        return text.domain_of(text.own_address(f"postfach@{name}", path))
    except InvalidInputError:
        raise InvalidInputError("This is not a domain.", path) from None


def _contact(record: Record) -> tuple[str, str, str | None]:
    CONTACT.check(record)
    phone = record.text_or_none("phone")
    return (
        text.line(record.text("name"), record.where("name")),
        text.email(record.text("email"), record.where("email")),
        None if phone is None else text.line(phone, record.where("phone")),
    )


def _password(record: Record) -> tuple[str | None, str | None]:
    """Return the password and the hash of one; just one of them is there."""
    if "password" in record.values and "passwordHash" in record.values:
        raise record.refusal("passwordHash", "Either this or password is there, not both.")
    if "password" in record.values:
        return text.password(record.text("password"), ["password"]), None
    if "passwordHash" in record.values:
        return None, check_hash(record.text("passwordHash"), ["passwordHash"])
    raise record.refusal("password", "Either this or passwordHash is there.")
