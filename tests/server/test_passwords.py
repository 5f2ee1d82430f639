"""Passwords of mailboxes through the door: no cache keeps them, and nothing else holds them or those that prove a viewer."""

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


def _database(house: Doors) -> Database:
    return house.runtime.database


async def _metrics(house: Doors) -> str:
    async with house.client() as client:
        return (await client.http.get("/metrics")).text
