"""Traces: off unless a collector is named, whole where it is, and never with anything that a client sent."""

import subprocess
import sys
from pathlib import Path

import pytest
import strawberry

from resolvers.errors import ConflictError
from schema.context import Info
from schema.root import Schema
from server.tracing import without_literals
from tests import peers
from tests.resolvers.signing_in import PASSWORD
from tests.server.collector import Collector, Span, collecting
from tests.server.doors import REFRESH, SIGN_IN, doors
from tests.server.test_websocket import OWN, served, until
from tests.stream import stream

PLANTED = "Pl4nted-Secret-7"
"""Stands wherever a client can put something."""
WRONG, NEW = "a wrong one of Anna", "a new one of Anna"
"""Passwords that are sent."""


@strawberry.type
class Query:
    @strawberry.field
    def length(self, text: str) -> int:
        return len(text)

    @strawberry.field
    def crash(self, text: str) -> int:
        raise LookupError(text)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def refuse(self, info: Info, text: str) -> int:
        await info.context.request.database.fetch("SELECT 1 AS one WHERE $1::text = '' OR 17 = 18", text)
        raise ConflictError(text)


FAULTY = Schema(query=Query, mutation=Mutation)


def holds_nothing_planted(collector: Collector, *others: str) -> None:
    for body in collector.bodies:
        for each in (PLANTED, PASSWORD, "$argon2", "Bearer", *others):
            assert each.encode() not in body
    assert not any(span.events for span in collector.spans)


def only(spans: list[Span]) -> Span:
    (span,) = spans
    return span


@pytest.mark.asyncio
async def test_a_request_is_told_with_its_operation_and_statements(
    door_database: str, database_kind: str, tmp_path: Path
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with collecting() as collector:
        async with (
            doors(door_database, tmp_path, TRACES_URL=collector.url) as house,
            house.client() as client,
        ):
            assert house.runtime.database.tracer is not None
            token = await house.token(house.anna)
            answer = await house.ask(
                "query Who($a: String) { viewer { login } users(first: 2, search: $a) { totalCount } }",
                token=token,
                traceparent=f"00-{trace}-b7ad6b7169203331-01",
                tracestate=f"vendor={PLANTED}",
                baggage=f"a={PLANTED}",
                cookie=f"theirs={PLANTED}",
                x_other=PLANTED,
            )
            answer.good()
            for path in (f"/graphql?x={PLANTED}", f"/{PLANTED}", "/healthz", "/readyz", "/metrics"):
                await client.http.get(path)
            await client.http.request(PLANTED.upper(), "/graphql")
    assert collector.resources[0]["service.name"] == "postfach"
    request = only(collector.named("POST /graphql"))
    assert (request.trace, request.kind, request.failed) == (trace, "SERVER", False)
    assert request.told == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "postfach.request": answer.headers["x-request-id"],
    }
    operation = only([each for each in collector.under(request) if each.kind == "INTERNAL"])
    assert (operation.name, operation.failed) == ("query Who", False)
    assert operation.told == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Who",
        "enduser.id": str(house.anna.id),
    }
    statements = [*collector.under(request), *collector.under(operation)]
    statements.remove(operation)
    assert len(statements) >= 2
    for each in statements:
        assert (each.name, each.kind) == ("SELECT", "CLIENT")
        assert set(each.told) == {"db.system.name", "db.operation.name", "db.query.text"}
        assert each.told["db.system.name"] == database_kind
        assert "'" not in each.told["db.query.text"]
    assert any(" FROM sessions s JOIN users u " in each.told["db.query.text"] for each in statements)
    # Every span is of the request's; what machines ask all the time, and what nobody asked for, is not told.
    assert {each.name for each in collector.spans} == {
        "POST /graphql",
        "query Who",
        "SELECT",
        "GET /graphql",
        "GET",
        "_OTHER /graphql",
    }
    holds_nothing_planted(collector, token)


@pytest.mark.asyncio
async def test_secrets_are_in_no_span(door_database: str, tmp_path: Path) -> None:
    with collecting() as collector:
        async with (
            doors(door_database, tmp_path, TRACES_URL=collector.url) as house,
            house.client() as client,
        ):
            right = {"login": "anna@nord.example", "password": PASSWORD}
            signed = (await client.execute(SIGN_IN, right)).good()["signIn"]
            await client.execute(SIGN_IN, right | {"password": WRONG})
            refreshed = await client.execute(REFRESH, {"token": signed["refreshToken"]})
            tokens = [signed["accessToken"], signed["refreshToken"]]
            tokens += [refreshed.good()["refreshSession"][name] for name in ("accessToken", "refreshToken")]
            client.token = tokens[-2]
            change = (
                f'mutation {{ changePassword(currentPassword: "{PASSWORD}", newPassword: "{NEW}") '
                "{ errors { code } } }"
            )
            assert (await client.execute(change)).good() == {"changePassword": {"errors": []}}
            await client.execute(f'{{ users(search: "{PLANTED}") {{ nodes {{ id }} }} }}')
            await client.execute(f'{{ nothing(like: "{PLANTED}") }}')
            await client.post(PLANTED.encode())
    mutations = [each for each in collector.spans if each.name == "mutation"]
    assert [each.told["graphql.operation.type"] for each in mutations] == ["mutation"] * 4
    units = collector.named("unit of work")
    assert units
    # What a unit does is within it, and it is within the operation.
    for unit in units:
        assert {each.kind for each in collector.under(unit)} == {"CLIENT"}
    inserts = [each.told["db.query.text"] for each in collector.named("INSERT")]
    assert any(each.startswith("INSERT INTO audit_events ") for each in inserts)
    holds_nothing_planted(collector, WRONG, NEW, *tokens, *(each.split(".")[-1] for each in tokens))


@pytest.mark.asyncio
async def test_faults_are_told_without_their_words(door_database: str, tmp_path: Path) -> None:
    with collecting() as collector:
        async with served(door_database, tmp_path, FAULTY, TRACES_URL=collector.url) as house:
            crash = await house.ask(f'query Bad {{ crash(text: "{PLANTED}") }}')
            assert crash.codes == ["INTERNAL"]
            refused = await house.ask(f'mutation Not {{ refuse(text: "{PLANTED}") }}')
            assert refused.codes == ["CONFLICT"]
            async with stream(house.socket_url) as opened:
                await (await opened.subscribe(f'query Socket {{ length(text: "{PLANTED}") }}')).data()
                await until(lambda: not house.runtime.metrics.subscriptions._value.get())  # noqa: SLF001
    for name, code in (("query Bad", "INTERNAL"), ("mutation Not", "CONFLICT")):
        span = only(collector.named(name))
        assert span.failed
        assert (span.told["postfach.codes"], span.told["error.type"]) == ([code], code)
    statement = only(collector.under(only(collector.named("mutation Not"))))
    assert statement.told["db.query.text"] == "SELECT ? AS one WHERE $1::text = ? OR ? = ?"
    assert not only(collector.named("query Socket")).failed
    holds_nothing_planted(collector)


@pytest.mark.asyncio
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_collector_that_is_away_holds_nobody_up(door_database: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{peers.free_port()}"
    async with doors(door_database, tmp_path, schema=OWN, TRACES_URL=url) as house:
        assert (await house.ask("{ who }")).good() == {"who": None}


@pytest.mark.asyncio
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_nothing_is_traced_unless_it_is_wanted(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, schema=OWN) as house:
        assert (house.runtime.tracing, house.runtime.database.tracer) == (None, None)


def test_without_a_collector_nothing_of_it_is_even_imported() -> None:
    script = "import sys, server.commands.serve; sys.exit(any(each.startswith('opentelemetry') for each in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_literals_of_a_statement_are_replaced() -> None:
    statement = (
        "SELECT a1, 'it''s', $12\n  FROM t2 WHERE x = 17 AND y = 1.5 AND z IN ('a', 'b') LIMIT $3::int"
    )
    assert without_literals(statement) == (
        "SELECT a1, ?, $12 FROM t2 WHERE x = ? AND y = ? AND z IN (?, ?) LIMIT $3::int"
    )
