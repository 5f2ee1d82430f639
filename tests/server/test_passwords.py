"""Passwords of mailboxes through the door: no cache keeps them, and nothing else holds them or those that prove a viewer."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from models.database import Database
from tests import storage
from tests.resolvers.offices import box_id
from tests.resolvers.signing_in import PASSWORD
from tests.server.doors import Doors, doors
from tests.storage import contents

pytestmark = pytest.mark.asyncio

WRONG = "Zwölf-Boxkämpfer-jagen"


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path) as opened:
        yield opened


async def test_secrets_are_in_the_answer_and_nowhere_else(
    house: Doors, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where somebody writes the own password into the document."""
    caplog.set_level(logging.DEBUG)
    box = box_id(await storage.mailbox(house.nord, "desk"))
    token = await house.token(house.anna)

    def reveal(own: str, selection: str = "password errors { code message }") -> str:
        return f'mutation {{ revealMailboxPassword(mailboxId: "{box}", currentPassword: "{own}") {{ {selection} }} }}'

    renewed = await house.ask(
        f'mutation {{ generateMailboxPassword(mailboxId: "{box}") {{ effective errors {{ code }} }} }}',
        token=token,
    )
    assert renewed.good()["generateMailboxPassword"] == {"effective": True, "errors": []}
    shown = await house.ask(reveal(PASSWORD), token=token)
    secret = shown.good()["revealMailboxPassword"]["password"]
    assert secret
    refused = await house.ask(reveal(WRONG), token=token)
    assert refused.good()["revealMailboxPassword"]["errors"] == [
        {"code": "WRONG_PASSWORD", "message": "The current password is wrong."}
    ]
    # Documents that can't be executed hold it as well.
    invalid = [
        await house.ask(document, token=token)
        for document in (
            reveal(WRONG, "nothing"),
            reveal(WRONG, "password)"),
            reveal(f'{WRONG}"'),
            f'mutation {{ revealMailboxPassword(mailboxId: "{box}", currentPassword: ["{WRONG}"]) {{ password }} }}',
        )
    ]
    assert [(answer.status, answer.codes) for answer in invalid] == [
        (200, ["GRAPHQL_VALIDATION_FAILED"]),
        (200, ["GRAPHQL_PARSE_FAILED"]),
        (200, ["GRAPHQL_PARSE_FAILED"]),
        (200, ["GRAPHQL_VALIDATION_FAILED"]),
    ]
    # A crash too.
    await house.runtime.database.execute("UPDATE mailbox_passwords SET sealed = 'v1.gone.x'")
    crashed = await house.ask(reveal(PASSWORD), token=token)
    assert crashed.codes == ["INTERNAL"]
    for answer in (renewed, shown, refused, *invalid, crashed):
        assert answer.headers["cache-control"] == "no-store"
    written = capfd.readouterr()
    held = [
        str(await contents(_database(house))),
        caplog.text,
        written.out,
        written.err,
        str(crashed.body),
        (await _metrics(house)),
    ]
    for each in (secret, PASSWORD, WRONG):
        assert [number for number, text in enumerate(held) if each in text] == []


def several(box: str, number: int) -> str:
    """One document that asks for the password this many times."""
    asked = (
        f'a{each}: revealMailboxPassword(mailboxId: "{box}", currentPassword: "{WRONG}") {{ errors {{ code }} }}'
        for each in range(number)
    )
    return f"mutation {{ {' '.join(asked)} }}"


async def test_one_request_asks_for_one_password(house: Doors) -> None:
    box = box_id(await storage.mailbox(house.nord, "desk"))
    token = await house.token(house.anna)
    before = await contents(_database(house))
    aliased = await house.ask(several(box, 2), token=token)
    assert aliased.codes == ["LIMIT_EXCEEDED"]
    async with house.client() as client:
        client.token = token
        batched = await client.post(json.dumps([{"query": several(box, 1)}] * 2).encode())
    assert (batched.status, batched.codes) == (400, ["BAD_REQUEST"])
    assert await contents(_database(house)) == before


async def test_aliases_count_where_an_operator_allows_them(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, LIMITS="secrets=20") as house:
        box = box_id(await storage.mailbox(house.nord, "desk"))
        answer = await house.ask(several(box, 12), token=await house.token(house.anna))
        codes = [payload["errors"][0]["code"] for payload in answer.good().values()]
        assert codes == ["WRONG_PASSWORD"] * 10 + ["RATE_LIMITED"] * 2


def _database(house: Doors) -> Database:
    return house.runtime.database


async def _metrics(house: Doors) -> str:
    async with house.client() as client:
        return (await client.http.get("/metrics")).text
