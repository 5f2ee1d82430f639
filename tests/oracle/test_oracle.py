"""The oracle itself: every situation of product.md's table, and what its words say beside it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.oracle.rule import (
    Entry,
    Filter,
    Oracle,
    answer,
    direction,
    entries_of,
    is_found,
    is_same_mail,
    page,
    written,
)
from tests.oracle.world import Agency, Booking, Level, Mail, Mailbox, Part, Period, User, World

T1, T2, T3 = (datetime(2024, month, 1, 9, tzinfo=UTC) for month in (1, 2, 3))
NOW = datetime(2024, 12, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)

V, N, W = "v@a.example", "n@a.example", "w@a.example"
ME, OTHER = "me@a.example", "other@a.example"


def user(login: str = ME, level: Level = "OWN", **changes: object) -> User:
    plain = User("a", login, "Kim", "Lang", activity_level=level, agents_log_level=level)
    return replace(plain, **changes)  # type: ignore[arg-type]


def mail(*bookings: tuple[str, Part, datetime], **changes: object) -> Mail:
    sender = next((mailbox for mailbox, part, _ in bookings if part == "SENDING"), "buyer@web.example")
    recipients = tuple(mailbox for mailbox, part, _ in bookings if part == "RECEIVING")
    booked = tuple(Booking(mailbox, part, at) for mailbox, part, at in bookings)
    plain = Mail("a", "m1@web.example", sender, recipients, "Offer", "Good day", booked)
    return replace(plain, **changes)  # type: ignore[arg-type]


def sees(
    viewer: User, entry_of: Mail, *periods: tuple[str, datetime, datetime | None], vip: bool = True
) -> bool:
    world = World(
        agencies=(Agency("a", "A", ("a.example",), ("VIP_MAILBOXES",)),),
        users=(viewer,),
        mailboxes=(Mailbox("a", V, vip=vip), Mailbox("a", N), Mailbox("a", W)),
        periods=tuple(Period(mailbox, viewer.login, begin, end) for mailbox, begin, end in periods),
        mails=(entry_of,),
    )
    (entry,) = entries_of(entry_of)
    return Oracle(world, NOW).visible(viewer, entry)


class TestSituations:
    """One test for each row of the table, in its order."""

    def test_assigned_before(self) -> None:
        assert sees(user(), mail((V, "RECEIVING", T2)), (V, T1, None))

    def test_assigned_after(self) -> None:
        assert not sees(user(), mail((V, "RECEIVING", T2)), (V, T3, None))

    def test_an_ended_assignment_closes_nothing(self) -> None:
        assert sees(user(), mail((V, "RECEIVING", T2)), (V, T1, T3))

    def test_the_end_is_not_in_the_period(self) -> None:
        assert not sees(user(), mail((V, "RECEIVING", T2)), (V, T1, T2))
        assert sees(user(), mail((V, "RECEIVING", T2)), (V, T1, T2 + TICK))

    def test_the_begin_is_in_the_period(self) -> None:
        assert sees(user(), mail((V, "RECEIVING", T2)), (V, T2, None))
        assert not sees(user(), mail((V, "RECEIVING", T2)), (V, T2 + TICK, None))

    def test_the_reading_counts_not_the_arrival(self) -> None:
        assert sees(user(), mail((V, "RECEIVING", T3), mail_date=T1), (V, T2, None))

    def test_a_gap_stays_a_gap(self) -> None:
        assert not sees(user(), mail((V, "RECEIVING", T2)), (V, T1 - TICK, T1), (V, T3, None))

    def test_no_role_and_no_level_opens(self) -> None:
        assert not sees(user(level="ALL", role="ADMINISTRATOR"), mail((V, "RECEIVING", T2)))

    def test_internal_mail_on_the_receiving_mailbox_when_it_was_read(self) -> None:
        assert sees(user(), mail((V, "SENDING", T1), (N, "RECEIVING", T3)), (N, T3, None))

    def test_internal_mail_on_the_receiving_mailbox_only_when_it_was_written(self) -> None:
        assert not sees(user(), mail((V, "SENDING", T1), (N, "RECEIVING", T3)), (N, T1, T2))

    def test_mail_to_a_vip_mailbox_that_was_read_elsewhere_only(self) -> None:
        assert not sees(user(level="ALL"), mail((N, "RECEIVING", T2), recipients=(V, N)))
        assert sees(user(level="NOTHING"), mail((N, "RECEIVING", T2), recipients=(V, N)), (N, T1, None))

    def test_switching_to_vip_guards_what_is_there(self) -> None:
        received = mail((V, "RECEIVING", T2))
        assert sees(user(level="ALL"), received, vip=False)
        assert not sees(user(level="ALL"), received, vip=True)

    def test_the_loss_of_the_module_opens_nothing(self) -> None:
        viewer, received = user(level="ALL"), mail((V, "RECEIVING", T2))
        without = World(
            (Agency("a", "A", ("a.example",)),), (viewer,), (Mailbox("a", V, vip=True),), (), (received,)
        )
        assert not Oracle(without, NOW).visible(viewer, entries_of(received)[0])


class TestNormalRights:
    @pytest.mark.parametrize(
        "level, assigned, expected",
        [
            ("ALL", False, True),
            ("OWN", False, False),
            ("OWN", True, True),
            ("OFFICE_GROUP", False, False),
            ("OFFICE_GROUP", True, True),
            ("NOTHING", True, False),
        ],
    )
    def test_the_level_decides_where_nothing_is_guarded(
        self, *, level: Level, assigned: bool, expected: bool
    ) -> None:
        periods = [(N, T1, T3)] if assigned else []
        assert sees(user(level=level), mail((N, "RECEIVING", T2)), *periods) is expected

    @pytest.mark.parametrize(
        "mine, theirs, expected",
        [
            (("sales",), ("sales",), True),
            ((" sales\t",), ("rent", "sales "), True),
            (("Sales",), ("sales",), False),
            ((), (), False),
        ],
    )
    def test_a_shared_group_opens_what_a_member_took_part_in(
        self, *, mine: tuple[str, ...], theirs: tuple[str, ...], expected: bool
    ) -> None:
        viewer = user(level="OFFICE_GROUP", office_groups=mine)
        for state in ("ACTIVE", "LOCKED", "DEACTIVATED"):
            member = user(OTHER, "NOTHING", office_groups=theirs, state=state)
            received = mail((N, "RECEIVING", T2))
            world = World(
                users=(viewer, member),
                mailboxes=(Mailbox("a", N),),
                periods=(Period(N, OTHER, T1, T3),),
                mails=(received,),
            )
            assert Oracle(world, NOW).visible(viewer, entries_of(received)[0]) is expected

    @pytest.mark.parametrize("state", ["LOCKED", "DEACTIVATED"])
    @pytest.mark.parametrize("vip", [True, False])
    def test_who_is_not_active_sees_nothing(self, *, state: str, vip: bool) -> None:
        received = mail((V, "RECEIVING", T2))
        assert not sees(user(level="ALL", state=state), received, (V, T1, None), vip=vip)

    def test_nothing_crosses_agencies(self) -> None:
        stranger = user("stranger@b.example", "ALL", agency="b", role="ADMINISTRATOR")
        assert not sees(stranger, mail((N, "RECEIVING", T2)), vip=False)

    def test_each_kind_has_its_level(self) -> None:
        viewer = user(level="NOTHING", agents_log_level="ALL")
        received = mail((N, "RECEIVING", T2), contacts=("K-1",), properties=("P-1", "P-2"))
        world = World(users=(viewer,), mailboxes=(Mailbox("a", N),), mails=(received,))
        assert [entry.reference for entry in Oracle(world, NOW).feed(viewer)] == ["P-1", "P-2"]


class TestMails:
    def test_entries_follow_the_references(self) -> None:
        plain = mail((N, "RECEIVING", T2))
        assert [(entry.kind, entry.reference) for entry in entries_of(plain)] == [("ACTIVITY", None)]
        referring = replace(plain, contacts=("K-1", "K-2"), properties=("P-1",))
        assert [(entry.kind, entry.reference) for entry in entries_of(referring)] == [
            ("ACTIVITY", "K-1"),
            ("ACTIVITY", "K-2"),
            ("AGENTS_LOG", "P-1"),
        ]
        only_property = replace(plain, properties=("P-1",))
        assert [(entry.kind, entry.reference) for entry in entries_of(only_property)] == [
            ("AGENTS_LOG", "P-1")
        ]

    def test_bookings_decide_direction_and_moment(self) -> None:
        assert direction(mail((N, "RECEIVING", T2))) == "INCOMING"
        assert direction(mail((N, "SENDING", T2))) == "OUTGOING"
        internal = mail((V, "SENDING", T3), (N, "RECEIVING", T2), (W, "RECEIVING", T3))
        assert direction(internal) == "INTERNAL"
        assert Entry(internal, "ACTIVITY", None).occurred_at == T2

    def test_mailboxes_are_the_booked_and_the_agency_s_own_that_were_addressed(self) -> None:
        foreign = Mailbox("b", "x@b.example", vip=True)
        own = (Mailbox("a", V), Mailbox("a", N), Mailbox("a", W))
        # W read a blind copy, the rest is only addressed.
        received = mail((W, "RECEIVING", T2), recipients=("N@A.example", "x@b.example", "gone@a.example"))
        oracle = Oracle(World(mailboxes=(*own, foreign), mails=(received,)), NOW)
        assert [mailbox.address for mailbox in oracle.mailboxes_of(received)] == [N, W]
        assert not oracle.guarded(received)

    def test_a_mailbox_that_came_later_guards_what_it_books_alone(self) -> None:
        received = mail((N, "RECEIVING", T2), recipients=(V, N), later=frozenset({V}))
        world = World(mailboxes=(Mailbox("a", V, vip=True), Mailbox("a", N)), mails=(received,))
        assert not Oracle(world, NOW).guarded(received)
        read_there = replace(received, bookings=(*received.bookings, Booking(V, "RECEIVING", T3)))
        assert Oracle(world, NOW).guarded(read_there)

    def test_identity_is_everything_but_case_of_addresses_and_order(self) -> None:
        one = mail((N, "RECEIVING", T2), recipients=(N, "x@web.example"))
        assert is_same_mail(one, replace(one, recipients=("X@web.example", N), sender="Buyer@Web.example"))
        assert is_same_mail(one, replace(one, contacts=("K-1",), mail_date=T1, bookings=()))
        for other in (
            replace(one, agency="b"),
            replace(one, message_id="M1@web.example"),
            replace(one, sender="seller@web.example"),
            replace(one, recipients=(N,)),
            replace(one, subject="offer"),
            replace(one, text="Good day "),
        ):
            assert not is_same_mail(one, other)

    def test_search_wants_every_word_anywhere_and_knows_no_wildcards(self) -> None:
        received = mail((N, "RECEIVING", T2), subject="Über 100% Rendite", text="Haus_1 am Schloß")
        for found in ("", "  ", "über", "ÜBER rendite", "haus_1 WEB.example n@a", "100%", "u", "SCHLOSS"):
            assert is_found(received, found)
        for lost in ("1%0", "haus-1", "über garten", "h%s", "haus.1", "rendite haus_1am"):
            assert not is_found(received, lost)

    def test_filters_are_joined(self) -> None:
        received = mail(
            (N, "RECEIVING", T2), (V, "SENDING", T3), contacts=("K-1", "K-10"), properties=("K-1",)
        )
        viewer = user(level="ALL")
        world = World(users=(viewer,), mailboxes=(Mailbox("a", N), Mailbox("a", V)), mails=(received,))
        oracle = Oracle(world, NOW)

        def found(wanted: Filter, mailbox: str | None = None) -> list[str | None]:
            return [entry.reference for entry in oracle.feed(viewer, wanted, mailbox)]

        assert found(Filter()) == ["K-1", "K-10", "K-1"]
        assert found(Filter(contact="K-1")) == ["K-1"]
        assert found(Filter(contact="K-1", kind="AGENTS_LOG")) == []
        assert found(Filter(property="K-1")) == ["K-1"]
        assert found(Filter(direction="INCOMING")) == []
        assert found(Filter(direction="INTERNAL", mailbox=V), mailbox=N) == ["K-1", "K-10", "K-1"]
        assert found(Filter(mailbox=W)) == []
        assert found(Filter(occurred_from=T2, occurred_until=T2 + TICK)) == ["K-1", "K-10", "K-1"]
        assert found(Filter(occurred_from=T2 + TICK)) == []
        assert found(Filter(occurred_until=T2)) == []

    def test_the_answer_is_written_as_the_contract_says(self) -> None:
        moment = T2 + TICK
        received = mail((N, "RECEIVING", moment), (V, "SENDING", T3), mail_date=T1, properties=("P-1",))
        world = World(mailboxes=(Mailbox("a", N), Mailbox("a", V, vip=True)), mails=(received,))
        assert answer(Oracle(world, NOW), entries_of(received)[0]) == {
            "kind": "AGENTS_LOG",
            "direction": "INTERNAL",
            "subject": "Offer",
            "remark": "Good day",
            "sender": V,
            "recipients": [N],
            "messageId": "m1@web.example",
            "mailDate": "2024-01-01T09:00:00Z",
            "occurredAt": "2024-02-01T09:00:00.000001Z",
            "vip": True,
            "contactReference": None,
            "propertyReference": "P-1",
            "bookings": [
                {
                    "mailbox": {"address": N},
                    "part": "RECEIVING",
                    "decisiveAt": "2024-02-01T09:00:00.000001Z",
                    "user": None,
                },
                {
                    "mailbox": {"address": V},
                    "part": "SENDING",
                    "decisiveAt": "2024-03-01T09:00:00Z",
                    "user": None,
                },
            ],
        }


class TestDirectory:
    def setup_method(self) -> None:
        self.boss = user("boss@a.example", role="ADMINISTRATOR")
        self.clerk = user("clerk@a.example", last_name="Adler", email_name=" Clerk ")
        self.past = user("past@a.example", last_name="Zander")
        self.manager = User(None, "am@provider.example", "Jo", "Kern", role="ACCOUNT_MANAGER")
        self.stranger = user("stranger@b.example", agency="b", role="ADMINISTRATOR")
        self.plain, self.vip = Mailbox("a", N, email_name=" "), Mailbox("a", V, vip=True, email_name="Chef ")
        self.oracle = Oracle(
            World(
                users=(self.boss, self.past, self.clerk, self.manager, self.stranger),
                mailboxes=(self.vip, self.plain),
                periods=(
                    Period(N, self.clerk.login, T1, T2),
                    Period(N, self.clerk.login, T3),
                    Period(V, self.clerk.login, T2),
                    Period(V, self.past.login, T1, T3),
                ),
            ),
            NOW,
        )

    def test_everybody_of_the_agency_is_listed_by_name(self) -> None:
        expected = [self.clerk, self.boss, self.past]
        for viewer in expected:
            assert self.oracle.colleagues(viewer) == expected
            assert self.oracle.mailboxes(viewer) == [self.plain, self.vip]
        assert self.oracle.colleagues(self.manager) == []
        assert self.oracle.mailboxes(self.manager) == []
        assert self.oracle.colleagues(self.stranger) == [self.stranger]

    def test_assigned_users_are_for_administrators_and_those_assigned_now(self) -> None:
        assert self.oracle.assigned_users(self.boss, self.vip) == [self.clerk]
        assert self.oracle.assigned_users(self.clerk, self.vip) == [self.clerk]
        assert self.oracle.assigned_users(self.past, self.vip) is None

    def test_periods_are_for_administrators_and_on_vip_for_those_assigned_now(self) -> None:
        begins = [period.begin for period in self.oracle.assignments(self.boss, self.plain) or []]
        assert begins == [T3, T1]
        assert self.oracle.assignments(self.clerk, self.plain) is None
        assert len(self.oracle.assignments(self.clerk, self.vip) or []) == 2
        assert self.oracle.assignments(self.past, self.vip) is None

    def test_a_user_s_mailboxes_are_for_administrators_and_oneself(self) -> None:
        assert self.oracle.mailboxes_of_user(self.boss, self.clerk) == [self.plain, self.vip]
        assert self.oracle.mailboxes_of_user(self.clerk, self.clerk) == [self.plain, self.vip]
        assert self.oracle.mailboxes_of_user(self.past, self.clerk) is None
        assert self.oracle.mailboxes_of_user(self.boss, self.past) == []

    def test_the_name_beside_the_address(self) -> None:
        assert self.oracle.effective_name(self.vip, self.clerk) == "Chef"
        assert self.oracle.effective_name(self.plain, self.clerk) == "Clerk"
        assert self.oracle.effective_name(self.plain, self.past) is None


class TestPages:
    def test_first_and_last_cut_what_after_and_before_leave(self) -> None:
        items = list(range(10))
        assert page(items, first=3).items == (0, 1, 2)
        assert page(items, first=3, after=8).items == (9,)
        assert page(items, last=3).items == (7, 8, 9)
        assert page(items, last=3, before=1).items == (0,)
        assert page(items, first=5, after=1, before=4).items == (2, 3)
        assert page(items, first=5, after=5, before=4).items == ()

    def test_both_ends_tell_the_truth(self) -> None:
        items = list(range(4))
        ends = [
            (page(items, first=2, after=after).has_previous, page(items, first=2, after=after).has_next)
            for after in (None, 0, 1, 2, 3)
        ]
        assert ends == [(False, True), (True, True), (True, False), (True, False), (True, False)]
        assert page([], first=1) == page([], last=1)

    def test_fifty_by_default_and_a_hundred_at_most(self) -> None:
        items = list(range(200))
        assert len(page(items).items) == 50
        assert len(page(items, last=100).items) == 100
        for wrong in ({"first": 0}, {"last": -1}, {"first": 101}, {"first": 1, "last": 1}):
            with pytest.raises(ValueError, match="from 1 to 100"):
                page(items, **wrong)

    def test_instants_are_written_in_utc(self) -> None:
        assert written(T1) == "2024-01-01T09:00:00Z"
        assert written(T1.replace(microsecond=120)) == "2024-01-01T09:00:00.000120Z"
