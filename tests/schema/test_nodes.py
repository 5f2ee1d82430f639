"""The way to nodes: null for what is malformed, absent or hidden, and all of it at once."""

from uuid import uuid4

import pytest

from models.database import Database
from models.tables.users import Role
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.schema.asking import Asking
from tests.storage import statements

pytestmark = pytest.mark.asyncio

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


async def test_nodes_of_ones_agency(asking: Asking) -> None:
    nord = await storage.agency("nord")
    anna = await storage.user(nord, "anna")
    box = await storage.mailbox(nord, "desk")
    ids = [
        encode(NodeKind.USER, anna.id),
        encode(NodeKind.AGENCY, nord.id),
        encode(NodeKind.MAILBOX, box.id),
    ]
    expected = [
        {"__typename": name, "id": one} for name, one in zip(("User", "Agency", "Mailbox"), ids, strict=True)
    ]
    assert await asking.data(anna, NODES, ids=ids) == {"nodes": expected}
    for one, each in zip(ids, expected, strict=True):
        assert await asking.data(anna, NODE, id=one) == {"node": each}


async def test_what_is_malformed_absent_or_hidden_is_null(asking: Asking) -> None:
    nord, sued = await storage.agency("nord"), await storage.agency("sued")
    anna = await storage.user(nord, "anna", role=Role.ADMINISTRATOR)
    foreign = await storage.user(sued, "foreign")
    ids = [
        "",
        "1",
        "\0",
        "\ud800",
        "x" * 10_000,
        *(encode(kind, uuid4()) for kind in NodeKind),
        encode(NodeKind.USER, foreign.id),
        encode(NodeKind.AGENCY, sued.id),
        encode(NodeKind.AGENCY, anna.id),
        encode(NodeKind.MAILBOX, (await storage.mailbox(sued, "desk")).id),
    ]
    assert await asking.data(anna, NODES, ids=ids) == {"nodes": [None] * len(ids)}
    for one in ids:
        assert await asking.data(anna, NODE, id=one) == {"node": None}


async def test_nodes_are_at_most_100(asking: Asking) -> None:
    anna = await storage.user(await storage.agency("nord"), "anna")
    mine = encode(NodeKind.USER, anna.id)
    found = await asking.data(anna, NODES, ids=[mine] * 100)
    assert found == {"nodes": [{"__typename": "User", "id": mine}] * 100}
    answer = await asking.execute(anna, NODES, ids=[mine] * 101)
    assert (answer.data, answer.codes) == (None, ["INVALID_INPUT"])
    assert answer.errors[0]["extensions"]["path"] == ["ids"]
    assert await asking.data(anna, NODES, ids=[]) == {"nodes": []}


async def test_nodes_of_a_kind_are_loaded_together(asking: Asking, database: Database) -> None:
    nord = await storage.agency("nord")
    people = [await storage.user(nord, f"u{number}") for number in range(5)]
    boxes = [await storage.mailbox(nord, f"m{number}") for number in range(5)]
    ids = [encode(NodeKind.USER, who.id) for who in people] + [
        encode(NodeKind.MAILBOX, box.id) for box in boxes
    ]
    request = await asking.request(people[0])
    with statements(database) as seen:
        found = (await asking.data(request, NODES, ids=ids))["nodes"]
    assert [each["id"] for each in found] == ids
    assert len(seen) == 2


async def test_nobody_signed_in_is_told_so(asking: Asking) -> None:
    for query, variables in ((NODE, {"id": ""}), (NODES, {"ids": []})):
        answer = await asking.execute(None, query, **variables)
        assert answer.codes == ["UNAUTHENTICATED"]
