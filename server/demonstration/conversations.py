"""The many ordinary mails: conversations that take one of a few courses, each step in several wordings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from server.demonstration import texts
from server.demonstration.clock import OFFICE, date_words, office_hour, spoken_slot, weekday, working_day
from server.demonstration.people import NORDLICHT, Person
from server.demonstration.post import RECEIVING, SENDING, Booking, Mail, message_id
from server.demonstration.property import Property, properties
from server.demonstration.roster import Contact, Roster

# The steps of each course, with the days after its start.
_COURSES: Final = {
    "bought": (
        ("inquiry", 0),
        ("expose", 1),
        ("wish", 3),
        ("confirm", 4),
        ("question", 10),
        ("answer", 11),
        ("offer", 14),
        ("accepted", 16),
        ("financing", 24),
        ("draft", 31),
        ("notary", 36),
        ("handover", 70),
    ),
    "declined": (("inquiry", 0), ("expose", 0), ("wish", 2), ("confirm", 3), ("decline", 11)),
    "lost": (("inquiry", 0), ("expose", 1), ("reminder", 9)),
    "reserved": (("inquiry", 0), ("expose", 1), ("wish", 4), ("reserved", 5)),
    "owner": (("valuation", 0), ("appraisal", 1), ("figures", 13), ("mandate", 17)),
    "rented": (
        ("inquiry", 0),
        ("invite", 1),
        ("application", 9),
        ("accept", 12),
        ("contract", 14),
        ("signed", 16),
        ("keys", 28),
    ),
    "refused": (("inquiry", 0), ("invite", 1), ("application", 9), ("refuse", 13)),
    "shown": (("inquiry", 0), ("invite", 1)),
    "left": (("notice", 0), ("notice_reply", 2), ("checklist", 58)),
    "defect": (("defect", 0), ("defect_reply", 0), ("order", 0), ("craft_date", 1), ("done", 5)),
    "charges": (("charges", 0), ("charges_reply", 6)),
    "noise": (("noise", 0), ("noise_reply", 1)),
    "meeting": (("meeting", 0), ("meeting_reply", 8)),
}

_NOTARIES: Final = (
    ("Notarin Frauke Reimers", "notariat@kanzlei-reimers.example"),
    ("Notar Dr. Hinnerk Boysen", "kanzlei@notar-boysen.example"),
)
_CRAFTS: Final = (
    ("Heizungsbau Lorentzen", "post@lorentzen-heizung.example"),
    ("Sanitär Iversen", "auftrag@iversen-sanitaer.example"),
    ("Hausdienst Kröger & Tochter", "werkstatt@hausdienst-kroeger.example"),
    ("Haustechnik Wittkopp", "dispo@haustechnik-wittkopp.example"),
)
# What is broken: its name, what the tenant says, what the craftsman did.
_TROUBLES: Final = (
    (
        "Heizung kalt",
        "ist seit gestern Abend die Heizung kalt",
        "Pumpe getauscht, Anlage entlüftet, läuft.",
    ),
    (
        "Wasserfleck an der Decke",
        "tropft es im Bad aus der Decke, ich habe einen Eimer daruntergestellt",
        "Leck an der Steigleitung abgedichtet, die Decke muss trocknen.",
    ),
    (
        "Haustür schließt nicht",
        "springt die Haustür immer wieder auf, nachts klappert sie",
        "Schließblech gerichtet, Türschließer neu eingestellt.",
    ),
    (
        "Treppenlicht ausgefallen",
        "geht das Treppenlicht seit Tagen nicht, gestern ist fast jemand gestürzt",
        "Zeitschalter und zwei Lampen getauscht.",
    ),
)
_BANKS: Final = ("Haffbank", "Volksbank am Deich", "Sparkasse Haffstedt", "Seebank")

_VIEWING: Final = timedelta(days=8)
_NOTARY: Final = timedelta(days=43)
_SHARED: Final = ("info", "verkauf", "vermietung", "verwaltung", "buchhaltung")
# How often the first mail of a conversation is booked before anybody knows the contact or the property.
_UNKNOWN: Final = 0.12
_AUTOMATIC: Final = 0.6
_QUOTES: Final = 0.4


@dataclass(slots=True)
class _Wordings:
    """The blocks of all courses; gives each step's wordings in turn, so that none comes twice in a row."""

    blocks: dict[str, texts.Block]
    used: Counter[str] = field(default_factory=Counter)

    def next(self, step: str) -> texts.Block:
        block = self.blocks[step]
        turn = self.used[step]
        self.used[step] += 1
        subjects = block.headers["subject"]
        return texts.Block(
            step,
            {"from": block.headers["from"], "subject": [subjects[turn % len(subjects)]]},
            (block.texts[turn % len(block.texts)],),
        )


@dataclass(slots=True)
class _Talk:
    """One conversation while it is told."""

    roster: Roster
    chance: Random
    boxes: list[str]
    contact: Contact
    home: Property
    start: datetime
    handler: str | None = None
    last: Mail | None = None
    values: dict[str, object] = field(init=False)
    addresses: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        slot = working_day(self.start.replace(hour=self.chance.choice((10, 11, 14, 16, 17))) + _VIEWING)
        slot = slot.replace(minute=self.chance.choice((0, 0, 15, 30)))
        notary, notary_address = self.chance.choice(_NOTARIES)
        craft, craft_address = self.chance.choice(_CRAFTS)
        trouble = self.chance.choice(_TROUBLES)
        self.addresses = {
            "customer": self.contact.address,
            "notary": notary_address,
            "craft": craft_address,
        }
        self.values = {
            **self.home.words(self.chance),
            **dict(zip(("trouble_name", "trouble", "trouble_done"), trouble, strict=True)),
            "name": self.contact.name,
            "hello": self._greeting(self.contact.title, self.contact.last),
            "salute": self._salute(),
            "slot": spoken_slot(slot),
            "slot_day": weekday(slot),
            "notary_slot": spoken_slot(office_hour((self.start + _NOTARY).replace(hour=10, minute=0), 0)),
            "notary": notary,
            "craft": craft,
            "bank": self.chance.choice(_BANKS),
        }

    def _greeting(self, title: str, name: str) -> str:
        polite = "Sehr geehrte Frau" if title == "Frau" else "Sehr geehrter Herr"
        return f"{self.chance.choice((polite, f'Guten Tag {title}'))} {name}"

    def _salute(self) -> str:
        short = self.boxes[0].split("@")[0]
        if short in _SHARED:
            return self.chance.choice(
                ("Sehr geehrte Damen und Herren", "Guten Tag", "Liebes Nordlicht-Team", "Hallo")
            )
        owner = self.roster.people[self.roster.login(short)]
        return self._greeting("Herr" if owner.gender == "m" else "Frau", owner.last)

    def tell(self, block: texts.Block, day: int) -> Mail | None:
        """Tell the next step `day` days after the start; None once that would lie in the future."""
        moment = self._time_of(day)
        if block.header("from").startswith("us"):
            return self._outgoing(block, office_hour(moment, self.chance.randrange(5, 55)))
        return self._incoming(block, moment)

    def _time_of(self, day: int) -> datetime:
        moment = (self.start + timedelta(days=day)).replace(
            hour=self.chance.randrange(7, 22),
            minute=self.chance.randrange(60),
            second=self.chance.randrange(60),
        )
        if self.last is None:
            return moment
        earliest = max(booking.moment for booking in self.last.bookings).replace(microsecond=0)
        return max(moment, earliest + timedelta(minutes=self.chance.randrange(9, 240)))

    def _outgoing(self, block: texts.Block, moment: datetime) -> Mail | None:
        moment += timedelta(microseconds=self.chance.randrange(1_000_000))
        box = self.boxes[0]
        login = self._who(box, moment)
        if moment > self.roster.clock.now or login is None:
            return None
        to = self.addresses["craft" if block.header("from") == "us_to_craft" else "customer"]
        booking = Booking(box, SENDING, moment, login)
        return self._mail(block, box, (to,), moment, (booking,), self.roster.people[login])

    def _incoming(self, block: texts.Block, arrived: datetime) -> Mail | None:
        sender = self.addresses[block.header("from")]
        boxes = self.boxes if self.last is None else self.boxes[:1]
        bookings = tuple(self._read(box, arrived) for box in boxes)
        if any(booking.moment > self.roster.clock.now for booking in bookings):
            return None
        return self._mail(block, sender, tuple(boxes), arrived, bookings, None)

    def _read(self, box: str, arrived: datetime) -> Booking:
        if self.roster.boxes[box][1].automatic and self.chance.random() < _AUTOMATIC:
            seconds = timedelta(seconds=self.chance.randrange(2, 50))
            return Booking(box, RECEIVING, arrived + seconds, None)
        waited = timedelta(
            minutes=self.chance.randrange(4, 300), microseconds=self.chance.randrange(1_000_000)
        )
        moment = office_hour(arrived + waited, self.chance.randrange(55))
        return Booking(box, RECEIVING, moment, self._who(box, moment))

    def _who(self, box: str, moment: datetime) -> str | None:
        """Give who handles the conversation at that mailbox, and choose anew once that person has left it."""
        there = self.roster.at_work(box, moment)
        if self.handler in there:
            return self.handler
        chosen = self.chance.choice(there) if there else None
        if box == self.boxes[0]:
            self.handler = chosen
        return chosen

    def _mail(
        self,
        block: texts.Block,
        sender: str,
        recipients: tuple[str, ...],
        written: datetime,
        bookings: tuple[Booking, ...],
        writer: Person | None,
    ) -> Mail:
        written = written.astimezone(OFFICE).replace(microsecond=0)
        values: dict[str, object] = {**self.values, **date_words(written)}
        if writer is not None:
            bye = self.chance.choice(("Mit freundlichen Grüßen", "Freundliche Grüße", "Viele Grüße"))
            values["sign"] = f"{bye}\n{writer.name}\n{self.roster.boxes[sender][1].desk}"
        subject = texts.fill(block.header("subject"), values, self.chance)
        text = texts.fill(block.texts[0], values, self.chance)
        if subject == "AW" and self.last is not None:
            subject = f"AW: {self.last.subject.removeprefix('AW: ')}"
            text += self._quote()
        contacts, homes = self._about(block)
        self.last = Mail(
            agency=NORDLICHT,
            message_id=message_id(sender, subject, written),
            sender=sender,
            recipients=recipients,
            subject=subject,
            text=text,
            date=written,
            bookings=bookings,
            contacts=contacts,
            properties=homes,
        )
        return self.last

    def _quote(self) -> str:
        if self.last is None or self.chance.random() >= _QUOTES:
            return ""
        lines = "\n".join(f"> {line}".rstrip() for line in self.last.text.splitlines() if line[:1] != ">")
        return f"\n\nAm {self.last.date:%d.%m.%Y um %H:%M} Uhr schrieb {self.last.sender}:\n{lines}"

    def _about(self, block: texts.Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if "craft" in block.header("from"):
            return (), (self.home.reference,)
        if self.last is None and self.chance.random() < _UNKNOWN:
            return (), ()
        return (self.contact.reference,), (self.home.reference,)


def conversations(roster: Roster) -> Iterator[Mail]:
    """Give the mails of every conversation; one that started lately is still under way."""
    homes = properties()
    wordings = {
        kind: _Wordings({block.title: block for block in texts.blocks(f"{kind}.txt")})
        for kind in ("sales", "letting", "management")
    }
    for row in texts.table("conversations.txt"):
        yield from _conversation(row, roster, homes, wordings)


def _conversation(
    row: list[str], roster: Roster, homes: Mapping[str, Property], wordings: Mapping[str, _Wordings]
) -> Iterator[Mail]:
    kind, course, boxes, contact, home, days = row
    talk = _Talk(
        roster=roster,
        chance=Random("|".join(row)),  # noqa: S311 - wordings and minutes, nothing secret
        boxes=[roster.address(short) for short in boxes.split("+")],
        contact=roster.contacts[contact],
        home=homes[home],
        start=roster.clock.at(int(days)),
    )
    for step, day in _COURSES[course]:
        mail = talk.tell(wordings[kind].next(step), day)
        if mail is None:
            return
        yield mail
