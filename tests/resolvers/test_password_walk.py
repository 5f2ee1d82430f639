"""A walk at random through rights and passwords, beside a telling of the rules in plain Python.

`POSTFACH_SEED` repeats a walk; a failure names its seed and what was done.
"""

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random, SystemRandom
from typing import Any

import pytest

from models.database import Database
from models.tables.mailboxes import Mailbox
from models.tables.users import Role, User, UserState
from resolvers import assignments, mailbox_settings, passwords, rates, renewals, user_rights
from resolvers.errors import CallerError, ForbiddenError, UnauthenticatedError
from resolvers.following import Followed
from resolvers.request import Request
from resolvers.user_rights import Rights
from tests import storage
from tests.resolvers.offices import Office, box_id, new_password, user_id
from tests.resolvers.signing_in import PASSWORD, hashed
from tests.resolvers.test_following import addresses, is_recommended
from tests.surroundings import SEALS

STEPS = 300
SEED = int(os.environ.get("POSTFACH_SEED") or SystemRandom().randrange(10**9))


@dataclass
class Person:
    """What the rules ask of a user."""

    row: User
    administers: bool = False
    is_active: bool = True


@dataclass
class Box:
    """What the rules ask of a mailbox, its password's number, and who knows that one."""

    row: Mailbox
    vip: bool = False
    version: int = 1
    assigned: set[str] = field(default_factory=set)
    knowers: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.row.address.partition("@")[0]


class Model:
    """The rules, said once more."""

    def __init__(self, people: dict[str, Person], boxes: dict[str, Box]) -> None:
        self.people = people
        self.boxes = boxes

    def may_reveal(self, who: str, box: Box) -> bool:
        person = self.people[who]
        return person.is_active and (who in box.assigned or (person.administers and not box.vip))

    def may_renew(self, who: str, box: Box) -> bool:
        return who in box.assigned or self.people[who].administers

    def recommended(self, box: Box, *whose: str) -> bool:
        return any(not self.may_reveal(who, box) for who in box.knowers if who in whose or not whose)


class Walk:
    """Does something, and looks whether it was answered as the model says."""

    def __init__(self, database: Database, random: Random, model: Model, boss: User) -> None:
        self.database = database
        self.random = random
        self.model = model
        self.boss = boss

    async def step(self) -> str:
        """One change or look; returns what it was."""
        who = self.random.choice(list(self.model.people))
        box = self.random.choice(list(self.model.boxes.values()))
        shows = [self._reveal, self._reveal, self._renew]
        does = self.random.choice([*shows, self._assign, self._unassign, self._state, self._role, self._vip])
        await does(who, box)
        return f"{does.__name__} {who} {box.name}"

    async def check(self, request: Request) -> None:
        """Every mailbox recommends what the model says."""
        for box in self.model.boxes.values():
            assert await is_recommended(request, box.row) == self.model.recommended(box), box.name

    async def _request(self, who: str | None = None) -> Request:
        row = self.boss if who is None else await User.get(id=self.model.people[who].row.id)
        return await storage.request(self.database, row)

    async def _answer(self, who: str, work: Awaitable[Any], *, allowed: bool) -> bool:
        """Whether it was done, which it must be where it is allowed, and not where not."""
        expected: type[CallerError] | None = None
        if not self.model.people[who].is_active:
            expected = UnauthenticatedError
        elif not allowed:
            expected = ForbiddenError
        if expected is None:
            await work
            return True
        with pytest.raises(expected):
            await work
        return False

    async def _reveal(self, who: str, box: Box) -> None:
        work = passwords.reveal(await self._request(who), box_id(box.row), PASSWORD)
        if await self._answer(who, work, allowed=self.model.may_reveal(who, box)):
            box.knowers.add(who)

    async def _renew(self, who: str, box: Box) -> None:
        work = renewals.generate(await self._request(who), box_id(box.row), None)
        if await self._answer(who, work, allowed=self.model.may_renew(who, box)):
            box.version, box.knowers = box.version + 1, set()

    async def _assign(self, who: str, box: Box) -> None:
        if self.model.people[who].is_active:
            await assignments.assign(
                await self._request(), box_id(box.row), user_id(self.model.people[who].row)
            )
            box.assigned.add(who)

    async def _unassign(self, who: str, box: Box) -> None:
        if who in box.assigned:
            renew = self._renews()
            found = await assignments.unassign(
                await self._request(),
                box_id(box.row),
                user_id(self.model.people[who].row),
                renew_passwords=renew,
            )
            box.assigned.discard(who)
            self._follow(found, [box] if self.model.recommended(box, who) else [], renew=renew)

    async def _state(self, who: str, _box: Box) -> None:
        person, renew = self.model.people[who], self._renews()
        state = self.random.choice([UserState.ACTIVE, UserState.LOCKED])
        found = await user_rights.set_state(
            await self._request(), user_id(person.row), state, renew_passwords=renew
        )
        person.is_active = state is UserState.ACTIVE
        self._follow(found, self._known_by(who), renew=renew)

    async def _role(self, who: str, _box: Box) -> None:
        person, renew = self.model.people[who], self._renews()
        role = self.random.choice([Role.USER, Role.ADMINISTRATOR])
        found = await user_rights.set_rights(
            await self._request(), user_id(person.row), Rights(role=role), renew_passwords=renew
        )
        person.administers = role is Role.ADMINISTRATOR
        self._follow(found, self._known_by(who), renew=renew)

    async def _vip(self, _who: str, box: Box) -> None:
        renew, box.vip = self._renews(), not box.vip
        found = await mailbox_settings.set_vip(
            await self._request(), box_id(box.row), vip=box.vip, confirm=True, renew_passwords=renew
        )
        self._follow(found, [box] if self.model.recommended(box) else [], renew=renew)

    def _renews(self) -> bool:
        return self.random.random() < 0.3

    def _known_by(self, who: str) -> list[Box]:
        return [box for box in self.model.boxes.values() if self.model.recommended(box, who)]

    def _follow(self, found: Followed[Any], boxes: list[Box], *, renew: bool) -> None:
        names = sorted(box.name for box in boxes)
        told = (addresses(found.renewal_recommended), addresses(found.passwords_renewed))
        assert told == (([], names) if renew else (names, []))
        for box in boxes if renew else ():
            box.version, box.knowers = box.version + 1, set()


@pytest.mark.asyncio
async def test_rights_and_passwords_follow_the_rules(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REVEALS", "RENEWALS"):
        rate = rates.Rate(getattr(rates, name).action, 10_000, 10_000, timedelta(minutes=10))
        monkeypatch.setattr(rates, name, rate)
    office = await Office.open()
    people = {name: await storage.user(office.agency, name) for name in ("ada", "bea", "cem")}
    await User.all().update(password_hash=hashed())
    boxes = {name: Box(await storage.mailbox(office.agency, name)) for name in ("one", "two")}
    await asyncio.gather(*(new_password(database, SEALS, box.row) for box in boxes.values()))
    model = Model({name: Person(row) for name, row in people.items()}, boxes)
    random = Random(SEED)
    walk, request = (
        Walk(database, random, model, office.boss),
        await storage.request(database, office.boss),
    )
    done: list[str] = []
    try:
        for _ in range(STEPS):
            done.append(await walk.step())
            await walk.check(request)
    except BaseException as error:
        error.add_note(f"POSTFACH_SEED={SEED} after {done[-20:]}")
        raise
    rows = await database.fetch("SELECT mailbox_id, version FROM mailbox_passwords")
    versions = {row["mailbox_id"]: row["version"] for row in rows}
    assert versions == {box.row.id: box.version for box in boxes.values()}
