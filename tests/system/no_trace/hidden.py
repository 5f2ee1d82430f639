"""What one world holds and the other does not: all of it hidden from one viewer, whatever that viewer may change.

A mail is hidden from an administrator only where no setting that he or she may change opens it, but for those that `Hidden`
names: the fuzzer leaves these alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from models.mails import identity
from tests.oracle.generator import OUTSIDERS, START, more_mails
from tests.oracle.rule import Oracle, entries_of, fold, groups, read_level
from tests.oracle.world import Booking, Mail, Mailbox, Period, User, World
from tests.system.no_trace.chance import BEGIN, STEP

Viewer = User | None
"""Nobody is None: who is not signed in."""
WORDS = ("Zaunkönig", "geheimnis42", "Übernahmegerücht")
"""Stand in hidden mails alone."""


@dataclass
class Hidden:
    """What only one of the worlds holds, and what would open it."""

    mails: list[Mail] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    rooms: list[tuple[User, Mailbox]] = field(default_factory=list)
    """Who books where without the viewer's seeing it."""
    logins: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    """Of other agencies, as the logins."""
    identities: set[str] = field(default_factory=set)
    """A copy that the viewer books joins: product.md's exception."""
    guards: set[str] = field(default_factory=set)
    """Addresses of mailboxes that must stay VIP, and that the viewer must not be assigned to."""


def identity_of(mail: Mail) -> str:
    """The e-mail's identity within its agency."""
    return identity(mail.message_id, mail.sender, mail.recipients, mail.subject, mail.text)


def hides(oracle: Oracle, viewer: Viewer, mail: Mail) -> bool:
    """Whether the viewer sees nothing of the mail, and never will by changing what is his or hers to change."""
    if viewer is None or viewer.agency != mail.agency:
        return True
    entries = entries_of(mail)
    if any(oracle.visible(viewer, entry) for entry in entries):
        return False
    if viewer.role != "ADMINISTRATOR":
        return True
    # A switch of VIP may bring the read level into play, or leave it out.
    shut = all(read_level(viewer, entry.kind) in {"OWN", "NOTHING"} for entry in entries)
    return viewer not in oracle.audience(mail) and (shut or oracle.guarded(mail))


def find(random: Random, world: World, number: int, viewer: Viewer) -> Hidden:
    """Choose what is hidden from the viewer."""
    oracle = Oracle(world, BEGIN)
    found = Hidden()
    for index, mail in enumerate(more_mails(random, world, number, 40)):
        # Most say what nobody else does; the others share words, Message-IDs and moments with what is visible.
        word = random.choice(WORDS)
        told = replace(mail, text=f"{mail.text} {word} {index}") if random.random() < 0.7 else mail
        if hides(oracle, viewer, told):
            found.mails.append(told)
    found.mails = found.mails[:15]
    # Before everything else, so that the ends of lists are hidden too; nobody was assigned then.
    for place, box in enumerate(world.mailboxes):
        early = replace(
            booked_now(None, box, place, f"{random.choice(WORDS)} {place}"),
            message_id=f"early{place}@web.example",
        )
        (booking,) = early.bookings
        early = replace(early, bookings=(replace(booking, at=START - (place + 1) * STEP),))
        if hides(oracle, viewer, early):
            found.mails.append(early)
    for mail in found.mails:
        found.identities.add(identity_of(mail))
        found.guards |= {fold(box.address) for box in oracle.mailboxes_of(mail) if box.vip}
    found.rooms = [
        (user, box)
        for user in world.users
        for box in world.mailboxes
        if user.state == "ACTIVE"
        and user != viewer
        and user.agency == box.agency
        and oracle.is_assigned(user, box)
        and hides(oracle, viewer, booked_now(user, box))
    ]
    found.guards |= {fold(box.address) for _, box in found.rooms}
    found.periods = list(_periods(random, oracle, viewer))
    return found


def booked_now(user: User | None, box: Mailbox, number: int = 0, text: str = "") -> Mail:
    """A mail that the user reads at the mailbox now, with an entry of each kind."""
    return Mail(
        agency=box.agency,
        message_id=f"live{number}@web.example",
        sender=OUTSIDERS[number % len(OUTSIDERS)],
        recipients=(box.address,),
        subject=f"Anruf {number}",
        text=text,
        bookings=(Booking(box.address, "RECEIVING", BEGIN, user.login if user else None),),
        contacts=("K-1",),
        properties=("P-1",),
    )


def _periods(random: Random, oracle: Oracle, viewer: Viewer) -> Sequence[Period]:
    """Periods of others that the viewer may not read, and that open nothing to the viewer."""
    world, found = oracle.world, []
    for box in world.mailboxes:
        if not _is_closed_to(oracle, viewer, box):
            continue
        for user in world.users:
            known = any(
                fold(period.user) == fold(user.login) and fold(period.mailbox) == fold(box.address)
                for period in world.periods
            )
            if known or user.agency != box.agency or user == viewer:
                continue
            begin = BEGIN - random.randint(10, 50_000) * STEP
            is_mate = viewer is not None and bool(groups(viewer) & groups(user))
            # What is booked there later would be visible by a mate who is assigned in one world alone.
            is_open = user.state == "ACTIVE" and not is_mate and random.random() < 0.8
            found.append(Period(box.address, user.login, begin, None if is_open else begin + STEP))
    return found


def _is_closed_to(oracle: Oracle, viewer: Viewer, box: Mailbox) -> bool:
    """Whether the viewer reads nothing of the mailbox's assignments, events and password."""
    if viewer is None or viewer.agency != box.agency:
        return True
    return viewer.role == "USER" and not oracle.is_assigned(viewer, box)


def closed_rooms(world: World, viewer: Viewer) -> list[tuple[User, Mailbox]]:
    """Who is assigned to which mailbox of whose events and password the viewer reads nothing."""
    oracle = Oracle(world, BEGIN)
    return [
        (user, box)
        for box in world.mailboxes
        if _is_closed_to(oracle, viewer, box)
        for user in world.users
        if user.state == "ACTIVE" and user != viewer and oracle.is_assigned(user, box)
    ]


def half_visible(world: World, viewer: Viewer) -> list[tuple[Mail, str]]:
    """Mails of which the viewer reads one kind of entry alone by the read levels, each with the other kind."""
    if viewer is None or viewer.role != "USER":
        return []
    oracle = Oracle(world, BEGIN)
    found = []
    for mail in world.mails:
        if mail.agency != viewer.agency or oracle.guarded(mail):
            continue
        visible = {entry.kind for entry in entries_of(mail) if oracle.visible(viewer, entry)}
        for kind in ("ACTIVITY", "AGENTS_LOG"):
            other = replace(mail, contacts=("x",), properties=("x",))
            shown = any(oracle.visible(viewer, entry) for entry in entries_of(other) if entry.kind == kind)
            if visible and not shown:
                found.append((mail, kind))
    return found
