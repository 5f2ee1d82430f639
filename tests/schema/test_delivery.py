"""Letters with credentials over the schema: the payload, who reads which letter, and what is told of one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models import clock
from models.database import Unit
from models.tables.letters import CredentialDelivery
from models.tables.users import User
from resolvers.deliveries import teller
from resolvers.events import events_of
from resolvers.request import Request
from schema import schema
from schema.context import Context
from tests import storage
from tests.resolvers.offices import Office, box_id, new_password
from tests.schema.asking import Asking, Json
from tests.storage import statements

pytestmark = pytest.mark.asyncio

ERRORS = "errors { __typename code path ... on RateLimitedError { retryAfter } }"
SEND = f"""mutation ($input: SendMailboxCredentialsInput!) {{
  sendMailboxCredentials(input: $input) {{
    delivery {{
      id mailbox {{ address }} to content state attempts failure requestedBy {{ login }} requestedAt expiresAt sentAt openedAt
    }} {ERRORS}
  }}
}}"""
LETTERS = """query ($box: ID!) {
  node(id: $box) { ... on Mailbox { deliveries { totalCount nodes { to requestedBy { login } } } } }
}"""
NODE = "query ($id: ID!) { node(id: $id) { ... on CredentialDelivery { to } } }"
LISTEN = "subscription ($id: ID!) { credentialDeliveryChanged(deliveryId: $id) { state attempts failure } }"
WAIT = 20


async def open_office(asking: Asking) -> Office:
    """Anna is assigned to the desk, which has a password."""
    office = await Office.open()
    await storage.period(office.desk, office.anna)
    await new_password(asking.database, asking.services.seals, office.desk)
    return office


async def sent(asking: Asking, who: User, office: Office, to: str) -> str:
    answer = await asking.payload(who, SEND, input={"mailboxId": box_id(office.desk), "to": to})
    assert answer["errors"] == []
    found: str = answer["delivery"]["id"]
    return found


async def test_a_letter_is_answered_as_it_waits(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    office = await open_office(asking)
    now = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: now)
    wanted = {"mailboxId": box_id(office.desk), "to": "anna@home.example"}
    answer = await asking.payload(office.anna, SEND, input=wanted)
    instant = now.isoformat().replace("+00:00", "Z")
    assert answer.pop("errors") == []
    assert answer["delivery"].pop("id")
    assert answer["delivery"] == {
        "mailbox": {"address": "desk@nord.example"},
        "to": "anna@home.example",
        "content": "ONE_TIME_LINK",
        "state": "QUEUED",
        "attempts": 0,
        "failure": None,
        "requestedBy": {"login": "anna@nord.example"},
        "requestedAt": instant,
        "expiresAt": (now + timedelta(hours=72)).isoformat().replace("+00:00", "Z"),
        "sentAt": None,
        "openedAt": None,
    }
    assert await asking.payload(office.anna, SEND, input=wanted) == {
        "delivery": None,
        "errors": [
            {
                "__typename": "RateLimitedError",
                "code": "RATE_LIMITED",
                "path": ["input", "to"],
                "retryAfter": 60,
            }
        ],
    }
    assert await asking.payload(office.anna, SEND, input=wanted | {"content": "PASSWORD"}) == {
        "delivery": None,
        "errors": [{"__typename": "ForbiddenError", "code": "FORBIDDEN", "path": ["input", "content"]}],
    }


async def test_letters_are_read_by_whoever_asked_and_those_assigned_now(asking: Asking) -> None:
    office = await open_office(asking)
    deputy = await storage.user(office.agency, "deputy", role=office.boss.role)
    by_anna = await sent(asking, office.anna, office, "a@home.example")
    by_boss = await sent(asking, office.boss, office, "b@home.example")

    async def read(who: User) -> Json:
        found = await asking.data(who, LETTERS, box=box_id(office.desk))
        listed = found["node"]["deliveries"]
        nodes = [await asking.data(who, NODE, id=each) for each in (by_anna, by_boss)]
        visible = [each["node"]["to"] for each in nodes if each["node"] is not None]
        if listed is None:
            return visible, None
        assert listed["totalCount"] == len(listed["nodes"])
        return visible, [(each["to"], each["requestedBy"]["login"]) for each in listed["nodes"]]

    b = ("b@home.example", "boss@nord.example")
    assert await read(office.anna) == (
        ["a@home.example", "b@home.example"],
        [b, ("a@home.example", "anna@nord.example")],
    )
    assert await read(office.boss) == (["b@home.example"], [b])
    assert await read(deputy) == ([], [])
    # Whoever asked reads it on, although nothing more of the mailbox.
    await asking.database.execute("UPDATE mailboxes SET vip = $1", True)  # noqa: FBT003 (a column)
    assert await read(office.boss) == (["b@home.example"], None)
    await asking.database.execute("UPDATE assignments SET until = $1", clock.now())
    assert await read(office.anna) == (["a@home.example"], None)


async def test_letters_of_many_mailboxes_cost_a_fixed_number_of_statements(asking: Asking) -> None:
    office = await open_office(asking)
    queries = (
        "{ mailboxes { nodes { suggestedRecipients { address user { login } } } } }",
        "{ mailboxes { nodes { deliveries { nodes { to mailbox { address } requestedBy { login } } } } } }",
    )
    counted = []
    for number in range(3):
        await sent(asking, office.boss, office, f"a{number}@home.example")
        for query in queries:
            request = await asking.request(office.boss)
            with statements(asking.database) as ran:
                await asking.data(request, query)
            counted.append(len(ran))
        box = await storage.mailbox(office.agency, f"box{number}")
        await new_password(asking.database, asking.services.seals, box)
        who = await storage.user(office.agency, f"user{number}", email=f"u{number}@home.example")
        await storage.period(box, who)
    # The first time nobody was suggested, so nobody was looked up.
    assert counted == [2, 4, 3, 4, 3, 4]


# ---------------------------------------------------------------- live


async def listening(asking: Asking, who: User | Request, delivery_id: str) -> AsyncIterator[Any]:
    request = who if isinstance(who, Request) else await asking.request(who)
    stream = await schema.subscribe(LISTEN, {"id": delivery_id}, Context(request))
    async for result in stream:
        if result.errors:
            yield [(error.extensions or {})["code"] for error in result.errors]
        else:
            assert result.data is not None
            yield result.data["credentialDeliveryChanged"]


async def change(asking: Asking, statement: str) -> None:
    """Change the only letter, and tell it."""
    (row,) = await CredentialDelivery.all()

    async def work(unit: Unit) -> None:
        await unit.execute(f"UPDATE credential_deliveries SET {statement}")
        await teller(asking.services.events)(unit, row.id)

    await asking.database.transact(work)


async def heard_first(asking: Asking, heard: AsyncIterator[Any]) -> int:
    """Try the letter again and again until the listener is there; return the attempt that was heard."""
    first, attempts = asyncio.ensure_future(anext(heard)), 0
    while not first.done():
        attempts += 1
        await change(asking, f"attempts = {attempts}, failure = '450 later'")
        await asyncio.wait([first], timeout=0.05)
    told = await first
    assert told == {"state": "QUEUED", "attempts": told["attempts"], "failure": "450 later"}
    return attempts


async def test_each_change_is_told_and_nothing_twice(asking: Asking) -> None:
    office = await open_office(asking)
    wanted = await sent(asking, office.anna, office, "a@home.example")
    heard = listening(asking, office.anna, wanted)
    last = await heard_first(asking, heard)
    await asking.database.execute("DELETE FROM outbox_letters")
    for _ in range(2):
        await change(asking, "state = 'SENT', sent_at = requested_at, failure = NULL")
    told = await asyncio.wait_for(anext(heard), WAIT)
    while told["state"] == "QUEUED":
        # Attempts that were told before the listener kept up.
        told = await asyncio.wait_for(anext(heard), WAIT)
    assert told == {"state": "SENT", "attempts": last, "failure": None}
    await change(asking, "failure = 'other'")
    assert (await asyncio.wait_for(anext(heard), WAIT))["failure"] == "other"
    await heard.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", ["SENT", "FAILED"])
async def test_who_listens_late_hears_at_once_what_it_came_to(asking: Asking, state: str) -> None:
    office = await open_office(asking)
    wanted = await sent(asking, office.anna, office, "a@home.example")
    await asking.database.execute("DELETE FROM outbox_letters")
    sent_at = "requested_at" if state == "SENT" else "NULL"
    await asking.database.execute(f"UPDATE credential_deliveries SET state = '{state}', sent_at = {sent_at}")
    heard = listening(asking, office.anna, wanted)
    assert await asyncio.wait_for(anext(heard), WAIT) == {"state": state, "attempts": 0, "failure": None}
    await heard.aclose()  # type: ignore[attr-defined]


async def test_nobody_else_hears_and_nobody_hears_what_is_no_longer_his(asking: Asking) -> None:
    office = await open_office(asking)
    wanted = await sent(asking, office.boss, office, "b@home.example")
    ben = await storage.user(office.agency, "ben")
    for wrong in (wanted, box_id(office.desk), "", "\0"):
        assert await asyncio.wait_for(anext(listening(asking, ben, wrong)), WAIT) == ["NOT_FOUND"]
    heard = listening(asking, office.anna, wanted)
    await heard_first(asking, heard)
    await asking.database.execute("UPDATE assignments SET until = $1", clock.now())
    await change(asking, "attempts = 100")
    await asking.database.execute("UPDATE sessions SET ended_at = opened_at")
    await change(asking, "attempts = 101")
    # What was told while she was assigned may still be heard; after that the session has ended.
    rest = [told["attempts"] async for told in heard]
    assert all(attempts < 100 for attempts in rest)


async def test_a_change_in_one_process_is_heard_in_another(asking: Asking) -> None:
    """Each process has a bus of its own; with SQLite there is one process."""
    office = await open_office(asking)
    wanted = await sent(asking, office.anna, office, "a@home.example")
    here = events_of(asking.database.url)
    there = here if asking.database.is_sqlite else events_of(asking.database.url)
    asker, listener = (Asking(asking.database, replace(asking.services, events=bus)) for bus in (here, there))
    await here.open()
    await there.open()
    try:
        heard = listening(listener, office.anna, wanted)
        await heard_first(asker, heard)
        await heard.aclose()  # type: ignore[attr-defined]
    finally:
        await there.close()
        await here.close()
