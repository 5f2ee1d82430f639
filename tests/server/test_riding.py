"""A query asks who the viewer is with its first statement, and nobody is taken for whom he or she was."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from models import clock
from models.tables.users import ReadLevel, Role
from schema.root import compiled
from tests import storage
from tests.resolvers.signing_in import PASSWORD
from tests.server.doors import SIGN_IN, WHO, Doors, doors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from models.tables.mailboxes import Mailbox
    from models.tables.users import User
    from tests.client import Answer

pytestmark = pytest.mark.asyncio

FEED = "{ activities { nodes { subject } } }"
MAILBOXES = "{ mailboxes { nodes { address emailName } } }"
EMPTY = '{ activities(filter: {contactReference: "nobody"}) { nodes { subject } } }'
SEVERAL = "{ viewer { login } mailboxes { nodes { address } } users { nodes { login } } activities { nodes { subject } } }"
NOTHING = "{ __typename }"
RENAME = 'mutation ($id: ID!) { setMailboxEmailName(mailboxId: $id, emailName: "New") { errors { code } } }'


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def desk(house: Doors) -> Mailbox:
    await change(house.anna, activity_read_level=ReadLevel.ALL)
    desk = await storage.mailbox(house.nord, "desk")
    await storage.mail(house.nord, desk, text="hidden from nobody")
    return desk


async def asked(house: Doors, text: str, token: str | None) -> tuple[Answer, list[str]]:
    """The answer and the statements that it took; the document is known."""
    with storage.statements(house.runtime.database) as seen:
        answer = await house.ask(text, token=token)
    return answer, seen


async def known(house: Doors, who: User, *documents: str) -> str:
    """The token of somebody who has asked these before."""
    token = await house.token(who)
    for text in documents:
        (await house.ask(text, token=token)).good()
    return token


def is_refused(answer: Answer) -> None:
    assert (answer.status, answer.codes, "data" in answer.json) == (401, ["UNAUTHENTICATED"], False), (
        answer.body
    )
    assert answer.headers["www-authenticate"] == "Bearer"


async def change(who: User, **columns: object) -> None:
    await who.filter(id=who.id).update(**columns)


@pytest.mark.usefixtures("desk")
async def test_the_viewer_costs_no_statement_of_its_own(house: Doors) -> None:
    # An empty page is a row that tells who asks where the database writes it, and no row else.
    alone = {NOTHING} if compiled.enabled else {EMPTY, NOTHING}
    of_empty = 2 if EMPTY in alone else 1
    for text, statements in (
        (WHO, 1),
        (FEED, 1),
        (MAILBOXES, 1),
        (SEVERAL, 4),
        (EMPTY, of_empty),
        (NOTHING, 1),
    ):
        token = await house.token(house.anna)
        first, seen = await asked(house, text, token)
        # At first who it is has to be asked for; by a query that finds or asks nothing, each time.
        assert len(seen) == statements + (text not in alone), text
        for _ in range(2):
            again, seen = await asked(house, text, token)
            assert len(seen) == statements, text
            assert again.body == first.body
        assert first.good()


@pytest.mark.usefixtures("desk")
async def test_a_document_that_nobody_sent_before_rides_too(house: Doors) -> None:
    token = await known(house, house.anna, WHO)
    names = [f"n{secrets.token_hex(8)}" for _ in range(4)]
    named = [MAILBOXES.replace("address", f"{name}: address") for name in names]
    with storage.statements(house.runtime.database) as seen:
        found = (await house.ask(named[0], token=token)).good()["mailboxes"]["nodes"]
        assert [each[names[0]] for each in found] == ["desk@nord.example"]
        assert len(seen) == 1
    await change(house.anna, state="LOCKED")
    is_refused(await house.ask(named[1], token=token))
    await change(house.anna, state="ACTIVE", role=Role.USER)
    assert (await house.ask(named[2], token=token)).good()["mailboxes"]["nodes"] == [
        {names[2]: "desk@nord.example", "emailName": None}
    ]
    # Of whoever may not come in, no word is said about a document that is wrong.
    await change(house.anna, state="LOCKED")
    is_refused(await house.ask(named[3].replace("emailName", "nothing"), token=token))


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("end", ["locked", "deactivated", "ended", "expired"])
async def test_whoever_may_not_come_in_any_more_sees_nothing(house: Doors, end: str) -> None:
    documents = (WHO, FEED, MAILBOXES, SEVERAL, EMPTY, NOTHING)
    tokens = [await known(house, house.anna, *documents) for _ in documents]
    database = house.runtime.database
    if end in {"locked", "deactivated"}:
        await change(house.anna, state=end.upper())
    else:
        column = "ended_at" if end == "ended" else "expires_at"
        await database.execute(f"UPDATE sessions SET {column} = $1", clock.now())
    before = await storage.contents(database)
    for text, token in zip(documents, tokens, strict=True):
        for _ in range(2):
            answer, seen = await asked(house, text, token)
            is_refused(answer)
            assert len(seen) <= 3, seen
    assert await storage.contents(database) == before


async def test_a_refusal_is_counted_as_no_operation(house: Doors) -> None:
    token = await known(house, house.anna, WHO)
    counted = house.runtime.metrics.operations.numbers
    before = counted["query", "ok"]
    await change(house.anna, state="LOCKED")
    is_refused(await house.ask(WHO, token=token))
    assert counted["query", "ok"] == before
    await change(house.anna, state="ACTIVE", activity_read_level=ReadLevel.NOTHING)
    assert (await house.ask(WHO, token=token)).good() == {"viewer": {"login": "anna@nord.example"}}
    assert counted["query", "ok"] == before + 1


@pytest.mark.usefixtures("desk")
async def test_other_rights_hold_for_the_next_query(house: Doors) -> None:
    await change(house.ben, activity_read_level=ReadLevel.ALL, agents_log_read_level=ReadLevel.ALL)
    private = "{ users { nodes { email } } }"
    token = await known(house, house.ben, FEED, private)
    assert len((await house.ask(FEED, token=token)).good()["activities"]["nodes"]) == 1
    await change(house.ben, activity_read_level=ReadLevel.NOTHING)
    assert (await house.ask(FEED, token=token)).good() == {"activities": {"nodes": []}}
    await change(house.ben, activity_read_level=ReadLevel.ALL)
    assert len((await house.ask(FEED, token=token)).good()["activities"]["nodes"]) == 1
    await change(house.ben, agents_log_read_level=ReadLevel.NOTHING)
    assert len((await house.ask(FEED, token=token)).good()["activities"]["nodes"]) == 1

    emails = [{"email": "anna@home.example"}, {"email": None}]
    assert (await house.ask(private, token=token)).good() == {
        "users": {"nodes": [{"email": None}, {"email": None}]}
    }
    await change(house.ben, role=Role.ADMINISTRATOR)
    assert sorted((await house.ask(private, token=token)).good()["users"]["nodes"], key=str) == sorted(
        emails, key=str
    )


async def test_what_a_locked_user_sent_wrongly_is_refused_all_the_same(house: Doors) -> None:
    text = "query ($id: ID!) { node(id: $id) { id } }"
    token = await house.token(house.anna)
    async with house.client() as client:
        client.token = token
        (await client.execute(text, {"id": "x"})).good()
        assert (await client.execute(text, {})).codes == ["INVALID_INPUT"]
        await change(house.anna, state="LOCKED")
        is_refused(await client.execute(text, {}))
        is_refused(await client.execute(text, {"id": "x"}))


@pytest.mark.usefixtures("desk")
async def test_a_mutation_asks_before_it_begins(house: Doors) -> None:
    token = await house.token(house.anna)
    box = (await house.ask("{ mailboxes { nodes { id } } }", token=token)).good()["mailboxes"]["nodes"][0][
        "id"
    ]
    async with house.client() as client:
        client.token = token
        assert (await client.execute(RENAME, {"id": box})).good() == {"setMailboxEmailName": {"errors": []}}
        await change(house.anna, state="LOCKED")
        before = await storage.contents(house.runtime.database)
        with storage.statements(house.runtime.database) as seen:
            is_refused(await client.execute(RENAME, {"id": box}))
        assert len(seen) == 1
    assert await storage.contents(house.runtime.database) == before


async def test_a_cookie_that_does_not_hold_is_taken_away(house: Doors) -> None:
    async with house.client() as client:
        variables: dict[str, Any] = {"login": "anna@nord.example", "password": PASSWORD, "session": "COOKIE"}
        (await client.execute(SIGN_IN, variables)).good()
        for _ in range(3):
            assert (await client.execute(WHO)).good() == {"viewer": {"login": "anna@nord.example"}}
        await change(house.anna, state="LOCKED")
        answer = await client.execute(WHO)
        is_refused(answer)
        assert [each.partition("=")[0] for each in answer.headers.get_list("set-cookie")] == [
            "postfach_access"
        ]


@pytest.mark.usefixtures("desk")
async def test_from_the_moment_a_user_is_locked_no_query_is_answered(house: Doors) -> None:
    """While queries come in without a pause, a user is locked and let in again: each answer fits what was so while it ran."""
    token = await known(house, house.ben, SEVERAL, FEED, MAILBOXES)
    states, done = [("ACTIVE", True)], asyncio.Event()
    seen = {200: 0, 401: 0}

    async def ask(text: str) -> None:
        while not done.is_set():
            first, settled = len(states) - 1, states[-1][1]
            answer = await house.ask(text, token=token)
            # What was acknowledged before it began, and what was begun before it was answered.
            possible = {state for state, _ in states[first:]}
            if not settled:
                possible.add(states[first - 1][0])
            expected = {200 if state == "ACTIVE" else 401 for state in possible}
            assert answer.status in expected, (answer.body, states[first:])
            assert (b"nord.example" in answer.body) is (answer.status == 200)
            seen[answer.status] += 1

    async def switch() -> None:
        try:
            for number in range(24):
                state = "LOCKED" if number % 2 == 0 else "ACTIVE"
                states.append((state, False))
                await change(house.ben, state=state)
                states[-1] = (state, True)
                for text in (SEVERAL, FEED):
                    answer = await house.ask(text, token=token)
                    assert answer.status == (200 if state == "ACTIVE" else 401)
        finally:
            done.set()

    async with asyncio.TaskGroup() as group:
        for text in (SEVERAL, SEVERAL, MAILBOXES):
            group.create_task(ask(text))
        group.create_task(switch())
    assert min(seen.values()) > 3, seen
