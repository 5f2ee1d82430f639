"""Changing mailboxes and assignments over the schema: each payload whole, and each error with what helps."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from models.database import Database
from models.tables.agencies import ModuleName
from models.tables.mailboxes import Assignment, Mailbox
from models.tables.users import Role, UserState
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.resolvers.offices import Office, box_id, user_id
from tests.schema.asking import Asking, Json
from tests.storage import LONG_AGO, contents, statements

pytestmark = pytest.mark.asyncio

ERRORS = """errors {
  __typename code path
  ... on ModuleNotEnabledError { module accountManager { name email phone } }
  ... on ConfirmationRequiredError { entriesOpened }
  ... on RateLimitedError { retryAfter }
}"""
BOX = (
    f"mailbox {{ address emailName vip active receivingStopsAt automaticBooking viewerIsAssigned }} {ERRORS}"
)
PERIOD = f"assignment {{ id from until user {{ login }} mailbox {{ address viewerIsAssigned }} }} {ERRORS}"
CREATE = f"mutation ($input: CreateMailboxInput!) {{ createMailbox(input: $input) {{ {BOX} }} }}"
NAME = f"""mutation ($box: ID!, $name: String) {{
  setMailboxEmailName(mailboxId: $box, emailName: $name) {{ {BOX} }}
}}"""
VIP = f"""mutation ($box: ID!, $vip: Boolean!, $confirm: Boolean) {{
  setMailboxVip(mailboxId: $box, vip: $vip, confirm: $confirm) {{ {BOX} }}
}}"""
BOOKING = f"""mutation ($box: ID!, $on: Boolean!) {{
  setMailboxAutomaticBooking(mailboxId: $box, automaticBooking: $on) {{ {BOX} }}
}}"""
ACTIVE = (
    f"mutation ($box: ID!, $on: Boolean!) {{ setMailboxActive(mailboxId: $box, active: $on) {{ {BOX} }} }}"
)
ASSIGN = f"mutation ($box: ID!, $user: ID!) {{ assignUser(mailboxId: $box, userId: $user) {{ {PERIOD} }} }}"
UNASSIGN = (
    f"mutation ($box: ID!, $user: ID!) {{ unassignUser(mailboxId: $box, userId: $user) {{ {PERIOD} }} }}"
)

DESK = {
    "address": "desk@nord.example",
    "emailName": None,
    "vip": False,
    "active": True,
    "receivingStopsAt": None,
    "automaticBooking": False,
    "viewerIsAssigned": False,
}

Given = Callable[[Office], dict[str, object]]
CALLS: dict[str, tuple[str, str, Given]] = {
    "create": (CREATE, "mailbox", lambda _: {"input": {"address": "new@nord.example"}}),
    "name": (NAME, "mailbox", lambda office: {"box": box_id(office.desk), "name": "Desk"}),
    "vip": (VIP, "mailbox", lambda office: {"box": box_id(office.desk), "vip": True}),
    "booking": (BOOKING, "mailbox", lambda office: {"box": box_id(office.desk), "on": True}),
    "active": (ACTIVE, "mailbox", lambda office: {"box": box_id(office.desk), "on": False}),
    "assign": (
        ASSIGN,
        "assignment",
        lambda office: {"box": box_id(office.desk), "user": user_id(office.boss)},
    ),
    "unassign": (
        UNASSIGN,
        "assignment",
        lambda office: {"box": box_id(office.desk), "user": user_id(office.anna)},
    ),
}


def done(**changes: object) -> Json:
    return {"mailbox": {**DESK, **changes}, "errors": []}


def refusal(name: str, kind: str, code: str, *path: str, **more: object) -> Json:
    return {name: None, "errors": [{"__typename": kind, "code": code, "path": list(path) or None, **more}]}


@pytest.mark.parametrize("call", CALLS)
async def test_who_may_not_change_is_told_so_and_changes_nothing(asking: Asking, call: str) -> None:
    office = await Office.open()
    await storage.period(office.desk, office.anna)
    mutation, name, given = CALLS[call]
    stranger = await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR)
    manager = await storage.user(None, "manager")
    unreadable = refusal(name, "NotFoundError", "NOT_FOUND", "mailboxId")
    expected = [
        (None, refusal(name, "UnauthenticatedError", "UNAUTHENTICATED")),
        (office.anna, refusal(name, "ForbiddenError", "FORBIDDEN")),
        (manager, refusal(name, "NotFoundError", "NOT_FOUND") if call == "create" else unreadable),
        (
            stranger,
            refusal(name, "InvalidInputError", "INVALID_INPUT", "input", "address")
            if call == "create"
            else unreadable,
        ),
    ]
    for who, payload in expected:
        request = await asking.request(who)
        before = await contents(asking.database)
        assert await asking.payload(request, mutation, **given(office)) == payload
        assert await contents(asking.database) == before


@pytest.mark.parametrize("call", [call for call in CALLS if call != "create"])
async def test_a_wrong_id_is_not_found(asking: Asking, call: str) -> None:
    office = await Office.open()
    mutation, name, given = CALLS[call]
    request = await asking.request(office.boss)
    before = await contents(asking.database)
    for wrong in ("", "nonsense", user_id(office.boss), encode(NodeKind.MAILBOX, uuid4()), "\0", "\ud800"):
        variables = {**given(office), "box": wrong}
        assert await asking.payload(request, mutation, **variables) == refusal(
            name, "NotFoundError", "NOT_FOUND", "mailboxId"
        )
    assert await contents(asking.database) == before


async def test_making_a_mailbox(asking: Asking) -> None:
    office = await Office.open()
    asked: Json = {"address": "Info@NORD.example"}
    assert await asking.payload(office.boss, CREATE, input=asked) == done(address="info@nord.example")
    asked = {"address": "chef@nord.example", "emailName": " Chef ", "vip": True}
    assert await asking.payload(office.boss, CREATE, input=asked) == done(
        address="chef@nord.example", emailName="Chef", vip=True
    )
    before = await contents(asking.database, "sessions")
    taken = refusal("mailbox", "ConflictError", "CONFLICT", "input", "address")
    assert await asking.payload(office.boss, CREATE, input={"address": "CHEF@nord.example"}) == taken
    for address in ("info@sued.example", "info", "", "\ud800@nord.example"):
        assert await asking.payload(office.boss, CREATE, input={"address": address}) == refusal(
            "mailbox", "InvalidInputError", "INVALID_INPUT", "input", "address"
        )
    name = {"address": "new@nord.example", "emailName": "a\nb"}
    assert await asking.payload(office.boss, CREATE, input=name) == refusal(
        "mailbox", "InvalidInputError", "INVALID_INPUT", "input", "emailName"
    )
    assert await contents(asking.database, "sessions") == before


async def test_changing_a_name(asking: Asking) -> None:
    office = await Office.open()
    box = box_id(office.desk)
    assert await asking.payload(office.boss, NAME, box=box, name=" Büro ") == done(emailName="Büro")
    assert await asking.payload(office.boss, NAME, box=box, name="a@b.example") == refusal(
        "mailbox", "InvalidInputError", "INVALID_INPUT", "emailName"
    )
    assert (await Mailbox.get(id=office.desk.id)).email_name == "Büro"
    assert await asking.payload(office.boss, NAME, box=box, name=None) == done()
    await asking.payload(office.boss, NAME, box=box, name="Büro")
    assert await asking.payload(office.boss, NAME, box=box) == done()


@pytest.mark.parametrize(
    "call,module", [("vip", ModuleName.VIP_MAILBOXES), ("booking", ModuleName.AUTOMATIC_BOOKING)]
)
async def test_a_missing_module_comes_with_whom_to_ask(asking: Asking, call: str, module: ModuleName) -> None:
    agency = await storage.agency("nord", modules=())
    boss = await storage.user(agency, "boss", role=Role.ADMINISTRATOR)
    office = Office(agency, boss, await storage.user(agency, "anna"), await storage.mailbox(agency, "desk"))
    mutation, name, given = CALLS[call]
    before = await contents(asking.database, "sessions")
    assert await asking.payload(boss, mutation, **given(office)) == refusal(
        name,
        "ModuleNotEnabledError",
        "MODULE_NOT_ENABLED",
        module=module.value,
        accountManager={"name": "Jo Kern", "email": "kern@provider.example", "phone": None},
    )
    assert await contents(asking.database, "sessions") == before


@pytest.mark.parametrize("unconfirmed", [{}, {"confirm": False}, {"confirm": None}])
async def test_switching_vip_off_asks_first(asking: Asking, unconfirmed: dict[str, bool | None]) -> None:
    office = await Office.open()
    box = box_id(office.desk)
    for text in ("one", "two"):
        await storage.mail(office.agency, office.desk, text=text)
    assert await asking.payload(office.boss, VIP, box=box, vip=True) == done(vip=True)
    asked = refusal(
        "mailbox", "ConfirmationRequiredError", "CONFIRMATION_REQUIRED", "confirm", entriesOpened=2
    )
    for _ in range(10):
        assert await asking.payload(office.boss, VIP, box=box, vip=False, **unconfirmed) == asked
    [limited] = (await asking.payload(office.boss, VIP, box=box, vip=False, **unconfirmed))["errors"]
    retry_after = limited.pop("retryAfter")
    assert limited == {"__typename": "RateLimitedError", "code": "RATE_LIMITED", "path": None}
    assert 500 < retry_after <= 600
    assert await asking.payload(office.boss, VIP, box=box, vip=False, confirm=True) == done()
    assert await asking.payload(office.boss, VIP, box=box, vip=False, **unconfirmed) == done()


async def test_switching_off_and_on(asking: Asking) -> None:
    office = await Office.open()
    box = box_id(office.desk)
    off = await asking.payload(office.boss, ACTIVE, box=box, on=False)
    stops = off["mailbox"]["receivingStopsAt"]
    assert off == done(active=False, receivingStopsAt=stops)
    [row] = await Mailbox.all()
    assert datetime.fromisoformat(stops) == row.receiving_stops_at
    assert await asking.payload(office.boss, ACTIVE, box=box, on=True) == done()


async def test_automatic_booking_is_stored(asking: Asking) -> None:
    agency = await storage.agency("nord", modules=(ModuleName.AUTOMATIC_BOOKING,))
    boss = await storage.user(agency, "boss", role=Role.ADMINISTRATOR)
    box = box_id(await storage.mailbox(agency, "desk"))
    assert await asking.payload(boss, BOOKING, box=box, on=True) == done(automaticBooking=True)
    assert await asking.payload(boss, BOOKING, box=box, on=False) == done()


async def test_assigning_and_unassigning(asking: Asking) -> None:
    office = await Office.open()
    variables = {"box": box_id(office.desk), "user": user_id(office.boss)}
    begun = await asking.payload(office.boss, ASSIGN, **variables)
    [row] = await Assignment.all()
    assert datetime.fromisoformat(begun["assignment"]["from"]) == row.since
    expected = {
        "id": encode(NodeKind.MAILBOX_ASSIGNMENT, row.id),
        "from": begun["assignment"]["from"],
        "until": None,
        "user": {"login": "boss@nord.example"},
        "mailbox": {"address": "desk@nord.example", "viewerIsAssigned": True},
    }
    assert begun == {"assignment": expected, "errors": []}
    assert await asking.payload(office.boss, ASSIGN, **variables) == begun
    ended = await asking.payload(office.boss, UNASSIGN, **variables)
    until = ended["assignment"]["until"]
    [row] = await Assignment.all()
    assert datetime.fromisoformat(until) == row.until
    gone = {"address": "desk@nord.example", "viewerIsAssigned": False}
    assert ended == {"assignment": {**expected, "until": until, "mailbox": gone}, "errors": []}
    assert await asking.payload(office.boss, UNASSIGN, **variables) == ended


async def test_assigning_whom_one_cannot(asking: Asking) -> None:
    office = await Office.open()
    box = box_id(office.desk)
    locked = await storage.user(office.agency, "locked", state=UserState.LOCKED)
    stranger = await storage.user(await storage.agency("sued"), "anna")
    before = await contents(asking.database, "sessions")
    for user, kind, code in (
        (user_id(locked), "ConflictError", "CONFLICT"),
        (user_id(stranger), "NotFoundError", "NOT_FOUND"),
        ("nonsense", "NotFoundError", "NOT_FOUND"),
    ):
        assert await asking.payload(office.boss, ASSIGN, box=box, user=user) == refusal(
            "assignment", kind, code, "userId"
        )
    for user in (user_id(office.anna), user_id(stranger)):
        assert await asking.payload(office.boss, UNASSIGN, box=box, user=user) == refusal(
            "assignment", "NotFoundError", "NOT_FOUND", "userId"
        )
    assert await contents(asking.database, "sessions") == before


async def test_each_payload_tells_of_the_moment_after_its_own_change(asking: Asking) -> None:
    office = await Office.open()
    vip = "setMailboxVip(mailboxId: $box, vip: {}, confirm: true) {{ {} }}"
    seen = "mailbox { vip events { nodes { kind } } assignedUsers { nodes { login } } }"
    found = await asking.data(
        office.boss,
        f"""mutation ($box: ID!, $user: ID!) {{
          on: {vip.format("true", seen)}
          assign: assignUser(mailboxId: $box, userId: $user) {{ assignment {{ {seen} }} }}
          off: {vip.format("false", seen)}
          unassign: unassignUser(mailboxId: $box, userId: $user) {{ assignment {{ {seen} }} }}
        }}""",
        box=box_id(office.desk),
        user=user_id(office.anna),
    )

    def box(*kinds: str, vip: bool, users: tuple[str, ...] = ()) -> Json:
        return {
            "mailbox": {
                "vip": vip,
                "events": {"nodes": [{"kind": kind} for kind in kinds]},
                "assignedUsers": {"nodes": [{"login": f"{user}@nord.example"} for user in users]},
            }
        }

    assert found == {
        "on": box("VIP_ON", vip=True),
        "assign": {"assignment": box("VIP_ON", vip=True, users=("anna",))},
        "off": box("VIP_OFF", "VIP_ON", vip=False, users=("anna",)),
        "unassign": {"assignment": box("VIP_OFF", "VIP_ON", vip=False)},
    }


async def test_a_change_costs_a_fixed_number_of_statements(asking: Asking, database: Database) -> None:
    office = await Office.open()
    counts = []
    for number in range(2):
        for _ in range(5 * number):
            box = await storage.mailbox(office.agency, f"box{uuid4().hex[:8]}")
            await storage.period(box, office.anna, LONG_AGO, LONG_AGO + timedelta(days=1))
            await storage.mail(office.agency, box, office.desk, readers=(office.anna,))
        for mutation, variables in (
            (ASSIGN, {"user": user_id(office.anna)}),
            (UNASSIGN, {"user": user_id(office.anna)}),
            (VIP, {"vip": True}),
            (VIP, {"vip": False, "confirm": True}),
        ):
            request = await asking.request(office.boss)
            with statements(database) as seen:
                payload = await asking.payload(request, mutation, box=box_id(office.desk), **variables)
            assert payload["errors"] == []
            counts.append(len(seen))
    assert counts[:4] == counts[4:]
