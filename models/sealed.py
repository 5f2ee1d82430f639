"""What is sealed in the database: whether the ring opens it, sealing it anew, and mailboxes that have no password yet.

Everything here goes in small units of work: it may be interrupted and repeated, and others write meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import clock, mailbox_passwords
from models.mailbox_passwords import NewPassword
from models.seals import VERSION, Purpose, SealError, Seals, key_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.database import Database, Statements, Unit
    from models.keys import KeyRing

ROWS = 50
"""So many rows are sealed, or passwords made, at a time."""

TRIED = 5
"""Of so many tokens of a key one opens, unless the key is another one: a row that somebody spoilt stops nothing."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with a column `sealed`. `rows` gives `id`, `sealed` and, in the columns `bound`, what the token is bound to."""

    name: str
    id_column: str
    purpose: Purpose
    bound: tuple[str, ...]
    rows: str

    def open(self, seals: Seals, row: Mapping[str, Any]) -> str:
        """Return what a row of `rows` holds. Raises `SealError`."""
        return seals.open(row["sealed"], self.purpose, *(row[name] for name in self.bound))

    def seal(self, seals: Seals, row: Mapping[str, Any], secret: str) -> str:
        """Return a new token for a row of `rows`."""
        return seals.seal(self.purpose, secret, *(row[name] for name in self.bound))


SEALED_TABLES = (
    SealedTable(
        "mailbox_passwords",
        "mailbox_id",
        Purpose.MAILBOX_PASSWORD,
        ("address", "version"),
        "SELECT t.mailbox_id AS id, t.version, t.sealed, o.address "
        "FROM mailbox_passwords t JOIN mailboxes o ON o.id = t.mailbox_id",
    ),
    SealedTable(
        "outbox_letters",
        "delivery_id",
        Purpose.LETTER,
        ("id",),
        "SELECT t.delivery_id AS id, t.sealed FROM outbox_letters t",
    ),
)
"""Every table with tokens: whoever adds one adds it here."""


class SealedError(Exception):
    """The ring does not open what is stored. The text is one sentence that names the key, and holds no secret."""


async def check_keys(statements: Statements, ring: KeyRing) -> None:
    """Raise `SealedError` where stored tokens name a key that the ring lacks, or one that has another key's name."""
    for table in SEALED_TABLES:
        await _check_table(statements, table, ring)


async def _check_table(statements: Statements, table: SealedTable, ring: KeyRing) -> None:
    seals = Seals(ring)
    others: list[str] = []
    prefixes: list[str] = []
    for key_id in ring.keys:
        prefix = f"{VERSION}.{key_id}."
        named = _named(len(prefixes) + 1, len(prefix))
        others.append(f"NOT {named}")
        prefixes.append(prefix)
        rows = await statements.fetch(f"{table.rows} WHERE {_named(1, len(prefix))} LIMIT {TRIED}", prefix)
        if rows and not any(_opens(table, seals, row) for row in rows):
            raise SealedError(f"the key {key_id} is not the one that sealed what {table.name} holds")
    row = await statements.fetch_one(f"{table.rows} WHERE {' AND '.join(others)} LIMIT 1", *prefixes)
    if row is None:
        return
    try:
        key_id = key_id_of(row["sealed"])
    except SealError:
        return  # Spoilt, not sealed with another key: whoever asks for this one is told.
    raise SealedError(f"the key {key_id}, which sealed what {table.name} holds, is missing")


def _named(parameter: int, length: int) -> str:
    """Return the condition that a token begins like the parameter, and that its key's id ends there."""
    rest = f"substr(t.sealed, {length + 1})"
    return f"(substr(t.sealed, 1, {length}) = ${parameter} AND {rest} NOT LIKE '%.%')"


def _opens(table: SealedTable, seals: Seals, row: Mapping[str, Any]) -> bool:
    try:
        table.open(seals, row)
    except SealError:
        return False
    return True


@dataclass(slots=True)
class Resealed:
    """How many tokens were sealed anew, were current already, and do not open."""

    sealed: int = 0
    current: int = 0
    spoilt: int = 0


async def reseal(database: Database, seals: Seals) -> Resealed:
    """Seal every token with the ring's first key. One that is replaced meanwhile, by a renewal say, is looked at again."""
    done = Resealed()
    for table in SEALED_TABLES:
        last = UUID(int=0)
        while rows := await database.fetch(
            f"{table.rows} WHERE t.{table.id_column} > $1 ORDER BY t.{table.id_column} LIMIT {ROWS}", last
        ):
            last = rows[-1]["id"]
            while replaced := await _reseal_rows(database, table, seals, rows, done):
                # By a process that was not told of the newest key yet, perhaps; or what waited is gone.
                rows = await database.fetch(
                    f"{table.rows} WHERE t.{table.id_column} = ANY($1::uuid[])", replaced
                )
    return done


async def _reseal_rows(
    database: Database, table: SealedTable, seals: Seals, rows: Sequence[Mapping[str, Any]], done: Resealed
) -> list[UUID]:
    """Seal what is not current; return the ids of the rows that others changed meanwhile."""
    changes = []
    for row in rows:
        try:
            if seals.is_current(row["sealed"]):
                done.current += 1
            else:
                changes.append((row, table.seal(seals, row, table.open(seals, row))))
        except SealError:
            done.spoilt += 1

    async def work(unit: Unit) -> list[UUID]:
        replaced = []
        for row, token in changes:
            found = await unit.fetch(
                # No token is made twice: the same one is that of the same password, with the same version.
                f"UPDATE {table.name} SET sealed = $1 WHERE {table.id_column} = $2 AND sealed = $3 "
                f"RETURNING {table.id_column} AS id",
                token,
                row["id"],
                row["sealed"],
            )
            if not found:
                replaced.append(row["id"])
        return replaced

    replaced = await database.transact(work) if changes else []
    done.sealed += len(changes) - len(replaced)
    return replaced


async def give_passwords(database: Database, seals: Seals) -> int:
    """Give a generated password to each mailbox that has none; return how many. Of two at once, one gives each."""
    given = 0
    while rows := await database.fetch(
        "SELECT o.id, o.agency_id, o.address FROM mailboxes o LEFT JOIN mailbox_passwords p ON p.mailbox_id = o.id "
        f"WHERE p.mailbox_id IS NULL ORDER BY o.id LIMIT {ROWS}"
    ):
        new = await asyncio.gather(*(asyncio.to_thread(NewPassword.make) for _ in rows))
        given += await database.transact(_giving(seals, rows, new))
    return given


def _giving(seals: Seals, rows: Sequence[Mapping[str, Any]], new: Sequence[NewPassword]) -> Any:  # noqa: ANN401 (work)
    async def work(unit: Unit) -> int:
        given = 0
        for row, password in zip(rows, new, strict=True):
            found = await unit.fetch(
                "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at) "
                "VALUES ($1, $2, 1, $3, $4, $5) ON CONFLICT (mailbox_id) DO NOTHING RETURNING mailbox_id",
                row["id"],
                row["agency_id"],
                mailbox_passwords.sealed(seals, password.password, row["address"], 1),
                password.hash,
                clock.now(),
            )
            given += len(found)
        return given

    return work
