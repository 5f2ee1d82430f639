"""Booking: what a first, a repeated, a joining and a refused booking leave behind."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from models import clock, visibility
from models.database import Database
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.mails import MailDirection, MailPart
from models.tables.users import ReadLevel, Role, User
from models.visibility import Filter, Reader, Stretch
from resolvers import mailbox_settings
from resolvers.booking import BookMail, book_mail
from resolvers.errors import CallerError, ForbiddenError, InvalidInputError, NotFoundError
from resolvers.events import events_of
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage

pytestmark = pytest.mark.asyncio

SENDER = "buyer@web.example"


class House:
    """An agency with an administrator and two users, each assigned to a mailbox."""

    agency: Agency
    boss: User
    anna: User
    bert: User
    vip: Mailbox
    plain: Mailbox

    @classmethod
    async def build(cls) -> "House":
        house = cls()
        house.agency = await storage.agency()
        house.boss = await storage.user(
            house.agency, "boss", role=Role.ADMINISTRATOR, activity_read_level=ReadLevel.ALL
        )
        house.anna = await storage.user(house.agency, "anna")
        house.bert = await storage.user(house.agency, "bert")
        house.vip = await storage.mailbox(house.agency, "chef", vip=True)
        house.plain = await storage.mailbox(house.agency, "info")
        await storage.period(house.vip, house.anna)
        await storage.period(house.plain, house.bert)
        return house

    def mail(self, at: Mailbox, **changes: object) -> BookMail:
        plain = BookMail(
            mailbox_id=encode(NodeKind.MAILBOX, at.id),
            part=MailPart.RECEIVING,
            message_id="m1@web.example",
            sender=SENDER,
            recipients=["chef@nord.example", "info@nord.example"],
            subject="Haus",
            text="Guten Tag",
        )
        return replace(plain, **changes)  # type: ignore[arg-type]  # whatever the test changes


async def asks(database: Database, who: User) -> Request:
    request = await storage.request(database, who)
    request.services = replace(request.services, events=events_of(database.url))
    return request


def reader(who: User) -> Reader:
    return Reader(who.id, cast("Any", who).agency_id, who.activity_read_level, who.agents_log_read_level)


async def seen_by(database: Database, who: User) -> list[str]:
    found = await visibility.entries(database, reader(who), Filter(), Stretch())
    return sorted(str(row["contact_reference"] or row["property_reference"]) for row in found[None])


async def refused(database: Database, who: User, asked: BookMail) -> CallerError:
    before = await storage.contents(database, "sessions")
    with pytest.raises(CallerError) as caught:
        await book_mail(await asks(database, who), asked)
    assert await storage.contents(database, "sessions") == before
    return caught.value


async def test_the_first_booking_fixes_mailboxes_and_makes_an_entry_for_each_reference(
    database: Database,
) -> None:
    house = await House.build()
    began = clock.now()
    asked = house.mail(house.plain, contact_references=["K-1", " K-2 ", "K-1"], property_references=["P-1"])
    answered = await book_mail(await asks(database, house.bert), asked)
    rows = await storage.contents(database)
    (booking,) = rows["bookings"]
    assert (booking["mailbox_id"], booking["user_id"], booking["part"], booking["position"]) == (
        house.plain.id, house.bert.id, "RECEIVING", 1,
    )  # fmt: skip
    assert began <= booking["decisive_at"] <= clock.now()
    assert {row["mailbox_id"] for row in rows["mail_mailboxes"]} == {house.vip.id, house.plain.id}
    assert {(row["kind"], row["contact_reference"], row["property_reference"]) for row in rows["activities"]} == {
        ("ACTIVITY", "K-1", None), ("ACTIVITY", "K-2", None), ("AGENTS_LOG", None, "P-1"),
    }  # fmt: skip
    assert {
        (row["guarded"], row["occurred_at"], row["direction"], row["mailbox_id"])
        for row in rows["activities"]
    } == {(True, booking["decisive_at"], "INCOMING", house.plain.id)}
    assert rows["activity_readers"] == rows["activity_mailboxes"] == []
    assert [(each.contact_reference, each.property_reference) for each in answered] == [
        ("K-1", None), ("K-2", None), (None, "P-1"),
    ]  # fmt: skip
    assert await seen_by(database, house.bert) == ["K-1", "K-2", "P-1"]
    assert await seen_by(database, house.boss) == []
    assert await seen_by(database, house.anna) == []


async def test_without_references_there_is_one_activity_without_a_contact(database: Database) -> None:
    house = await House.build()
    (entry,) = await book_mail(
        await asks(database, house.bert), house.mail(house.plain, contact_references=[])
    )
    assert (entry.kind, entry.contact_reference, entry.property_reference) == ("ACTIVITY", None, None)


async def test_a_repeat_at_the_same_mailbox_changes_nothing(database: Database) -> None:
    house = await House.build()
    asked = house.mail(house.plain, contact_references=["K-1"])
    first = await book_mail(await asks(database, house.bert), asked)
    before = await storage.contents(database, "sessions")
    repeated = replace(
        asked,
        recipients=["INFO@nord.example", "chef@nord.example"],
        contact_references=["K-2"],
        mail_date=datetime(2020, 1, 1, tzinfo=UTC),
        part=MailPart.RECEIVING,
    )
    assert await book_mail(await asks(database, house.bert), repeated) == first
    assert await storage.contents(database, "sessions") == before


async def test_a_repeat_by_somebody_who_came_later_answers_nothing_of_a_vip_mailbox(
    database: Database,
) -> None:
    house = await House.build()
    asked = house.mail(house.vip)
    assert len(await book_mail(await asks(database, house.anna), asked)) == 1
    await storage.period(house.vip, house.bert, since=clock.now())
    assert await book_mail(await asks(database, house.bert), asked) == []


async def test_an_equal_booking_at_another_mailbox_joins(database: Database) -> None:
    house = await House.build()
    sent = house.mail(
        house.vip,
        part=MailPart.SENDING,
        sender="Chef@nord.example",
        recipients=["info@nord.example"],
        contact_references=["K-1"],
    )
    await book_mail(await asks(database, house.anna), sent)
    received = replace(
        sent,
        mailbox_id=encode(NodeKind.MAILBOX, house.plain.id),
        part=MailPart.RECEIVING,
        contact_references=["K-1", "K-9"],
        property_references=["P-1"],
    )
    answered = await book_mail(await asks(database, house.bert), received)
    rows = await storage.contents(database)
    assert len(rows["mails"]) == 1
    first, second = sorted(rows["bookings"], key=lambda row: row["position"])
    assert [each["mailbox_id"] for each in (first, second)] == [house.vip.id, house.plain.id]
    assert {each.direction for each in answered} == {MailDirection.INTERNAL}
    assert {each.occurred_at for each in answered} == {first["decisive_at"]}
    assert {row["mailbox_id"] for row in rows["activities"]} == {None}
    for who in (house.anna, house.bert):
        assert await seen_by(database, who) == ["K-1", "K-9", "P-1"]
    assert await seen_by(database, house.boss) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "other@web.example"},
        {"recipients": ["info@nord.example"]},
        {"recipients": ["chef@nord.example", "info@nord.example", "info@nord.example"]},
        {"subject": "haus"},
        {"text": "Guten Tag "},
        {"message_id": "M1@web.example"},
    ],
)
async def test_other_content_opens_and_changes_nothing_of_the_first(
    database: Database, changes: dict[str, Any]
) -> None:
    house = await House.build()
    await book_mail(await asks(database, house.anna), house.mail(house.vip, contact_references=["K-1"]))
    before = await storage.contents(database, "sessions")
    alone = house.mail(house.plain, contact_references=["K-2"], **changes)
    answered = await book_mail(await asks(database, house.bert), alone)
    assert [entry.contact_reference for entry in answered] == ["K-2"]
    after = await storage.contents(database, "sessions")
    for table in ("mails", "bookings", "activities", "mail_mailboxes"):
        assert [row for row in after[table] if row["id"] in {each["id"] for each in before[table]}] == before[
            table
        ]
    assert after["activity_readers"] == []
    assert await seen_by(database, house.anna) == ["K-1"]


async def test_another_agency_s_equal_mail_is_another_mail(database: Database) -> None:
    house = await House.build()
    await book_mail(await asks(database, house.bert), house.mail(house.plain))
    south = await storage.agency("south")
    cleo, box = await storage.user(south, "cleo"), await storage.mailbox(south, "info")
    await storage.period(box, cleo)
    assert len(await book_mail(await asks(database, cleo), house.mail(box))) == 1
    rows = await storage.contents(database)
    assert len(rows["mails"]) == 2
    assert {row["mailbox_id"] for row in rows["mail_mailboxes"] if row["agency_id"] == south.id} == {box.id}


async def test_who_is_not_assigned_now_books_nothing(database: Database) -> None:
    house = await House.build()
    error = await refused(database, house.boss, house.mail(house.plain))
    assert isinstance(error, ForbiddenError)
    assert error.path == ["input", "mailboxId"]


async def test_another_agency_s_mailbox_is_not_found(database: Database) -> None:
    house = await House.build()
    cleo = await storage.user(await storage.agency("south"), "cleo")
    manager = await storage.user(None, "kern")
    for who in (cleo, manager):
        assert isinstance(await refused(database, who, house.mail(house.plain)), NotFoundError)
    for wrong in ("", "x", encode(NodeKind.USER, house.plain.id), "\x00"):
        error = await refused(database, house.bert, house.mail(house.plain, mailbox_id=wrong))
        assert isinstance(error, NotFoundError)


@pytest.mark.parametrize(
    "changes,path",
    [
        ({"part": MailPart.SENDING}, ["sender"]),
        ({"message_id": ""}, ["messageId"]),
        ({"message_id": "<m@x>"}, ["messageId"]),
        ({"message_id": "m\x00"}, ["messageId"]),
        ({"message_id": "m" * 999}, ["messageId"]),
        ({"sender": "nobody"}, ["sender"]),
        ({"sender": "a@b.example\nBcc: c@d.example"}, ["sender"]),
        ({"recipients": ["chef@nord.example", " "]}, ["recipients", "1"]),
        ({"recipients": ["a@b.example"] * 1001}, ["recipients"]),
        ({"subject": "\ud800"}, ["subject"]),
        ({"subject": "s" * 2001}, ["subject"]),
        ({"text": "t\x00"}, ["text"]),
        ({"text": "t" * 500_001}, ["text"]),
        ({"mail_date": datetime.min.replace(tzinfo=UTC)}, ["mailDate"]),
        ({"mail_date": datetime.max.replace(tzinfo=UTC)}, ["mailDate"]),
        ({"contact_references": ["K-1", " "]}, ["contactReferences", "1"]),
        ({"property_references": ["P"] * 101}, ["propertyReferences"]),
    ],
)
async def test_bad_input_is_named_and_changes_nothing(
    database: Database, changes: dict[str, Any], path: list[str]
) -> None:
    house = await House.build()
    error = await refused(database, house.bert, house.mail(house.plain, **changes))
    assert isinstance(error, InvalidInputError)
    assert error.path == ["input", *path]


async def test_moments_at_a_mailbox_never_go_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await House.build()
    start = datetime(2025, 6, 1, tzinfo=UTC)
    moments = iter([start, start - timedelta(hours=1), start - timedelta(hours=1)])
    monkeypatch.setattr(clock, "now", lambda: next(moments, start))
    for number in range(3):
        await book_mail(
            await asks(database, house.bert), house.mail(house.plain, message_id=f"m{number}@x.example")
        )
    rows = (await storage.contents(database))["bookings"]
    decided = sorted(row["decisive_at"] for row in rows)
    assert len(set(decided)) == 3
    assert decided[0] >= start - timedelta(hours=1)


async def test_bookings_and_switches_at_once_leave_no_gap(database: Database) -> None:
    house = await House.build()
    await storage.period(house.plain, house.anna)
    admin = await asks(database, house.boss)
    wide = Reader(house.boss.id, house.agency.id, ReadLevel.ALL, ReadLevel.ALL)

    async def books(at: Mailbox, who: User, number: int) -> None:
        await book_mail(await asks(database, who), house.mail(at, message_id=f"m{number}@x.example"))

    async def switches(*, vip: bool) -> None:
        await mailbox_settings.set_vip(admin, encode(NodeKind.MAILBOX, house.plain.id), vip=vip, confirm=True)

    work = []
    for number in range(12):
        work += [books(house.vip, house.anna, number), books(house.plain, house.bert, number)]
        work.append(switches(vip=number % 2 == 0))
    await asyncio.gather(*work)
    rows = await storage.contents(database)
    assert len(rows["mails"]) == 12
    assert len(rows["bookings"]) == 24
    assert {row["guarded"] for row in rows["activities"]} == {True}
    assert (await visibility.entries(database, wide, Filter(), Stretch()))[None] == []
    assert len(rows["activity_mailboxes"]) == 24
    for at in (house.vip, house.plain):
        decided = [row["decisive_at"] for row in rows["bookings"] if row["mailbox_id"] == at.id]
        assert len(set(decided)) == 12


async def test_a_domain_is_the_same_however_it_is_written(database: Database) -> None:
    house = await House.build()
    abroad = await Mailbox.create(
        agency_id=house.agency.id,
        address="chef@xn--mnchen-3ya.example",
        fold_search="",
        vip=True,
        active=True,
        automatic_booking=False,
        last_moment=storage.LONG_AGO,
    )
    asked = house.mail(house.plain, recipients=["Chef@MÜNCHEN.example", "info@nord.example"])
    (first,) = await book_mail(await asks(database, house.bert), asked)
    assert first.vip
    assert abroad.id in {row["mailbox_id"] for row in (await storage.contents(database))["mail_mailboxes"]}
    written = replace(asked, recipients=["info@nord.example", "chef@xn--mnchen-3ya.example"])
    assert await book_mail(await asks(database, house.bert), written) == [first]


@pytest.mark.parametrize(
    "recipient",
    [
        "chef@nord.example, info@nord.example",
        "info@nord.example;chef@nord.example",
        '"chef"@nord.example',
        "chef@nord.example.",
        "mailto:chef@nord.example",
        "'chef@nord.example'",
        "chef@nord.example(boss)",
        "Boss chef@nord.example",
        "\u200bchef@nord.example",
        "\uff43hef@nord.example",
        "CHEF+urgent@nord.example",
    ],
)
async def test_a_vip_mailbox_guards_however_it_is_written(database: Database, recipient: str) -> None:
    house = await House.build()
    asked = house.mail(house.plain, recipients=[recipient])
    try:
        answered = await book_mail(await asks(database, house.bert), asked)
    except InvalidInputError as error:
        assert error.path == ["input", "recipients", "0"]  # noqa: PT017 (refused is as good as guarded)
        return
    assert [entry.vip for entry in answered] == [True]
    assert (await visibility.entries(database, reader(house.boss), Filter(), Stretch()))[None] == []
