"""A viewer who used much waits for those who use little, at every door: by a clock that the test sets."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from execution.shares import LOOK_SECONDS, MOST_SECONDS, THERE_SECONDS
from models.tables.users import ReadLevel, UserState
from schema import schema
from server.turns import LARGE_BYTES
from tests import storage
from tests.client import SIGN_IN as KNOWN_SIGN_IN
from tests.client import Client
from tests.resolvers.signing_in import PASSWORD
from tests.server.doors import SIGN_IN, SIGN_OUT, WHO
from tests.server.test_websocket import Served, closed, served, until
from tests.stream import stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable
    from pathlib import Path

    from tests.client import Answer

pytestmark = pytest.mark.asyncio
HERE = "127.0.0.1"
FEED = "{ activities { nodes { subject } } }"
RENAME = 'mutation ($id: ID!) { setMailboxEmailName(mailboxId: $id, emailName: "New") { errors { code } } }'
ANNA, BEN = {"viewer": {"login": "anna@nord.example"}}, {"viewer": {"login": "ben@nord.example"}}


class House(Served):
    """Doors that listen, and the time by which shares are counted: it stands still."""

    now = 0.0

    def stop_the_clock(self) -> None:
        self.runtime.shares.clock = lambda: self.now

    def use(self, name: Hashable, *, is_known: bool = True) -> None:
        """Have somebody use as much as is remembered."""
        # Where one comes after the other nobody is in anybody's way.
        other = self.runtime.shares.turn("another")
        assert other.begin()
        turn = self.runtime.shares.turn(name, is_known=is_known)
        assert turn.begin()
        turn.add(MOST_SECONDS + 1)
        turn.end()
        other.end()
        # What others use is looked at again now and then.
        self.now += 2 * LOOK_SECONDS

    def pass_by(self) -> None:
        """Have everybody go who does nothing."""
        self.now += THERE_SECONDS

    async def held_up(self, wanted: int) -> None:
        """Return when so many had to wait."""
        await until(lambda: self.gauge("operations_held_up_total") == wanted)

    async def post(self, query: str, token: str | None = None, **variables: str) -> Answer:
        """What a request over a connection of its own is answered."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as http:
            return await Client(http, token).execute(query, variables)


@pytest_asyncio.fixture
async def house(request: pytest.FixtureRequest, door_database: str, tmp_path: Path) -> AsyncIterator[House]:
    """Anna has used much, and Ben is there."""
    settings: dict[str, str] = getattr(request, "param", {})
    async with served(door_database, tmp_path, schema, **settings) as opened:
        house = House(**{each.name: getattr(opened, each.name) for each in fields(opened)})
        house.url, house.socket_url = opened.url, opened.socket_url
        house.stop_the_clock()
        house.use(house.anna.id)
        assert (await house.post(WHO, await house.token(house.ben))).good() == BEN
        yield house


async def test_who_used_much_waits_at_every_door_until_the_others_have_gone(house: House) -> None:
    anna, ben = await house.token(house.anna), await house.token(house.ben)
    async with stream(house.socket_url, token=anna) as opened:
        waiting = [asyncio.create_task(house.post(WHO, anna)) for _ in range(3)]
        await house.held_up(3)
        on_socket = await opened.subscribe(WHO)
        await house.held_up(4)
        # He and whoever comes from elsewhere are answered meanwhile, as often as they like.
        for _ in range(20):
            assert (await house.post(WHO, ben)).good() == BEN
            assert (await house.post(WHO)).good() == {"viewer": None}
        assert not any(each.done() for each in waiting)
        assert on_socket.waiting() == []
        house.pass_by()
        assert [(await each).good() for each in waiting] == [ANNA] * 3
        assert await on_socket.data() == ANNA
    assert house.gauge("operations_held_up_total") == 4


@pytest.mark.parametrize("known", [False, True])
async def test_who_waited_has_the_rights_of_now(house: House, known: bool) -> None:  # noqa: FBT001 (a parameter)
    await house.anna.filter(id=house.anna.id).update(activity_read_level=ReadLevel.ALL)
    desk = await storage.mailbox(house.nord, "desk")
    await storage.mail(house.nord, desk)
    anna = await house.token(house.anna)
    house.pass_by()
    if known:
        for _ in range(2):
            assert len((await house.post(FEED, anna)).good()["activities"]["nodes"]) == 1
    house.use(house.anna.id)
    await house.post(WHO, await house.token(house.ben))
    async with stream(house.socket_url, token=anna) as opened:
        by_http, on_socket = asyncio.create_task(house.post(FEED, anna)), await opened.subscribe(FEED)
        await house.held_up(2)
        await house.anna.filter(id=house.anna.id).update(activity_read_level=ReadLevel.NOTHING)
        house.pass_by()
        assert (await by_http).good() == {"activities": {"nodes": []}}
        assert await on_socket.data() == {"activities": {"nodes": []}}


async def test_who_was_locked_while_waiting_is_told_nothing(house: House) -> None:
    anna = await house.token(house.anna)
    async with stream(house.socket_url, token=anna) as opened:
        by_http = asyncio.create_task(house.post("{ users { nodes { login } } }", anna))
        await house.held_up(1)
        on_socket = await opened.subscribe("{ users { nodes { login } } }")
        await house.held_up(2)
        await house.anna.filter(id=house.anna.id).update(state=UserState.LOCKED)
        house.pass_by()
        answer = await by_http
        assert (answer.status, answer.codes, answer.data) == (401, ["UNAUTHENTICATED"], None)
        assert await closed(opened) == (4401, "Session ended")
        assert [each["type"] for each in on_socket.waiting()] == ["closed"]


@pytest.mark.parametrize("house", [{"OPERATION_SECONDS": "2"}], indirect=True)
async def test_what_waits_for_too_long_is_not_begun(house: House) -> None:
    await storage.mailbox(house.nord, "desk")
    wanted = (await house.post("{ mailboxes { nodes { id } } }", await house.token(house.ben))).good()
    (node,) = wanted["mailboxes"]["nodes"]
    anna = await house.token(house.anna)
    before = await storage.contents(house.runtime.database)
    expected = {
        "message": "The operation waited for its turn for 2 seconds, since so much was asked before: nothing was done. "
        "Ask for less at a time, or later.",
        "extensions": {"code": "TIMED_OUT"},
    }
    async with stream(house.socket_url, token=anna) as opened:
        on_socket = await opened.subscribe(RENAME, {"id": node["id"]})
        late = await house.post(RENAME, anna, id=node["id"])
        assert (late.status, late.json) == (503, {"errors": [expected]})
        message = await on_socket.next()
        assert (message["type"], message["payload"]) == ("error", [expected])
    assert await storage.contents(house.runtime.database) == before
    assert house.gauge("operations_total", kind="none", outcome="refused") == 2


async def test_sessions_are_opened_and_ended_by_whoever_has_to_wait(house: House) -> None:
    house.use(HERE, is_known=False)
    assert (await house.post(WHO, await house.token(house.ben))).good() == BEN
    waiting = [asyncio.create_task(house.post(WHO))]
    variables = {"login": "anna@nord.example", "password": PASSWORD}
    tokens = []
    # The first document is not known, the second time it is.
    for number, query in enumerate((SIGN_IN, SIGN_IN, KNOWN_SIGN_IN), start=1):
        await house.held_up(number)
        signed_in = (await house.post(query, **variables)).good()["signIn"]
        assert signed_in["errors"] == []
        tokens.append(signed_in["accessToken"])
        waiting.append(asyncio.create_task(house.post(WHO, tokens[-1])))
    await house.held_up(4)
    assert (await house.post(SIGN_OUT, tokens[0])).good() == {"signOut": {"errors": []}}
    # Of a session that has ended nothing waits.
    assert (await house.post(WHO, tokens[0])).status == 401
    house.pass_by()
    answers = await asyncio.gather(*waiting)
    assert [each.status for each in answers] == [200, 401, 200, 200]
    assert [each.data for each in answers] == [{"viewer": None}, None, ANNA, ANNA]


@pytest.mark.parametrize(
    "query",
    [
        'mutation { signIn(login: "a", password: "b") { viewer { mailboxes { nodes { id address vip } } } } }',
        'mutation { signOut { errors { code } } setMailboxEmailName(mailboxId: "x") { errors { code } } }',
        "mutation { ...F } fragment F on Mutation { signOut { errors { code } } }",
        "mutation { signOut { errors { code } } " + " " * 2_000 + "}",
        "mutation { signOut { errors { code } }",
        "{ signOut { errors { code } } viewer { id } }",
    ],
    ids=["much", "another beside", "a fragment", "long", "no document", "viewer beside"],
)
async def test_nothing_else_goes_first(house: House, query: str) -> None:
    house.use(HERE, is_known=False)
    assert (await house.post(WHO, await house.token(house.ben))).good() == BEN
    # As a document that nobody has sent before: the process keeps those that were valid.
    waiting = asyncio.create_task(house.post(f"{query} # {uuid4()}"))
    await house.held_up(1)
    house.pass_by()
    assert (await waiting).status in {200, 400}


async def test_a_large_body_and_a_new_document_wait_too(house: House) -> None:
    anna, ben = await house.token(house.anna), await house.token(house.ben)
    large = {"unused": "x" * LARGE_BYTES}
    new = f"{{ viewer {{ login }} }} # {uuid4()}"
    for query, variables, held_up in ((WHO, large, 1), (new, {}, 2)):
        assert (await house.post(query, ben, **variables)).good() == BEN
        waiting = asyncio.create_task(house.post(query + " ", anna, **variables))
        await house.held_up(held_up)
        assert (await house.post(query, ben, **variables)).good() == BEN
        assert not waiting.done()
        house.pass_by()
        assert (await waiting).good() == ANNA
        house.use(house.anna.id)
    # What is wrong with a large body is said in its place, whoever sent it.
    refused = await house.post("{ viewer", "nobody's", **large)
    assert (refused.status, refused.codes) == (401, ["UNAUTHENTICATED"])


async def test_who_goes_away_while_waiting_leaves_nothing(house: House) -> None:
    anna = await house.token(house.anna)
    body = b'{"query": "{ viewer { login } }"}'
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: {HERE}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {anna}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    for number in range(1, 4):
        _, writer = await asyncio.open_connection(HERE, urlsplit(house.url).port)
        writer.write(head.encode() + body)
        await house.held_up(number)
        writer.close()
        await until(lambda number=number: house.gauge("errors_total", code="CLIENT_GONE") == number)  # type: ignore[misc]
    async with stream(house.socket_url, token=anna) as opened:
        ended = await opened.subscribe(WHO)
        await house.held_up(4)
        await ended.complete()
        await until(lambda: house.gauge("errors_total", code="CLIENT_GONE") == 4)
        await opened.subscribe(WHO)
        await house.held_up(5)
    await until(lambda: house.gauge("sockets") == 0)
    assert house.gauge("errors_total", code="CLIENT_GONE") == 5
    assert house.gauge("operations_total", kind="none", outcome="errors") == 5
    waiting = asyncio.create_task(house.post(WHO, anna))
    await house.held_up(6)
    house.pass_by()
    assert (await waiting).good() == ANNA
