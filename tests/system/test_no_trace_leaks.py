"""The fuzzer finds leaks: each one that is planted, within few operations."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.execution.test_compiled import LEFT_BEHIND
from tests.oracle.rule import Oracle
from tests.system.no_trace import fuzzer, hidden, scene
from tests.system.no_trace.chance import BEGIN, governed
from tests.system.no_trace.coverage import Coverage
from tests.system.no_trace.leaks import LEAKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Migrated
    from tests.oracle.world import Mailbox, User, World
    from tests.system.no_trace.hidden import Viewer

SEED = 41
"""A world in which there is something hidden of each kind."""
OPERATIONS = 1_000
PAIRS = 3
"""So many times another pair of worlds is made where a leak was not found in one."""


def viewer_of(kind: str, world: World) -> Viewer:
    """Somebody to whom the leak would tell something."""
    first, second = world.agencies
    oracle = Oracle(world, BEGIN)
    active = [user for user in world.users if user.state == "ACTIVE"]
    own = [user for user in active if user.agency == first.key]
    match kind:
        case "administrator":
            return next(user for user in own if user.role == "ADMINISTRATOR")
        case "user":
            listeners = [
                user
                for user in own
                if user.role == "USER"
                and user.activity_level != "NOTHING"
                and any(oracle.is_assigned(user, box) for box in world.mailboxes)
            ]
            # From whom most is hidden of what happens in the agency.
            return max(listeners, key=lambda user: len(_rooms(world, user)))
        case "stranger":
            return next(user for user in active if user.agency == second.key)
    return None


def _rooms(world: World, viewer: User) -> list[Mailbox]:
    rooms = hidden.find(Random(0), world, SEED, viewer).rooms
    return [box for _, box in rooms if box.agency == viewer.agency]


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings(*LEFT_BEHIND)
def test_each_planted_leak_is_found(
    migrated: Migrated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On the embedded database alone: what the fuzzer sees of a leak does not depend on where it is stored."""
    caplog.set_level("CRITICAL")
    found: dict[str, int] = {}

    async def hunt(made: scene.Scene, name: str) -> None:
        kind, leak = LEAKS[name]
        viewer = viewer_of(kind, made.world)
        for attempt in range(PAIRS):
            place = tmp_path / f"{name}{attempt}"
            place.mkdir()
            async with fuzzer.pair(made, place, viewer, f"{name} {attempt}") as pair:
                with leak():
                    try:
                        await pair.run(OPERATIONS, Coverage(fuzzer.SCHEMA))
                    except fuzzer.TraceError:
                        found[name] = found.get(name, 0) + pair.operations
                        return
                found[name] = found.get(name, 0) + pair.operations
        pytest.fail(f"{name} was not found in {found[name]} operations")

    async def hunt_all() -> None:
        with governed():
            async with scene.made(migrated.template("sqlite"), tmp_path, SEED, Random(SEED)) as made:
                for name in LEAKS:
                    await hunt(made, name)

    asyncio.run(hunt_all())
    print(found)  # noqa: T201
