"""The comparison of `test_rule` itself passes a server that keeps the rule and finds each way to break it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from tests.client import inside
from tests.oracle.generator import TICK, random_world
from tests.oracle.rule import Entry, Filter, Oracle, direction, fold, groups, matches, read_level
from tests.oracle.world import Booking, Mail, Mailbox, User, World
from tests.system.comparison import compare_world
from tests.system.pretender import Pretender

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORLDS = range(12)


async def compare(world: World, server: Pretender, seed: int) -> None:
    async with inside(server.app) as client:
        await compare_world(client, world, Random(seed), ["unknown"])


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_a_server_that_keeps_the_rule_passes() -> None:
    for seed in WORLDS:
        world = random_world(Random(seed), seed)
        await compare(world, Pretender(Oracle(world, NOW)), seed)


class LevelOpensGuarded(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        same = viewer.agency == entry.mail.agency and viewer.state == "ACTIVE"
        return super().visible(viewer, entry) or (same and viewer.role == "ADMINISTRATOR")


class LevelClosesGuarded(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        return super().visible(viewer, entry) and read_level(viewer, entry.kind) != "NOTHING"


class OnlyBookedMailboxesGuard(Oracle):
    def mailboxes_of(self, mail: Mail) -> list[Mailbox]:
        booked = {fold(booking.mailbox) for booking in mail.bookings}
        return [box for box in super().mailboxes_of(mail) if fold(box.address) in booked]


class CaseOfAddressesCounts(Oracle):
    def mailboxes_of(self, mail: Mail) -> list[Mailbox]:
        named = {mail.sender, *mail.recipients} | {fold(booking.mailbox) for booking in mail.bookings}
        return [box for box in super().mailboxes_of(mail) if box.address in named]


class Moments(Oracle):
    """An oracle that takes other moments for decisive."""

    def audience(self, mail: Mail) -> list[User]:
        return super().audience(replace(mail, bookings=tuple(map(self.moved, mail.bookings))))

    def moved(self, booking: Booking) -> Booking:
        return booking


class EndIsInThePeriod(Moments):
    def audience(self, mail: Mail) -> list[User]:
        there = super().audience(mail)
        late = super().audience(replace(mail, bookings=tuple(map(self.earlier, mail.bookings))))
        return [user for user in self.world.users if user in there or user in late]

    def earlier(self, booking: Booking) -> Booking:
        return replace(booking, at=booking.at - TICK)


class ToTheMillisecond(Moments):
    def moved(self, booking: Booking) -> Booking:
        return replace(booking, at=booking.at.replace(microsecond=0))


class OnlyTheFirstBookingCounts(Oracle):
    def audience(self, mail: Mail) -> list[User]:
        first = min(mail.bookings, key=lambda booking: booking.at)
        return super().audience(replace(mail, bookings=(first,)))


class AllAtTheEarliestMoment(Oracle):
    def audience(self, mail: Mail) -> list[User]:
        first = min(booking.at for booking in mail.bookings)
        return super().audience(
            replace(mail, bookings=tuple(replace(booking, at=first) for booking in mail.bookings))
        )


class AssignedNowSees(Oracle):
    def audience(self, mail: Mail) -> list[User]:
        boxes = [self.mailbox(booking.mailbox) for booking in mail.bookings]
        there = super().audience(mail)
        return [
            user
            for user in self.world.users
            if user in there or any(self.is_assigned(user, box) for box in boxes)
        ]


class InactiveMembersDoNotShare(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        active = {user.login for user in self.world.users if user.state == "ACTIVE"}
        world = replace(
            self.world, periods=tuple(period for period in self.world.periods if fold(period.user) in active)
        )
        if read_level(viewer, entry.kind) != "OFFICE_GROUP":
            return super().visible(viewer, entry)
        return Oracle(world, self.now).visible(viewer, entry)


class GroupsWhateverTheirCase(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        if super().visible(viewer, entry):
            return True
        if viewer.state != "ACTIVE" or self.guarded(entry.mail) or viewer.agency != entry.mail.agency:
            return False
        mine = {group.lower() for group in groups(viewer)}
        shared = any(mine & {group.lower() for group in groups(user)} for user in self.audience(entry.mail))
        return shared and read_level(viewer, entry.kind) == "OFFICE_GROUP"


class AgenciesMix(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        return super().visible(replace(viewer, agency=entry.mail.agency), entry)


class LevelsMix(Oracle):
    def visible(self, viewer: User, entry: Entry) -> bool:
        return super().visible(replace(viewer, agents_log_level=viewer.activity_level), entry)


@pytest.mark.asyncio
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "wrong",
    [
        LevelOpensGuarded,
        LevelClosesGuarded,
        OnlyBookedMailboxesGuard,
        CaseOfAddressesCounts,
        EndIsInThePeriod,
        ToTheMillisecond,
        OnlyTheFirstBookingCounts,
        AllAtTheEarliestMoment,
        AssignedNowSees,
        InactiveMembersDoNotShare,
        GroupsWhateverTheirCase,
        AgenciesMix,
        LevelsMix,
    ],
)
async def test_a_wrong_rule_is_found(wrong: type[Oracle]) -> None:
    assert await is_found(lambda world: Pretender(wrong(world, NOW)))


class CountsWhatIsHidden(Pretender):
    def count(self, viewer: User, found: list[Entry]) -> int:  # type: ignore[override]
        return sum(entry.mail.agency == viewer.agency for entry in self.ids) if found else 0


class PromisesMore(Pretender):
    def ends(self, has_next: bool, has_previous: bool) -> tuple[bool, bool]:  # noqa: ARG002, FBT001
        return has_next, True


class NodeShowsAll(Pretender):
    def node(self, viewer: User, name: str) -> object:
        found = super().node(viewer, name)
        everybody = (user for user in self.oracle.world.users if user.agency == viewer.agency)
        return found or next(filter(None, (Pretender.node(self, user, name) for user in everybody)), None)


class Filters(Pretender):
    """A server that takes a filter for another one."""

    def visible(self, viewer: User, wanted: Filter, mailbox: str | None) -> list[Entry]:
        everything = super().visible(viewer, Filter(), mailbox)
        return [entry for entry in everything if self.passes(entry, wanted)]

    def passes(self, entry: Entry, wanted: Filter) -> bool:
        return matches(entry, wanted)


class FilterHoldsItsEnd(Filters):
    def passes(self, entry: Entry, wanted: Filter) -> bool:
        end = wanted.occurred_until
        return matches(entry, replace(wanted, occurred_until=end and end + TICK))


class FilterByAnyMailbox(Filters):
    def passes(self, entry: Entry, wanted: Filter) -> bool:
        named = {fold(address) for address in (entry.mail.sender, *entry.mail.recipients)}
        addressed = wanted.mailbox is None or fold(wanted.mailbox) in named
        return matches(entry, wanted) or (addressed and matches(entry, replace(wanted, mailbox=None)))


class SearchKnowsWildcards(Filters):
    def passes(self, entry: Entry, wanted: Filter) -> bool:
        search = (wanted.search or "").replace("%", " ").replace("_", " ")
        return matches(entry, replace(wanted, search=search))


class SearchKeepsCase(Filters):
    def passes(self, entry: Entry, wanted: Filter) -> bool:
        text = f"{entry.mail.subject}\n{entry.mail.text}\n{entry.mail.sender}\n{entry.mail.recipients}"
        return matches(entry, wanted) and all(word in text for word in (wanted.search or "").split())


class InternalIsOutgoingToo(Filters):
    def passes(self, entry: Entry, wanted: Filter) -> bool:
        internal = wanted.direction == "INCOMING" and direction(entry.mail) == "INTERNAL"
        return matches(entry, replace(wanted, direction=None) if internal else wanted)


@pytest.mark.asyncio
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "wrong",
    [
        CountsWhatIsHidden,
        PromisesMore,
        NodeShowsAll,
        FilterHoldsItsEnd,
        FilterByAnyMailbox,
        SearchKnowsWildcards,
        SearchKeepsCase,
        InternalIsOutgoingToo,
    ],
)
async def test_a_wrong_answer_is_found(wrong: type[Pretender]) -> None:
    assert await is_found(lambda world: wrong(Oracle(world, NOW)))


async def is_found(server: Callable[[World], Pretender]) -> bool:
    """Whether the comparison fails for one of a few worlds."""
    for seed in WORLDS:
        world = random_world(Random(seed), seed)
        try:
            await compare(world, server(world), seed)
        except AssertionError:
            return True
    return False
