"""What the database writes is what we would write, to the byte: every field, every odd text, and who may read it."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from models.json_text import WRITTEN
from models.tables.agencies import Agency
from models.tables.mailboxes import Mailbox
from models.tables.users import ReadLevel, Role, User
from resolvers import writing
from resolvers.node_ids import NodeKind, encode
from schema import schema
from schema import writing as schema_writing
from schema.context import Context
from schema.root import compiled
from tests import storage
from tests.storage import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.schema.asking import Asking

pytestmark = pytest.mark.asyncio

ODD = [
    "",
    "plain",
    '"quoted" \\ back/slash',
    "".join(chr(code) for code in range(1, 32)),
    "äöüß € 𝄞 \u2028 \u2029 \x7f </script>",
    "null",
    "'; DROP TABLE mails; --",
    "$1 %s {0} ${x}",
]
LEAVES = {
    "User": "id login firstName lastName name emailName language role state __typename",
    "Mailbox": "id address emailName vip active receivingStopsAt automaticBooking __typename",
    "Booking": "part decisiveAt __typename",
    "Activity": (
        "id kind direction subject preview remark sender recipients messageId mailDate occurredAt vip contactReference "
        "propertyReference __typename"
    ),
}
UNWRITABLE = [
    "{ mailboxes { nodes { viewerCanReveal } } }",
    "{ mailboxes { nodes { address passwordChangedAt } } }",
    "{ mailboxes { nodes { assignedUsers { nodes { email } } } } }",
    "{ mailboxes { nodes { assignedUsers { totalCount } } } }",
    "{ mailboxes { nodes { assignedUsers(last: 1) { nodes { id } } } } }",
    "{ mailboxes { nodes { id } edges { node { address } } } }",
    "{ activities { nodes { bookings { user { activityReadLevel } } } } }",
    "{ activities { nodes { bookings { mailbox { assignedUsers { nodes { id } } } } } } }",
    "{ a: activities { nodes { id } b: nodes { subject } } }",
]
BOOK = "mutation ($input: BookMailInput!) { bookMail(input: $input) { activities { id } errors { code message } } }"


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    """There is nothing written but in compiled operations."""
    compiled.enabled = True
    yield
    compiled.enabled = True


class House:
    """An agency with odd names, in which everybody sees something else."""

    def __init__(self, agency: Agency, people: dict[str, User], boxes: dict[str, Mailbox]) -> None:
        self.agency = agency
        self.people = people
        self.boxes = boxes
        self.entries: list[str] = []

    @classmethod
    async def open(cls, asking: Asking) -> House:
        nord = await storage.agency("nord")
        reads_all = {"activity_read_level": ReadLevel.ALL, "agents_log_read_level": ReadLevel.ALL}
        people = {
            "boss": await storage.user(nord, "boss", role=Role.ADMINISTRATOR, **reads_all),
            "anna": await storage.user(nord, "anna", email_name=ODD[2], first_name=ODD[2], last_name=ODD[4]),
            "bert": await storage.user(nord, "bert", first_name=ODD[6], last_name=ODD[7], **reads_all),
            "cleo": await storage.user(nord, "cleo"),
        }
        boxes = {
            "desk": await storage.mailbox(nord, "desk", email_name=ODD[4]),
            "chef": await storage.mailbox(nord, "chef", vip=True),
            "left": await storage.mailbox(
                nord, "left", active=False, receiving_stops_at=datetime(2030, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
            ),
        }
        house = cls(nord, people, boxes)
        for box, who in (("desk", "anna"), ("desk", "bert"), ("chef", "bert"), ("left", "cleo")):
            await storage.period(boxes[box], people[who])
        # An e-mail with a booking at either end.
        within: dict[str, Any] = {
            "messageId": "within@nord.example",
            "sender": "desk@nord.example",
            "recipients": ["chef@nord.example"],
            "subject": ODD[2],
            "text": ODD[4],
        }
        for box, who, part in (("desk", "anna", "SENDING"), ("chef", "bert", "RECEIVING")):
            mail = within | {"mailboxId": encode(NodeKind.MAILBOX, boxes[box].id), "part": part}
            booked = await asking.payload(people[who], BOOK, input=mail)
            assert booked["errors"] == []
            house.entries += [each["id"] for each in booked["activities"]]
        dates = [None, "2024-02-03T04:05:06Z", "0001-01-02T00:00:00.5Z", "9999-12-30T23:59:59.999999Z"]
        for place, odd in enumerate(ODD):
            for box, who in (("desk", "anna"), ("chef", "bert")):
                mail = {
                    "mailboxId": encode(NodeKind.MAILBOX, boxes[box].id),
                    "part": "RECEIVING",
                    "messageId": f"{box}{place}@web.example",
                    "sender": "Buyer@web.example",
                    "recipients": []
                    if place % 3 == 0
                    else ["desk@nord.example", "x@web.example"][: place % 3],
                    "subject": odd,
                    "text": odd,
                    "mailDate": dates[place % len(dates)],
                    "contactReferences": ["K-1", "K/ä\"'"] if place % 2 else [],
                    "propertyReferences": ["P-1"],
                }
                booked = await asking.payload(people[who], BOOK, input=mail)
                assert booked["errors"] == []
                house.entries += [each["id"] for each in booked["activities"]]
        return house


def selection(drawing: random.Random, kind: str, *more: str) -> str:
    """Some fields of a type, some of them twice or by another name, in any order; never none."""
    names = LEAVES[kind].split()
    drawn = drawing.sample(names, drawing.randint(1, len(names)))
    drawn += [f"{chr(97 + place)}_{name}: {name}" for place, name in enumerate(drawing.sample(names, 2))]
    drawn += more
    drawing.shuffle(drawn)
    return "{ " + " ".join(drawn) + " }"


def entry(drawing: random.Random) -> str:
    below = []
    if drawing.random() < 0.8:
        some = [f"mailbox {selection(drawing, 'Mailbox')}", f"user {selection(drawing, 'User')}"]
        below = [f"bookings {selection(drawing, 'Booking', *drawing.sample(some, drawing.randint(0, 2)))}"]
    return selection(drawing, "Activity", *below)


def operation(drawing: random.Random, house: House) -> str:  # noqa: PLR0911 (one for each way to entries and mailboxes)
    """An operation of which everything below its root can be written."""
    match drawing.randrange(7):
        case 0:
            return f'{{ node(id: "{drawing.choice(house.entries)}") {{ __typename ... on Activity {entry(drawing)} }} }}'
        case 1:
            some = ", ".join(f'"{each}"' for each in drawing.sample(house.entries, 4))
            return f"{{ nodes(ids: [{some}]) {{ id ... on Activity {entry(drawing)} }} }}"
        case 2:
            users = f"assignedUsers{drawing.choice(['', '(first: 1)', '(first: null)'])} {{ nodes {selection(drawing, 'User')} }}"
            boxes = selection(drawing, "Mailbox", *drawing.choice([(), (users,)]))
            page = drawing.choice(["", "(last: 2)", "(first: 1)"])
            return f"{{ mailboxes{page} {{ all: nodes {boxes} pageInfo {{ hasNextPage endCursor }} }} }}"
        case 3:
            return f"{{ activities(last: 7) {{ edges {{ cursor node {entry(drawing)} }} pageInfo {{ startCursor }} }} }}"
        case 4:
            below = f"activities(last: 3) {{ edges {{ cursor node {entry(drawing)} }} pageInfo {{ hasPreviousPage }} }}"
            return f"{{ mailboxes(first: 2) {{ nodes {{ address {below} }} }} }}"
        case 5:
            narrowed = drawing.choice(
                ["kind: AGENTS_LOG", 'contactReference: "K-1"', 'search: "null"', "direction: INTERNAL"]
            )
            return f"{{ activities(first: 4, filter: {{ {narrowed} }}) {{ nodes {entry(drawing)} pageInfo {{ endCursor }} }} }}"
        case _:
            page = f"{drawing.choice(['first', 'last'])}: {drawing.choice([1, 5, 30, 100])}"
            return (
                f"{{ activities({page}) {{ nodes {entry(drawing)} "
                "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }"
            )


async def answer(asking: Asking, who: User, text: str, *, takes_json: bool) -> tuple[bytes, list[str]]:
    """The answer, and the statements that it took."""
    request, before = await asking.request(who), dict(compiled.counts)
    with statements(asking.database) as asked:
        result = await schema.execute(text, {}, Context(request, takes_json=takes_json))
    assert result.errors is None, (text, result.errors)
    # Nothing went wrong that GraphQL's own executor had to make good.
    assert compiled.counts == before | {"compiled": before["compiled"] + compiled.enabled}, text
    return orjson.dumps(result.data), list(asked)


async def test_what_is_written_is_what_the_executor_answers(asking: Asking) -> None:
    house = await House.open(asking)
    seed = random.SystemRandom().randrange(2**32)
    drawing = random.Random(seed)
    written = 0
    for _ in range(150):
        text, who = operation(drawing, house), drawing.choice(list(house.people.values()))
        compiled.enabled = False
        expected, _ = await answer(asking, who, text, takes_json=False)
        compiled.enabled = True
        for _ in range(2):
            found, asked = await answer(asking, who, text, takes_json=True)
            assert found == expected, (seed, who.login, text)
            is_written = [statement for statement in asked if f" AS {WRITTEN}" in statement]
            assert is_written or not asked, (seed, text)
            written += len(is_written)
    assert written > 0


async def test_whatever_else_is_selected_is_answered_as_ever(asking: Asking) -> None:
    house = await House.open(asking)
    for text, who in itertools.product(UNWRITABLE, house.people.values()):
        compiled.enabled = False
        expected, _ = await answer(asking, who, text, takes_json=False)
        compiled.enabled = True
        for _ in range(2):
            found, asked = await answer(asking, who, text, takes_json=True)
            assert found == expected, text
            assert not any(f" AS {WRITTEN}" in statement for statement in asked), text


async def test_what_would_be_too_long_a_statement_is_answered_as_ever(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, who = await House.open(asking), "boss"
    text = f"{{ activities {{ nodes {{ {LEAVES['Activity']} }} }} }}"
    expected, _ = await answer(asking, house.people[who], text, takes_json=False)
    monkeypatch.setattr(schema_writing, "LONGEST", 300)
    known = schema.documents.known(text)
    assert known is not None
    known.compiled.clear()
    found, asked = await answer(asking, house.people[who], text, takes_json=True)
    assert found == expected
    assert not any(f" AS {WRITTEN}" in statement for statement in asked)


async def test_only_a_client_that_takes_json_gets_it(asking: Asking) -> None:
    house = await House.open(asking)
    for _ in range(2):
        data = await asking.data(house.people["boss"], "{ activities(first: 1) { nodes { subject } } }")
        assert data == {"activities": {"nodes": [{"subject": ODD[-1]}]}}


async def test_what_is_asked_for_seldom_is_not_written(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SELDOM", 2)
    house = await House.open(asking)
    key = f"k{random.SystemRandom().randrange(2**64)}"
    written = []
    for number in range(5):
        # Another document each time, with the same selection of an entry.
        text = f"query q{number} {{ activities(first: 1) {{ nodes {{ {key}: subject }} }} }}"
        body, asked = await answer(asking, house.people["boss"], text, takes_json=True)
        assert orjson.loads(body) == {"activities": {"nodes": [{key: ODD[-1]}]}}
        written.append(any(f" AS {WRITTEN}" in statement for statement in asked))
    assert written == [False, False, True, True, True]


async def test_users_assigned_to_a_mailbox_are_written_for_those_who_may_read_them(asking: Asking) -> None:
    house = await House.open(asking)
    text = "{ mailboxes { nodes { address assignedUsers { nodes { login } } } } }"
    found = {}
    for name, who in house.people.items():
        await answer(asking, who, text, takes_json=True)
        body, asked = await answer(asking, who, text, takes_json=True)
        assert len(asked) == 1
        nodes = orjson.loads(body)["mailboxes"]["nodes"]
        found[name] = {
            each["address"].partition("@")[0]: each["assignedUsers"]
            and sorted(user["login"].partition("@")[0] for user in each["assignedUsers"]["nodes"])
            for each in nodes
        }
    everything: dict[str, Any] = {"chef": ["bert"], "desk": ["anna", "bert"], "left": ["cleo"]}
    hidden = dict.fromkeys(everything)
    assert found["boss"] == everything
    assert found["anna"] == hidden | {"desk": ["anna", "bert"]}
    assert found["bert"] == hidden | {"desk": ["anna", "bert"], "chef": ["bert"]}
    assert found["cleo"] == hidden | {"left": ["cleo"]}


async def test_guarded_entries_are_written_for_their_audience_alone(asking: Asking) -> None:
    house = await House.open(asking)
    text = "{ activities(first: 100) { nodes { bookings { mailbox { address } } } } }"
    seen = {}
    for name, who in house.people.items():
        body, _ = await answer(asking, who, text, takes_json=True)
        nodes = orjson.loads(body)["activities"]["nodes"]
        seen[name] = {
            booking["mailbox"]["address"].partition("@")[0] for node in nodes for booking in node["bookings"]
        }
    assert seen == {"boss": {"desk"}, "anna": {"desk", "chef"}, "bert": {"desk", "chef"}, "cleo": set()}


@pytest.mark.parametrize(
    "text",
    [
        "{{ nodes(ids: [{ids}]) {{ ... on Activity {{ {key}: subject }} }} }}",
        "{{ mailboxes {{ edges {{ node {{ activities(first: 3) {{ nodes {{ {key}: subject }} }} }} }} }} }}",
    ],
)
async def test_what_is_asked_for_often_in_one_operation_is_written_all_or_nothing(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(writing, "SELDOM", 2)
    house = await House.open(asking)
    ids = ", ".join(f'"{each}"' for each in house.entries[:6])
    key = f"k{random.SystemRandom().randrange(2**64)}"
    before = dict(compiled.counts)
    taken = []
    for _ in range(4):
        _, asked = await answer(asking, house.people["bert"], text.format(ids=ids, key=key), takes_json=True)
        taken.append(len(asked))
    assert len(set(taken)) == 1
    assert compiled.counts == before | {"compiled": before["compiled"] + 4}
