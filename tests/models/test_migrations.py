"""The migrations make the tables that the models describe."""

import json
from pathlib import Path

import pytest
from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector

from models import migrations

CONFIG = Path(migrations.__file__).with_name("tortoise.json")


@pytest.mark.asyncio
async def test_nothing_in_the_models_waits_for_a_migration() -> None:
    config = json.loads(CONFIG.read_text("utf-8"))
    await Tortoise.init(config=config)
    try:
        apps = Tortoise.apps
        assert apps is not None
        waiting = await MigrationAutodetector(apps, config["apps"]).changes()
    finally:
        await Tortoise.close_connections()
    assert [operation for each in waiting for operation in each.operations] == []
