"""The letters of a trial: files in a folder."""

import os
import stat
from pathlib import Path

import pytest

from mail.handing import Outcome
from mail.trial import FolderTransport
from models.tables.letters import DeliveryState
from tests.mail.outboxes import House, house, letter, post

__all__ = ["house", "post"]
pytestmark = pytest.mark.asyncio


# ---------------------------------------------------------------- the letters of a trial


async def test_without_a_server_letters_land_in_a_folder(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "outbox"
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        row = await house.until(wanted, DeliveryState.SENT)
    (file,) = folder.iterdir()
    assert file.read_bytes() == letter(wanted)
    assert file.name == f"{row.requested_at:%Y%m%dT%H%M%S.%fZ}-{wanted}.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_letter_that_is_written_again_is_the_same_file(house: House, tmp_path: Path) -> None:
    house.told.failing = 2
    folder = tmp_path / "outbox"
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.SENT)
    assert [Path(each).suffix for each in os.listdir(folder)] == [".eml"]  # noqa: PTH208 (a look that blocks nobody)


async def test_a_folder_that_cannot_be_written_to_is_a_setting(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.write_text("a file")
    outbox = house.outbox(FolderTransport(folder))
    async with house.running(outbox):
        wanted = await house.ask(outbox)
        await house.until(wanted, DeliveryState.QUEUED, attempts=1)
        assert house.told.troubles[-1:] == [True]
        folder.unlink()
        await house.until(wanted, DeliveryState.SENT)
    assert Outcome.UNUSABLE.value in house.told.counted
