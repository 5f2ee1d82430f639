"""Activities as clients see them: one entry, lists and their arguments, booking, and listening."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from models import clock
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.users import ReadLevel, Role, User
from models.visibility import Filter
from resolvers.activities import bookings as bookings_of
from resolvers.activity_lists import Entries
from resolvers.cursors import encode_cursor
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from resolvers.windows import Arguments
from schema import schema
from schema.context import Context
from tests import storage
from tests.schema.asking import Asking
from tests.storage import statements

pytestmark = pytest.mark.asyncio

BOOK = """
  mutation ($input: BookMailInput!) {
    bookMail(input: $input) { activities { id contactReference } errors { __typename code message path } }
  }
"""
EVERYTHING = """
  __typename id kind direction subject preview remark sender recipients messageId mailDate occurredAt vip
  contactReference propertyReference
  bookings { part decisiveAt mailbox { address } user { login } }
"""
LISTEN = "subscription ($filter: ActivityFilter) { activityBooked(filter: $filter) { id subject bookings { user { email } } } }"


def box_id(box: Mailbox) -> str:
    return encode(NodeKind.MAILBOX, box.id)


def mail(box: Mailbox, **changes: object) -> dict[str, Any]:
    return {
        "mailboxId": box_id(box),
        "part": "RECEIVING",
        "messageId": "m1@web.example",
        "sender": "Buyer@web.example",
        "recipients": ["desk@nord.example", "x@web.example"],
        "subject": "Haus am See",
        "text": "Guten Tag,\n  ich komme  morgen.",
    } | changes


class Office:
    """Anna at an ordinary mailbox, Bert at a VIP one, an administrator who reads all."""

    def __init__(self) -> None:
        self.agency: Agency
        self.boss: User
        self.anna: User
        self.bert: User
        self.desk: Mailbox
        self.chef: Mailbox

    @classmethod
    async def open(cls) -> "Office":
        office, nord = cls(), await storage.agency("nord")
        office.agency = nord
        office.boss = await storage.user(
            nord,
            "boss",
            role=Role.ADMINISTRATOR,
            activity_read_level=ReadLevel.ALL,
            agents_log_read_level=ReadLevel.ALL,
        )
        office.anna = await storage.user(nord, "anna", email="anna@home.example")
        office.bert = await storage.user(nord, "bert")
        office.desk = await storage.mailbox(nord, "desk")
        office.chef = await storage.mailbox(nord, "chef", vip=True)
        await storage.period(office.desk, office.anna)
        await storage.period(office.chef, office.bert)
        return office


async def test_an_entry_tells_everything_of_its_mail(asking: Asking) -> None:
    office = await Office.open()
    booked = await asking.payload(
        office.anna,
        BOOK,
        input=mail(office.desk, mailDate="2024-02-03T04:05:06.789+01:00", contactReferences=["K-1"]),
    )
    assert booked["errors"] == []
    (entry,) = booked["activities"]
    data = await asking.data(
        office.boss,
        f"query ($id: ID!) {{ node(id: $id) {{ ... on Activity {{ {EVERYTHING} }} }} }}",
        id=entry["id"],
    )
    node = data["node"]
    occurred = node.pop("occurredAt")
    assert node == {
        "__typename": "Activity",
        "id": entry["id"],
        "kind": "ACTIVITY",
        "direction": "INCOMING",
        "subject": "Haus am See",
        "preview": "Guten Tag, ich komme morgen.",
        "remark": "Guten Tag,\n  ich komme  morgen.",
        "sender": "Buyer@web.example",
        "recipients": ["desk@nord.example", "x@web.example"],
        "messageId": "m1@web.example",
        "mailDate": "2024-02-03T03:05:06.789000Z",
        "vip": False,
        "contactReference": "K-1",
        "propertyReference": None,
        "bookings": [
            {
                "part": "RECEIVING",
                "decisiveAt": occurred,
                "mailbox": {"address": "desk@nord.example"},
                "user": {"login": "anna@nord.example"},
            }
        ],
    }


async def test_a_hidden_entry_is_as_one_that_does_not_exist(asking: Asking) -> None:
    office = await Office.open()
    booked = await asking.payload(office.bert, BOOK, input=mail(office.chef))
    (entry,) = booked["activities"]
    absent = encode(NodeKind.ACTIVITY, office.chef.id)
    query = (
        "query ($ids: [ID!]!, $box: ID) { nodes(ids: $ids) { id }"
        " activities { totalCount nodes { id } pageInfo { endCursor hasNextPage } }"
        ' mailbox(address: "chef@nord.example") { activities { totalCount nodes { id } } }'
        ' one: activities(filter: {mailboxId: $box, search: "haus"}) { totalCount nodes { id } } }'
    )
    for who in (office.boss, office.anna):
        assert await asking.data(who, query, ids=[entry["id"], absent], box=box_id(office.chef)) == {
            "nodes": [None, None],
            "activities": {
                "totalCount": 0,
                "nodes": [],
                "pageInfo": {"endCursor": None, "hasNextPage": False},
            },
            "mailbox": {"activities": {"totalCount": 0, "nodes": []}},
            "one": {"totalCount": 0, "nodes": []},
        }
    seen = await asking.data(office.bert, query, ids=[entry["id"], absent], box=box_id(office.chef))
    assert seen["nodes"] == [{"id": entry["id"]}, None]
    assert seen["one"] == {"totalCount": 1, "nodes": [{"id": entry["id"]}]}


@pytest.mark.parametrize(
    "arguments,code,path",
    [
        ("first: 0", "INVALID_INPUT", ["first"]),
        ("first: 101", "INVALID_INPUT", ["first"]),
        ("last: -1", "INVALID_INPUT", ["last"]),
        ("first: 1, last: 1", "INVALID_INPUT", ["last"]),
        ('after: "x"', "INVALID_INPUT", ["after"]),
        ('before: ""', "INVALID_INPUT", ["before"]),
        ('filter: {mailboxId: "x"}', "NOT_FOUND", ["filter", "mailboxId"]),
        ('filter: {search: "\\u0000"}', "INVALID_INPUT", ["filter", "search"]),
        (f'filter: {{search: "{"x" * 201}"}}', "INVALID_INPUT", ["filter", "search"]),
        ('filter: {contactReference: " "}', "INVALID_INPUT", ["filter", "contactReference"]),
    ],
)
async def test_bad_arguments_are_named(asking: Asking, arguments: str, code: str, path: list[str]) -> None:
    office = await Office.open()
    answer = await asking.execute(office.anna, f"{{ activities({arguments}) {{ totalCount }} }}")
    assert (answer.data, answer.codes) == (None, [code])
    assert answer.errors[0]["extensions"]["path"] == path


@pytest.mark.parametrize(
    "place,after,before,more",
    [
        (datetime(1, 1, 1, tzinfo=UTC), 0, 1, False),
        (datetime.max.replace(tzinfo=UTC), 1, 0, True),
    ],
)
async def test_the_ends_of_time_are_places_in_the_list_too(
    asking: Asking, place: datetime, after: int, before: int, *, more: bool
) -> None:
    office = await Office.open()
    await asking.data(office.anna, BOOK, input=mail(office.desk))
    seen = await asking.data(
        office.anna,
        "query ($c: String) { after: activities(after: $c) { nodes { __typename } } "
        "before: activities(before: $c) { nodes { __typename } pageInfo { hasNextPage } } }",
        c=encode_cursor((place, UUID(int=2**128 - 1))),
    )
    assert len(seen["after"]["nodes"]) == after
    assert len(seen["before"]["nodes"]) == before
    assert seen["before"]["pageInfo"]["hasNextPage"] is more


async def test_an_instant_without_an_offset_is_refused(asking: Asking) -> None:
    office = await Office.open()
    query = "query ($from: DateTime) { activities(filter: {occurredFrom: $from}) { totalCount } }"
    answer = await asking.execute(office.anna, query, **{"from": "2024-01-01T00:00:00"})
    assert (answer.data, answer.codes) == (None, ["INVALID_INPUT"])


async def test_another_agency_s_mailbox_is_no_filter(asking: Asking) -> None:
    office = await Office.open()
    foreign = await storage.mailbox(await storage.agency("south"), "info")
    query = "query ($box: ID) { activities(filter: {mailboxId: $box}) { totalCount } }"
    answer = await asking.execute(office.anna, query, box=box_id(foreign))
    assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])


async def test_signed_out_an_account_manager_and_a_locked_user(asking: Asking) -> None:
    office = await Office.open()
    await asking.payload(office.anna, BOOK, input=mail(office.desk))
    query = "{ activities { totalCount nodes { id } } }"
    answer = await asking.execute(None, query)
    assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])
    assert await asking.data(await storage.user(None, "kern"), query) == {
        "activities": {"totalCount": 0, "nodes": []}
    }
    before = await storage.contents(asking.database, "sessions")
    for who, code in ((None, "UNAUTHENTICATED"), (office.boss, "FORBIDDEN")):
        payload = await asking.payload(who, BOOK, input=mail(office.desk, messageId="m2@x.example"))
        assert (payload["activities"], [error["code"] for error in payload["errors"]]) == ([], [code])
    assert await storage.contents(asking.database, "sessions") == before


async def test_a_list_costs_a_fixed_number_of_statements(asking: Asking) -> None:
    office = await Office.open()
    query = f"{{ activities {{ totalCount pageInfo {{ hasNextPage hasPreviousPage }} nodes {{ {EVERYTHING} }} }} }}"
    nested = "{ mailboxes { nodes { activities(first: 2) { totalCount nodes { remark bookings { mailbox { address } } } } } } }"
    counted = []
    for number in (1, 7):
        for each in range(number):
            await asking.payload(
                office.anna, BOOK, input=mail(office.desk, messageId=f"{number}.{each}@x.example")
            )
        for asked in (query, nested):
            request = await asking.request(office.boss)
            with statements(asking.database) as ran:
                await asking.data(request, asked)
            counted.append(len(ran))
    assert counted == [3, 4, 3, 4]


async def test_a_booking_that_joins_while_an_answer_is_read_is_not_in_it(asking: Asking) -> None:
    """The entry is read open; before its bookings are, the VIP mailbox books its blind copy, and guards it."""
    office = await Office.open()
    asked = mail(office.desk, recipients=[])
    await asking.payload(office.anna, BOOK, input=asked)
    reader, joiner = await asking.request(office.boss), await asking.request(office.bert)
    list_query = "{ activities { nodes { vip bookings { mailbox { address } } } } }"
    (entry,) = await Entries(reader, Arguments(), Filter()).nodes()
    await asking.payload(joiner, BOOK, input=asked | {"mailboxId": box_id(office.chef)})
    assert [each.position for each in await bookings_of(reader, entry)] == [1]
    assert await asking.data(office.boss, list_query) == {"activities": {"nodes": []}}
    assert len((await asking.data(office.bert, list_query))["activities"]["nodes"][0]["bookings"]) == 2


async def listening(asking: Asking, who: User | Request, **narrowed: object) -> AsyncIterator[Any]:
    request = who if isinstance(who, Request) else await asking.request(who)
    stream = await schema.subscribe(LISTEN, {"filter": narrowed or None}, Context(request))
    async for result in stream:
        assert result.errors is None
        assert result.data is not None
        yield result.data["activityBooked"]


async def all_listen(asking: Asking, number: int) -> None:
    """Wait until so many listen."""
    while asking.services.listeners.number < number:  # noqa: ASYNC110 (the bus tells nobody)
        await asyncio.sleep(0)


async def test_listeners_are_told_what_they_may_see(asking: Asking) -> None:
    office = await Office.open()
    boss, anna, bert = (listening(asking, who) for who in (office.boss, office.anna, office.bert))
    narrowed = listening(asking, office.boss, search="see")
    waiting = [asyncio.ensure_future(anext(each)) for each in (boss, anna, bert, narrowed)]
    await all_listen(asking, 4)
    await asking.payload(office.bert, BOOK, input=mail(office.chef, subject="Gehalt"))
    told = await asyncio.wait_for(waiting[2], 10)
    assert told["subject"] == "Gehalt"
    assert not any(task.done() for task in (waiting[0], waiting[1], waiting[3]))
    await asking.payload(
        office.anna, BOOK, input=mail(office.desk, subject="Hof", messageId="m2@x.example", recipients=[])
    )
    for task in waiting[:2]:
        assert (await asyncio.wait_for(task, 10))["subject"] == "Hof"
    assert not waiting[3].done()
    await asking.payload(office.anna, BOOK, input=mail(office.desk, messageId="m3@x.example", recipients=[]))
    assert (await asyncio.wait_for(waiting[3], 10))["subject"] == "Haus am See"
    for each in (boss, anna, bert, narrowed):
        await each.aclose()  # type: ignore[attr-defined]


async def test_a_joining_booking_is_told_only_to_whom_it_opens(asking: Asking) -> None:
    office = await Office.open()
    sent = mail(office.chef, part="SENDING", sender="chef@nord.example", recipients=["desk@nord.example"])
    bert, anna = listening(asking, office.bert), listening(asking, office.anna)
    first, second = asyncio.ensure_future(anext(bert)), asyncio.ensure_future(anext(anna))
    await all_listen(asking, 2)
    booked = await asking.payload(office.bert, BOOK, input=sent)
    told = await asyncio.wait_for(first, 10)
    assert told["id"] == booked["activities"][0]["id"]
    again = asyncio.ensure_future(anext(bert))
    await asking.payload(
        office.anna, BOOK, input=sent | {"mailboxId": box_id(office.desk), "part": "RECEIVING"}
    )
    assert (await asyncio.wait_for(second, 10))["id"] == told["id"]
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)


async def test_a_listener_s_rights_are_those_of_the_moment(asking: Asking) -> None:
    office = await Office.open()
    boss = listening(asking, office.boss)
    waiting = asyncio.ensure_future(anext(boss))
    await all_listen(asking, 1)
    await User.filter(id=office.boss.id).update(role=Role.USER)
    await asking.payload(office.anna, BOOK, input=mail(office.desk))
    told = await asyncio.wait_for(waiting, 10)
    assert told["bookings"] == [{"user": {"email": None}}]
    waiting = asyncio.ensure_future(anext(boss))
    await User.filter(id=office.boss.id).update(state="LOCKED")
    bert = listening(asking, office.bert)
    other = asyncio.ensure_future(anext(bert))
    await all_listen(asking, 2)
    await asking.payload(office.bert, BOOK, input=mail(office.chef, messageId="m2@x.example"))
    await asyncio.wait_for(other, 10)
    assert not waiting.done()
    await User.filter(id=office.boss.id).update(state="ACTIVE")
    await asking.database.execute(
        "UPDATE sessions SET ended_at = $1 WHERE user_id = $2", clock.now(), office.boss.id
    )
    await asking.payload(office.anna, BOOK, input=mail(office.desk, messageId="m3@x.example", recipients=[]))
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 10)


async def test_an_entry_is_told_once_although_rights_changed_between_its_bookings(asking: Asking) -> None:
    """Read level ALL opened it with the first booking; by OWN it would be the second that does."""
    office = await Office.open()
    box = await storage.mailbox(office.agency, "other")
    await storage.period(box, office.boss)
    boss = listening(asking, office.boss)
    waiting = asyncio.ensure_future(anext(boss))
    await all_listen(asking, 1)
    asked = mail(office.desk, recipients=[])
    await asking.payload(office.anna, BOOK, input=asked)
    told = [(await asyncio.wait_for(waiting, 10))["id"]]
    waiting = asyncio.ensure_future(anext(boss))
    await User.filter(id=office.boss.id).update(activity_read_level=ReadLevel.OWN)
    joined = await asking.payload(office.boss, BOOK, input=asked | {"mailboxId": box_id(box)})
    assert [each["id"] for each in joined["activities"]] == told
    last = await asking.payload(office.boss, BOOK, input=mail(box, messageId="m2@x.example", recipients=[]))
    assert (await asyncio.wait_for(waiting, 10))["id"] == last["activities"][0]["id"]
