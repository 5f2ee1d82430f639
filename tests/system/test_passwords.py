"""Passwords of mailboxes on real servers: limits and renewals hold between processes, and no secret is in a log."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx
import pytest

from tests import command
from tests.client import Client, Json, connected
from tests.conftest import Migrated
from tests.databases import settings_environment

PASSWORD = "a horse that is correct"
WORLD = """
{"type": "agency", "key": "nord", "name": "Nord", "domains": ["nord.example"]}
{"type": "user", "agency": "nord", "login": "boss@nord.example", "firstName": "B", "lastName": "B", \
"role": "ADMINISTRATOR", "password": "OWN"}
{"type": "user", "agency": "nord", "login": "anna@nord.example", "firstName": "A", "lastName": "A", "password": "OWN"}
{"type": "mailbox", "agency": "nord", "address": "desk@nord.example"}
{"type": "mailbox", "agency": "nord", "address": "other@nord.example"}
{"type": "assignment", "mailbox": "other@nord.example", "user": "anna@nord.example", "from": "2024-01-01T00:00:00Z"}
""".replace("OWN", PASSWORD)
IDS = "{ mailboxes { nodes { id address } } }"
REVEAL = """mutation ($box: ID!, $own: String!) {
  revealMailboxPassword(mailboxId: $box, currentPassword: $own) {
    password errors { code ... on RateLimitedError { retryAfter } }
  }
}"""
GENERATE = """mutation ($box: ID!, $request: String) {
  generateMailboxPassword(mailboxId: $box, requestId: $request) { mailbox { address } errors { code } }
}"""
EVENTS = """query ($box: ID!) {
  node(id: $box) { ... on Mailbox { passwordChangedAt events { nodes { kind user { login } } } } }
}"""
AT_ONCE = 20


def outcome(payload: Json) -> str:
    """`done` or the error's code."""
    return payload["errors"][0]["code"] if payload["errors"] else "done"


@pytest.mark.timeout(180)
def test_limits_and_renewals_hold_between_processes(
    database_kind: str, migrated: Migrated, tmp_path: Path
) -> None:
    with migrated.template(database_kind).copied(tmp_path) as url:
        environment = settings_environment(url, tmp_path)
        command.run_well(environment, "import", "-", text=WORLD.strip())
        servers = [command.Server(environment, tmp_path)]
        if database_kind == "postgresql":
            servers.append(command.Server(environment, tmp_path))
        shown: set[str] = set()
        with ExitStack() as running:
            for each in servers:
                running.enter_context(each)
            asyncio.run(rage([each.url for each in servers], shown))
        assert len(shown) >= 2
        for server in servers:
            assert [each for each in (PASSWORD, *shown) if each in server.written] == []


async def rage(urls: list[str], shown: set[str]) -> None:
    """Renew and show at once through every server; keep the passwords that were shown."""
    async with AsyncExitStack() as open_clients:
        clients: list[Client] = []
        for url in urls:
            client = await open_clients.enter_async_context(connected(url))
            clients.append(await client.sign_in("boss@nord.example", PASSWORD))
        boss = clients[0]
        ids = {each["address"]: each["id"] for each in (await boss.data(IDS))["mailboxes"]["nodes"]}
        desk, other = ids["desk@nord.example"], ids["other@nord.example"]

        async def at_once(query: str, variables: list[Json]) -> list[Json]:
            calls = [
                clients[number % len(clients)].payload(query, each) for number, each in enumerate(variables)
            ]
            return list(await asyncio.gather(*calls))

        async def renewals(box: str) -> int:
            events = (await boss.data(EVENTS, {"box": box}))["node"]["events"]["nodes"]
            return sum(each["kind"] == "PASSWORD_RENEWED" for each in events)

        assert outcome(await boss.payload(GENERATE, {"box": other})) == "done"
        # One password is made for one name, however many ask for it and wherever.
        same = await at_once(GENERATE, [{"box": desk, "request": "one"}] * AT_ONCE)
        assert {outcome(each) for each in same} == {"done"}
        assert await renewals(desk) == 1
        # Without a name each that succeeds made one, and the others were told.
        several = [outcome(each) for each in await at_once(GENERATE, [{"box": desk}] * AT_ONCE)]
        assert set(several) <= {"done", "CONFLICT", "RATE_LIMITED"}
        assert several.count("done") >= 1
        assert await renewals(desk) == 1 + several.count("done")
        # A viewer is shown ten in ten minutes, at whatever mailbox and through whatever server.
        wanted = [
            {"box": (desk, other)[number % 2], "own": (PASSWORD, "wrong")[number % 4 == 3]}
            for number in range(2 * AT_ONCE)
        ]
        answers = await at_once(REVEAL, wanted)
        outcomes = [outcome(each) for each in answers]
        assert outcomes.count("RATE_LIMITED") == 2 * AT_ONCE - 10
        assert set(outcomes) <= {"done", "WRONG_PASSWORD", "RATE_LIMITED", "CONFLICT"}
        assert all(
            0 < each["errors"][0]["retryAfter"] <= 600 for each in answers if outcome(each) == "RATE_LIMITED"
        )
        shown |= {each["password"] for each in answers if outcome(each) == "done"}


# ---------------------------------------------------------------- kill -9

BOXES = 8
ANSWERED = 3


@pytest.mark.timeout(180)
def test_what_was_answered_survives_kill_9(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    boxes = "".join(
        f'\n{{"type": "mailbox", "agency": "nord", "address": "box{number}@nord.example"}}'
        for number in range(BOXES)
    )
    with migrated.template(database_kind).copied(tmp_path) as url:
        environment = settings_environment(url, tmp_path)
        command.run_well(environment, "import", "-", text=WORLD.strip() + boxes)
        with command.Server(environment, tmp_path) as server:
            asyncio.run(kill_twice(server))


async def kill_twice(server: command.Server) -> None:
    """End the server within renewals, then within showings; look each time what is left of them."""
    async with connected(server.url) as client:
        boss = await client.sign_in("boss@nord.example", PASSWORD)
        found = (await boss.data(IDS))["mailboxes"]["nodes"]
    boxes = [each["id"] for each in found if each["address"].startswith("box")]
    renewals = [{"box": box, "request": "one"} for box in boxes]
    answered = await killed_within(server, boss, GENERATE, renewals)
    assert {outcome(each) for each in answered.values()} == {"done"}
    before = await looked_at(server, boss, boxes)
    assert all(kinds(before[box]) == ["PASSWORD_RENEWED"] for box in answered)
    # A client that got no answer asks again: everything was renewed once, whenever the server went away.
    async with connected(server.url) as connections:
        for each in renewals:
            assert outcome(await boss.over(connections).payload(GENERATE, each)) == "done"
    after = await looked_at(server, boss, boxes)
    for box in boxes:
        assert kinds(after[box]) == ["PASSWORD_RENEWED"]
        if kinds(before[box]):
            assert before[box] == after[box]
    shown = await killed_within(server, boss, REVEAL, [{"box": box, "own": PASSWORD} for box in boxes])
    assert {outcome(each) for each in shown.values()} == {"done"}
    # What was shown is written down; what is written down need not have been shown.
    last = await looked_at(server, boss, boxes)
    for box in boxes:
        assert kinds(last[box]) in (
            [["PASSWORD_REVEALED", "PASSWORD_RENEWED"]]
            if box in shown
            else [["PASSWORD_RENEWED"], ["PASSWORD_REVEALED", "PASSWORD_RENEWED"]]
        )


async def killed_within(
    server: command.Server, boss: Client, query: str, variables: list[Json]
) -> dict[str, Json]:
    """Ask for all at once, kill the server after a few answers, start it again; return the answers by mailbox."""
    answers: dict[str, Json] = {}

    async def ask(client: Client, each: Json) -> None:
        try:
            answers[each["box"]] = await client.payload(query, each)
        except httpx.TransportError:
            return
        if len(answers) == ANSWERED:
            server.kill()

    async with connected(server.url) as connections:
        await asyncio.gather(*(ask(boss.over(connections), each) for each in variables))
    assert len(answers) >= ANSWERED
    await asyncio.to_thread(server.start)
    return answers


async def looked_at(server: command.Server, boss: Client, boxes: list[str]) -> dict[str, Json]:
    """Each mailbox as it is after the restart."""
    async with connected(server.url) as connections:
        client = boss.over(connections)
        return {box: (await client.data(EVENTS, {"box": box}))["node"] for box in boxes}


def kinds(box: Json) -> list[str]:
    return [each["kind"] for each in box["events"]["nodes"]]
