"""The mails that are told one by one: moments, writers and readers stand in the text files."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from server.demonstration import texts
from server.demonstration.clock import date_words
from server.demonstration.post import RECEIVING, SENDING, Booking, Mail, message_id, split_references
from server.demonstration.roster import Roster

_AUTOMATIC = "auto"


def letters(agency: str, name: str, roster: Roster) -> Iterator[Mail]:
    """Give the mails of a text file in its order."""
    chance = Random(name)  # noqa: S311 - seconds of the day, nothing secret
    for block in texts.blocks(name):
        yield _letter(agency, block, roster, chance)


def _letter(agency: str, block: texts.Block, roster: Roster, chance: Random) -> Mail:
    sender = roster.address(block.header("from"))
    written = roster.clock.read(block.title)
    bookings = []
    if roster.is_ours(sender, agency):
        moment = _moment(block.title, roster, chance)
        bookings.append(Booking(sender, SENDING, moment, roster.login(block.header("by"))))
    for reading in block.headers.get("read", []):
        box, when, reader = _reading(reading)
        login = None if reader == _AUTOMATIC else roster.login(reader)
        bookings.append(Booking(roster.address(box), RECEIVING, _moment(when, roster, chance), login))
    subject = block.header("subject").format_map(date_words(written))
    contacts, properties = split_references(block.words("about"))
    return Mail(
        agency=agency,
        message_id=message_id(sender, subject, written),
        sender=sender,
        recipients=tuple(roster.address(short) for short in block.words("to")),
        subject=subject,
        text=block.texts[0].format_map(date_words(written)),
        date=roster.clock.read(block.header("date", block.title)).replace(microsecond=0),
        bookings=tuple(bookings),
        contacts=contacts,
        properties=properties,
    )


def _reading(words: str) -> tuple[str, str, str]:
    box, *when, reader = words.split()
    return box, " ".join(when), reader


def _moment(words: str, roster: Roster, chance: Random) -> datetime:
    """Read a moment; one without seconds gets some, and fractions of them, as a clock would give."""
    moment = roster.clock.read(words)
    has_seconds = words.count(":") > 1 or words.startswith("now-")
    if has_seconds:
        return moment
    return moment + timedelta(seconds=chance.randrange(60), microseconds=chance.randrange(1_000_000))
