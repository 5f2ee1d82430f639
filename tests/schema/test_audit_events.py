"""The audit, as administrators read it: what is in it and what is not, filters, pages, and nothing of another agency."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from models import audit, clock
from models.database import Database, Unit
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.users import Role, User
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.resolvers.offices import Office
from tests.schema.asking import Asking

pytestmark = pytest.mark.asyncio
EVENTS = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: AuditEventFilter) {
  auditEvents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    totalCount nodes { at action actor { login } object { __typename id } remoteAddress }
    pageInfo { hasNextPage endCursor }
  }
}"""
VIP = "mutation ($box: ID!, $vip: Boolean!) { setMailboxVip(mailboxId: $box, vip: $vip, confirm: true) { errors { code } } }"


async def record(
    database: Database,
    of: Agency | None,
    action: str,
    actor: User | None = None,
    subject: tuple[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """One event, written as the product does."""

    async def work(unit: Unit) -> None:
        await audit.record(
            unit,
            action,
            agency_id=None if of is None else of.id,
            actor_id=None if actor is None else actor.id,
            remote_address=address,
            subject=subject,
            details={"entries": 7},
        )

    await database.transact(work)


async def events(asking: Asking, who: User, **variables: object) -> list[dict[str, Any]]:
    """The events on one page."""
    data = await asking.data(who, EVENTS, **variables)
    found: list[dict[str, Any]] = data["auditEvents"]["nodes"]
    return found


async def actions(asking: Asking, who: User, **wanted: object) -> list[str]:
    """The actions of what a filter leaves, newest first."""
    return [each["action"] for each in await events(asking, who, filter=wanted)]


def global_id(of: User | Mailbox | Agency) -> str:
    kinds = {User: NodeKind.USER, Mailbox: NodeKind.MAILBOX, Agency: NodeKind.AGENCY}
    return encode(kinds[type(of)], of.id)


async def test_a_change_is_there_with_who_what_and_where(asking: Asking) -> None:
    office = await Office.open()
    await asking.payload(office.boss, VIP, box=global_id(office.desk), vip=True)
    before = clock.now()
    (event,) = await events(asking, office.boss)
    assert before - timedelta(minutes=1) < datetime.fromisoformat(event.pop("at")) <= before
    assert event == {
        "action": "mailbox.vip_on",
        "actor": {"login": "boss@nord.example"},
        "object": {"__typename": "Mailbox", "id": global_id(office.desk)},
        "remoteAddress": "192.0.2.7",
    }


async def test_what_has_no_id_or_nobody_behind_it_is_null(asking: Asking, database: Database) -> None:
    office = await Office.open()
    manager = await storage.user(None, "jo")
    await record(database, office.agency, "agency.module", manager, ("agency", office.agency.id))
    await record(database, office.agency, "session.sign_out", office.anna, ("session", office.anna.id))
    await record(database, office.agency, "user.password", None, ("user", office.anna.id))
    assert [(each["actor"], each["object"]) for each in await events(asking, office.boss)] == [
        (None, {"__typename": "User", "id": global_id(office.anna)}),
        ({"login": "anna@nord.example"}, None),
        (None, {"__typename": "Agency", "id": global_id(office.agency)}),
    ]


async def test_that_mails_were_imported_is_told_to_nobody(asking: Asking, database: Database) -> None:
    office = await Office.open()
    await record(database, office.agency, "import")
    await record(database, office.agency, audit.MAILS_IMPORTED)
    data = await asking.data(office.boss, EVENTS)
    assert data["auditEvents"]["totalCount"] == 1
    assert [each["action"] for each in data["auditEvents"]["nodes"]] == ["import"]
    assert await actions(asking, office.boss, action="import.") == []
    assert await actions(asking, office.boss, action=audit.MAILS_IMPORTED) == []
    (row,) = await database.fetch("SELECT id FROM audit_events WHERE action = $1", audit.MAILS_IMPORTED)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    name = encode(NodeKind.AUDIT_EVENT, row["id"])
    assert await asking.data(office.boss, node, id=name) == {"node": None}


async def test_nothing_of_another_agency_or_of_none_is_read(asking: Asking, database: Database) -> None:
    office = await Office.open()
    other = await storage.agency("sued")
    stranger = await storage.user(other, "boss", role=Role.ADMINISTRATOR)
    await record(database, other, "user.create", stranger, ("user", stranger.id))
    await record(database, None, "session.sign_in_failed")
    assert await events(asking, office.boss) == []
    for wanted in ({"actorId": global_id(stranger)}, {"objectId": global_id(stranger)}):
        assert await actions(asking, office.boss, **wanted) == []
        assert await actions(asking, stranger, **wanted) == ["user.create"]
    (row,) = await database.fetch("SELECT id FROM audit_events WHERE agency_id = $1", other.id)
    node = "query ($id: ID!) { node(id: $id) { id ... on AuditEvent { action } } }"
    name = encode(NodeKind.AUDIT_EVENT, row["id"])
    assert await asking.data(office.boss, node, id=name) == {"node": None}
    assert await asking.data(office.anna, node, id=name) == {"node": None}
    assert await asking.data(stranger, node, id=name) == {"node": {"id": name, "action": "user.create"}}


async def test_only_administrators_read_it(asking: Asking, database: Database) -> None:
    office = await Office.open()
    await record(database, office.agency, "user.create", office.boss)
    for who in (office.anna, await storage.user(None, "jo")):
        assert await asking.data(who, EVENTS) == {"auditEvents": None}
    assert (await asking.execute(None, EVENTS)).codes == ["UNAUTHENTICATED"]


async def test_filters_hold_at_once(asking: Asking, database: Database) -> None:
    office = await Office.open()
    box, anna, boss = ("mailbox", office.desk.id), ("user", office.anna.id), office.boss
    for action, actor, subject in (
        ("mailbox.vip_on", boss, box),
        ("mailbox.email_name", office.anna, box),
        ("mailboxes.other", boss, box),
        ("user.rights", boss, anna),
        ("session.sign_in", office.anna, ("session", office.desk.id)),
    ):
        await record(database, office.agency, action, actor, subject)
    for wanted, found in (
        ({}, ["session.sign_in", "user.rights", "mailboxes.other", "mailbox.email_name", "mailbox.vip_on"]),
        ({"actorId": global_id(boss)}, ["user.rights", "mailboxes.other", "mailbox.vip_on"]),
        ({"objectId": global_id(office.anna)}, ["user.rights"]),
        # A session whose id happens to be the mailbox's is not the mailbox.
        ({"objectId": global_id(office.desk)}, ["mailboxes.other", "mailbox.email_name", "mailbox.vip_on"]),
        ({"action": "mailbox."}, ["mailbox.email_name", "mailbox.vip_on"]),
        ({"action": "mailbox"}, []),
        ({"action": "user.rights"}, ["user.rights"]),
        ({"action": "%"}, []),
        ({"action": "mailbox.", "actorId": global_id(boss)}, ["mailbox.vip_on"]),
        ({"actorId": "nobody"}, []),
        ({"objectId": "nothing"}, []),
        ({"objectId": encode(NodeKind.ACTIVITY, office.desk.id)}, []),
    ):
        assert await actions(asking, boss, **wanted) == found, wanted


async def test_a_time_has_its_beginning_in_it_and_its_end_not(asking: Asking, database: Database) -> None:
    office = await Office.open()
    for action in ("a.one", "a.two", "a.three"):
        await record(database, office.agency, action)
    two = (await events(asking, office.boss, filter={"action": "a.two"}))[0]["at"]
    assert await actions(asking, office.boss, **{"from": two}) == ["a.three", "a.two"]
    assert await actions(asking, office.boss, until=two) == ["a.one"]
    assert await actions(asking, office.boss, **{"from": two, "until": two}) == []


@pytest.mark.parametrize("action", ["x" * 101, "\0"])
async def test_an_action_that_is_none_is_refused(asking: Asking, action: str) -> None:
    office = await Office.open()
    answer = await asking.execute(office.boss, EVENTS, filter={"action": action})
    assert answer.codes == ["INVALID_INPUT"]
    assert answer.errors[0]["extensions"]["path"] == ["filter", "action"]


async def test_pages_are_walked_and_cost_a_fixed_number_of_statements(
    asking: Asking, database: Database
) -> None:
    office = await Office.open()
    for number in range(7):
        await record(database, office.agency, f"a.{number}", office.boss, ("user", office.anna.id))
    seen: list[str] = []
    after = None
    while True:
        page = (await asking.data(office.boss, EVENTS, first=3, after=after))["auditEvents"]
        assert page["totalCount"] == 7
        seen += [each["action"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [f"a.{number}" for number in reversed(range(7))]
    backwards = (await asking.data(office.boss, EVENTS, last=2))["auditEvents"]["nodes"]
    assert [each["action"] for each in backwards] == ["a.1", "a.0"]
    request = await asking.request(office.boss)
    counts = []
    for size in (1, 7):
        with storage.statements(database) as statements:
            await asking.data(request, EVENTS, first=size)
        counts.append(len(statements))
        request.batches.clear()
    # The page, the number, actors and objects of one kind together.
    assert counts == [3, 3]


async def test_details_are_not_told(asking: Asking, database: Database) -> None:
    office = await Office.open()
    await record(database, office.agency, "mailbox.vip_off_asked", office.boss, ("mailbox", office.desk.id))
    fields = await asking.data(None, '{ __type(name: "AuditEvent") { fields { name } } }')
    names = {each["name"] for each in fields["__type"]["fields"]}
    assert names == {"id", "at", "action", "actor", "object", "remoteAddress"}
    answer = await asking.execute(office.boss, "{ auditEvents { nodes { details } } }")
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]


async def test_no_statement_changes_or_deletes_an_event(database: Database) -> None:
    office = await Office.open()
    await record(database, office.agency, "user.create")
    before = await storage.contents(database)
    for statement in ("UPDATE audit_events SET action = 'x.y'", "DELETE FROM audit_events"):
        with pytest.raises(Exception, match="audit_events"):
            await database.execute(statement)
    assert await storage.contents(database) == before
