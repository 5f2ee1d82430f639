"""Rounds of the fuzzer: a scene, and some viewers who look at it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.oracle.rule import Oracle
from tests.system.harness import told
from tests.system.no_trace import fuzzer, scene
from tests.system.no_trace.chance import BEGIN, governed
from tests.system.no_trace.coverage import Coverage
from tests.system.no_trace.fuzzer import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Template
    from tests.oracle.world import World
    from tests.system.no_trace.hidden import Viewer

OPERATIONS = 300
"""Compared for each viewer."""


@dataclass
class Done:
    """What was compared."""

    rounds: int = 0
    operations: int = 0
    events: int = 0
    unsteady: int = 0


async def play(migrated: Template, folder: Path, seed: int, seconds: float, coverage: Coverage) -> Done:
    """Play rounds of the seeds from this one on until time is up: one at the least, and the last one to its end.

    Raises `fuzzer.TraceError`.
    """
    done, end = Done(), time.monotonic() + seconds
    with governed():
        while done.rounds == 0 or time.monotonic() < end:
            number = seed + done.rounds
            place = folder / f"round{number}"
            place.mkdir()
            with told(f"POSTFACH_SEED={number} begins with the round that failed"):
                # Of its own: what was seen leads what is drawn, and a seed has to repeat its round.
                seen = Coverage(SCHEMA)
                await _round(migrated, place, number, seen, done)
            coverage.add(seen)
            done.rounds += 1
    return done


async def _round(migrated: Template, folder: Path, seed: int, coverage: Coverage, done: Done) -> None:
    random = Random(seed)
    async with scene.made(migrated, folder, seed, random) as made:
        for index, viewer in enumerate(viewers(random, made.world)):
            place = folder / f"viewer{index}"
            place.mkdir()
            async with fuzzer.pair(made, place, viewer, f"{seed} {index}") as pair:
                await pair.run(OPERATIONS, coverage)
            done.operations += pair.operations
            done.events += pair.events
            done.unsteady += pair.unsteady


def viewers(random: Random, world: World) -> list[Viewer]:
    """An administrator, a user, and one who is not of the agency: a stranger, an account manager or nobody."""
    first, second = world.agencies
    active = [user for user in world.users if user.state == "ACTIVE"]
    oracle = Oracle(world, BEGIN)
    own = [user for user in active if user.agency == first.key]
    plain = [user for user in own if user.role == "USER"]
    # Who is assigned to something reads and does more.
    assigned = [user for user in plain if any(oracle.is_assigned(user, box) for box in world.mailboxes)]
    others: list[list[Viewer]] = [
        [user for user in active if user.agency == second.key],
        [user for user in active if user.agency is None],
        [None],
    ]
    return [
        random.choice([user for user in own if user.role == "ADMINISTRATOR"]),
        *([random.choice(assigned or plain)] if plain else []),
        random.choice(random.choice(others)),
    ]
