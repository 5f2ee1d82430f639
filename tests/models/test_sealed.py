"""`postfach reseal`, and what happens with a wrong key; mailboxes without a password get one. On both databases."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest

from models import bulk, clock, mailbox_passwords, sealed
from models.database import Database, Unit
from models.keys import KeyRing
from models.mailbox_passwords import NewPassword
from models.seals import Seals, key_id_of
from models.tables.mailboxes import Mailbox
from tests.resolvers.arrivals import agency, mailbox, take
from tests.storage import contents
from tests.surroundings import RING, SEALS

pytestmark = pytest.mark.asyncio

NEW = KeyRing({"new.er": b"n" * 32, **RING.keys})
KEY = RING.first[0]


async def filled(database: Database) -> None:
    await take(database, agency(), *(mailbox(f"box{number}@nord.example") for number in range(3)))


async def tokens(database: Database) -> list[str]:
    return [
        row["sealed"]
        for row in await database.fetch("SELECT sealed FROM mailbox_passwords ORDER BY mailbox_id")
    ]


async def test_tokens_change_and_nothing_else(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "ROWS", 2)
    await filled(database)
    statement = (
        "SELECT o.address, p.version, p.sealed, p.hash, p.changed_at FROM mailbox_passwords p "
        "JOIN mailboxes o ON o.id = p.mailbox_id ORDER BY o.address"
    )
    before = [dict(row) for row in await database.fetch(statement)]
    assert await sealed.reseal(database, Seals(NEW)) == sealed.Resealed(sealed=3)
    after = [dict(row) for row in await database.fetch(statement)]
    only_new = Seals(KeyRing({"new.er": b"n" * 32}))
    for old, new in zip(before, after, strict=True):
        bound = old["address"], old["version"]
        secret = mailbox_passwords.opened(SEALS, old["sealed"], *bound)
        assert mailbox_passwords.opened(only_new, new["sealed"], *bound) == secret
        assert {**old, "sealed": ""} == {**new, "sealed": ""}
    unchanged = await contents(database)
    assert await sealed.reseal(database, Seals(NEW)) == sealed.Resealed(current=3)
    assert await contents(database) == unchanged


@pytest.mark.parametrize("ring", [RING, NEW], ids=["an older ring", "the new ring"])
async def test_a_renewal_between_reading_and_writing_stays(
    database: Database, monkeypatch: pytest.MonkeyPatch, ring: KeyRing
) -> None:
    """Also one by a process that does not know the new key yet: its token is sealed anew as well."""
    await filled(database)
    box = await Mailbox.get(address="box1@nord.example")
    renewed = await asyncio.to_thread(NewPassword.make)
    transact = database.transact

    async def store(unit: Unit) -> None:
        await mailbox_passwords.store(unit, Seals(ring), cast("Any", box), 2, renewed, at=clock.now())

    async def transact_after_a_renewal(work: Any) -> Any:  # noqa: ANN401 (any work)
        monkeypatch.setattr(database, "transact", transact)
        await transact(store)
        return await transact(work)

    monkeypatch.setattr(database, "transact", transact_after_a_renewal)
    done = await sealed.reseal(database, Seals(NEW))
    sealed_then = 3 if ring is RING else 2
    assert done == sealed.Resealed(sealed=sealed_then, current=3 - sealed_then)
    assert set(map(key_id_of, await tokens(database))) == {"new.er"}
    found = await mailbox_passwords.of(database, box.id)
    assert found is not None
    assert (found.version, found.hash) == (2, renewed.hash)
    secret = mailbox_passwords.opened(Seals(NEW), found.sealed, box.address, 2)
    assert secret == renewed.password


async def test_renewals_and_reseals_at_once_lose_nothing(database: Database) -> None:
    await filled(database)
    boxes = await Mailbox.all()
    new = await asyncio.to_thread(NewPassword.make)
    kept: dict[Any, str] = {}
    ends = asyncio.Event()

    async def renew(box: Mailbox) -> None:
        for version in range(2, 12):
            password = NewPassword(f"{new.password} {version}", new.hash)

            async def store(unit: Unit, version: int = version, password: NewPassword = password) -> None:
                await mailbox_passwords.store(
                    unit, SEALS, cast("Any", box), version, password, at=clock.now()
                )

            await database.transact(store)
            kept[box.id] = password.password

    async def reseal() -> None:
        while not ends.is_set():
            assert (await sealed.reseal(database, Seals(NEW))).spoilt == 0

    resealing = asyncio.create_task(reseal())
    await asyncio.gather(*map(renew, boxes))
    ends.set()
    await resealing
    await sealed.reseal(database, Seals(NEW))
    for box in boxes:
        found = await mailbox_passwords.of(database, box.id)
        assert found is not None
        assert (found.version, key_id_of(found.sealed)) == (11, "new.er")
        assert mailbox_passwords.opened(Seals(NEW), found.sealed, box.address, 11) == kept[box.id]


async def test_a_token_that_does_not_open_stays(database: Database) -> None:
    await filled(database)
    await database.execute(
        "UPDATE mailbox_passwords SET sealed = $1 WHERE mailbox_id = (SELECT id FROM mailboxes WHERE address = $2)",
        mailbox_passwords.sealed(SEALS, "x", "other@nord.example", 1),
        "box0@nord.example",
    )
    assert await sealed.reseal(database, Seals(NEW)) == sealed.Resealed(sealed=2, spoilt=1)
    assert sorted(map(key_id_of, await tokens(database))) == sorted([KEY, "new.er", "new.er"])


async def test_the_keys_of_what_is_stored_are_required(database: Database) -> None:
    await sealed.check_keys(database, KeyRing.generate())
    await filled(database)
    await sealed.check_keys(database, RING)
    await sealed.check_keys(database, NEW)
    for ring, words in (
        (
            KeyRing({"new.er": b"n" * 32}),
            f"the key {KEY}, which sealed what mailbox_passwords holds, is missing",
        ),
        (KeyRing({KEY: b"n" * 32}), f"the key {KEY} is not the one that sealed what mailbox_passwords holds"),
    ):
        with pytest.raises(sealed.SealedError) as refused:
            await sealed.check_keys(database, ring)
        assert str(refused.value) == words


async def test_mailboxes_from_before_get_a_password_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(database)
    monkeypatch.setattr(sealed, "ROWS", 2)
    before = await tokens(database)
    await add_from_before(database, 5)
    given = await asyncio.gather(*(sealed.give_passwords(database, SEALS) for _ in range(2)))
    assert sum(given) == 5
    rows = await database.fetch(
        "SELECT o.address, p.* FROM mailboxes o JOIN mailbox_passwords p ON p.mailbox_id = o.id"
    )
    assert len(rows) == 8
    for row in rows:
        password = mailbox_passwords.opened(SEALS, row["sealed"], row["address"], row["version"])
        assert mailbox_passwords.verifies(row["hash"], password)
    assert set(before) < {row["sealed"] for row in rows}
    unchanged = await contents(database)
    assert await sealed.give_passwords(database, SEALS) == 0
    assert await contents(database) == unchanged


async def add_from_before(database: Database, number: int) -> None:
    """Mailboxes as they were stored before they had passwords."""
    found = await database.fetch_one("SELECT agency_id FROM mailboxes LIMIT 1")
    assert found is not None
    rows = [
        (
            uuid4(),
            found["agency_id"],
            f"before{each}@nord.example",
            None,
            "",
            False,
            True,
            None,
            False,
            clock.BEGINNING,
        )
        for each in range(number)
    ]
    await database.transact(lambda unit: bulk.insert(unit, "mailboxes", rows))
