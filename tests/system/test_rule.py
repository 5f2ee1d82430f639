"""Random worlds over the API, compared with the oracle: lists, filters, search, counts, nodes, nested paths.

`POSTFACH_WORLDS` is the number of worlds for each database (7), `POSTFACH_SEED` the first seed (random).
A failure names the seed of its world; `POSTFACH_WORLDS=1 POSTFACH_SEED=…` runs that one alone.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from tests import command
from tests.application import started
from tests.client import inside
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.oracle.generator import random_world
from tests.oracle.world import World
from tests.system.comparison import compare_worlds
from tests.system.harness import SEED

WORLDS = int(os.environ.get("POSTFACH_WORLDS", "7"))
WORLDS_IN_A_DATABASE = 25


@pytest.mark.timeout(300 + 30 * WORLDS)
def test_every_answer_follows_the_rule(
    database_kind: str, migrated: Migrated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\n{WORLDS} worlds from seed {SEED} on {database_kind}", end=" ")  # noqa: T201
    for start in range(0, WORLDS, WORLDS_IN_A_DATABASE):
        seeds = range(SEED + start, SEED + min(start + WORLDS_IN_A_DATABASE, WORLDS))
        folder = tmp_path / str(start)
        folder.mkdir()
        with migrated.template(database_kind).copied(folder) as url:
            worlds = {seed: random_world(Random(seed), seed) for seed in seeds}
            asyncio.run(bring_and_compare(settings_environment(url, folder), worlds))
        with capsys.disabled():
            print(".", end="", flush=True)  # noqa: T201


async def bring_and_compare(environment: Mapping[str, str], worlds: Mapping[int, World]) -> None:
    """Imports worlds as disjoint agencies of one database and compares them."""
    lines = "".join(world.text(Random(seed)) for seed, world in worlds.items())
    await asyncio.to_thread(command.run_well, environment, "import", "-", text=lines)
    async with started(environment) as app, inside(app) as client:
        await compare_worlds(client, worlds)
