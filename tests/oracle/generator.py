"""Draws worlds in which the corners of the rule are common: ends that touch, ties, a microsecond beside.

Every world can be imported. World `number` has names of its own, so that many of them share one database as
agencies that must not see each other. Equal random sources draw equal worlds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies

from tests.oracle.rule import identity
from tests.oracle.world import Agency, Booking, Level, Mail, Mailbox, Part, Period, State, User, World

START = datetime(2024, 3, 10, 22, 30, tzinfo=UTC)
TICK = timedelta(microseconds=1)

FIRST_NAMES = ("Anna", "Bert", "Çelik", "Dörte", "eva", "Zoë")
LAST_NAMES = ("Adler", "Möller", "Müßig", "Muster", "petersen", "Petersen")
GROUPS = ("sales", "Sales", "Büro Süd")
SUBJECTS = ("", "Besichtigung Schloßallee 5", "AW: Exposé", "100% Rendite?", "re_sult", "Grüße aus ÖRTZEN")
TEXTS = (
    "Guten Tag,\nich möchte das Haus sehen.",
    "Ja.",
    "Übergabe am 3.4., Schlüssel: C:\\haus_1\t(50%)",
    "",
    "guten abend, HAUS gesehen?",
)
CONTACTS = ("K-1", "K-10", "K-2", "Käufer 3")
PROPERTIES = ("P-1", "P-10", "K-1")
OUTSIDERS = ("buyer@web.example", "portal+1@web.example", "Ä.Kunde@web.example")
SEARCHES = (
    "haus",
    "HAUS guten",
    "%",
    "_",
    "ö",
    "grüße Örtzen",
    "GRÜSSE",
    "\\",
    "web.example",
    "exposé ja",
    "no-such-word",
    "5",
)


@dataclass(frozen=True)
class Size:
    """How much a world holds."""

    users: int = 6
    mailboxes: int = 4
    mails: int = 18


def random_world(random: Random, number: int, size: Size | None = None) -> World:
    """A world of two agencies, the second one small, and an account manager of both."""
    return _Drawing(random, f"w{number}", size or Size()).world()


def more_mails(random: Random, world: World, number: int, count: int) -> tuple[Mail, ...]:
    """Further mails of the world's first agency, at the same mailboxes, on the same days, and none it has."""
    drawing = _Drawing(random, f"w{number}", Size())
    drawing.take_moments_of(world)
    known = {identity(mail) for mail in world.mails}
    drawn = drawing.mails(world, world.agencies[0], count)
    return tuple(mail for mail in drawn if identity(mail) not in known)


def worlds(number: int) -> strategies.SearchStrategy[World]:
    """The same for Hypothesis, of any size, so that it shrinks what it draws."""
    sizes = strategies.builds(
        Size,
        users=strategies.integers(1, 6),
        mailboxes=strategies.integers(1, 4),
        mails=strategies.integers(0, 18),
    )
    sources = strategies.randoms(use_true_random=False)
    return strategies.builds(random_world, sources, strategies.just(number), sizes)


class _Drawing:
    def __init__(self, random: Random, tag: str, size: Size) -> None:
        self._random = random
        self._tag = tag
        self._size = size
        self._grid = [START + timedelta(hours=random.randrange(1, 200)) for _ in range(6)]

    def world(self) -> World:
        small = Size(users=2, mailboxes=2, mails=3)
        first, second = self._agency("a"), self._agency("b")
        users = (
            *self._users(first, self._size.users),
            *self._users(second, small.users),
            User(None, f"am@{self._tag}.provider.example", "Jo", "Kern", role="ACCOUNT_MANAGER"),
        )
        mailboxes = (*self._mailboxes(first, self._size.mailboxes), *self._mailboxes(second, small.mailboxes))
        periods = tuple(
            period
            for user in users
            for mailbox in mailboxes
            if user.agency == mailbox.agency
            for period in self._periods(user, mailbox)
        )
        world = World((first, second), users, mailboxes, periods)
        mails = (*self.mails(world, first, self._size.mails), *self.mails(world, second, small.mails))
        return replace(world, mails=mails)

    def take_moments_of(self, world: World) -> None:
        """From now on draws the moments that the world's bookings have, so that new ones tie with them."""
        self._grid = [booking.at for mail in world.mails for booking in mail.bookings] or self._grid

    def _agency(self, letter: str) -> Agency:
        key = f"{self._tag}{letter}"
        domains = (f"{key}.example", f"{key}-two.example")[: self._random.randint(1, 2)]
        modules = self._some(("VIP_MAILBOXES", "AUTOMATIC_BOOKING"), 0.5)
        contact = self._random.choice((None, ("Jo Kern", f"am@{self._tag}.provider.example", None)))
        return Agency(key, f"Agency {key}", domains, modules, contact)

    def _users(self, agency: Agency, count: int) -> Iterable[User]:
        states: tuple[State, ...] = ("ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "LOCKED", "DEACTIVATED")
        levels: tuple[Level, ...] = ("ALL", "OFFICE_GROUP", "OFFICE_GROUP", "OWN", "NOTHING")
        for index in range(count):
            leader = index == 0
            yield User(
                agency=agency.key,
                login=f"u{index}@{self._random.choice(agency.domains)}",
                first_name=self._random.choice(FIRST_NAMES),
                last_name=self._random.choice(LAST_NAMES),
                email=self._random.choice((None, f"home{index}@web.example")),
                email_name=self._random.choice((None, "", "  ", f" Name {index} ", "Jürgen Groß")),
                language=self._random.choice(("de", "en")),
                role="ADMINISTRATOR" if leader or self._random.random() < 0.2 else "USER",
                state="ACTIVE" if leader else self._random.choice(states),
                office_groups=tuple(
                    self._random.choice(("", " ", "\t")) + group + self._random.choice(("", "  "))
                    for group in self._random.sample(GROUPS, self._random.choice((0, 1, 1, 1, 2)))
                ),
                activity_level=self._random.choice(levels),
                agents_log_level=self._random.choice(levels),
            )

    def _mailboxes(self, agency: Agency, count: int) -> Iterable[Mailbox]:
        for index in range(count):
            yield Mailbox(
                agency=agency.key,
                address=f"m{index}@{self._random.choice(agency.domains)}",
                email_name=self._random.choice((None, "", " Zentrale ", "Müller & Söhne")),
                # One of each is sure: a world without them says little.
                vip=index == 0 or (index > 1 and self._random.random() < 0.4),
                automatic_booking=self._random.random() < 0.2,
            )

    def _periods(self, user: User, mailbox: Mailbox) -> Iterable[Period]:
        if self._random.random() < 0.4:
            return
        points = sorted({self._moment() for _ in range(self._random.randint(1, 5))})
        while points:
            begin = points.pop(0)
            end = points.pop(0) if points else None
            yield Period(self._cased(mailbox.address), self._cased(user.login), begin, end)
            if end is not None and points and self._random.random() < 0.4:
                points.insert(0, end)

    def mails(self, world: World, agency: Agency, count: int) -> Iterable[Mail]:
        mails: dict[object, Mail] = {}
        for _ in range(count):
            mail = self._mail(world, agency)
            if mails and self._random.random() < 0.25:
                mail = self._alike(mail, self._random.choice(list(mails.values())))
            mails.setdefault(identity(mail), mail)
        return mails.values()

    def _mail(self, world: World, agency: Agency) -> Mail:
        own = [mailbox.address for mailbox in world.mailboxes if mailbox.agency == agency.key]
        foreign = [mailbox.address for mailbox in world.mailboxes if mailbox.agency != agency.key]
        booked = self._random.sample(own, min(self._random.choice((1, 1, 1, 2, 2, 3)), len(own)))
        parts: list[Part] = ["RECEIVING" for _ in booked]
        if sends := self._random.random() < 0.4:
            parts[0] = "SENDING"
        elsewhere = [*OUTSIDERS, *foreign, f"gone@{agency.domains[0]}"]
        sender = booked[0] if sends else self._random.choice([*elsewhere, *own])
        recipients = {
            *(address for address, part in zip(booked, parts, strict=True) if part == "RECEIVING"),
            *self._some(own, 0.15),
            *self._some(elsewhere, 0.2),
        }
        if self._random.random() < 0.15:
            # A blind copy: the mailbox read it and is not among the recipients.
            recipients.discard(booked[-1])
        in_some_order = sorted(recipients)
        self._random.shuffle(in_some_order)
        return Mail(
            agency=agency.key,
            message_id=f"m{self._random.randrange(8)}@{self._tag}.example",
            sender=self._cased(sender),
            recipients=tuple(self._cased(address) for address in in_some_order) or (OUTSIDERS[0],),
            subject=self._random.choice(SUBJECTS),
            text=self._random.choice(TEXTS),
            bookings=tuple(
                self._booking(world, address, part) for address, part in zip(booked, parts, strict=True)
            ),
            mail_date=self._random.choice((None, self._moment())),
            contacts=self._some(CONTACTS, 0.3),
            properties=self._some(PROPERTIES, 0.25),
        )

    def _alike(self, mail: Mail, other: Mail) -> Mail:
        """The mail with a part of another one's identity, as somebody would send who only knows that part."""
        same = replace(mail, message_id=other.message_id, subject=other.subject, text=other.text)
        match self._random.randrange(3):
            case 0:
                return replace(same, message_id="another@web.example")
            case 1:
                return replace(same, subject="Another one")
            case _:
                return replace(same, text="Another one")

    def _booking(self, world: World, address: str, part: Part) -> Booking:
        at = self._moment()
        there = [
            period.user
            for period in world.periods
            if period.mailbox.casefold() == address.casefold() and period.holds(at)
        ]
        return Booking(self._cased(address), part, at, self._random.choice([None, *there]))

    def _moment(self) -> datetime:
        """One of few moments, or a microsecond beside it."""
        return self._random.choice(self._grid) + self._random.choice((-1, 0, 0, 0, 1)) * TICK

    def _cased(self, address: str) -> str:
        if self._random.random() < 0.7:
            return address
        return self._random.choice((address.upper(), address.title()))

    def _some(self, values: Iterable[str], share: float) -> tuple[str, ...]:
        return tuple(value for value in values if self._random.random() < share)
