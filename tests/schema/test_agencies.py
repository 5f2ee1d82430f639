"""Agencies: who reads which, and how account managers switch modules."""

from uuid import uuid4

import pytest

from models import derived
from models.database import Database
from models.tables.agencies import Agency, Domain, Module, ModuleName
from models.tables.mailboxes import Mailbox
from models.tables.users import OfficeGroup, OfficeGroupMember, Role, UserState
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.resolvers.offices import audited
from tests.schema.asking import Asking, Json
from tests.storage import contents, statements

pytestmark = pytest.mark.asyncio

FIELDS = (
    "__typename id name domains modules { name enabled } accountManager { name email phone } officeGroups"
)
SET = """mutation ($id: ID!, $module: ModuleName!, $enabled: Boolean!) {
  setModule(agencyId: $id, module: $module, enabled: $enabled) {
    agency { name modules { name enabled } } errors { __typename code path }
  }
}"""


def agency_id(of: Agency) -> str:
    return encode(NodeKind.AGENCY, of.id)


async def group(of: Agency, name: str) -> None:
    member = await storage.user(of, f"member-{uuid4()}", last_name="Member")
    row = await OfficeGroup.create(agency_id=of.id, name=name)
    await OfficeGroupMember.create(agency_id=of.id, group_id=row.id, user_id=member.id)


async def test_everybody_reads_ones_agency_and_administrators_its_groups(asking: Asking) -> None:
    nord, sued = await storage.agency("nord"), await storage.agency("sued", contact_name=None)
    await Domain.create(name="a.example", agency_id=nord.id)
    for name in ("b", "a", "Ä"):
        await group(nord, name)
    await group(sued, "other")
    boss = await storage.user(nord, "boss", role=Role.ADMINISTRATOR)
    expected = {
        "__typename": "Agency",
        "id": agency_id(nord),
        "name": "Nord Immobilien",
        "domains": ["a.example", "nord.example"],
        "modules": [
            {"name": "VIP_MAILBOXES", "enabled": True},
            {"name": "AUTOMATIC_BOOKING", "enabled": False},
        ],
        "accountManager": {"name": "Jo Kern", "email": "kern@provider.example", "phone": None},
        "officeGroups": ["a", "b", "Ä"],
    }
    assert await asking.data(boss, f"{{ agency {{ {FIELDS} }} }}") == {"agency": expected}
    anna = await storage.user(nord, "anna")
    assert await asking.data(anna, f"{{ agency {{ {FIELDS} }} }}") == {
        "agency": {**expected, "officeGroups": None}
    }
    other = await storage.user(sued, "boss", role=Role.ADMINISTRATOR)
    assert await asking.data(other, "{ agency { name accountManager { name } officeGroups } }") == {
        "agency": {"name": "Sued Immobilien", "accountManager": None, "officeGroups": ["other"]}
    }
    node = "query ($id: ID!) { node(id: $id) { ... on Agency { name } } agencies { totalCount } }"
    for who in (anna, boss):
        assert await asking.data(who, node, id=agency_id(sued)) == {"node": None, "agencies": None}
        assert (await asking.data(who, node, id=agency_id(nord)))["node"] == {"name": "Nord Immobilien"}


LIST = """query ($s: String, $n: Int, $after: String) {
  agencies(search: $s, first: $n, after: $after) {
    nodes { name } totalCount pageInfo { hasNextPage endCursor }
  }
}"""


async def names(asking: Asking, who: Json, **variables: object) -> list[str]:
    found = (await asking.data(who, LIST, **variables))["agencies"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["name"] for node in found["nodes"]]


async def test_account_managers_read_every_agency(asking: Asking) -> None:
    for key, name in (("c", "Öhler"), ("a", "zander"), ("d", "Ohler & Söhne"), ("b", "Abel 100%")):
        await Agency.create(key=key, name=name, fold_name=derived.agency_order(name))
    agency = await storage.agency("nord")
    manager = await storage.user(None, "manager")
    assert await names(asking, manager) == [
        "Abel 100%",
        "Nord Immobilien",
        "Öhler",
        "Ohler & Söhne",
        "zander",
    ]
    for search, expected in (
        ("ÖHLER", ["Öhler", "Ohler & Söhne"]),
        ("ohler sohne", ["Ohler & Söhne"]),
        ("100%", ["Abel 100%"]),
        ("%", ["Abel 100%"]),
        ("_", []),
        (" ", ["Abel 100%", "Nord Immobilien", "Öhler", "Ohler & Söhne", "zander"]),
    ):
        assert await names(asking, manager, s=search) == expected, search
    first = (await asking.data(manager, LIST, n=2))["agencies"]
    assert [node["name"] for node in first["nodes"]] == ["Abel 100%", "Nord Immobilien"]
    assert first["pageInfo"]["hasNextPage"] is True
    following = await asking.data(manager, LIST, n=3, after=first["pageInfo"]["endCursor"])
    assert [node["name"] for node in following["agencies"]["nodes"]] == ["Öhler", "Ohler & Söhne", "zander"]
    node = f"query ($id: ID!) {{ agency {{ id }} node(id: $id) {{ ... on Agency {{ {FIELDS} }} }} }}"
    found = await asking.data(manager, node, id=agency_id(agency))
    assert found["agency"] is None
    assert found["node"]["name"] == "Nord Immobilien"
    assert found["node"]["officeGroups"] is None


async def test_who_may_not_read_agencies_is_told_nothing_of_the_arguments(asking: Asking) -> None:
    anna = await storage.user(await storage.agency("nord"), "anna")
    assert await asking.data(anna, LIST, s="x" * 201, n=0, after="x") == {"agencies": None}
    manager = await storage.user(None, "manager")
    for variables, path in (({"s": "x" * 201}, "search"), ({"n": 0}, "first"), ({"after": "x"}, "after")):
        answer = await asking.execute(manager, LIST, **variables)
        assert (answer.data, answer.codes) == ({"agencies": None}, ["INVALID_INPUT"])
        assert answer.errors[0]["extensions"]["path"] == [path]
    answer = await asking.execute(None, LIST)
    assert (answer.data, answer.codes) == ({"agencies": None}, ["UNAUTHENTICATED"])


async def test_agencies_cost_a_fixed_number_of_statements(asking: Asking, database: Database) -> None:
    for key in ("a", "b", "c"):
        await storage.agency(key)
    request = await asking.request(await storage.user(None, "manager"))
    with statements(database) as seen:
        data = await asking.data(
            request,
            "{ agencies { nodes { domains modules { enabled } accountManager { name } officeGroups } } }",
        )
    assert len(data["agencies"]["nodes"]) == 3
    assert len(seen) == 3


# ---------------------------------------------------------------- setModule


def refusal(kind: str, code: str, *path: str) -> Json:
    return {"agency": None, "errors": [{"__typename": kind, "code": code, "path": list(path) or None}]}


async def test_an_account_manager_switches_modules(asking: Asking) -> None:
    nord = await storage.agency("nord", modules=())
    await storage.agency("sued", modules=())
    manager = await storage.user(None, "manager")
    vip = {"id": agency_id(nord), "module": "VIP_MAILBOXES"}

    def answered(*, enabled: bool) -> Json:
        modules = [
            {"name": "VIP_MAILBOXES", "enabled": enabled},
            {"name": "AUTOMATIC_BOOKING", "enabled": False},
        ]
        return {"agency": {"name": "Nord Immobilien", "modules": modules}, "errors": []}

    for enabled in (True, False, True):
        assert await asking.payload(manager, SET, **vip, enabled=enabled) == answered(enabled=enabled)
    assert [(row.name, row.enabled) for row in await Module.all()] == [(ModuleName.VIP_MAILBOXES, True)]
    expected = {
        "actor": manager.id,
        "subject": ("agency", nord.id),
        "from": "192.0.2.7",
        "module": "VIP_MAILBOXES",
    }
    assert await audited("agency.module") == [
        {**expected, "enabled": enabled} for enabled in (True, False, True)
    ]


async def test_a_module_as_it_is_already_changes_nothing(asking: Asking) -> None:
    nord = await storage.agency("nord")
    request = await asking.request(await storage.user(None, "manager"))
    before = await contents(asking.database)
    for module, enabled in (("VIP_MAILBOXES", True), ("AUTOMATIC_BOOKING", False)):
        payload = await asking.payload(request, SET, id=agency_id(nord), module=module, enabled=enabled)
        assert payload["errors"] == []
    assert await contents(asking.database) == before


async def test_mailboxes_stay_vip_without_the_module(asking: Asking) -> None:
    nord = await storage.agency("nord")
    box = await storage.mailbox(nord, "chef", vip=True)
    manager = await storage.user(None, "manager")
    await asking.payload(manager, SET, id=agency_id(nord), module="VIP_MAILBOXES", enabled=False)
    assert (await Mailbox.get(id=box.id)).vip is True


async def test_nobody_else_switches_modules(asking: Asking) -> None:
    nord, sued = await storage.agency("nord"), await storage.agency("sued")
    boss = await storage.user(nord, "boss", role=Role.ADMINISTRATOR)
    forbidden = refusal("ForbiddenError", "FORBIDDEN")
    absent = refusal("NotFoundError", "NOT_FOUND", "agencyId")
    signed_out = refusal("UnauthenticatedError", "UNAUTHENTICATED")
    manager = await storage.user(None, "manager")
    locked = await storage.user(None, "locked", state=UserState.LOCKED)
    for who, target, expected in (
        (None, agency_id(nord), signed_out),
        (locked, agency_id(nord), signed_out),
        (await storage.user(nord, "anna"), agency_id(nord), forbidden),
        (boss, agency_id(nord), forbidden),
        (boss, agency_id(sued), absent),
        (boss, "x", absent),
        (manager, "", absent),
        (manager, "\ud800", absent),
        (manager, encode(NodeKind.AGENCY, uuid4()), absent),
        (manager, encode(NodeKind.USER, nord.id), absent),
    ):
        request = await asking.request(who)
        before = await contents(asking.database)
        payload = await asking.payload(request, SET, id=target, module="AUTOMATIC_BOOKING", enabled=True)
        assert payload == expected
        assert await contents(asking.database) == before
