"""What is hidden leaves no trace: the same bytes are answered whether the hidden entries exist or not."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tests.client import Client, Json, connected
from tests.conftest import Migrated
from tests.oracle.generator import more_mails, random_world
from tests.oracle.rule import Oracle, entries_of, fold
from tests.oracle.world import PASSWORD, Booking, Mail, Role, User, World
from tests.stream import stream
from tests.system import documents
from tests.system.harness import SEED, Served, served, sign_in_all, told
from tests.system.transcript import Line, booking_input, questions, transcript
from tests.system.viewpoint import Known, Viewpoint

WORLDS = 2
VIEWERS = 3


def hides(world: World, viewer: User, mail: Mail, now: datetime) -> bool:
    """Whether the viewer sees none of the mail's entries."""
    oracle = Oracle(world, now)
    return not any(oracle.visible(viewer, entry) for entry in entries_of(mail))


async def learn(clients: dict[str, Client], world: World) -> Known:
    """What all viewers of the world know together."""
    known, oracle = Known(), Oracle(world, datetime.now(UTC))
    for login, client in clients.items():
        await Viewpoint(client, oracle, oracle.user(login), known, Random(0)).learn()
    return known


def compare(before: list[Line], after: list[Line]) -> None:
    """Fails for the first question that is answered otherwise."""
    for one, other in zip(before, after, strict=True):
        assert (other.status, other.body) == (one.status, one.body), one.question


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(WORLDS))
def test_imported_entries_leave_no_trace(
    number: int, database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    seed = SEED + number
    world = random_world(Random(seed), seed)

    async def ask(house: Served, login: str, mails: tuple[Mail, ...]) -> list[Line]:
        async with connected(house.url) as client:
            return await transcript(clients[login].over(client), questions(known, mails))

    async def prepare(house: Served) -> tuple[dict[str, Client], Known]:
        async with connected(house.url) as client:
            signed_in = await sign_in_all(client, world)
            return signed_in, await learn(signed_in, world)

    with told(f"seed {seed}"), served(migrated.template(database_kind), tmp_path, world) as house:
        clients, known = asyncio.run(prepare(house))
        now = datetime.now(UTC)
        stored = world
        viewers = [user for user in world.users if user.login in clients]
        for viewer in Random(seed).sample(viewers, VIEWERS):
            drawn = more_mails(Random(viewer.login), stored, seed, 40)
            hidden = tuple(mail for mail in drawn if hides(stored, viewer, mail, now))
            before = asyncio.run(ask(house, viewer.login, hidden[:3]))
            house.bring(World(mails=hidden).text())
            stored = replace(stored, mails=stored.mails + hidden)
            with told(f"{len(hidden)} mails hidden from {viewer}"):
                compare(before, asyncio.run(ask(house, viewer.login, hidden[:3])))


@pytest.mark.timeout(600)
def test_bookings_of_others_leave_no_trace(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    """Also no event: the next one that the viewer gets is of the next entry that the viewer may see."""
    world = random_world(Random(SEED), SEED)

    async def run(house: Served) -> None:
        async with connected(house.url) as client:
            clients = await sign_in_all(client, world)
            known = await learn(clients, world)
            for viewer in world.users:
                if viewer.login in clients and viewer.agency == world.agencies[0].key:
                    with told(f"seed {SEED}, {viewer}"):
                        await book_around(house, clients, known, viewer)

    async def book_around(house: Served, clients: dict[str, Client], known: Known, viewer: User) -> None:
        eyes = clients[viewer.login]
        async with stream(house.server.socket_url, token=eyes.token) as opened:
            events = await opened.subscribe(documents.BOOKED)
            # An answer on the same stream: the subscription before it is registered.
            assert await (await opened.subscribe("{ __typename }")).data() == {"__typename": "Query"}
            asked = questions(known)
            before = await transcript(eyes, asked)
            seen, count = 0, 0
            for booker, mail in bookings(world, clients, Random(viewer.login)):
                hidden = hides(world, viewer, mail, datetime.now(UTC))
                if not hidden and seen == 0 and count > 0:
                    compare(before, await transcript(eyes, asked))
                await book(clients[booker], known, mail)
                count += hidden
                if not hidden:
                    seen += 1
                    event = await events.data()
                    assert event["activityBooked"]["messageId"] == mail.message_id
            if seen == 0:
                compare(before, await transcript(eyes, asked))

    with served(migrated.template(database_kind), tmp_path, world) as house:
        asyncio.run(run(house))


def bookings(world: World, clients: dict[str, Client], random: Random) -> list[tuple[str, Mail]]:
    """New mails that somebody books now at each mailbox with somebody active, guarded ones first."""
    now = datetime.now(UTC)
    oracle = Oracle(world, now)
    found = []
    for box in sorted(world.mailboxes, key=lambda each: not each.vip):
        bookers = [user for user in world.users if user.login in clients and oracle.is_assigned(user, box)]
        if not bookers or box.agency != world.agencies[0].key:
            continue
        booker = random.choice(bookers)
        mail = Mail(
            agency=box.agency,
            message_id=f"{random.randrange(10**9)}@web.example",
            sender="buyer@web.example",
            recipients=(box.address,),
            subject="Exposé",
            text="Guten Tag",
            bookings=(Booking(box.address, "RECEIVING", now, booker.login),),
        )
        found.append((booker.login, mail))
    return found


async def book(client: Client, known: Known, mail: Mail) -> Json:
    """Books the mail at the mailbox of its booking."""
    (booking,) = mail.bookings
    name = known.mailboxes[fold(booking.mailbox)]
    payload = await client.payload(documents.BOOK, {"input": booking_input(name, mail, booking.part)})
    assert payload["errors"] == []
    return payload


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["ADMINISTRATOR", "USER"])
def test_own_changes_tell_nothing_of_what_is_hidden(
    role: Role, database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    """The same changes in two worlds, of which one holds more that is hidden, are answered the same.

    Ids and the moments of the changes are the server's; they are compared by where they come again.
    """
    world = random_world(Random(SEED), SEED)
    viewer = replace(world.users[0], role=role)
    world = replace(world, users=(viewer, *world.users[1:]))
    now = datetime.now(UTC)
    drawn = more_mails(Random(SEED), world, SEED, 40)
    hidden = tuple(mail for mail in drawn if hides(world, viewer, mail, now))
    answers = []
    for name, mails in (("without", ()), ("with", hidden)):
        folder = tmp_path / name
        folder.mkdir()
        whole = replace(world, mails=world.mails + mails)
        with served(migrated.template(database_kind), folder, whole) as house:
            answers.append(asyncio.run(changes(house, viewer, hidden)))
    with told(f"seed {SEED}, {viewer}"):
        assert answers[1] == answers[0]


async def changes(house: Served, viewer: User, hidden: tuple[Mail, ...]) -> list[Json]:
    """What the viewer is answered to changes around hidden entries, with ids and moments made comparable."""
    async with connected(house.url) as client:
        eyes = await client.sign_in(viewer.login, PASSWORD)
        boxes = (await eyes.data(documents.MAILBOXES, {"first": 100}))["mailboxes"]["nodes"]
        users = (await eyes.data(documents.USERS, {"first": 100}))["users"]["nodes"]
        pairs = [{"mailbox": box["id"], "user": user["id"]} for box in boxes for user in users]
        asked = [
            *((documents.ASSIGN, pair) for pair in pairs),
            *(book_other(box["id"], mail, number) for box in boxes for number, mail in enumerate(hidden[:6])),
            *((documents.VIP, {"mailbox": box["id"], "vip": box["vip"]}) for box in boxes),
            *((documents.VIP, {"mailbox": box["id"], "vip": True}) for box in boxes),
            *((documents.UNASSIGN, pair) for pair in pairs),
            *((documents.BOX_NAME, {"mailbox": box["id"], "name": " Neu "}) for box in boxes),
            *((documents.USER_NAME, {"user": user["id"], "name": "Name"}) for user in users),
        ]
        answers = [await eyes.execute(document, variables) for document, variables in asked]
        return [comparable([answer.status, answer.json]) for answer in answers]


def book_other(mailbox: str, mail: Mail, number: int) -> tuple[str, Json]:
    """The booking of an e-mail with a hidden one's Message-ID and another text."""
    other = replace(mail, text=f"{mail.text} no. {number}")
    return documents.BOOK, {"input": booking_input(mailbox, other)}


def comparable(answers: Json) -> Json:
    """The answer with each id replaced by its number, each moment of now by a word, entries in one order."""
    numbers: dict[str, int] = {}

    def plain(value: Json) -> Json:
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, str) and re.fullmatch(r"20(2[5-9]|[3-9]\d)-\d\d-\d\dT[\d:.]+Z", value):
            return "now"
        if not isinstance(value, dict):
            return value
        if value.get("activities"):
            by_reference = ("kind", "contactReference", "propertyReference")
            value["activities"].sort(key=lambda each: [str(each[name]) for name in by_reference])
        found = {name: plain(each) for name, each in value.items() if name != "id"}
        if "id" in value:
            found["id"] = numbers.setdefault(value["id"], len(numbers))
        return found

    return plain(answers)
