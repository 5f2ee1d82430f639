"""Reading users: lists, searches, single ones, and what it costs."""

import pytest

from models.database import Database
from models.tables.users import OfficeGroup, OfficeGroupMember, ReadLevel, Role, User, UserState
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.schema.asking import Asking
from tests.storage import statements

pytestmark = pytest.mark.asyncio

EVERYTHING = """
  __typename id login firstName lastName name email emailName language role state
  officeGroups activityReadLevel agentsLogReadLevel
  mailboxes { nodes { address } totalCount pageInfo { hasNextPage } }
"""


def user_id(who: User) -> str:
    return encode(NodeKind.USER, who.id)


async def join(who: User, *names: str) -> None:
    """Makes a user a member of groups."""
    agency_id = (await User.get(id=who.id).values("agency_id"))["agency_id"]
    for name in names:
        group, _ = await OfficeGroup.get_or_create(agency_id=agency_id, name=name)
        await OfficeGroupMember.create(agency_id=agency_id, group_id=group.id, user_id=who.id)


async def test_the_viewer_reads_everything_of_oneself(asking: Asking) -> None:
    nord = await storage.agency("nord")
    anna = await storage.user(
        nord,
        "anna",
        first_name="Anna",
        last_name="Petersen",
        email="anna@home.example",
        email_name="Anna P.",
        activity_read_level=ReadLevel.OFFICE_GROUP,
        agents_log_read_level=ReadLevel.NOTHING,
    )
    await join(anna, "sales", "Büro")
    for local in ("b", "a", "c"):
        await storage.period(await storage.mailbox(nord, local), anna)
    left = await storage.mailbox(nord, "left")
    await storage.period(left, anna, until=storage.LONG_AGO.replace(year=2021))
    assert await asking.data(anna, f"{{ viewer {{ {EVERYTHING} }} }}") == {
        "viewer": {
            "__typename": "User",
            "id": user_id(anna),
            "login": "anna@nord.example",
            "firstName": "Anna",
            "lastName": "Petersen",
            "name": "Anna Petersen",
            "email": "anna@home.example",
            "emailName": "Anna P.",
            "language": "de",
            "role": "USER",
            "state": "ACTIVE",
            "officeGroups": ["Büro", "sales"],
            "activityReadLevel": "OFFICE_GROUP",
            "agentsLogReadLevel": "NOTHING",
            "mailboxes": {
                "nodes": [{"address": f"{local}@nord.example"} for local in "abc"],
                "totalCount": 3,
                "pageInfo": {"hasNextPage": False},
            },
        }
    }


async def test_the_private_part_is_for_administrators_and_that_user(asking: Asking) -> None:
    nord = await storage.agency("nord")
    anna = await storage.user(nord, "anna", email="anna@home.example")
    private = "email officeGroups activityReadLevel agentsLogReadLevel mailboxes { totalCount }"
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on User {{ login {private} }} }} }}"
    boss = await storage.user(nord, "boss", role=Role.ADMINISTRATOR)
    for who in (anna, boss):
        assert await asking.data(who, query, id=user_id(anna)) == {
            "node": {
                "login": "anna@nord.example",
                "email": "anna@home.example",
                "officeGroups": [],
                "activityReadLevel": "OWN",
                "agentsLogReadLevel": "OWN",
                "mailboxes": {"totalCount": 0},
            }
        }
    colleague = await storage.user(nord, "colleague", activity_read_level=ReadLevel.ALL)
    assert await asking.data(colleague, query, id=user_id(anna)) == {
        "node": {
            "login": "anna@nord.example",
            "email": None,
            "officeGroups": None,
            "activityReadLevel": None,
            "agentsLogReadLevel": None,
            "mailboxes": None,
        }
    }


async def test_nobody_signed_in(asking: Asking) -> None:
    assert await asking.data(None, "{ viewer { id } __typename }") == {"viewer": None, "__typename": "Query"}
    answer = await asking.execute(None, "{ users { totalCount } }")
    assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])
    assert answer.errors[0]["path"] == ["users"]


async def logins(asking: Asking, who: User, arguments: str = "", **variables: object) -> list[str]:
    declared = {"s": "$s: String"}
    head = ", ".join(declared[name] for name in variables)
    query = f"query {f'({head})' if head else ''} {{ users{arguments} {{ nodes {{ login }} totalCount }} }}"
    found = (await asking.data(who, query, **variables))["users"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["login"].partition("@")[0] for node in found["nodes"]]


async def test_users_are_listed_by_last_name_first_name_login(asking: Asking) -> None:
    nord = await storage.agency("nord")
    asks = await storage.user(nord, "z", first_name="Zoe", last_name="Zander")
    for login, first, last in (
        ("e", "Zoe", "Östrand"),
        ("d", "anna", "osterman"),
        ("c2", "Ben", "Abel"),
        ("c1", "ben", "ABEL"),
        ("b", "Ämilie", "Abel"),
        ("f", "Ann", "Abel Stein"),
    ):
        await storage.user(nord, login, first_name=first, last_name=last)
    await storage.user(await storage.agency("sued"), "other")
    manager = await storage.user(None, "manager")
    assert await logins(asking, asks) == ["b", "c1", "c2", "f", "d", "e", "z"]
    assert await logins(asking, manager) == []


async def test_a_state_and_a_search_narrow_the_list(asking: Asking) -> None:
    nord = await storage.agency("nord")
    anna = await storage.user(nord, "anna", last_name="Großmann", email="private@home.example")
    await storage.user(nord, "locked", last_name="100%ig", state=UserState.LOCKED)
    await storage.user(nord, "gone", last_name="GROSSKOPF", state=UserState.DEACTIVATED)
    assert await logins(asking, anna) == ["locked", "gone", "anna"]
    for state, expected in (("ACTIVE", ["anna"]), ("LOCKED", ["locked"]), ("DEACTIVATED", ["gone"])):
        assert await logins(asking, anna, f"(state: {state})") == expected
    assert await logins(asking, anna, "(state: null, search: null, first: null)") == [
        "locked",
        "gone",
        "anna",
    ]
    for search, expected in (
        ("gross", ["gone", "anna"]),
        ("  GROSS   kopf ", ["gone"]),
        ("GROß NORD.example kim", ["gone", "anna"]),
        ("%", ["locked"]),
        ("_", []),
        ("100%ig", ["locked"]),
        ("\\", []),
        ("'", []),
        ("kimgross", []),
        ("home", []),
        ("  ", ["locked", "gone", "anna"]),
        ("", ["locked", "gone", "anna"]),
    ):
        assert await logins(asking, anna, "(search: $s)", s=search) == expected, search


@pytest.mark.parametrize("search", ["x" * 201, "a\0", "\ud800"])
async def test_a_search_that_is_none(asking: Asking, search: str) -> None:
    who = await storage.user(await storage.agency("nord"), "anna")
    answer = await asking.execute(who, "query ($s: String) { users(search: $s) { totalCount } }", s=search)
    assert (answer.data, answer.codes) == (None, ["INVALID_INPUT"])
    assert answer.errors[0]["extensions"]["path"] == ["search"]


async def test_an_account_manager_reads_oneself_alone(asking: Asking) -> None:
    nord = await storage.agency("nord")
    anna, boss = await storage.user(nord, "anna"), await storage.user(nord, "boss", role=Role.ADMINISTRATOR)
    manager = await storage.user(None, "manager", email="m@home.example")
    other = await storage.user(None, "other")
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { login role email } } }"
    ids = [user_id(each) for each in (anna, manager, other)]
    me = {"login": "manager@provider.example", "role": "ACCOUNT_MANAGER", "email": "m@home.example"}
    assert await asking.data(manager, query, ids=ids) == {"nodes": [None, me, None]}
    for who in (anna, boss):
        assert (await asking.data(who, query, ids=ids))["nodes"][1:] == [None, None]
    mine = await asking.data(manager, "{ viewer { officeGroups mailboxes { totalCount nodes { id } } } }")
    assert mine == {"viewer": {"officeGroups": [], "mailboxes": {"totalCount": 0, "nodes": []}}}


async def test_lists_cost_a_fixed_number_of_statements(asking: Asking, database: Database) -> None:
    nord = await storage.agency("nord")
    boss = await storage.user(nord, "boss", role=Role.ADMINISTRATOR)
    boxes = [await storage.mailbox(nord, f"m{number}") for number in range(4)]
    for number in range(6):
        who = await storage.user(nord, f"u{number}")
        await join(who, "sales", f"group {number}")
        for box in boxes:
            await storage.period(box, who)
    request = await asking.request(boss)
    query = """{
      users(first: 5) {
        nodes { officeGroups mailboxes(first: 2) {
          totalCount pageInfo { hasNextPage hasPreviousPage }
          nodes { address assignedUsers(last: 3) { totalCount nodes { login officeGroups } } }
        } }
        totalCount
      }
      agency { name domains modules { enabled } officeGroups }
      viewer { login }
    }"""
    with statements(database) as seen:
        data = await asking.data(request, query)
    assert [len(node["mailboxes"]["nodes"]) for node in data["users"]["nodes"]] == [0, 2, 2, 2, 2]
    assert data["users"]["nodes"][1]["mailboxes"]["nodes"][0]["assignedUsers"]["totalCount"] == 6
    # users: page, count; groups; mailboxes: page, count; assigned users: page, count; their groups;
    # agency, domains, modules, its groups; the viewer.
    assert len(seen) == 13, "\n".join(seen)
