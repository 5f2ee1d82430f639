"""The rule of product.md, word by word, over a `World` at one moment.

Slow and plain on purpose: every question is answered by looking at everything. Addresses and logins compare
whatever their case; office groups exactly, after trimming.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tests.oracle.world import Booking, Kind, Level, Mail, Mailbox, Period, User, World

Item = TypeVar("Item")


@dataclass(frozen=True)
class Entry:
    """An activity or agents-log entry; `reference` is its contact's or its property's."""

    mail: Mail
    kind: Kind
    reference: str | None

    @property
    def occurred_at(self) -> datetime:
        """The earliest decisive moment."""
        return min(booking.at for booking in self.mail.bookings)


@dataclass(frozen=True)
class Filter:
    """The contract's ActivityFilter; `mailbox` is an address."""

    kind: Kind | None = None
    direction: str | None = None
    mailbox: str | None = None
    contact: str | None = None
    property: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    search: str | None = None


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A slice of a list and whether there is more on either side of it."""

    items: tuple[Item, ...]
    has_next: bool
    has_previous: bool


class Oracle:
    """Answers for one world at the moment `now`."""

    def __init__(self, world: World, now: datetime) -> None:
        self.world = world
        self.now = now
        self._users = {fold(user.login): user for user in world.users}
        self._mailboxes = {fold(mailbox.address): mailbox for mailbox in world.mailboxes}
        self._audiences: dict[Mail, list[User]] = {}

    def user(self, login: str) -> User:
        """The user with this login."""
        return self._users[fold(login)]

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox with this address."""
        return self._mailboxes[fold(address)]

    # ------------------------------------------------------------ e-mails and their entries

    def entries(self) -> list[Entry]:
        """Every entry of every agency."""
        return [entry for mail in self.world.mails for entry in entries_of(mail)]

    def mailboxes_of(self, mail: Mail) -> list[Mailbox]:
        """Those of its bookings, and the agency's among sender and recipients at the first booking."""
        addresses = {fold(address) for address in (mail.sender, *mail.recipients)} - mail.later
        addresses |= {fold(booking.mailbox) for booking in mail.bookings}
        return [
            mailbox
            for mailbox in self.world.mailboxes
            if mailbox.agency == mail.agency and fold(mailbox.address) in addresses
        ]

    def guarded(self, mail: Mail) -> bool:
        """While at least one of its mailboxes is VIP."""
        return any(mailbox.vip for mailbox in self.mailboxes_of(mail))

    def audience(self, mail: Mail) -> list[User]:
        """Everybody who, for one of its bookings, was assigned to that mailbox at its decisive moment."""
        if mail not in self._audiences:
            self._audiences[mail] = [
                user
                for user in self.world.users
                if any(self._was_there(user, booking) for booking in mail.bookings)
            ]
        return self._audiences[mail]

    def visible(self, viewer: User, entry: Entry) -> bool:
        """Whether the viewer sees the entry now."""
        if viewer.state != "ACTIVE" or viewer.role == "ACCOUNT_MANAGER" or viewer.agency != entry.mail.agency:
            return False
        audience = self.audience(entry.mail)
        if self.guarded(entry.mail):
            return viewer in audience
        match read_level(viewer, entry.kind):
            case "ALL":
                return True
            case "OFFICE_GROUP":
                return viewer in audience or any(groups(viewer) & groups(user) for user in audience)
            case "OWN":
                return viewer in audience
            case "NOTHING":
                return False

    def feed(self, viewer: User, wanted: Filter | None = None, mailbox: str | None = None) -> list[Entry]:
        """What the viewer sees, newest first; with `mailbox` the list under that mailbox."""
        found = [
            entry
            for entry in self.entries()
            if self.visible(viewer, entry)
            and (mailbox is None or is_booked_at(entry.mail, mailbox))
            and (wanted is None or matches(entry, wanted))
        ]
        return sorted(found, key=lambda entry: entry.occurred_at, reverse=True)

    # ------------------------------------------------------------ the directory

    def colleagues(self, viewer: User) -> list[User]:
        """The users that the viewer may list, in order."""
        if viewer.role == "ACCOUNT_MANAGER":
            return []
        return sorted((user for user in self.world.users if user.agency == viewer.agency), key=_by_name)

    def mailboxes(self, viewer: User) -> list[Mailbox]:
        """The mailboxes that the viewer may list, in order."""
        if viewer.role == "ACCOUNT_MANAGER":
            return []
        return sorted((box for box in self.world.mailboxes if box.agency == viewer.agency), key=_by_address)

    def is_assigned(self, user: User, mailbox: Mailbox) -> bool:
        """Whether one of the user's periods with the mailbox holds this moment."""
        return any(
            period.holds(self.now) for period in self.periods_of(mailbox) if _is(period.user, user.login)
        )

    def periods_of(self, mailbox: Mailbox) -> list[Period]:
        """Every period there ever was, newest first."""
        found = (period for period in self.world.periods if _is(period.mailbox, mailbox.address))
        return sorted(found, key=lambda period: period.begin, reverse=True)

    def assigned_users(self, viewer: User, mailbox: Mailbox) -> list[User] | None:
        """The users assigned now; None where the viewer may not read them."""
        if not (viewer.role == "ADMINISTRATOR" or self.is_assigned(viewer, mailbox)):
            return None
        return sorted((user for user in self.world.users if self.is_assigned(user, mailbox)), key=_by_name)

    def assignments(self, viewer: User, mailbox: Mailbox) -> list[Period] | None:
        """The mailbox's periods; None where the viewer may not read them."""
        if viewer.role == "ADMINISTRATOR" or (mailbox.vip and self.is_assigned(viewer, mailbox)):
            return self.periods_of(mailbox)
        return None

    def mailboxes_of_user(self, viewer: User, user: User) -> list[Mailbox] | None:
        """The mailboxes that the user is assigned to now; None where the viewer may not read them."""
        if not reads_private(viewer, user):
            return None
        return sorted((box for box in self.world.mailboxes if self.is_assigned(user, box)), key=_by_address)

    def effective_name(self, mailbox: Mailbox, user: User) -> str | None:
        """The sender name: the mailbox's own, else the user's, else none."""
        return (mailbox.email_name or "").strip() or (user.email_name or "").strip() or None

    def _was_there(self, user: User, booking: Booking) -> bool:
        return any(
            _is(period.mailbox, booking.mailbox) and _is(period.user, user.login) and period.holds(booking.at)
            for period in self.world.periods
        )


def fold(text: str) -> str:
    """An address or login as it compares."""
    return text.strip().casefold()


def groups(user: User) -> set[str]:
    """The user's office groups as they compare."""
    return {group.strip() for group in user.office_groups}


def read_level(user: User, kind: Kind) -> Level:
    """The user's read level for entries of this kind."""
    return user.activity_level if kind == "ACTIVITY" else user.agents_log_level


def reads_private(viewer: User, user: User) -> bool:
    """Whether the viewer reads the user's levels, groups, private address and mailboxes."""
    return viewer == user or (viewer.role == "ADMINISTRATOR" and viewer.agency == user.agency)


def entries_of(mail: Mail) -> list[Entry]:
    """One ACTIVITY a contact, one AGENTS_LOG entry a property; one ACTIVITY alone where there is neither."""
    if not mail.contacts and not mail.properties:
        return [Entry(mail, "ACTIVITY", None)]
    return [
        *(Entry(mail, "ACTIVITY", contact) for contact in mail.contacts),
        *(Entry(mail, "AGENTS_LOG", reference) for reference in mail.properties),
    ]


def direction(mail: Mail) -> str:
    """OUTGOING by sending bookings alone, INCOMING by receiving ones alone, else INTERNAL."""
    parts = {booking.part for booking in mail.bookings}
    if len(parts) == 2:
        return "INTERNAL"
    return "OUTGOING" if parts == {"SENDING"} else "INCOMING"


def is_booked_at(mail: Mail, address: str) -> bool:
    """Whether one of the mail's bookings is of this mailbox."""
    return any(_is(booking.mailbox, address) for booking in mail.bookings)


def is_same_mail(one: Mail, other: Mail) -> bool:
    """Whether bookings of these join: all of the identity is equal, recipients in any order."""
    return identity(one) == identity(other)


def identity(mail: Mail) -> tuple[object, ...]:
    """What makes an e-mail this one and no other."""
    recipients = tuple(sorted(fold(address) for address in mail.recipients))
    return (mail.agency, mail.message_id, fold(mail.sender), recipients, mail.subject, mail.text)


def matches(entry: Entry, wanted: Filter) -> bool:
    """Whether the entry passes every part of the filter that is given."""
    mail = entry.mail
    occurred = entry.occurred_at
    return (
        (wanted.kind is None or entry.kind == wanted.kind)
        and (wanted.direction is None or direction(mail) == wanted.direction)
        and (wanted.mailbox is None or is_booked_at(mail, wanted.mailbox))
        and (wanted.contact is None or (entry.kind, entry.reference) == ("ACTIVITY", wanted.contact))
        and (wanted.property is None or (entry.kind, entry.reference) == ("AGENTS_LOG", wanted.property))
        and (wanted.occurred_from is None or wanted.occurred_from <= occurred)
        and (wanted.occurred_until is None or occurred < wanted.occurred_until)
        and (wanted.search is None or is_found(mail, wanted.search))
    )


def is_found(mail: Mail, search: str) -> bool:
    """Whether every word occurs, whatever its case, within subject, text, sender or recipients."""
    places = [place.casefold() for place in (mail.subject, mail.text, mail.sender, *mail.recipients)]
    return all(any(word in place for place in places) for word in search.casefold().split())


def page(
    items: Sequence[Item],
    *,
    first: int | None = None,
    after: int | None = None,
    last: int | None = None,
    before: int | None = None,
) -> Page[Item]:
    """The slice that Relay asks for, 50 by default, 100 at most; `after` and `before` are positions.

    Raises:
        ValueError: both `first` and `last`, or one of them not from 1 to 100.
    """
    size = 50 if first is None and last is None else first if first is not None else last
    if (first is not None and last is not None) or size is None or not 1 <= size <= 100:
        raise ValueError("first or last, from 1 to 100")
    begin = 0 if after is None else after + 1
    end = len(items) if before is None else max(before, begin)
    if last is None:
        end = min(end, begin + size)
    else:
        begin = max(begin, end - size)
    return Page(tuple(items[begin:end]), end < len(items), begin > 0)


def written(moment: datetime) -> str:
    """An instant as the API writes it: UTC, a trailing Z, microseconds when they are not zero."""
    return moment.isoformat().replace("+00:00", "Z")


def answer(oracle: Oracle, entry: Entry) -> dict[str, object]:
    """The scalars and bookings of an entry as the API answers them; ids and `preview` are the server's."""
    mail = entry.mail
    bookings = sorted(mail.bookings, key=lambda booking: (booking.at, fold(booking.mailbox)))
    return {
        "kind": entry.kind,
        "direction": direction(mail),
        "subject": mail.subject,
        "remark": mail.text,
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "messageId": mail.message_id,
        "mailDate": None if mail.mail_date is None else written(mail.mail_date),
        "occurredAt": written(entry.occurred_at),
        "vip": oracle.guarded(mail),
        "contactReference": entry.reference if entry.kind == "ACTIVITY" else None,
        "propertyReference": entry.reference if entry.kind == "AGENTS_LOG" else None,
        "bookings": [
            {
                "mailbox": {"address": fold(booking.mailbox)},
                "part": booking.part,
                "decisiveAt": written(booking.at),
                "user": None if booking.user is None else {"login": fold(booking.user)},
            }
            for booking in bookings
        ],
    }


def _is(address: str, other: str) -> bool:
    return fold(address) == fold(other)


def _by_name(user: User) -> tuple[str, str, str]:
    return (_sorted(user.last_name), _sorted(user.first_name), fold(user.login))


def _sorted(name: str) -> str:
    """A name as a German directory sorts it: case does not matter, ä stands with a."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")


def _by_address(mailbox: Mailbox) -> str:
    return fold(mailbox.address)
