"""Five agencies of 200 users and 300 mailboxes each, and their e-mails over four years, drawn from a seed.

In four of the agencies a fifth of the mailboxes is VIP, in the fifth (`CLOSED`) all of them. A mailbox has some four users, of
whom a third left and some came back. One e-mail in twenty has several bookings, hours apart. Beside its ordinary users the world
has one of each shape that could be slow (`SHAPES`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from models.bookings import MailContent, References
from models.brought import BroughtBooking, BroughtMail
from models.mails import identity
from models.tables.mails import MailPart
from models.tables.users import ReadLevel, Role

AGENCIES, USERS, MAILBOXES = 5, 200, 300
CLOSED = 4
"""The number of the agency that is all VIP."""
SHARED_BY = 4
DAYS = 1_460
GROUP = 50
ENTRIES_A_MAIL = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
INTERNAL, OUTGOING, UNREAD = 0.05, 0.40, 0.43
"""Shares of e-mails, one upon the other: with several bookings; written; read, and sent to another that has not read it."""
SYLLABLES = (
    "an be da ein fer ge haus in ker le mak ner ob rech schl ter un ver woh zim bü grö stra ße ung keit"
)
WORDS = tuple("".join(Random(number).choices(SYLLABLES.split(), k=2 + number % 3)) for number in range(5_000))

SHAPES = {
    "ordinary": "ordinary",
    "closed": "sees nothing in an agency that is all VIP",
    "former": "assigned for 30 days two years ago",
    "many": "900 periods in 300 VIP mailboxes",
    "group": f"OFFICE_GROUP of {GROUP}",
    "nothing": "NOTHING, with two VIP mailboxes",
}


@dataclass(slots=True)
class User:
    """A user; `office_group` is the number of the one group, or None."""

    id: UUID
    login: str
    first_name: str
    last_name: str
    role: Role
    level: ReadLevel
    office_group: int | None = None


@dataclass(slots=True)
class Period:
    """A user's time at a mailbox; without an end until now."""

    user: User
    since: datetime
    until: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(slots=True)
class Mailbox:
    """A mailbox with its periods."""

    id: UUID
    address: str
    vip: bool
    periods: list[Period] = field(default_factory=list)

    def readers(self, moment: datetime) -> list[User]:
        """Return who is assigned at a moment."""
        return [period.user for period in self.periods if period.holds(moment)]


@dataclass(slots=True)
class Agency:
    """An agency with its people and mailboxes."""

    id: UUID
    key: str
    users: list[User]
    mailboxes: list[Mailbox]
    groups: list[UUID]


@dataclass(slots=True)
class World:
    """The same for the same seed and `end`, the first moment that is not in it."""

    end: datetime
    seed: int = 1
    agencies: list[Agency] = field(init=False)
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self.agencies = [self._agency(number) for number in range(AGENCIES)]
        for agency in self.agencies:
            self._assign(agency)
        self._assign_shapes()

    @property
    def begin(self) -> datetime:
        """The first moment of the world."""
        return self.end - timedelta(days=DAYS)

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _agency(self, number: int) -> Agency:
        key = f"agency{number}"
        mailboxes = [
            Mailbox(self._uuid(), f"box{place}@{key}.example", vip=number == CLOSED or place % 5 == 0)
            for place in range(MAILBOXES)
        ]
        groups = [self._uuid() for _ in range(USERS // GROUP)]
        users = [self._user(f"user{place}@{key}.example", place) for place in range(USERS - len(SHAPES))]
        users += [self._user(f"{shape}@{key}.example", USERS) for shape in SHAPES]
        return Agency(self._uuid(), key, users, mailboxes, groups)

    def _user(self, login: str, place: int) -> User:
        first, last = self._random.choice(WORDS).title(), self._random.choice(WORDS).title()
        # The first are administrator and viewers of the four operations.
        level = ReadLevel.ALL if place < 20 or place == USERS else self._random.choice(list(ReadLevel))
        role = Role.ADMINISTRATOR if place == 0 else Role.USER
        return User(self._uuid(), login, first, last, role, level, None if place >= USERS else place // GROUP)

    def _assign(self, agency: Agency) -> None:
        """Give each mailbox its users: some left, some of them came back."""
        random = self._random
        for mailbox in agency.mailboxes:
            for user in random.sample(agency.users[: -len(SHAPES)], SHARED_BY):
                since = self.begin + timedelta(
                    days=random.randrange(400), microseconds=random.randrange(10**9)
                )
                until = None
                if random.random() < 1 / 3:
                    until = since + timedelta(days=random.randrange(100, 700))
                    if random.random() < 1 / 2:
                        mailbox.periods.append(Period(user, until + timedelta(days=90), None))
                mailbox.periods.append(Period(user, since, until))

    def _assign_shapes(self) -> None:
        first, closed = self.agencies[0], self.agencies[CLOSED]
        for place in range(5):
            first.mailboxes[7 * place].periods.append(Period(self.shape("ordinary"), self.begin, None))
        left = self.end - timedelta(days=730)
        for mailbox in closed.mailboxes[:3]:
            mailbox.periods.append(Period(self.shape("former"), left, left + timedelta(days=30)))
        for mailbox in closed.mailboxes:
            mailbox.periods += [
                Period(self.shape("many"), since, since + timedelta(days=200))
                for since in (self.begin + timedelta(days=400 * turn) for turn in range(3))
            ]
        group = self.shape("group")
        group.level, group.office_group = ReadLevel.OFFICE_GROUP, 0
        nothing = self.shape("nothing")
        nothing.level = ReadLevel.NOTHING
        for mailbox in (first.mailboxes[5], first.mailboxes[10]):
            mailbox.periods.append(Period(nothing, self.begin, None))

    def shape(self, name: str) -> User:
        """Return the user of a shape in the agency where it matters."""
        agency = self.agencies[CLOSED if name in {"closed", "former", "many"} else 0]
        return agency.users[list(SHAPES).index(name) - len(SHAPES)]

    # ---------------------------------------------------------------- e-mails

    def mails(self, entries: int) -> Iterator[BroughtMail]:
        """Draw e-mails in the order of their moments until they have so many entries."""
        random = Random(self.seed)
        made, span = 0, (self.end - self.begin - timedelta(days=2)).total_seconds()
        while made < entries:
            # An instant is written with its microseconds where they are not zero: here they never are.
            moment = self.begin + timedelta(
                seconds=int(span * made / entries), microseconds=1 + 10 * random.randrange(90_000)
            )
            mail = self._mail(random, self.agencies[random.randrange(AGENCIES)], made, moment)
            if made + len(mail.entries()) > entries:
                mail.references = References((), ())
            made += len(mail.entries())
            yield mail

    def _mail(self, random: Random, agency: Agency, number: int, moment: datetime) -> BroughtMail:
        box, other, third = random.sample(agency.mailboxes, 3)
        customer = f"kunde{random.randrange(100_000)}@web.example"
        kind, own = random.random(), [box]
        sender, recipients = customer, [box.address]
        booked = [(box, MailPart.RECEIVING)]
        if kind < INTERNAL:
            own = [box, other] if random.random() < 0.8 else [box, other, third]
            sender, recipients = box.address, [each.address for each in own[1:]]
            booked = [(box, MailPart.SENDING), *((each, MailPart.RECEIVING) for each in own[1:])]
        elif kind < OUTGOING:
            sender, recipients, booked = box.address, [customer], [(box, MailPart.SENDING)]
        elif kind < UNREAD:
            own = [box, other]
            recipients = [each.address for each in own]
        subject = " ".join(random.choices(WORDS, k=5)).capitalize()
        text = " ".join(random.choices(WORDS, k=28)) + "."
        message_id = f"{number}.{random.getrandbits(40):x}@mail.example"
        count = random.choice(ENTRIES_A_MAIL)
        bookings = [
            self._booking(random, each, part, moment + timedelta(hours=3 * place))
            for place, (each, part) in enumerate(booked)
        ]
        return BroughtMail(
            agency.id,
            identity(message_id, sender, recipients, subject, text),
            MailContent(message_id, sender, tuple(recipients), subject, text, _sent(moment)),
            bookings,
            _references(random, count),
            [each.id for each in own],
            guarded=any(each.vip for each in own),
            audience=_audience(booked, bookings) if len(bookings) > 1 else (),
        )

    @staticmethod
    def _booking(random: Random, mailbox: Mailbox, part: MailPart, moment: datetime) -> BroughtBooking:
        readers = mailbox.readers(moment)
        user = random.choice(readers).id if readers else None
        return BroughtBooking(mailbox.id, mailbox.address, part, moment, user)


def _sent(moment: datetime) -> datetime:
    return (moment - timedelta(minutes=7)).replace(microsecond=0)


def _references(random: Random, count: int) -> References:
    """Draw what so many entries are kept at: contacts first, then one property; a single entry may be without any."""
    number, contacts = random.random(), max(count - 1, 1)
    if count == 1 and number < 0.1:
        return References((), ())
    if count == 1 and number < 0.3:
        return References((), (f"P-{random.randrange(20_000)}",))
    return References(
        tuple(f"K-{random.randrange(200_000)}-{place}" for place in range(contacts)),
        (f"P-{random.randrange(20_000)}",) if count > 1 else (),
    )


def _audience(booked: list[tuple[Mailbox, MailPart]], bookings: list[BroughtBooking]) -> set[UUID]:
    return {
        user.id
        for (mailbox, _), booking in zip(booked, bookings, strict=True)
        for user in mailbox.readers(booking.decisive_at)
    }


def today() -> datetime:
    """Return the begin of this day: the end of a world that is in the past, and as recent as can be."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
