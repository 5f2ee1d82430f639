"""What the generator draws can be imported, and holds the corners that it is for."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given, settings

from tests.oracle.generator import TICK, more_mails, random_world, worlds
from tests.oracle.rule import Oracle, entries_of, fold, identity, page
from tests.oracle.world import Period, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def check_importable(world: World) -> None:
    """Asserts what operations.md refuses."""
    agency_of_box = {fold(box.address): box.agency for box in world.mailboxes}
    agency_of_user = {fold(user.login): user.agency for user in world.users}
    assert len(agency_of_box) == len(world.mailboxes)
    assert len(agency_of_user) == len(world.users)
    for periods in by_pair(world).values():
        for earlier, later in pairwise(periods):
            assert earlier.end is not None
            assert earlier.begin < earlier.end <= later.begin
    for period in world.periods:
        assert period.begin < NOW
        assert agency_of_box[fold(period.mailbox)] == agency_of_user[fold(period.user)]
    for mail in world.mails:
        assert mail.bookings
        assert mail.recipients
        booked = [fold(booking.mailbox) for booking in mail.bookings]
        assert len(set(booked)) == len(booked)
        senders = [fold(booking.mailbox) for booking in mail.bookings if booking.part == "SENDING"]
        assert senders in ([], [fold(mail.sender)])
        for booking in mail.bookings:
            assert booking.at < NOW
            assert agency_of_box[fold(booking.mailbox)] == mail.agency
            pair = (fold(booking.mailbox), fold(booking.user or ""))
            assert booking.user is None or any(period.holds(booking.at) for period in by_pair(world)[pair])
    assert max(Counter(identity(mail) for mail in world.mails).values()) == 1


def by_pair(world: World) -> dict[tuple[str, str], list[Period]]:
    pairs: dict[tuple[str, str], list[Period]] = {}
    for period in sorted(world.periods, key=lambda each: each.begin):
        pairs.setdefault((fold(period.mailbox), fold(period.user)), []).append(period)
    return pairs


@given(world=worlds(1))
@settings(max_examples=60, deadline=None)
def test_every_world_can_be_imported(world: World) -> None:
    check_importable(world)


@given(world=worlds(1))
@settings(max_examples=30, deadline=None)
def test_a_viewer_sees_guarded_entries_by_audience_alone(world: World) -> None:
    oracle = Oracle(world, NOW)
    for viewer in world.users:
        for entry in oracle.feed(viewer):
            assert viewer.state == "ACTIVE"
            assert viewer.agency == entry.mail.agency
            assert not oracle.guarded(entry.mail) or viewer in oracle.audience(entry.mail)


def test_equal_sources_draw_equal_worlds() -> None:
    assert random_world(Random(7), 3) == random_world(Random(7), 3)
    assert random_world(Random(7), 3) != random_world(Random(8), 3)


def test_worlds_share_no_name() -> None:
    one, other = random_world(Random(7), 1), random_world(Random(7), 2)
    check_importable(one + other)
    assert not {box.address for box in one.mailboxes} & {box.address for box in other.mailboxes}


def test_further_mails_fit_into_their_world() -> None:
    for seed in range(10):
        world = random_world(Random(seed), 1)
        more = more_mails(Random(seed), world, 1, 20)
        assert len(more) > 10
        check_importable(replace(world, mails=world.mails + more))


def test_times_with_any_offset_are_the_same_moments() -> None:
    world = random_world(Random(5), 1)
    plain = [json.loads(line) for line in world.lines()]
    varied = [json.loads(line) for line in world.lines(Random(5))]
    assert len(plain) == len(varied)
    offsets = set()
    for one, other in zip(plain, varied, strict=True):
        assert one.items() <= other.items() or one["type"] in {"assignment", "mail"}
        if one["type"] == "assignment":
            begin = datetime.fromisoformat(other["from"])
            offsets.add(begin.utcoffset())
            assert begin == datetime.fromisoformat(one["from"])
    assert len(offsets) > 3


@pytest.fixture(scope="module")
def drawn() -> list[World]:
    return [random_world(Random(seed), 1) for seed in range(40)]


class TestCorners:
    """Each corner occurs again and again, so that a suite of a few dozen worlds meets it."""

    def test_periods_touch_and_leave_gaps(self, drawn: list[World]) -> None:
        pairs = [
            (earlier.end, later.begin)
            for world in drawn
            for periods in by_pair(world).values()
            for earlier, later in pairwise(periods)
        ]
        assert sum(end == begin for end, begin in pairs) > 20
        assert sum(end != begin for end, begin in pairs) > 20

    @pytest.mark.parametrize("beside", [-TICK, timedelta(), TICK])
    @pytest.mark.parametrize("side", ["begin", "end"])
    def test_moments_fall_on_ends_and_beside_them(
        self, drawn: list[World], side: str, beside: timedelta
    ) -> None:
        hits = sum(
            getattr(period, side) == booking.at + beside
            for world in drawn
            for mail in world.mails
            for booking in mail.bookings
            for period in world.periods
            if fold(period.mailbox) == fold(booking.mailbox) and getattr(period, side) is not None
        )
        assert hits > 40

    def test_moments_tie(self, drawn: list[World]) -> None:
        for world in drawn:
            moments = [entry.occurred_at for mail in world.mails for entry in entries_of(mail)]
            assert len(set(moments)) < len(moments)

    def test_several_bookings_several_mailboxes_blind_copies(self, drawn: list[World]) -> None:
        mails = [(world, mail) for world in drawn for mail in world.mails]
        assert sum(len(mail.bookings) > 1 for _, mail in mails) > 100
        assert sum(len({booking.part for booking in mail.bookings}) == 2 for _, mail in mails) > 50
        unread = blind = 0
        for world, mail in mails:
            booked = {fold(booking.mailbox) for booking in mail.bookings}
            named = {fold(address) for address in (mail.sender, *mail.recipients)}
            unread += any(
                box.vip and fold(box.address) not in booked for box in Oracle(world, NOW).mailboxes_of(mail)
            )
            blind += bool(booked - named)
        assert min(unread, blind) > 20

    def test_guarded_and_open_entries_are_seen_and_hidden(self, drawn: list[World]) -> None:
        counts = Counter(
            (oracle.guarded(mail), oracle.visible(viewer, entries_of(mail)[0]))
            for world in drawn
            for oracle in [Oracle(world, NOW)]
            for mail in world.mails
            for viewer in world.users
            if viewer.agency == mail.agency and viewer.state == "ACTIVE"
        )
        assert min(counts[guarded, seen] for guarded in (True, False) for seen in (True, False)) > 300

    def test_levels_differ_in_what_they_open(self, drawn: list[World]) -> None:
        opened = Counter(
            viewer.activity_level
            for world in drawn
            for oracle in [Oracle(world, NOW)]
            for viewer in world.users
            for entry in oracle.feed(viewer)
            if entry.kind == "ACTIVITY" and not oracle.guarded(entry.mail)
        )
        assert opened["NOTHING"] == 0
        assert min(opened[level] for level in ("ALL", "OFFICE_GROUP", "OWN")) > 30

    def test_equal_message_ids_with_other_content(self, drawn: list[World]) -> None:
        pairs = [
            pair
            for world in drawn
            for pair in combinations(world.mails, 2)
            if pair[0].message_id == pair[1].message_id and pair[0].agency == pair[1].agency
        ]
        assert len(pairs) > 100

    def test_pages_put_together_are_the_feed(self, drawn: list[World]) -> None:
        for world in drawn[:5]:
            feed = Oracle(world, NOW).feed(world.users[0])
            walked: list[object] = []
            while True:
                part = page(feed, first=4, after=len(walked) - 1 if walked else None)
                walked.extend(part.items)
                if not part.has_next:
                    break
            assert walked == feed
