"""Random walks over the API: after every few changes everything is answered as the oracle says.

What came of a walk is exported, imported elsewhere and answered as the oracle says there, too.

`POSTFACH_WALKS` is the number of worlds for each database (2), `POSTFACH_SEED` the first seed (random).
"""

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from tests import command
from tests.client import connected
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.oracle.generator import Size, random_world
from tests.system.harness import SEED, told
from tests.system.walker import Walker

WALKS = int(os.environ.get("POSTFACH_WALKS", "2"))
KEYS = "POSTFACH_SEALING_KEYS"
STEPS = 40
STEPS_BETWEEN = 10


@pytest.mark.timeout(300 + 60 * WALKS)
def test_every_change_keeps_the_rule(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    seeds = range(SEED, SEED + WALKS)
    worlds = {seed: random_world(Random(seed), seed, Size(users=5, mailboxes=3, mails=8)) for seed in seeds}

    async def run(url: str) -> list[Walker]:
        async with connected(url) as client:
            walkers = [Walker(client, world, seed, Random(seed)) for seed, world in worlds.items()]
            for walker in walkers:
                with told(f"POSTFACH_WALKS=1 POSTFACH_SEED={walker.number}"):
                    await walk(walker)
            return walkers

    async def compare_elsewhere(url: str, walkers: list[Walker]) -> None:
        async with connected(url) as client:
            for walker in walkers:
                with told(f"exported and imported, POSTFACH_WALKS=1 POSTFACH_SEED={walker.number}"):
                    await walker.sign_in(client)
                    await walker.compare(everybody=True)

    template, file, elsewhere = migrated.template(database_kind), tmp_path / "export", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with template.copied(tmp_path) as url:
        environment = settings_environment(url, tmp_path)
        command.run_well(environment, "import", "-", text="".join(world.text() for world in worlds.values()))
        with command.Server(environment, tmp_path, cheaply=True) as server:
            walkers = asyncio.run(run(server.url))
        command.run_well(environment, "export", str(file))
    with template.copied(elsewhere) as url:
        environment = {**environment, **settings_environment(url, elsewhere, SEALING_KEYS=environment[KEYS])}
        command.run_well(environment, "import", str(file))
        with command.Server(environment, elsewhere, cheaply=True) as server:
            asyncio.run(compare_elsewhere(server.url, walkers))


async def walk(walker: Walker) -> None:
    """Makes all steps of one walk; a failure tells those that led to it."""
    await walker.begin()
    steps: list[str] = []
    try:
        for number in range(STEPS):
            steps.append(await walker.step())
            if number % STEPS_BETWEEN == 0:
                await walker.compare(everybody=False)
        await walker.compare(everybody=True)
    except Exception as error:
        error.add_note("\n".join(steps))
        raise
