"""Compares everything that every viewer of a world is answered with the oracle."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

import pytest

from tests.client import Client, SignInRefusedError
from tests.oracle.rule import Oracle
from tests.oracle.world import PASSWORD, World
from tests.system.directory import Directory
from tests.system.harness import told
from tests.system.viewpoint import Known, Viewpoint

WORLDS_AT_ONCE = 3


async def compare_worlds(client: Client, worlds: Mapping[int, World]) -> None:
    """Compares all worlds of one database, by seed, a few at once."""
    places = asyncio.Semaphore(WORLDS_AT_ONCE)
    strangers: list[str] = []

    async def one(seed: int, world: World) -> None:
        async with places:
            with told(f"seed {seed}: POSTFACH_WORLDS=1 POSTFACH_SEED={seed}"):
                await compare_world(client, world, Random(seed), strangers)

    async with asyncio.TaskGroup() as group:
        for seed, world in worlds.items():
            group.create_task(one(seed, world))


async def compare_world(client: Client, world: World, random: Random, strangers: list[str]) -> None:
    """Compares every viewer of a world. `strangers` are ids of other worlds, which nobody here may read."""
    oracle, known = Oracle(world, datetime.now(UTC)), Known()
    views = []
    for user in world.users:
        if user.state != "ACTIVE":
            with told(f"sign-in of {user.login}"), pytest.raises(SignInRefusedError, match="UNAUTHENTICATED"):
                await client.sign_in(user.login, PASSWORD)
            continue
        signed_in = await client.sign_in(user.login, PASSWORD)
        views.append(Viewpoint(signed_in, oracle, user, known, Random(random.random())))
    for view in views:
        with told(f"feed of {view.viewer}"):
            await view.learn()
    everybody = [*known.entries, *strangers[-20:]]
    for view in views:
        with told(f"parts of the feed of {view.viewer}"):
            await view.compare(everybody)
        with told(f"directory of {view.viewer}"):
            await Directory(view).compare()
    strangers.extend(known.entries)
