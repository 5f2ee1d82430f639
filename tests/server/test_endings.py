"""What a client and an operator see of sessions that are to be ended on the mail server."""

import asyncio
from pathlib import Path

import pytest

from models import clock
from models.tables.mailboxes import SessionEnding
from tests import command, storage
from tests.mail.answering import KEY, answering
from tests.resolvers.offices import box_id
from tests.server.doors import doors

pytestmark = pytest.mark.asyncio


async def test_the_payload_says_what_is_open_and_the_same_call_later_that_it_is_done(
    door_database: str, tmp_path: Path
) -> None:
    async with (
        answering() as api,
        doors(door_database, tmp_path, DOVEADM_URL=api.url, DOVEADM_KEY=KEY) as house,
        house.client() as client,
    ):
        box = box_id(await storage.mailbox(house.nord, "desk"))
        token = await house.token(house.anna)

        async def renew(request: str) -> bool | None:
            document = (
                f'mutation {{ generateMailboxPassword(mailboxId: "{box}", requestId: "{request}") '
                "{ effective errors { code } } }"
            )
            answer = (await house.ask(document, token=token)).good()["generateMailboxPassword"]
            assert answer["errors"] == []
            effective: bool | None = answer["effective"]
            return effective

        async def counted(number: int) -> None:
            async with asyncio.timeout(20):
                while (  # noqa: ASYNC110 (the worker tells nobody)
                    f"postfach_open_session_endings {number}.0\n"
                    not in (await client.http.get("/metrics")).text
                ):
                    await asyncio.sleep(0.02)

        assert await renew("first") is True
        assert api.asked == []
        assert await renew("second") is True
        assert api.asked == [["desk@nord.example"]]
        await counted(0)
        api.status = "503 Away"
        assert await renew("third") is False
        assert await renew("third") is False
        await counted(1)
        api.status = "200 OK"
        await house.runtime.database.execute("UPDATE session_endings SET next_attempt_at = $1", clock.now())
        house.runtime.services.endings._awake.set()  # noqa: SLF001 (ten seconds sooner)
        await counted(0)
        assert await renew("third") is True
        row = await SessionEnding.get()
        assert (row.version, row.attempts) == (3, 0)


async def test_the_check_says_that_the_key_is_wrong(environment: dict[str, str]) -> None:
    async with answering() as api:
        told = environment | {"POSTFACH_DOVEADM_URL": api.url, "POSTFACH_DOVEADM_KEY": KEY}
        good = await asyncio.to_thread(command.run, told, "check")
        assert (good.code, good.output) == (0, "All is well.\n")
        assert api.asked == [["nobody@postfach.invalid"]]
        api.status = "401 Authentication required"
        bad = await asyncio.to_thread(command.run, told, "check")
    where = api.url.removeprefix("http://")
    assert (bad.code, bad.error) == (
        1,
        f"POSTFACH_DOVEADM_URL: {where} does not end sessions: the key is not accepted\n",
    )
