"""A mailbox's password: how it is made, and that its row only goes forward."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import argon2
import pytest
from tortoise.exceptions import IntegrityError

from models import clock, mailbox_passwords
from models.database import Database, Unit
from models.mailbox_passwords import SYMBOLS, NewPassword, StoredPassword
from models.tables.agencies import Agency
from tests import storage
from tests.storage import contents
from tests.surroundings import seals

SEALS = seals()


@dataclass(frozen=True)
class Place:
    """A mailbox, as far as its password belongs to it."""

    id: UUID
    agency_id: UUID
    address: str


async def place(agency: Agency) -> Place:
    desk = await storage.mailbox(agency, "desk")
    return Place(desk.id, agency.id, desk.address)


async def stored_by(database: Database, mailbox: Place, version: int, new: NewPassword) -> StoredPassword:
    async def work(unit: Unit) -> StoredPassword:
        return await mailbox_passwords.store(unit, SEALS, mailbox, version, new, at=clock.now())

    return await database.transact(work)


def test_it_is_25_unmistakable_symbols_in_five_groups() -> None:
    made = {mailbox_passwords.generate() for _ in range(200)}

    assert len(made) == 200
    assert all(re.fullmatch(f"[{SYMBOLS}]{{5}}(-[{SYMBOLS}]{{5}}){{4}}", each) for each in made)
    assert not set("0O1Il" + "o") & set(SYMBOLS)
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 56


@pytest.mark.usefixtures("hashed_as_elsewhere")
def test_its_hash_is_what_the_mail_servers_check() -> None:
    new = NewPassword.make()
    found = argon2.extract_parameters(new.hash)

    assert argon2.PasswordHasher().verify(new.hash, new.password)
    assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (
        argon2.Type.ID,
        2,
        19 * 1024,
        1,
    )
    assert new.password not in repr(new)
    assert new.hash not in repr(new)


@pytest.mark.asyncio
async def test_what_is_stored_opens_for_its_address_and_version(database: Database) -> None:
    desk = await place(await storage.agency("nord"))
    assert await mailbox_passwords.of(database, desk.id) is None
    for version in (1, 2):
        new = NewPassword.make()
        stored = await stored_by(database, desk, version, new)
        assert await mailbox_passwords.of(database, desk.id) == stored
        assert mailbox_passwords.opened(SEALS, stored.sealed, desk.address, version) == new.password


@pytest.mark.asyncio
async def test_a_row_only_goes_forward(database: Database) -> None:
    home, abroad = await storage.agency("nord"), await storage.agency("sued")
    desk = await place(home)
    await stored_by(database, desk, 2, NewPassword.make())
    before = await contents(database)
    for change, *parameters in (
        ("UPDATE mailbox_passwords SET version = 1",),
        ("UPDATE mailbox_passwords SET hash = 'other'",),
        ("UPDATE mailbox_passwords SET changed_at = $1", clock.now() + timedelta(days=1)),
        ("UPDATE mailbox_passwords SET agency_id = $1", abroad.id),
        ("DELETE FROM mailbox_passwords",),
        (
            (
                "INSERT INTO session_endings (mailbox_id, agency_id, version, asked_at, attempts, next_attempt_at)"
                " VALUES ($1, $2, 2, $3, 0, $3)"
            ),
            desk.id,
            abroad.id,
            clock.now(),
        ),
    ):
        with pytest.raises(IntegrityError):
            await database.execute(str(change), *parameters)
    assert await contents(database) == before

    await database.execute("UPDATE mailbox_passwords SET sealed = 'sealed anew'")
    assert (await database.fetch("SELECT sealed FROM mailbox_passwords"))[0]["sealed"] == "sealed anew"
