"""Reading mailboxes: which, by whom, and with how many statements."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pytest

from models.database import Database, Unit
from models.tables.mailboxes import Mailbox, MailboxEventKind
from models.tables.users import Role, User
from resolvers import assignments, mailbox_events, mailboxes
from resolvers.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from resolvers.windows import Arguments
from tests import storage
from tests.resolvers.offices import Office, box_id, user_id
from tests.storage import LONG_AGO, statements

pytestmark = pytest.mark.asyncio

DAY = timedelta(days=1)


@pytest.mark.parametrize("address", ["desk@nord.example", "DESK@nord.example", "Desk@NORD.example"])
async def test_a_mailbox_is_found_by_its_address_whatever_its_case(database: Database, address: str) -> None:
    office = await Office.open()
    request = await storage.request(database, office.anna)
    with statements(database) as seen:
        found = await mailboxes.by_address(request, address)
    assert found is not None
    assert (found.id, found.address, found.is_assigned) == (office.desk.id, "desk@nord.example", False)
    assert found.node_id == box_id(office.desk)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "desk",
        "desk@nord.example ",
        "other@nord.example",
        "desk@sued.example",
        "anna@nord.example",
        "%@nord.example",
        "desk@nord.example\0",
        "\ud800@nord.example",
        "@",
        "x" * 100_000,
    ],
)
async def test_a_malformed_absent_or_foreign_address_finds_nothing(database: Database, address: str) -> None:
    office = await Office.open()
    await storage.mailbox(await storage.agency("sued"), "desk")
    assert await mailboxes.by_address(await storage.request(database, office.boss), address) is None


async def test_an_account_manager_finds_no_mailbox(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, await storage.user(None, "manager"))
    with statements(database) as seen:
        assert await mailboxes.by_address(request, "desk@nord.example") is None
        assert await mailboxes.by_id(request, office.desk.id) is None
        found = mailboxes.list_all(request, Arguments(), None)
        assert (await found.nodes(), await found.total_count(), await found.has_next_page()) == ([], 0, False)
    assert seen == []


async def test_nobody_signed_in_reads_nothing(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, None)
    with pytest.raises(UnauthenticatedError):
        await mailboxes.by_address(request, "desk@nord.example")
    with pytest.raises(UnauthenticatedError):
        await mailboxes.by_id(request, office.desk.id)
    with pytest.raises(UnauthenticatedError):
        mailboxes.list_all(request, Arguments(), None)


async def test_mailboxes_of_one_level_are_loaded_together_and_foreign_ones_not_at_all(
    database: Database,
) -> None:
    office = await Office.open()
    own = [office.desk] + [await storage.mailbox(office.agency, f"box{number}") for number in range(3)]
    foreign = await storage.mailbox(await storage.agency("sued"), "desk")
    await storage.period(own[1], office.anna)
    await storage.period(own[2], office.anna, LONG_AGO, LONG_AGO + DAY)
    request = await storage.request(database, office.anna)
    with statements(database) as seen:
        found = await asyncio.gather(*(mailboxes.by_id(request, each.id) for each in [*own, foreign]))
    assert [each and (each.id, each.is_assigned) for each in found] == [
        (own[0].id, False),
        (own[1].id, True),
        (own[2].id, False),
        (own[3].id, False),
        None,
    ]
    assert len(seen) == 1


async def test_mailboxes_are_listed_by_address_forwards_and_backwards(database: Database) -> None:
    agency = await storage.agency("nord")
    boss = await storage.user(agency, "boss", role=Role.ADMINISTRATOR)
    locals_ = ["b", "a-b", "a.b", "a1", "a", "ab", "z"]
    for local in locals_:
        await storage.mailbox(agency, local)
    await storage.mailbox(await storage.agency("sued"), "a")
    expected = sorted(f"{local}@nord.example" for local in locals_)
    request = await storage.request(database, boss)
    for backwards in (False, True):
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(4):
            page = mailboxes.list_all(
                request,
                Arguments(last=2, before=cursor) if backwards else Arguments(first=2, after=cursor),
                None,
            )
            edges = await page.edges()
            found = [edge.node.address for edge in edges]
            seen = found + seen if backwards else seen + found
            cursor = edges[0 if backwards else -1].cursor
            assert await page.total_count() == 7
            more = await (page.has_previous_page() if backwards else page.has_next_page())
            assert more is (len(seen) < 7)
        assert seen == expected


@pytest.mark.parametrize(
    "search,expected",
    [
        (None, ["desk", "info", "strasse"]),
        ("  ", ["desk", "info", "strasse"]),
        ("DESK", ["desk"]),
        ("büro nord.example", ["info"]),
        ("STRASSE", ["info", "strasse"]),
        ("straße büro", ["info"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("desk büro", []),
        ("sued", []),
    ],
)
async def test_a_search_looks_in_address_and_name(
    database: Database, search: str | None, expected: list[str]
) -> None:
    office = await Office.open()
    await storage.mailbox(office.agency, "strasse")
    await storage.mailbox(office.agency, "info", email_name="BÜRO Straße")
    await storage.mailbox(await storage.agency("sued"), "desk", email_name="Büro %_\\")
    request = await storage.request(database, office.anna)
    page = mailboxes.list_all(request, Arguments(), search)
    assert [each.address for each in await page.nodes()] == [f"{local}@nord.example" for local in expected]
    assert await page.total_count() == len(expected)


@pytest.mark.parametrize("search", ["x" * 201, "\0", "\ud800"])
async def test_a_search_that_cannot_be_is_refused(database: Database, search: str) -> None:
    office = await Office.open()
    for who in (office.anna, await storage.user(None, "manager")):
        request = await storage.request(database, who)
        with pytest.raises(InvalidInputError) as caught:
            mailboxes.list_all(request, Arguments(), search)
        assert caught.value.path == ["search"]


async def test_a_users_mailboxes_are_those_assigned_now(database: Database) -> None:
    office = await Office.open()
    boxes = [await storage.mailbox(office.agency, f"box{number}") for number in range(4)]
    for box in (boxes[2], boxes[0], boxes[3]):
        await storage.period(box, office.anna)
    await storage.period(boxes[1], office.anna, LONG_AGO, LONG_AGO + DAY)
    await storage.period(boxes[1], office.boss)
    request = await storage.request(database, office.boss)
    pages = [mailboxes.of_user(request, who.id, Arguments(first=2)) for who in (office.anna, office.boss)]
    with statements(database) as seen:
        found = await asyncio.gather(*(page.nodes() for page in pages))
        counts = await asyncio.gather(*(page.total_count() for page in pages))
    assert [[each.address.partition("@")[0] for each in nodes] for nodes in found] == [
        ["box0", "box2"],
        ["box1"],
    ]
    assert [each.is_assigned for nodes in found for each in nodes] == [False, False, True]
    assert counts == [3, 1]
    assert await pages[0].has_next_page()
    assert len(seen) == 2


# ---------------------------------------------------------------- rights


class People:
    """Everybody who may look at a mailbox."""

    def __init__(self, office: Office, assigned: User, boss_there: User, once: User) -> None:
        self.by_name = {
            "anna": office.anna,
            "boss": office.boss,
            "assigned": assigned,
            "boss there": boss_there,
            "once": once,
        }

    @classmethod
    async def at(cls, office: Office) -> "People":
        people = cls(
            office,
            await storage.user(office.agency, "assigned"),
            await storage.user(office.agency, "there", role=Role.ADMINISTRATOR),
            await storage.user(office.agency, "once"),
        )
        for name in ("assigned", "boss there"):
            await storage.period(office.desk, people.by_name[name])
        await storage.period(office.desk, people.by_name["once"], LONG_AGO, LONG_AGO + DAY)
        return people


RIGHTS = {
    # Whether the mailbox is VIP, who looks: administers, reveals, reads who is assigned, reads periods and events.
    (False, "anna"): (False, False, False, False),
    (False, "once"): (False, False, False, False),
    (False, "assigned"): (False, True, True, False),
    (False, "boss"): (True, True, True, True),
    (False, "boss there"): (True, True, True, True),
    (True, "anna"): (False, False, False, False),
    (True, "once"): (False, False, False, False),
    (True, "assigned"): (False, True, True, True),
    (True, "boss"): (True, False, True, True),
    (True, "boss there"): (True, True, True, True),
}


@pytest.mark.parametrize("vip,who", RIGHTS)
async def test_rights_at_a_mailbox(database: Database, *, vip: bool, who: str) -> None:
    office = await Office.open()
    people = await People.at(office)
    await Mailbox.all().update(vip=vip)
    request = await storage.request(database, people.by_name[who])
    viewer = request.signed_in()
    found = await mailboxes.by_id(request, office.desk.id)
    assert found is not None
    assert found.is_assigned is (who in {"assigned", "boss there"})
    assert (
        mailboxes.can_administer(viewer, found),
        mailboxes.can_reveal(viewer, found),
        mailboxes.reads_assigned_users(viewer, found),
        mailboxes.reads_periods(viewer, found),
    ) == RIGHTS[vip, who]
    # The same right, as the condition on nodes.
    [event] = await _event(database, office)
    [period] = [each for each in await _periods(database, office) if each.until is not None]
    readable = RIGHTS[vip, who][3]
    assert (await mailbox_events.by_id(request, event.id) is not None) is readable
    assert (await assignments.by_id(request, period.id) is not None) is readable


async def test_an_administrator_elsewhere_has_no_right_at_a_mailbox(database: Database) -> None:
    office = await Office.open()
    stranger = await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR)
    own = await mailboxes.by_id(await storage.request(database, office.boss), office.desk.id)
    assert own is not None
    viewer = await storage.viewer(stranger)
    assert not mailboxes.can_administer(viewer, own)
    assert not mailboxes.can_reveal(viewer, own)
    assert not mailboxes.reads_assigned_users(viewer, own)
    assert not mailboxes.reads_periods(viewer, replace(own, vip=True))
    request = await storage.request(database, stranger)
    [event] = await _event(database, office)
    assert await mailbox_events.by_id(request, event.id) is None


async def _event(database: Database, office: Office) -> list[mailbox_events.MailboxEvent]:
    mailbox = await _mailbox(database, office)

    async def work(unit: Unit) -> None:
        kind = MailboxEventKind.SWITCHED_ON
        await mailbox_events.write(unit, mailbox, kind, at=LONG_AGO, user_id=office.boss.id)

    await database.transact(work)
    request = await storage.request(database, office.boss)
    return await mailbox_events.of_mailbox(request, mailbox, Arguments()).nodes()


async def _periods(database: Database, office: Office) -> list[assignments.Assignment]:
    request = await storage.request(database, office.boss)
    return await assignments.of_mailbox(request, await _mailbox(database, office), Arguments()).nodes()


async def _mailbox(database: Database, office: Office) -> mailboxes.Mailbox:
    found = await mailboxes.by_id(await storage.request(database, office.boss), office.desk.id)
    assert found is not None
    return found


# ---------------------------------------------------------------- lists under a mailbox


async def test_periods_are_listed_newest_first(database: Database) -> None:
    office = await Office.open()
    for number in (3, 1, 2):
        start = LONG_AGO + number * 10 * DAY
        await storage.period(office.desk, office.anna, start, start + DAY)
    await storage.period(office.desk, office.anna, LONG_AGO + 100 * DAY)
    await storage.period(await storage.mailbox(office.agency, "other"), office.anna)
    found = await _periods(database, office)
    assert [each.since for each in found] == [LONG_AGO + n * DAY for n in (100, 30, 20, 10)]
    assert [each.until is None for each in found] == [True, False, False, False]


async def test_periods_that_begin_together_stand_in_one_order(database: Database) -> None:
    office = await Office.open()
    for number in range(5):
        await storage.period(office.desk, await storage.user(office.agency, f"user{number}"))
    request = await storage.request(database, office.boss)
    found = await _periods(database, office)
    assert all(earlier.id > later.id for earlier, later in pairwise(found))
    page = assignments.of_mailbox(request, await _mailbox(database, office), Arguments(first=2))
    edges = await page.edges()
    rest = assignments.of_mailbox(
        request, await _mailbox(database, office), Arguments(after=edges[-1].cursor)
    )
    assert [edge.node for edge in edges] + await rest.nodes() == found


async def test_assigned_users_are_listed_by_last_name_first_name_login(database: Database) -> None:
    office = await Office.open()
    people = [
        await storage.user(office.agency, "zoe", last_name="Ärmel", first_name="Zoe"),
        await storage.user(office.agency, "ben", last_name="arm", first_name="Ben"),
        await storage.user(office.agency, "k2", last_name="Zorn", first_name="Kim"),
        await storage.user(office.agency, "k1", last_name="Zorn", first_name="Kim"),
        await storage.user(office.agency, "ada", last_name="Zorn", first_name="Ada"),
    ]
    for who in people:
        await storage.period(office.desk, who)
    await storage.period(office.desk, office.anna, LONG_AGO, LONG_AGO + DAY)
    request = await storage.request(database, office.boss)
    page = assignments.users_now(request, await _mailbox(database, office), Arguments())
    assert [each.login.partition("@")[0] for each in await page.nodes()] == ["ben", "zoe", "ada", "k1", "k2"]
    assert await page.total_count() == 5


async def test_lists_under_many_mailboxes_cost_one_statement_each(database: Database) -> None:
    office = await Office.open()
    for number in range(6):
        box = await storage.mailbox(office.agency, f"box{number}")
        await storage.period(box, office.anna)
    request = await storage.request(database, office.boss)
    with statements(database) as seen:
        boxes = await mailboxes.list_all(request, Arguments(), None).nodes()
        for of in (assignments.users_now, assignments.of_mailbox, mailbox_events.of_mailbox):
            pages = [of(request, box, Arguments(first=1)) for box in boxes]
            await asyncio.gather(*(page.edges() for page in pages))
            await asyncio.gather(*(page.total_count() for page in pages))
    assert len(boxes) == 7
    assert len(seen) == 1 + 3 * 2


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "own,basic,expected",
    [("Desk", "Anna", "Desk"), (None, "Anna", "Anna"), ("Desk", None, "Desk"), (None, None, None)],
)
async def test_the_name_is_the_mailboxs_own_else_the_users(
    database: Database, own: str | None, basic: str | None, expected: str | None
) -> None:
    office = await Office.open()
    await User.filter(id=office.anna.id).update(email_name=basic)
    await Mailbox.all().update(email_name=own)
    for who, named in ((office.anna, None), (office.anna, office.anna), (office.boss, office.anna)):
        request = await storage.request(database, who)
        found = await mailboxes.by_id(request, office.desk.id)
        assert found is not None
        name = await mailboxes.effective_email_name(request, found, None if named is None else user_id(named))
        assert name == expected


async def test_the_name_of_nobody_of_the_agency_is_not_found(database: Database) -> None:
    office = await Office.open()
    await Mailbox.all().update(email_name="Desk")
    stranger = await storage.user(await storage.agency("sued"), "anna")
    manager = await storage.user(None, "manager")
    request = await storage.request(database, office.boss)
    found = cast("mailboxes.Mailbox", await mailboxes.by_id(request, office.desk.id))
    for wrong in ("", "\0\ud800", box_id(office.desk), user_id(stranger), user_id(manager)):
        with pytest.raises(NotFoundError) as caught:
            await mailboxes.effective_email_name(request, found, wrong)
        assert caught.value.path == ["userId"]
