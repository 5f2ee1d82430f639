"""A world with a past, of which copies are made: what both worlds share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.client import SIGN_IN
from tests.databases import Template, key_ring, settings_environment
from tests.oracle.generator import random_world
from tests.oracle.rule import Oracle, fold
from tests.oracle.world import PASSWORD, Mailbox, User
from tests.system.no_trace import worlds
from tests.system.no_trace.chance import BEGIN
from tests.system.no_trace.door import Asked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path
    from random import Random

    from tests.oracle.world import World as Drawn
    from tests.system.no_trace.worlds import World

RENEW = """mutation ($box: ID!) { generateMailboxPassword(mailboxId: $box) { effective errors { code } } }"""
REVEAL = """mutation ($box: ID!, $password: String!) {
  revealMailboxPassword(mailboxId: $box, currentPassword: $password) { errors { code } }
}"""
SEND = """mutation ($box: ID!, $to: String!) {
  sendMailboxCredentials(input: { mailboxId: $box, to: $to }) { delivery { id } errors { code } }
}"""
SWITCH = """mutation ($box: ID!) {
  off: setMailboxActive(mailboxId: $box, active: false) { errors { code } }
  on: setMailboxActive(mailboxId: $box, active: true) { errors { code } }
}"""
NAMES = "{ mailboxes(first: 100) { nodes { id address } } users(first: 100) { nodes { id login } } }"


@dataclass
class Scene:
    """What was drawn, where its database is, and the sessions that were opened in it."""

    seed: int
    world: Drawn
    template: Template
    secrets: Mapping[str, str]
    sessions: dict[str, tuple[str, str]]
    """By login: access and refresh token, which hold in every copy."""
    mailboxes: dict[str, str]
    """Ids by address."""
    users: dict[str, str]
    """Ids by login."""

    def token(self, user: User | None) -> str | None:
        """The access token of somebody who is active; None of nobody."""
        return None if user is None else self.sessions[user.login][0]


@asynccontextmanager
async def made(migrated: Template, folder: Path, seed: int, random: Random) -> AsyncIterator[Scene]:
    """A scene of this seed. Its database is at rest, and gone at the end of the block."""
    secrets = {"SEALING_KEYS": key_ring("s1"), "TOKEN_KEYS": key_ring("t1")}
    place = folder / "scene"
    place.mkdir()
    world = random_world(random, seed)
    with migrated.copied(place) as url:
        environment = settings_environment(url, place, **worlds.SETTINGS, **secrets)
        async with worlds.opened(environment) as made_of:
            history = _History(made_of, world, f"scene {seed}")
            await history.live(random)
        yield Scene(
            seed, world, Template.of(url), secrets, history.sessions, history.mailboxes, history.users
        )


class _History:
    """What happened before the worlds part."""

    def __init__(self, world: World, drawn: Drawn, seed: str) -> None:
        self._world = world
        self._drawn = drawn
        self._seed = seed
        self._steps = 0
        self.sessions: dict[str, tuple[str, str]] = {}
        self.mailboxes: dict[str, str] = {}
        self.users: dict[str, str] = {}

    async def live(self, random: Random) -> None:
        self._step()
        await self._world.bring(self._drawn)
        for user in self._drawn.users:
            if user.state == "ACTIVE":
                await self._enter(user)
        oracle = Oracle(self._drawn, BEGIN)
        for box in self._drawn.mailboxes:
            there = [
                user for user in self._drawn.users if user.state == "ACTIVE" and oracle.is_assigned(user, box)
            ]
            await self._use(box, random.choice(there) if there else None)

    def _step(self) -> None:
        self._steps += 1
        self._world.chance.step(self._seed, self._steps)

    async def _enter(self, user: User) -> None:
        self._step()
        given = {"login": user.login, "password": PASSWORD}
        answer = await self._world.ask(Asked(SIGN_IN, given), None)
        payload = answer.json["data"]["signIn"]
        self.sessions[user.login] = payload["accessToken"], payload["refreshToken"]
        found = (await self._world.ask(Asked(NAMES), payload["accessToken"])).json["data"]
        self.mailboxes |= {fold(each["address"]): each["id"] for each in found["mailboxes"]["nodes"]}
        self.users |= {fold(each["login"]): each["id"] for each in found["users"]["nodes"]}

    async def _use(self, box: Mailbox, user: User | None) -> None:
        """Leave events and knowledge of passwords behind."""
        name = self.mailboxes[fold(box.address)]
        administrator = next(
            each
            for each in self._drawn.users
            if each.agency == box.agency and each.role == "ADMINISTRATOR" and each.state == "ACTIVE"
        )
        for who, document in (
            (administrator, SWITCH),
            (user, RENEW),
            (user, REVEAL),
            (administrator, REVEAL),
        ):
            if who is not None:
                self._step()
                given = {"box": name, **({"password": PASSWORD} if document is REVEAL else {})}
                await self._world.ask(Asked(document, given), self.sessions[who.login][0])
