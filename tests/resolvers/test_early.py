"""What is read early, in the statement of the entries, is what would be read later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from models import visibility
from models.tables.users import User
from resolvers import activities, mailboxes, users
from resolvers.activities import Early
from resolvers.activity_lists import Entries
from resolvers.request import Request
from resolvers.windows import Arguments
from tests import storage
from tests.resolvers.arrivals import agency, assignment, at, booking, mail, mailbox, take, user

if TYPE_CHECKING:
    from models.database import Database
    from resolvers.activities import Entry

pytestmark = pytest.mark.asyncio

ANNA, BERT, INFO, DESK, CHEF = (f"{each}@nord.example" for each in ("anna", "bert", "info", "desk", "chef"))
ALL = {"activityReadLevel": "ALL", "agentsLogReadLevel": "ALL"}
WORLD = (
    agency(modules=["VIP_MAILBOXES"]),
    user(ANNA, **ALL),
    user(BERT),
    mailbox(CHEF, vip=True),
    mailbox(DESK, emailName="Desk"),
    mailbox(INFO),
    assignment(mailbox=CHEF, user=ANNA),
    assignment(mailbox=INFO, user=ANNA),
    assignment(mailbox=INFO, user=BERT),
    assignment(mailbox=DESK, user=BERT, until=at(9)),
    mail(booking(user=BERT), contactReferences=["K-1", "K-2"], propertyReferences=["P-1"]),
    # The order of bookings at one moment is that of the addresses.
    mail(
        booking(user=BERT), booking(mailbox=DESK, user=BERT), booking(mailbox=CHEF, user=ANNA), messageId="2"
    ),
    mail(
        booking(decisiveAt=at(4)),
        booking(mailbox=DESK, decisiveAt=at(3)),
        messageId="3",
        contactReferences=["K-1"],
    ),
    mail(booking(mailbox=CHEF, decisiveAt=at(2)), messageId="4"),
    mail(booking(decisiveAt=at(4)), messageId="5"),
)
BOOKINGS = Early(bookings=True)
EARLY = [
    Early(),
    BOOKINGS,
    replace(BOOKINGS, mailboxes=True),
    replace(BOOKINGS, users=True),
    replace(BOOKINGS, mailboxes=True, users=True),
]


async def world(database: Database) -> Request:
    """The world, asked by Anna, who sees it all."""
    await take(database, *WORLD)
    anna = await User.get(login=ANNA)
    return replace(await storage.request(database, None), viewer=await storage.viewer(anna))


async def told(request: Request, entries: list[Entry]) -> list[Any]:
    """Entries with their bookings, and the mailboxes and users of these."""
    of_each = await activities.bookings_of(request, entries)
    bookings = [booking for each in of_each for booking in each]
    boxes = iter(await mailboxes.by_ids(request, [each.mailbox_id for each in bookings]))
    people = iter(await users.by_ids(request, [each.user_id for each in bookings]))
    return [
        (entry, [(booking, next(boxes), next(people)) for booking in each])
        for entry, each in zip(entries, of_each, strict=True)
    ]


async def test_it_is_the_same_on_every_page(database: Database) -> None:
    asking = await world(database)
    pages = [Arguments(first=size) for size in (1, 3, 100)] + [Arguments(last=size) for size in (1, 3)]
    for page in pages:
        answers = []
        for early in EARLY:
            request = replace(asking, batches={})
            entries = Entries(request, page, visibility.Filter(), early=early)
            answers.append((await told(request, await entries.nodes()), await entries.has_next_page()))
        assert all(answer == answers[0] for answer in answers)
    everything = await told(asking, await Entries(asking, Arguments(), visibility.Filter()).nodes())
    assert sorted(len(bookings) for _, bookings in everything) == [1, 1, 1, 1, 1, 2, 3]
    (three,) = [bookings for _, bookings in everything if len(bookings) == 3]
    assert [box.address for _, box, _ in three] == [CHEF, DESK, INFO]


async def test_it_is_the_same_in_the_lists_of_mailboxes(database: Database) -> None:
    asking = await world(database)
    answers = []
    for early in EARLY:
        request = replace(asking, batches={})
        boxes = await mailboxes.list_all(request, Arguments(), None).nodes()
        lists = [Entries(request, Arguments(first=2), visibility.Filter(), box.id, early) for box in boxes]
        answers.append([await told(request, await each.nodes()) for each in lists])
    assert all(answer == answers[0] for answer in answers)
    assert [len(each) for each in answers[0]] == [2, 2, 2]


async def test_it_is_the_same_of_single_entries(database: Database) -> None:
    asking = await world(database)
    entries = await Entries(asking, Arguments(), visibility.Filter()).nodes()
    answers = []
    for early in EARLY:
        request = replace(asking, batches={})
        found = [await activities.entry(request, each.id, early) for each in entries]
        answers.append(await told(request, [each for each in found if each is not None]))
    assert all(answer == answers[0] for answer in answers)
    assert [entry for entry, _ in answers[0]] == entries


async def test_nothing_is_asked_for_twice(database: Database) -> None:
    asking = await world(database)
    for early, statements in zip(EARLY, (4, 3, 2, 2, 1), strict=True):
        request = replace(asking, batches={})
        with storage.statements(database) as seen:
            await told(request, await Entries(request, Arguments(), visibility.Filter(), early=early).nodes())
        assert len(seen) == statements, early


async def test_bookings_that_were_read_later_stay(database: Database) -> None:
    """Of two fields that read an e-mail one after the other, an answer may come first that holds fewer of its bookings."""
    request = await world(database)
    entries = await Entries(request, Arguments(), visibility.Filter(), early=BOOKINGS).nodes()
    seer = activities.reader(request.signed_in())
    assert seer is not None
    newest = max(entries, key=lambda each: each.booked)
    assert newest.booked == 3
    rows = await visibility.visible(
        database,
        seer,
        [newest.id],
        beside=BOOKINGS.beside(request.signed_in()),
    )
    # As the older answer would.
    activities.keep(request, rows[:1], BOOKINGS)
    assert len(await activities.bookings(request, newest)) == 3
