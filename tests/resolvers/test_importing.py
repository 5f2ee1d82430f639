"""What an import stores, what it skips, and what may come together; on both databases."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from models import clock
from models.database import Database, DatabaseUnavailableError, Unit, lock_key
from models.folding import sort_key
from resolvers.hashing import Hasher
from resolvers.importing import LineRefusedError, bring
from tests.oracle.world import CHEAP_HASH
from tests.resolvers.arrivals import (
    NOON,
    WORLD,
    Line,
    agency,
    assignment,
    at,
    booking,
    mail,
    mailbox,
    take,
    user,
    written,
)
from tests.storage import contents, statements
from tests.surroundings import SEALS

pytestmark = pytest.mark.asyncio

ADDED = Counter(agency=2, user=4, mailbox=3, assignment=3, mail=1)


async def rows(database: Database, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.fetch(sql)]


async def row(database: Database, sql: str) -> dict[str, Any]:
    (found,) = await rows(database, sql)
    return found


ENTRIES = (
    "SELECT a.kind, a.direction, a.contact_reference, a.property_reference, a.occurred_at, a.guarded, a.position, "
    "o.address FROM activities a LEFT JOIN mailboxes o ON o.id = a.mailbox_id "
    "ORDER BY a.kind, coalesce(a.contact_reference, a.property_reference, '')"
)
MAILBOXES = "SELECT o.address, g.position FROM mail_mailboxes g JOIN mailboxes o ON o.id = g.mailbox_id ORDER BY o.address"
READERS = (
    "SELECT DISTINCT u.login, r.kind, r.guarded, r.occurred_at FROM activity_readers r JOIN users u ON u.id = r.user_id "
    "ORDER BY u.login, r.kind"
)


# ---------------------------------------------------------------- what is stored


async def test_everything_is_stored_with_what_follows_from_it(database: Database) -> None:
    summary = await take(database, *WORLD)
    assert summary.added == ADDED
    assert not summary.skipped.total()
    nord = await row(database, "SELECT * FROM agencies WHERE key = 'nord'")
    assert (nord["name"], nord["fold_name"], nord["contact_name"]) == ("Nord", "nord", None)
    assert await rows(database, "SELECT name FROM domains ORDER BY name") == [
        {"name": "nord.example"},
        {"name": "west.example"},
    ]
    module = await row(database, "SELECT name, enabled FROM modules")
    assert module == {"name": "VIP_MAILBOXES", "enabled": True}
    anna = await row(database, "SELECT * FROM users WHERE login = 'anna@nord.example'")
    assert anna["fold_name"] == sort_key("Muster", "Kim")
    assert anna["fold_search"] == "anna@nord.example\nkim\nmuster"
    assert anna["password_hash"] == CHEAP_HASH
    kern = await row(database, "SELECT * FROM users WHERE agency_id IS NULL")
    assert (kern["login"], kern["role"]) == ("kern@provider.example", "ACCOUNT_MANAGER")
    groups = "SELECT u.login, g.name FROM office_group_members m JOIN office_groups g ON g.id = m.group_id "
    assert await rows(database, groups + "JOIN users u ON u.id = m.user_id") == [
        {"login": "anna@nord.example", "name": "sales"}
    ]
    stored = await row(database, "SELECT * FROM mails")
    assert (stored["message_id"], stored["sender"], stored["recipients"]) == (
        "m1@portal.example",
        "buyer@web.example",
        "info@nord.example",
    )
    assert (stored["subject"], stored["preview"], stored["remark"]) == ("Haus", "Guten Tag", "Guten Tag")
    assert stored["fold_search"] == "haus\nguten tag\nbuyer@web.example\ninfo@nord.example"
    assert await rows(database, ENTRIES) == [
        {
            "kind": "ACTIVITY",
            "direction": "INCOMING",
            "contact_reference": "K-1",
            "property_reference": None,
            "occurred_at": NOON + timedelta(hours=1),
            "guarded": False,
            "position": 1,
            "address": "info@nord.example",
        }
    ]
    assert not await rows(database, "SELECT * FROM activity_readers")
    assert not await rows(database, "SELECT * FROM mailbox_events")


async def test_each_agency_gets_a_row_of_the_audit_and_one_of_its_mails(database: Database) -> None:
    await take(database, *WORLD)
    found = await rows(
        database,
        "SELECT a.key, e.action, e.actor_id, e.object_id, e.details FROM audit_events e "
        "LEFT JOIN agencies a ON a.id = e.agency_id ORDER BY a.key IS NULL, a.key, e.place",
    )
    nothing = {"action": "import", "actor_id": None, "object_id": None}
    assert found == [
        {"key": "nord", **nothing, "details": '{"agency":1,"user":2,"mailbox":2,"assignment":2}'},
        # Of its own, so that administrators are not told of e-mails that they may not see.
        {"key": "nord", **nothing, "action": "import.mails", "details": '{"mail":1}'},
        {"key": "west", **nothing, "details": '{"agency":1,"user":1,"mailbox":1,"assignment":1}'},
        {"key": None, **nothing, "details": '{"user":1}'},
    ]


async def test_the_same_again_changes_nothing(database: Database) -> None:
    await take(database, *WORLD)
    before = await contents(database)
    summary = await take(database, *WORLD)
    assert summary.skipped == ADDED
    assert not summary.added.total()
    assert await contents(database) == before


async def test_an_import_twice_in_one_file_is_one(database: Database) -> None:
    summary = await take(database, *WORLD, *WORLD)
    assert (summary.added, summary.skipped) == (ADDED, ADDED)
    assert len((await contents(database))["mails"]) == 1


async def test_an_import_of_nothing_changes_nothing(database: Database) -> None:
    before = await contents(database)
    summary = await take(database, b"\n", b"  \r\n")
    assert not summary.added.total() + summary.skipped.total()
    assert await contents(database) == before


@pytest.mark.usefixtures("hashed_as_elsewhere")
async def test_plain_passwords_become_hashes(database: Database) -> None:
    line = {key: value for key, value in user().items() if key != "passwordHash"}
    await take(database, agency(), {**line, "password": "a long password", "passwordChangeRequired": True})
    stored = await row(database, "SELECT password_hash, password_change_required FROM users")
    hasher = Hasher()
    assert stored["password_change_required"] is True
    assert await hasher.verify(stored["password_hash"], "a long password")
    assert not await hasher.verify(stored["password_hash"], "another password")
    assert not hasher.needs_rehash(stored["password_hash"])
    hasher.close()


async def test_a_mailbox_that_is_off_stops_when_it_says_or_now(database: Database) -> None:
    before = clock.now()
    await take(
        database,
        agency(),
        mailbox("a@nord.example", active=False, receivingStopsAt=at(1)),
        mailbox("b@nord.example", active=False),
        mailbox("c@nord.example"),
    )
    found = await rows(database, "SELECT receiving_stops_at FROM mailboxes ORDER BY address")
    stops = [each["receiving_stops_at"] for each in found]
    assert stops[0] == NOON + timedelta(hours=1)
    assert before <= stops[1] <= clock.now()
    assert stops[2] is None


# ---------------------------------------------------------------- what follows from a mail


async def arrive(database: Database, line: Line) -> None:
    await take(database, *WORLD[:-1], line)


async def test_entries_of_every_reference(database: Database) -> None:
    await arrive(database, mail(contactReferences=["K-1", "K-2", "K-1"], propertyReferences=["K-1"]))
    found = [
        (each["kind"], each["contact_reference"], each["property_reference"])
        for each in await rows(database, ENTRIES)
    ]
    assert found == [("ACTIVITY", "K-1", None), ("ACTIVITY", "K-2", None), ("AGENTS_LOG", None, "K-1")]


async def test_one_activity_alone_without_references(database: Database) -> None:
    await arrive(database, mail())
    (found,) = await rows(database, ENTRIES)
    assert (found["kind"], found["contact_reference"], found["property_reference"]) == (
        "ACTIVITY",
        None,
        None,
    )


async def test_the_activity_without_contact_beside_others(database: Database) -> None:
    await arrive(database, mail(propertyReferences=["P-1"], activityWithoutContact=True))
    assert [each["kind"] for each in await rows(database, ENTRIES)] == ["ACTIVITY", "AGENTS_LOG"]


@pytest.mark.parametrize(
    "recipients, guarded, own",
    [
        (["info@nord.example"], False, ["info@nord.example"]),
        ([], False, ["info@nord.example"]),
        (["CHEF@NORD.example"], True, ["chef@nord.example", "info@nord.example"]),
        (["box@west.example", "gone@nord.example"], False, ["info@nord.example"]),
    ],
)
async def test_a_vip_mailbox_among_the_recipients_guards(
    database: Database, recipients: list[str], own: list[str], *, guarded: bool
) -> None:
    await arrive(database, mail(recipients=recipients))
    (found,) = await rows(database, ENTRIES)
    assert found["guarded"] is guarded
    assert await rows(database, MAILBOXES) == [{"address": address, "position": 1} for address in own]


async def test_a_later_mailbox_is_none_of_its_own(database: Database) -> None:
    await arrive(
        database,
        mail(recipients=["chef@nord.example", "info@nord.example"], laterMailboxes=["Chef@nord.example"]),
    )
    (found,) = await rows(database, ENTRIES)
    assert found["guarded"] is False
    assert await rows(database, MAILBOXES) == [{"address": "info@nord.example", "position": 1}]


async def test_a_mailbox_that_comes_after_a_mail_is_none_of_its_own(database: Database) -> None:
    await arrive(database, mail(recipients=["new@nord.example"]))
    await take(database, mailbox("new@nord.example", vip=True))
    assert await rows(database, MAILBOXES) == [{"address": "info@nord.example", "position": 1}]
    # The same line again is the same e-mail, although it would guard now.
    before = await contents(database)
    assert (await take(database, mail(recipients=["new@nord.example"]))).skipped["mail"] == 1
    assert await contents(database) == before


async def test_several_bookings_store_audience_and_mailboxes(database: Database) -> None:
    await arrive(
        database,
        mail(
            booking(mailbox="info@nord.example", decisiveAt=at(3), user="bert@nord.example"),
            booking(mailbox="chef@nord.example", part="SENDING", decisiveAt=at(1, 999_999)),
            sender="chef@nord.example",
            recipients=["someone@web.example"],
            contactReferences=["K-1"],
            propertyReferences=["P-1"],
        ),
    )
    moment = NOON + timedelta(hours=1, microseconds=999_999)
    assert [
        (each["direction"], each["occurred_at"], each["address"]) for each in await rows(database, ENTRIES)
    ] == [
        ("INTERNAL", moment, None),
        ("INTERNAL", moment, None),
    ]
    assert await rows(database, READERS) == [
        {"login": login, "kind": kind, "guarded": True, "occurred_at": moment}
        for login in ("anna@nord.example", "bert@nord.example")
        for kind in ("ACTIVITY", "AGENTS_LOG")
    ]
    assert await rows(
        database,
        "SELECT DISTINCT o.address, m.kind, m.guarded, m.occurred_at FROM activity_mailboxes m "
        "JOIN mailboxes o ON o.id = m.mailbox_id ORDER BY o.address, m.kind",
    ) == [
        {"address": address, "kind": kind, "guarded": True, "occurred_at": moment}
        for address in ("chef@nord.example", "info@nord.example")
        for kind in ("ACTIVITY", "AGENTS_LOG")
    ]
    # chef@ is the sender, so it is there from the first booking; info@ came with the second.
    assert await rows(database, MAILBOXES) == [
        {"address": "chef@nord.example", "position": 1},
        {"address": "info@nord.example", "position": 2},
    ]
    assert await rows(
        database,
        "SELECT o.address, b.part, b.position FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id "
        "ORDER BY b.position",
    ) == [
        {"address": "chef@nord.example", "part": "SENDING", "position": 1},
        {"address": "info@nord.example", "part": "RECEIVING", "position": 2},
    ]


@pytest.mark.parametrize(
    "moment, there", [(at(0), True), (at(2, -1), True), (at(2), False), (at(0, -1), False)]
)
async def test_the_audience_is_of_the_very_moment(database: Database, moment: str, *, there: bool) -> None:
    await arrive(
        database, mail(booking(mailbox="chef@nord.example", decisiveAt=moment), booking(decisiveAt=at(1)))
    )
    readers = [each["login"] for each in await rows(database, READERS)]
    assert readers == (["anna@nord.example", "bert@nord.example"] if there else ["bert@nord.example"])


async def test_bookings_at_one_moment_stand_by_address(database: Database) -> None:
    await arrive(
        database, mail(booking(decisiveAt=at(1)), booking(mailbox="chef@nord.example", decisiveAt=at(1)))
    )
    found = "SELECT o.address FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id ORDER BY b.position"
    assert [each["address"] for each in await rows(database, found)] == [
        "chef@nord.example",
        "info@nord.example",
    ]


@pytest.mark.parametrize(
    "parts, direction",
    [
        ({"info@nord.example": "SENDING"}, "OUTGOING"),
        ({"info@nord.example": "RECEIVING", "chef@nord.example": "RECEIVING"}, "INCOMING"),
        ({"info@nord.example": "SENDING", "chef@nord.example": "RECEIVING"}, "INTERNAL"),
    ],
)
async def test_the_direction_follows_from_the_bookings(
    database: Database, parts: dict[str, str], direction: str
) -> None:
    bookings = [booking(mailbox=address, part=part) for address, part in parts.items()]
    await arrive(database, mail(*bookings, sender="INFO@nord.example"))
    assert [each["direction"] for each in await rows(database, ENTRIES)] == [direction]


async def test_two_agencies_have_the_same_mail_each(database: Database) -> None:
    theirs = mail(booking(mailbox="box@west.example"), agency="west")
    await take(database, *WORLD, theirs)
    assert len(await rows(database, "SELECT DISTINCT agency_id FROM mails")) == 2
    assert len(await rows(database, "SELECT DISTINCT identity FROM mails")) == 1


# ---------------------------------------------------------------- moments


async def newest(database: Database, address: str = "info@nord.example") -> datetime:
    found: datetime = (await row(database, f"SELECT last_moment FROM mailboxes WHERE address = '{address}'"))[
        "last_moment"
    ]
    return found


async def test_the_newest_moment_is_remembered(database: Database) -> None:
    await take(database, *WORLD)
    assert await newest(database, "chef@nord.example") == NOON + timedelta(hours=2)
    assert await newest(database) == NOON + timedelta(hours=1)
    assert await newest(database, "box@west.example") == NOON
    await take(database, mailbox())
    assert await newest(database, "new@nord.example") == clock.BEGINNING


async def test_older_moments_do_not_turn_it_back(database: Database) -> None:
    await take(database, *WORLD)
    await take(
        database,
        assignment(**{"from": at(-9), "until": at(-8)}),
        mail(booking(decisiveAt=at(0)), messageId="older@web.example"),
    )
    assert await newest(database) == NOON + timedelta(hours=1)
    await take(database, mail(booking(decisiveAt=at(5)), messageId="newer@web.example"))
    assert await newest(database) == NOON + timedelta(hours=5)


@pytest.mark.parametrize(
    "since, until",
    [(at(-2), at(0)), (at(-2), at(-1)), (at(0), at(1)), (at(1, 1), None), (at(1, 1), at(2))],
)
async def test_periods_that_cover_no_booking_may_come_later(
    database: Database, since: str, until: str | None
) -> None:
    await take(database, *WORLD)
    assert (await take(database, assignment(**{"from": since, "until": until}))).added["assignment"] == 1


async def test_periods_may_touch_and_come_in_any_order(database: Database) -> None:
    periods = [(at(4), None), (at(1), at(2)), (at(2), at(3)), (at(-5), at(1))]
    lines = [assignment(**{"from": since, "until": until}) for since, until in periods]
    assert (await take(database, *WORLD[:-1], *lines)).added["assignment"] == 3 + 4


async def test_a_period_may_come_between_bookings(database: Database) -> None:
    later = mail(booking(decisiveAt=at(9)), messageId="m2@web.example")
    await take(database, *WORLD, later, assignment(**{"from": at(2), "until": at(8)}))
    assert len((await contents(database))["assignments"]) == 4


async def test_periods_of_people_who_left_may_be_open(database: Database) -> None:
    line = user("gone@nord.example", state="DEACTIVATED")
    reading = mail(booking(user="gone@nord.example", decisiveAt=at(7)), messageId="m2@web.example")
    await take(database, *WORLD, line, assignment(user="gone@nord.example", **{"from": at(6)}), reading)
    assert len((await contents(database))["mails"]) == 2


# ---------------------------------------------------------------- equal content


@pytest.mark.parametrize(
    "line",
    [
        agency(domains=["NORD.example", "nord.example"], modules=["VIP_MAILBOXES"], accountManager=None),
        user(
            "ANNA@nord.example", officeGroups=[" sales", "sales"], language="de", passwordChangeRequired=True
        ),
        user("anna@nord.example", officeGroups=["sales"], passwordHash=CHEAP_HASH.replace("t=1", "t=2")),
        mailbox("Chef@nord.example", vip=True, active=True, emailName=" "),
        assignment(
            mailbox="CHEF@nord.example",
            user="Anna@nord.example",
            **{"from": "2024-03-01T13:00:00+01:00"},
            until=at(2),
        ),
        mail(
            booking(mailbox="INFO@nord.example", user="BERT@nord.example"),
            sender="BUYER@web.example",
            recipients=["Info@nord.example"],
            contactReferences=["K-1", "K-1"],
            propertyReferences=[],
        ),
    ],
    ids=["agency", "user", "user with another hash", "mailbox", "assignment", "mail"],
)
async def test_equal_content_is_skipped_however_it_is_written(database: Database, line: Line) -> None:
    await take(database, *WORLD)
    before = await contents(database)
    summary = await take(database, line)
    assert summary.skipped == Counter({line["type"]: 1})
    assert await contents(database) == before


async def test_what_has_no_password_to_compare_is_not_hashed(database: Database) -> None:
    await take(database, *WORLD)
    line = {key: value for key, value in WORLD[3].items() if key != "passwordHash"}
    before = await contents(database)
    assert (await take(database, {**line, "password": "Birnbaum 1871"})).skipped["user"] == 1
    assert await contents(database) == before


# ---------------------------------------------------------------- many


def many(count: int) -> list[Line]:
    return [
        mail(
            booking(decisiveAt=at(1, number)),
            messageId=f"{number}@web.example",
            contactReferences=[f"K-{number}"],
        )
        for number in range(count)
    ]


async def test_mails_are_written_by_a_fixed_number_of_statements(database: Database) -> None:
    await take(database, *WORLD)
    counts = []
    for count in (10, 500):
        with statements(database) as seen:
            lines = [{**line, "subject": f"{count}"} for line in many(count)]
            assert (await take(database, *lines)).added["mail"] == count
        counts.append(len(seen))
    assert counts[0] == counts[1]


@pytest.mark.timeout(300)
async def test_many_mails_pass_in_batches(database: Database) -> None:
    lines = many(4_100)
    summary = await take(database, *WORLD, *lines, *lines[:2], *lines[-2:])
    assert (summary.added["mail"], summary.skipped["mail"]) == (4_101, 4)
    assert (await row(database, "SELECT count(*) AS n FROM activities"))["n"] == 4_101


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "last, number, reason",
    [
        (b"{", 4_114, "This is not JSON, column 2."),
        ({**many(1)[0], "mailDate": at(0)}, 4_114, "It is stored already, with other content."),
    ],
    ids=["not JSON", "other content"],
)
async def test_a_wrong_line_after_many_leaves_nothing(
    database: Database, last: Line | bytes, number: int, reason: str
) -> None:
    before = await contents(database)
    with pytest.raises(LineRefusedError) as refused:
        await take(database, *WORLD, *many(4_100), last)
    assert (refused.value.number, refused.value.reason) == (number, reason)
    assert await contents(database) == before


async def test_the_first_wrong_line_is_told(database: Database) -> None:
    """The second is wrong only beside what is stored, which is looked up later than the third is read."""
    await take(database, *WORLD)
    good = mail(messageId="m2@web.example")
    with pytest.raises(LineRefusedError) as refused:
        await take(database, good, mail(contactReferences=["K-2"], recipients=["INFO@nord.example"]), b"{")
    assert (refused.value.number, refused.value.reason) == (2, "It is stored already, with other content.")


async def test_blank_lines_count(database: Database) -> None:
    with pytest.raises(LineRefusedError) as refused:
        await take(database, b"\n", agency(), b" \n", agency(name="West"))
    assert refused.value.number == 4


# ---------------------------------------------------------------- others meanwhile


# On SQLite a transaction holds the whole database, which is in this process.
@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_nobody_else_writes_for_an_agency_that_is_named(database: Database) -> None:
    await take(database, *WORLD)
    ids = {each["key"]: each["id"] for each in await rows(database, "SELECT id, key FROM agencies")}
    hasher = Hasher()

    async def free(key: str) -> bool:
        found = await database.fetch("SELECT pg_try_advisory_xact_lock_shared($1) AS got", lock_key(ids[key]))
        return bool(found[0]["got"])

    async def work(unit: Unit) -> None:
        assert await free("nord")
        await bring(unit, written([mailbox("new@west.example", agency="west")]), hasher, SEALS)
        assert (await free("nord"), await free("west")) == (True, False)
        await bring(unit, written([assignment(**{"from": at(2)})]), hasher, SEALS)
        assert (await free("nord"), await free("west")) == (False, False)

    await database.transact(work)
    assert (await free("nord"), await free("west")) == (True, True)
    hasher.close()


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_database_that_goes_away_is_told(database: Database) -> None:
    pid = "SELECT pg_backend_pid() AS pid"

    async def work(unit: Unit) -> None:
        mine = (await unit.fetch(pid))[0]["pid"]
        await database.fetch("SELECT pg_terminate_backend($1)", mine)
        hasher = Hasher()
        try:
            await bring(unit, written(WORLD), hasher, SEALS)
        finally:
            hasher.close()

    with pytest.raises(DatabaseUnavailableError):
        await database.transact(work)
    assert not (await contents(database))["agencies"]
