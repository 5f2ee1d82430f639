"""GraphQL over WebSocket: the protocol, who asks, and how sockets end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import strawberry
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from models import clock
from models.database import Unit
from resolvers import sessions
from resolvers.events import WAITING_EVENTS, EventsLostError
from schema import schema as postfach
from schema.context import Info
from schema.root import Schema
from server import session_watch, websocket
from server.commands.serve import listening
from server.serving import HttpServer, config_of
from tests.client import connected
from tests.server.doors import Doors, doors
from tests.stream import Stream, stream

pytestmark = pytest.mark.asyncio
WAIT = 10
FRONT_END = "https://app.nord.example"
MEGABYTE = 1024 * 1024


# ---------------------------------------------------------------- a schema to listen to


@strawberry.type
class Query:
    @strawberry.field
    def who(self, info: Info) -> str | None:
        viewer = info.context.request.viewer
        return None if viewer is None else f"{viewer.login} {viewer.role}"

    @strawberry.field
    def crash(self) -> str:
        raise LookupError("secret")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def sign_out(self, info: Info) -> bool:
        await sessions.sign_out(info.context.request, everywhere=False)
        return True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def numbers(self, info: Info) -> AsyncIterator[int]:
        with info.context.request.services.events.subscribe("numbers") as events:
            async for payload in events:
                yield payload["number"]

    @strawberry.subscription
    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def mine(self, info: Info) -> AsyncIterator[str]:
        yield info.context.request.signed_in().login

    @strawberry.subscription
    async def flood(self) -> AsyncIterator[str]:
        while True:
            yield "x" * (MEGABYTE // 2)


OWN = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
)


class Served(Doors):
    """Doors that listen on a port."""

    url = ""
    socket_url = ""
    server: HttpServer

    async def publish(self, *numbers: int) -> None:
        """Tell who listens to `numbers`."""

        async def work(unit: Unit) -> None:
            for number in numbers:
                await self.runtime.services.events.publish(unit, "numbers", {"number": number})

        await self.runtime.database.transact(work)

    def gauge(self, name: str, **labels: str) -> float:
        """What is counted now."""
        return self.runtime.metrics.registry.get_sample_value(f"postfach_{name}", labels) or 0

    async def listeners(self, wanted: int) -> None:
        """Return when so many listen to `numbers`."""
        await until(lambda: self.runtime.services.events.subscribers("numbers") == wanted)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def served(
    url: str, folder: Path, schema: Schema = OWN, **changes: str | None
) -> AsyncIterator[Served]:
    async with doors(url, folder, schema=schema, ALLOWED_ORIGINS=FRONT_END, **changes) as opened:
        house = Served(**vars(opened))
        with listening("127.0.0.1", 0) as listener:
            host, port = listener.getsockname()
            house.url, house.socket_url = f"http://{host}:{port}", f"ws://{host}:{port}/graphql"
            is_there = asyncio.Event()
            house.server = HttpServer(config_of(house.app), is_there.set)
            serving = asyncio.create_task(house.server.serve([listener]))
            await is_there.wait()
            yield house
            house.server.end()
            await serving


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(session_watch, "SECONDS", 0.2)
    async with served(door_database, tmp_path) as opened:
        yield opened


async def closed(opened: Stream) -> tuple[int | None, str | None]:
    """The code and the words with which the server closed, once it did."""
    message = await asyncio.wait_for(opened.others.get(), WAIT)
    assert message["type"] == "closed", message
    return message["code"], opened.connection.close_reason


# ---------------------------------------------------------------- the protocol


async def test_queries_mutations_and_subscriptions_are_answered(house: Served) -> None:
    async with stream(house.socket_url, token=await house.token(house.anna)) as opened:
        query = await opened.subscribe("{ who }")
        assert await query.data() == {"who": "anna@nord.example ADMINISTRATOR"}
        assert await query.next() == {"id": "1", "type": "complete"}
        count = await opened.subscribe("subscription ($to: Int!) { count(to: $to) }", {"to": 3})
        assert [await count.data() for _ in range(3)] == [{"count": 0}, {"count": 1}, {"count": 2}]
        assert await count.next() == {"id": "2", "type": "complete"}
        crash = await opened.subscribe("{ who crash }")
        message = await crash.next()
        assert message["payload"]["data"] is None
        assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in str(message)
        assert (await crash.next())["type"] == "complete"


@pytest.mark.parametrize(
    "query,code",
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("# nothing", "GRAPHQL_PARSE_FAILED"),
        ("fragment A on Query { who }", "BAD_REQUEST"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { who } query B { who }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: 1.5) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { mine }", "UNAUTHENTICATED"),
    ],
)
async def test_what_cannot_be_executed_is_an_error_and_the_socket_goes_on(
    house: Served, query: str, code: str
) -> None:
    async with stream(house.socket_url) as opened:
        refused = await opened.subscribe(query)
        message = await refused.next()
        assert (message["type"], [each["extensions"]["code"] for each in message["payload"]]) == (
            "error",
            [code],
        )
        assert await (await opened.subscribe("{ who }")).data() == {"who": None}


async def test_a_ping_is_answered(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        await opened.send({"type": "ping", "payload": {"any": "thing"}})
        assert await asyncio.wait_for(opened.others.get(), WAIT) == {"type": "pong"}
        await opened.send({"type": "pong"})
        assert await (await opened.subscribe("{ who }")).data() == {"who": None}


BAD_MESSAGES: list[str | bytes] = [
    '"foo"',
    "foo",
    "null",
    "[]",
    "{}",
    '{"type": 1}',
    '{"type": "start", "id": "1", "payload": {}}',
    '{"type": "ping", "payload": 1}',
    '{"type": "pong", "payload": []}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": "1", "payload": null}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
    '{"type": "subscribe", "id": ["1"], "payload": {"query": "{ who }"}}',
    '{"type": "subscribe", "id": "", "payload": {"query": "{ who }"}}',
    '{"type": "subscribe", "payload": {"query": "{ who }"}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ who }", "variables": []}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "\\ud800"}}',
    '{"type": "complete"}',
    '{"type": "complete", "id": {}}',
    "[" * 100_000,
    " " * (MEGABYTE + 1),
    b'{"type": "pong"}',
]


async def test_a_bad_message_closes(house: Served, caplog: pytest.LogCaptureFixture) -> None:
    for frame in BAD_MESSAGES:
        async with stream(house.socket_url) as opened:
            await opened.send(frame)
            assert await closed(opened) == (4400, "Bad message"), frame[:100]
    assert [record for record in caplog.records if record.exc_info] == []


async def test_frames_beyond_any_measure_and_of_no_text_close(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        with contextlib.suppress(ConnectionClosed):
            await opened.send(" " * 5 * MEGABYTE)
        assert (await closed(opened))[0] == 1009
    async with stream(house.socket_url) as opened:
        await opened.connection.send(b"\xff", text=True)
        assert (await closed(opened))[0] == 1007


@pytest.mark.parametrize("payload", ["x", ["x"], {"authorization": 1}, {"authorization": ["x"]}])
async def test_a_bad_initialisation_closes(house: Served, payload: Any) -> None:  # noqa: ANN401 (any JSON)
    async with stream(house.socket_url, initialise=False) as opened:
        await opened.send({"type": "connection_init", "payload": payload})
        assert await closed(opened) == (4400, "Bad message")


async def test_operations_come_after_the_initialisation(house: Served) -> None:
    async with stream(house.socket_url, initialise=False) as opened:
        await opened.subscribe("{ who }")
        assert await closed(opened) == (4401, "Unauthorized")


async def test_there_is_one_initialisation(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        await opened.send({"type": "connection_init"})
        assert await closed(opened) == (4429, "Too many initialisation requests")


async def test_the_initialisation_is_waited_for_a_while(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "INIT_SECONDS", 0.05)
    async with stream(house.socket_url, initialise=False) as opened:
        assert await closed(opened) == (4408, "Connection initialisation timeout")
    async with stream(house.socket_url) as opened:
        numbers = await opened.subscribe("subscription { numbers }")
        await house.listeners(1)
        await asyncio.sleep(0.1)
        await house.publish(1)
        assert await numbers.data() == {"numbers": 1}


@pytest.mark.parametrize("protocols", [None, ["graphql-ws"], ["x"]])
async def test_another_protocol_is_not_spoken(house: Served, protocols: list[Subprotocol] | None) -> None:
    async with connect(house.socket_url, subprotocols=protocols, proxy=None) as connection:
        await asyncio.wait_for(connection.wait_closed(), WAIT)
        assert (connection.close_code, connection.close_reason) == (4406, "Subprotocol not acceptable")


async def test_a_name_is_taken_while_its_operation_runs(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        subscribe = {"id": "x", "type": "subscribe", "payload": {"query": "subscription { numbers }"}}
        await opened.send(subscribe)
        await house.listeners(1)
        # After the client's own complete the name is free at once.
        await opened.send({"id": "x", "type": "complete"})
        await opened.send(subscribe)
        await house.listeners(1)
        await opened.send({"id": "unknown", "type": "complete"})
        await opened.send(subscribe)
        assert await closed(opened) == (4409, "Subscriber already exists")


async def test_a_name_is_free_after_the_last_message(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        for _ in range(50):
            await opened.send({"id": "x", "type": "subscribe", "payload": {"query": "{ who }"}})
            assert (await asyncio.wait_for(opened.others.get(), WAIT))["type"] == "next"
            assert (await asyncio.wait_for(opened.others.get(), WAIT))["type"] == "complete"


async def test_a_completed_subscription_is_no_longer_listened_to(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        first = await opened.subscribe("subscription { numbers }")
        second = await opened.subscribe("subscription { numbers }")
        await house.listeners(2)
        assert (house.gauge("sockets"), house.gauge("subscriptions")) == (1, 2)
        await first.complete()
        await house.listeners(1)
        await house.publish(7)
        assert await second.data() == {"numbers": 7}
        assert house.gauge("subscriptions") == 1
    await house.listeners(0)
    await until(lambda: house.gauge("sockets") == 0)
    assert house.gauge("subscriptions") == 0


async def test_twenty_operations_run_at_once(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        running = [await opened.subscribe("subscription { numbers }") for _ in range(20)]
        await house.listeners(20)
        refused = await (await opened.subscribe("{ who }")).next()
        assert (refused["type"], refused["payload"][0]["extensions"]) == ("error", {"code": "BAD_REQUEST"})
        await running[0].complete()
        assert await (await opened.subscribe("{ who }")).data() == {"who": None}


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}"])
async def test_a_token_signs_in(house: Served, form: str) -> None:
    token = await house.token(house.anna)
    async with stream(house.socket_url, initialise=False) as opened:
        assert await opened.initialise(form.format(token)) == {"type": "connection_ack"}
        assert await (await opened.subscribe("subscription { mine }")).data() == {"mine": "anna@nord.example"}


async def test_a_cookie_signs_in(house: Served) -> None:
    cookie = {"Cookie": f"postfach_access={await house.token(house.anna)}"}
    for origin in (None, house.url, FRONT_END):
        headers = cookie if origin is None else {**cookie, "Origin": origin}
        async with stream(house.socket_url, headers=headers) as opened:
            assert await (await opened.subscribe("{ who }")).data() == {
                "who": "anna@nord.example ADMINISTRATOR"
            }
    async with stream(house.socket_url, headers=cookie, token=await house.token(house.ben)) as opened:
        assert await (await opened.subscribe("{ who }")).data() == {"who": "ben@nord.example USER"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.nord.example:444"])
async def test_another_page_opens_no_socket(house: Served, origin: str) -> None:
    for cookie in (f"postfach_access={await house.token(house.anna)}", ""):
        with pytest.raises(InvalidStatus) as caught:
            async with stream(house.socket_url, headers={"Cookie": cookie, "Origin": origin}):
                pass
        assert caught.value.response.status_code == 403


async def test_a_token_that_does_not_hold_closes(house: Served) -> None:
    alive = await house.session(house.anna)
    ended = await house.session(house.anna)
    await house.runtime.database.execute("UPDATE sessions SET ended_at = opened_at WHERE id = $1", ended)
    past = int(clock.now().timestamp()) - 1
    for token in (
        "",
        "x",
        "Basic x",
        house.token_of(ended),
        house.signed({"use": "access", "sid": str(alive), "exp": past}),
        house.runtime.services.tokens.pair(alive, 1, clock.now() + timedelta(days=1)).refresh,
    ):
        async with stream(house.socket_url, initialise=False) as opened:
            assert await opened.initialise(token) == {"type": "closed", "code": 4403}
            assert opened.connection.close_reason == "Forbidden"
    async with stream(house.socket_url, initialise=False, headers={"Cookie": "postfach_access=x"}) as opened:
        assert (await opened.initialise())["code"] == 4403


async def test_rights_are_read_anew_for_each_operation(house: Served) -> None:
    async with stream(house.socket_url, token=await house.token(house.anna)) as opened:
        await house.anna.filter(id=house.anna.id).update(role="USER")
        assert await (await opened.subscribe("{ who }")).data() == {"who": "anna@nord.example USER"}


# ---------------------------------------------------------------- how sockets end


async def test_a_socket_ends_with_its_session_and_no_other(house: Served) -> None:
    first, second = await house.session(house.anna), await house.session(house.anna)
    async with (
        stream(house.socket_url, token=house.token_of(first)) as ended,
        stream(house.socket_url, token=house.token_of(second)) as goes_on,
        connected(house.url) as client,
    ):
        await ended.subscribe("subscription { numbers }")
        numbers = await goes_on.subscribe("subscription { numbers }")
        await house.listeners(2)
        client.token = house.token_of(first)
        assert (await client.execute("mutation { signOut }")).good() == {"signOut": True}
        assert await closed(ended) == (4401, "Session ended")
        await house.publish(1)
        assert await numbers.data() == {"numbers": 1}
        assert house.gauge("sockets_closed_total", code="4401") == 1


async def test_the_operation_that_ends_its_session_is_answered(house: Served) -> None:
    async with stream(house.socket_url, token=await house.token(house.anna)) as opened:
        out = await opened.subscribe("mutation { signOut }")
        assert await out.data() == {"signOut": True}
        assert (await out.next())["type"] == "complete"
        assert await closed(opened) == (4401, "Session ended")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sessions SET ended_at = $2 WHERE user_id = $1",
        "UPDATE sessions SET expires_at = $2 WHERE user_id = $1",
        "UPDATE users SET state = 'LOCKED' WHERE id = $1 AND $2::timestamptz IS NOT NULL",
    ],
)
async def test_an_end_that_nobody_tells_is_found(house: Served, change: str) -> None:
    async with stream(house.socket_url, token=await house.token(house.anna)) as opened:
        await opened.subscribe("subscription { numbers }")
        await house.listeners(1)
        await house.runtime.database.execute(change, house.anna.id, datetime.now(UTC))
        assert await closed(opened) == (4401, "Session ended")


async def test_the_end_of_the_access_token_ends_nothing(house: Served) -> None:
    session = await house.session(house.anna)
    soon = int(clock.now().timestamp()) + 2
    token = house.signed({"use": "access", "sid": str(session), "exp": soon})
    async with stream(house.socket_url, token=token) as opened:
        numbers = await opened.subscribe("subscription { numbers }")
        await house.listeners(1)
        await until(lambda: house.runtime.services.tokens.read_access(token) is None)
        await house.publish(1)
        assert await numbers.data() == {"numbers": 1}
        assert await (await opened.subscribe("{ who }")).data() == {"who": "anna@nord.example ADMINISTRATOR"}


async def test_lost_events_close(house: Served) -> None:
    async with (
        stream(house.socket_url, token=await house.token(house.anna)) as idle,
        stream(house.socket_url) as opened,
    ):
        await opened.subscribe("subscription { numbers }")
        await house.listeners(1)
        house.runtime.services.events._fail_all(EventsLostError("gone"))  # noqa: SLF001 (as the bus does itself)
        assert await closed(opened) == (1012, "Events may be missing")
        # Without a subscription too: the end of its session may have been missed.
        assert await closed(idle) == (1012, "Events may be missing")


async def test_who_does_not_keep_up_with_the_bus_is_dropped(house: Served) -> None:
    async with stream(house.socket_url) as opened:
        await opened.subscribe("subscription { numbers }")
        await house.listeners(1)
        await house.publish(*range(WAITING_EVENTS + 500))
        assert (await closed(opened)) == (1013, "Too slow")


async def test_a_peer_that_stops_reading_is_dropped(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SEND_SECONDS", 0.3)
    async with stream(house.socket_url) as opened:
        opened.connection.transport.pause_reading()
        await opened.subscribe("subscription { flood }")
        await until(lambda: house.gauge("sockets_closed_total", code="1013") == 1)
        await until(lambda: house.gauge("sockets") == 0)
        opened.connection.transport.resume_reading()
        assert await closed(opened) == (1013, "Too slow")


async def test_a_peer_that_never_reads_on_is_let_go(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SEND_SECONDS", 0.2)
    monkeypatch.setattr("server.socket_protocol.LAST_WORDS_SECONDS", 0.2)
    async with stream(house.socket_url) as opened:
        opened.connection.transport.pause_reading()
        await opened.subscribe("subscription { flood }")
        await until(lambda: house.gauge("sockets_closed_total", code="1013") == 1)
        await until(lambda: not house.server.server_state.connections)
        opened.connection.transport.resume_reading()
        assert (await closed(opened))[0] == 1006


async def test_a_crash_at_the_door_closes(
    house: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: object) -> Awaitable[None]:
        raise LookupError("secret")

    monkeypatch.setattr(sessions, "viewer_of_session", crash)
    async with stream(house.socket_url, initialise=False) as opened:
        assert (await opened.initialise(await house.token(house.anna)))["code"] == 1011
    assert [record.message for record in caplog.records if record.exc_info] == ["crash"]


async def test_the_whole_schema_is_there(door_database: str, tmp_path: Path) -> None:
    async with (
        served(door_database, tmp_path, postfach) as house,
        stream(house.socket_url, token=await house.token(house.anna)) as opened,
    ):
        assert await (await opened.subscribe("{ viewer { login } }")).data() == {
            "viewer": {"login": "anna@nord.example"}
        }
        variables = {"login": "anna@nord.example", "password": "x"}
        answer = await (
            await opened.subscribe(
                "mutation ($login: String!, $password: String!) "
                "{ signIn(login: $login, password: $password, session: COOKIE) { errors { code path } } }",
                variables,
            )
        ).data()
        assert answer == {"signIn": {"errors": [{"code": "INVALID_INPUT", "path": ["session"]}]}}
