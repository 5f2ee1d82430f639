"""Reading mailboxes over the schema: exact answers, what is null for whom, and what it costs."""

import json
from datetime import timedelta
from typing import Any

import pytest

from models.database import Database
from models.tables.mailboxes import Mailbox, MailboxEvent, MailboxEventKind
from models.tables.users import Role, User
from resolvers.node_ids import NodeKind, encode
from schema.scalars import write_instant
from tests import storage
from tests.resolvers.offices import Office, box_id, user_id
from tests.schema.asking import Asking
from tests.storage import LONG_AGO, statements

pytestmark = pytest.mark.asyncio

DAY = timedelta(days=1)

FLAT = """
  __typename id address emailName effectiveEmailName vip active receivingStopsAt automaticBooking
  viewerCanAdminister viewerCanReveal viewerIsAssigned
"""
LISTS = """
  assignedUsers { totalCount nodes { login } }
  assignments { totalCount nodes { __typename id from until user { login } mailbox { address } } }
  events { totalCount nodes { __typename id kind at user { login } } }
  activities { totalCount nodes { id } }
"""
BY_ADDRESS = f"query ($address: String!) {{ mailbox(address: $address) {{ {FLAT} {LISTS} }} }}"
CODE = """query ($address: String!) {
  mailbox(address: $address) { clientSettings { profileUrl thunderbirdCode } }
}"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def test_an_administrator_reads_a_mailbox_and_its_history(asking: Asking) -> None:
    office = await Office.open()
    desk = office.desk
    await User.filter(id=office.boss.id).update(email_name="The Boss")
    stops = LONG_AGO + 30 * DAY + timedelta(microseconds=1)
    await asking.database.execute("UPDATE mailboxes SET active = false, receiving_stops_at = $1", stops)
    ended = await storage.period(desk, office.anna, LONG_AGO, LONG_AGO + DAY)
    now = await storage.period(desk, office.anna, LONG_AGO + 2 * DAY)
    for kind, at, who in (
        (MailboxEventKind.SWITCHED_OFF, LONG_AGO + DAY, office.boss.id),
        (MailboxEventKind.PASSWORD_RENEWED, LONG_AGO, None),
    ):
        await MailboxEvent.create(
            agency_id=office.agency.id, mailbox_id=desk.id, kind=kind, at=at, user_id=who
        )
    ids = {row.kind: encode(NodeKind.MAILBOX_EVENT, row.id) for row in await MailboxEvent.all()}
    assert await asking.data(office.boss, BY_ADDRESS, address="DESK@nord.example") == {
        "mailbox": {
            "__typename": "Mailbox",
            "id": box_id(desk),
            "address": "desk@nord.example",
            "emailName": None,
            "effectiveEmailName": "The Boss",
            "vip": False,
            "active": False,
            "receivingStopsAt": "2020-01-31T00:00:00.000001Z",
            "automaticBooking": False,
            "viewerCanAdminister": True,
            "viewerCanReveal": True,
            "viewerIsAssigned": False,
            "assignedUsers": {"totalCount": 1, "nodes": [{"login": "anna@nord.example"}]},
            "assignments": {
                "totalCount": 2,
                "nodes": [
                    {
                        "__typename": "MailboxAssignment",
                        "id": encode(NodeKind.MAILBOX_ASSIGNMENT, period.id),
                        "from": write_instant(period.since),
                        "until": period.until and write_instant(period.until),
                        "user": {"login": "anna@nord.example"},
                        "mailbox": {"address": "desk@nord.example"},
                    }
                    for period in (now, ended)
                ],
            },
            "events": {
                "totalCount": 2,
                "nodes": [
                    {
                        "__typename": "MailboxEvent",
                        "id": ids[MailboxEventKind.SWITCHED_OFF],
                        "kind": "SWITCHED_OFF",
                        "at": "2020-01-02T00:00:00Z",
                        "user": {"login": "boss@nord.example"},
                    },
                    {
                        "__typename": "MailboxEvent",
                        "id": ids[MailboxEventKind.PASSWORD_RENEWED],
                        "kind": "PASSWORD_RENEWED",
                        "at": "2020-01-01T00:00:00Z",
                        "user": None,
                    },
                ],
            },
            "activities": {"totalCount": 0, "nodes": []},
        }
    }


@pytest.mark.parametrize("vip", [False, True])
async def test_lists_are_null_for_those_who_may_not_read_them(asking: Asking, *, vip: bool) -> None:
    office = await Office.open()
    await Mailbox.all().update(vip=vip)
    assigned = await storage.user(office.agency, "assigned")
    await storage.period(office.desk, assigned)
    await storage.period(office.desk, office.anna, LONG_AGO, LONG_AGO + DAY)

    async def readable(who: User) -> dict[str, Any]:
        found = (await asking.data(who, BY_ADDRESS, address=office.desk.address))["mailbox"]
        return {name: found[name] is not None for name in ("assignedUsers", "assignments", "events")}

    yes = dict.fromkeys(("assignedUsers", "assignments", "events"), True)
    assert await readable(office.boss) == yes
    assert await readable(office.anna) == dict.fromkeys(yes, False)
    assert await readable(assigned) == {**yes, "assignments": vip, "events": vip}


async def test_everybody_who_reads_a_mailbox_is_told_how_a_program_is_set_up(asking: Asking) -> None:
    office = await Office.open()
    await Mailbox.all().update(vip=True)
    server = "{ __typename protocol host port security }"
    query = (
        "query ($address: String!) { mailbox(address: $address) { clientSettings { __typename username "
        f"incoming {server} outgoing {server} }} }} }}"
    )

    def told(protocol: str, host: str, port: int, security: str) -> dict[str, Any]:
        return {
            "__typename": "MailServer",
            "protocol": protocol,
            "host": host,
            "port": port,
            "security": security,
        }

    await User.filter(id=office.anna.id).update(email_name="Anna Müller")
    for who, name in ((office.anna, "Anna Müller"), (office.boss, "")):
        code = await asking.data(who, CODE, address="desk@nord.example")
        assert code["mailbox"]["clientSettings"]["profileUrl"] == (
            "https://crm.example/mail/profile.mobileconfig?emailaddress=desk@nord.example"
        )
        assert json.loads(code["mailbox"]["clientSettings"]["thunderbirdCode"]) == [
            1,
            [1, 1],
            [0, "imap.mail.example", 993, 3, 1, "desk@nord.example"],
            [[[0, "smtp.mail.example", 587, 2, 1, "desk@nord.example"], ["desk@nord.example", name]]],
        ]
        with statements(asking.database) as seen:
            found = await asking.data(await asking.request(who), query, address="DESK@nord.example")
        assert found["mailbox"]["clientSettings"] == {
            "__typename": "ClientSettings",
            "username": "desk@nord.example",
            "incoming": [
                told("IMAP", "imap.mail.example", 993, "TLS"),
                told("POP3", "pop3.mail.example", 995, "TLS"),
            ],
            "outgoing": [told("SMTP", "smtp.mail.example", 587, "STARTTLS")],
        }
        assert len(seen) == 1


async def test_rights_follow_the_rows_of_the_moment(asking: Asking) -> None:
    office = await Office.open()
    await Mailbox.all().update(vip=True)
    query = (
        f"query ($id: ID!) {{ node(id: $id) {{ ... on Mailbox {{ {FLAT} assignments {{ totalCount }} }} }} }}"
    )
    request = await asking.request(office.anna)
    before = await asking.data(request, query, id=box_id(office.desk))
    assert (before["node"]["viewerIsAssigned"], before["node"]["assignments"]) == (False, None)
    await storage.period(office.desk, office.anna)
    after = await asking.data(office.anna, query, id=box_id(office.desk))
    assert (after["node"]["viewerIsAssigned"], after["node"]["viewerCanReveal"]) == (True, True)
    assert after["node"]["assignments"] == {"totalCount": 1}


async def test_nodes_of_another_agency_are_null(asking: Asking) -> None:
    office = await Office.open()
    period = await storage.period(office.desk, office.anna)
    event = await MailboxEvent.create(
        agency_id=office.agency.id, mailbox_id=office.desk.id, kind=MailboxEventKind.VIP_ON, at=LONG_AGO
    )
    ids = [
        (box_id(office.desk), "Mailbox"),
        (encode(NodeKind.MAILBOX_ASSIGNMENT, period.id), "MailboxAssignment"),
        (encode(NodeKind.MAILBOX_EVENT, event.id), "MailboxEvent"),
    ]
    stranger = await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR)
    manager = await storage.user(None, "manager")
    for node_id, kind in ids:
        assert await asking.data(office.boss, NODE, id=node_id) == {
            "node": {"__typename": kind, "id": node_id}
        }
        for who in (stranger, manager):
            assert await asking.data(who, NODE, id=node_id) == {"node": None}
    for who in (stranger, manager):
        assert await asking.data(who, BY_ADDRESS, address="desk@nord.example") == {"mailbox": None}


async def test_the_effective_name_of_somebody_else(asking: Asking) -> None:
    office = await Office.open()
    await User.filter(id=office.anna.id).update(email_name="Anna")
    query = """query ($address: String!, $user: ID) {
      mailbox(address: $address) { address effectiveEmailName(userId: $user) }
    }"""
    asked = {"address": "desk@nord.example"}
    found = await asking.data(office.boss, query, **asked, user=user_id(office.anna))
    assert found == {"mailbox": {"address": "desk@nord.example", "effectiveEmailName": "Anna"}}
    for variables in ({}, {"user": None}):
        found = await asking.data(office.anna, query, **asked, **variables)
        assert found["mailbox"]["effectiveEmailName"] == "Anna"
    stranger = await storage.user(await storage.agency("sued"), "anna", email_name="Stranger")
    for wrong in ("", "nonsense", user_id(stranger), box_id(office.desk)):
        answer = await asking.execute(office.boss, query, **asked, user=wrong)
        assert answer.data == {"mailbox": {"address": "desk@nord.example", "effectiveEmailName": None}}
        assert answer.codes == ["NOT_FOUND"]
        assert answer.errors[0]["path"] == ["mailbox", "effectiveEmailName"]


@pytest.mark.parametrize(
    "arguments,at_fault",
    [
        ("first: 0", ["first"]),
        ("first: 101", ["first"]),
        ("last: -1", ["last"]),
        ("first: 1, last: 1", ["last"]),
        ('after: "x"', ["after"]),
        ('before: ""', ["before"]),
    ],
)
@pytest.mark.parametrize("name", ["mailboxes", "assignedUsers", "assignments", "events"])
async def test_a_wrong_page_is_refused(
    asking: Asking, name: str, arguments: str, at_fault: list[str]
) -> None:
    office = await Office.open()
    part = f"{name}({arguments}) {{ totalCount }}"
    root = name == "mailboxes"
    query = f"{{ {part} }}" if root else f'{{ mailbox(address: "desk@nord.example") {{ {part} }} }}'
    answer = await asking.execute(office.boss, query)
    assert answer.data == (None if root else {"mailbox": {name: None}})
    assert answer.codes == ["INVALID_INPUT"]
    assert answer.errors[0]["extensions"]["path"] == at_fault


async def test_explicit_nulls_are_absent(asking: Asking) -> None:
    office = await Office.open()
    query = """query ($first: Int, $after: String, $last: Int, $before: String, $search: String) {
      mailboxes(first: $first, after: $after, last: $last, before: $before, search: $search) {
        nodes { address }
      }
    }"""
    nothing = dict.fromkeys(("first", "after", "last", "before", "search"))
    assert await asking.data(office.anna, query, **nothing) == {
        "mailboxes": {"nodes": [{"address": "desk@nord.example"}]}
    }


async def test_an_account_manager_reads_no_mailbox(asking: Asking) -> None:
    await Office.open()
    manager = await storage.user(None, "manager")
    page = "{ mailboxes { totalCount nodes { id } edges { cursor } pageInfo { hasNextPage startCursor } } }"
    assert await asking.data(manager, page) == {
        "mailboxes": {
            "totalCount": 0,
            "nodes": [],
            "edges": [],
            "pageInfo": {"hasNextPage": False, "startCursor": None},
        }
    }


async def test_statements_do_not_grow_with_the_nesting_or_the_rows(
    asking: Asking, database: Database
) -> None:
    office = await Office.open()
    people = [office.anna, *[await storage.user(office.agency, f"user{number}") for number in range(4)]]
    query = f"""{{ mailboxes(first: 10) {{ totalCount pageInfo {{ hasNextPage hasPreviousPage }} nodes {{ {FLAT}
      assignedUsers(first: 2) {{ totalCount pageInfo {{ hasNextPage }} nodes {{
        login mailboxes(first: 10) {{ totalCount nodes {{ {FLAT} assignedUsers {{ nodes {{ login }} }} }} }}
      }} }}
      assignments {{ totalCount nodes {{ user {{ login }} mailbox {{ {FLAT} }} }} }}
      events {{ totalCount nodes {{ kind user {{ login }} }} }}
    }} }} }}"""
    counts = []
    for number in range(3):
        box = await storage.mailbox(office.agency, f"box{number}")
        for who in people:
            await storage.period(box, who)
        await MailboxEvent.create(
            agency_id=office.agency.id,
            mailbox_id=box.id,
            kind=MailboxEventKind.VIP_ON,
            at=LONG_AGO,
            user_id=office.boss.id,
        )
        request = await asking.request(office.boss)
        with statements(database) as seen:
            found = await asking.data(request, query)
        assert found["mailboxes"]["totalCount"] == 2 + number
        counts.append(len(seen))
    # A page and a number for each of mailboxes, users assigned, their mailboxes, periods and events; the users of
    # the users' mailboxes; the periods' mailboxes; users by id on two levels.
    assert counts == [14, 14, 14]
