"""E-mails to book on a walk: new ones, equal copies of earlier ones, and those that only look like it."""

from dataclasses import replace
from random import Random

from tests.oracle.generator import CONTACTS, PROPERTIES, more_mails
from tests.oracle.rule import fold
from tests.oracle.world import Booking, Mail, Mailbox, World


def some_mail(random: Random, world: World, number: int, box: Mailbox) -> Mail:
    """A mail to book at this mailbox: half of them copies, a fifth almost."""
    earlier = [mail for mail in world.mails if mail.agency == box.agency]
    copies = [mail for mail in earlier if not has_other_part(mail, box)]
    dice = random.random()
    if copies and dice < 0.5:
        mail = random.choice(copies)
        recipients = list(mail.recipients)
        random.shuffle(recipients)
        more = tuple(each for each in CONTACTS if random.random() < 0.3)
        return replace(mail, recipients=tuple(recipients), contacts=more, sender=mail.sender.lower())
    mail = random.choice(more_mails(Random(random.random()), world, number, 10))
    if earlier and dice < 0.7:
        other = random.choice(earlier)
        mail = replace(other, text=f"{other.text} {random.randrange(10**6)}", contacts=())
    properties = tuple(each for each in PROPERTIES if random.random() < 0.3)
    return replace(mail, properties=properties, later=frozenset())


def has_other_part(mail: Mail, box: Mailbox) -> bool:
    """Whether the mailbox booked the mail in the part that a walk would not give it."""
    part = "SENDING" if fold(mail.sender) == fold(box.address) else "RECEIVING"
    return any(
        fold(booking.mailbox) == fold(box.address) and booking.part != part for booking in mail.bookings
    )


def joined(known: Mail, copy: Mail, bookings: tuple[Booking, ...]) -> Mail:
    """The mail after an equal copy joined it: the entries of new references, and nothing else."""
    old: tuple[str | None, ...] = known.contacts if known.contacts or known.properties else (None,)
    contacts = (*old, *(each for each in copy.contacts if each not in old))
    properties = (*known.properties, *(each for each in copy.properties if each not in known.properties))
    return replace(known, bookings=bookings, contacts=contacts, properties=properties)
