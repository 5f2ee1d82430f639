"""How long a million e-mails take into PostgreSQL, and how much memory the import needs for them.

    python -m bench import [--mails N] [--database postgresql://USER:PASSWORD@HOST:PORT/NAME]

Without a database it starts a private PostgreSQL with its own settings, durable, and removes it afterwards; then the same rows
of e-mails go into a second database by COPY alone, table by table in one transaction, with every index, constraint and trigger
in place. The world has five agencies with 200 users and 300 mailboxes each, a fifth of them VIP; one e-mail in twenty is
internal. The people come first and are told apart, since most of their time is that of hashing passwords.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import asyncpg
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from bench import commands
from models import brought, bulk
from models.database import Database
from models.database_url import DatabaseUrl
from tests import command, peers
from tests.databases import settings_environment
from tests.oracle.world import CHEAP_HASH

AGENCIES, USERS, MAILBOXES = 5, 200, 300
BEGIN = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 1_400
SYLLABLES = (
    "an be da ein fer ge haus in ker le mak ner ob rech schl ter un ver woh zim bü grö stra ße ung keit"
)
WORDS = tuple("".join(Random(number).choices(SYLLABLES.split(), k=2 + number % 3)) for number in range(5_000))
"""Invented, and as many different ones as people use."""
REST = {
    "agencies": ("id", "key", "name", "fold_name"),
    "domains": ("name", "agency_id"),
    "modules": ("id", "agency_id", "name", "enabled"),
}
"""Tables that an import fills row by row, before the others."""


def lines(mails: int, seed: int = 1, *, mailboxes: int = MAILBOXES) -> Iterator[str]:
    """A world with so many e-mails, as JSON Lines; each agency has so many mailboxes, each with a password to be made."""
    random = Random(seed)
    keys = [f"agency{number}" for number in range(AGENCIES)]
    assigned: dict[str, list[str]] = {}
    for key in keys:
        yield _line(
            type="agency", key=key, name=key.title(), domains=[f"{key}.example"], modules=["VIP_MAILBOXES"]
        )
        for number in range(USERS):
            yield _line(
                type="user",
                agency=key,
                login=f"user{number}@{key}.example",
                firstName=random.choice(WORDS),
                lastName=random.choice(WORDS),
                role="USER" if number else "ADMINISTRATOR",
                activityReadLevel=random.choice(["ALL", "OFFICE_GROUP", "OWN", "NOTHING"]),
                officeGroups=random.sample(["sales", "rent", "office", "south", "north"], 1),
                passwordHash=CHEAP_HASH,
            )
        for number in range(mailboxes):
            address = f"box{number}@{key}.example"
            yield _line(type="mailbox", agency=key, address=address, vip=number % 5 == 0)
            assigned[address] = []
    for address, users in assigned.items():
        domain = address.partition("@")[2]
        for number in random.sample(range(USERS), 3):
            user = f"user{number}@{domain}"
            users.append(user)
            yield _line(type="assignment", mailbox=address, user=user, **{"from": BEGIN.isoformat()})
    for number in range(mails):
        yield _mail(random, number, keys[number % AGENCIES], assigned, mailboxes)


def _mail(random: Random, number: int, key: str, assigned: dict[str, list[str]], mailboxes: int) -> str:
    box = f"box{random.randrange(mailboxes)}@{key}.example"
    other = f"box{random.randrange(mailboxes)}@{key}.example"
    customer = f"customer{random.randrange(100_000)}@web.example"
    moment = BEGIN + timedelta(days=1, seconds=random.randrange(DAYS * 86_400), microseconds=number)
    kind = random.random()
    if kind < 0.05 and other != box:
        sender, recipients, booked = box, [other], [(box, "SENDING"), (other, "RECEIVING")]
    elif kind < 0.4:
        sender, recipients, booked = box, [customer], [(box, "SENDING")]
    else:
        sender, recipients, booked = customer, [box], [(box, "RECEIVING")]
    return _line(
        type="mail",
        agency=key,
        messageId=f"{number}.{random.randrange(10**9)}@portal.example",
        sender=sender,
        recipients=recipients,
        subject=" ".join(random.choices(WORDS, k=6)),
        text=" ".join(random.choices(WORDS, k=80)),
        mailDate=moment.isoformat(),
        bookings=[
            {
                "mailbox": address,
                "part": part,
                "decisiveAt": (moment + timedelta(hours=place)).isoformat(),
                "user": random.choice(assigned[address]),
            }
            for place, (address, part) in enumerate(booked)
        ],
        contactReferences=[f"K-{random.randrange(200_000)}"] if random.random() < 0.9 else [],
        propertyReferences=[f"P-{random.randrange(20_000)}"] if random.random() < 0.4 else [],
    )


def _line(**values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


def write(path: Path, mails: int, *, mailboxes: int = MAILBOXES) -> None:
    """Write the world into a file."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines(mails, mailboxes=mailboxes))


def measure(environment: dict[str, str], path: Path) -> tuple[float, float]:
    """Import the file; return the seconds that it took and the megabytes that the process held at most."""
    begun, most = time.monotonic(), 0
    with psutil.Popen([command.COMMAND, "import", str(path)], env=environment) as process:
        while process.poll() is None:
            # What the system tells at the end would be the measurer's own peak, were that higher.
            with suppress(psutil.NoSuchProcess):
                most = max(most, process.memory_info().rss)
            time.sleep(0.02)
    if process.returncode:
        sys.exit(process.returncode)
    return time.monotonic() - begun, most / 1e6


async def copy(source: str, target: str, folder: Path) -> float:
    """Copy every row of a database into another, empty one; return the seconds that those of e-mails took."""
    database = await Database.open(DatabaseUrl.parse(target), 1)
    await database.migrate()
    await database.close()
    reading, writing = await asyncpg.connect(source), await asyncpg.connect(target)

    async def read(table: str) -> Path:
        names = ", ".join(columns[table])
        await reading.copy_from_query(f"SELECT {names} FROM {table}", output=folder / table, format="binary")
        return folder / table

    columns = {**REST, **bulk.COLUMNS}
    for table, names in columns.items():
        file = await read(table)
        if table not in brought.TABLES:
            await writing.copy_to_table(table, source=file, columns=names, format="binary")
    begun = time.monotonic()
    async with writing.transaction():
        for table in brought.TABLES:
            await writing.copy_to_table(table, source=folder / table, columns=columns[table], format="binary")
    seconds = time.monotonic() - begun
    await reading.close()
    await writing.close()
    return seconds


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("import", __doc__)
    parser.add_argument("--mails", type=int, default=1_000_000)
    parser.add_argument("--database")
    asked = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, cluster = asked.database, None
        if url is None:
            postgres = peers.find("postgresql")
            if postgres is None:
                sys.exit("PostgreSQL is not installed")
            cluster = peers.PostgreSQL(postgres, durable=True)
            stack.callback(cluster.stop)
            url = cluster.fresh_database()
        people, mails = folder / "people.jsonl", folder / "mails.jsonl"
        with people.open("w", encoding="utf-8") as first, mails.open("w", encoding="utf-8") as second:
            for line in lines(asked.mails):
                (second if line.startswith('{"type": "mail"') else first).write(line + "\n")
        print(f"{asked.mails} e-mails in {mails.stat().st_size / 1e6:.0f} MB")
        environment = settings_environment(url, folder)
        seconds, megabytes = measure(environment, people)
        print(f"people, mailboxes and their passwords: {seconds:.0f} s, at most {megabytes:.0f} MB")
        seconds, megabytes = measure(environment, mails)
        print(f"{seconds:.0f} s, {asked.mails / seconds:.0f} e-mails a second, at most {megabytes:.0f} MB")
        again, megabytes = measure(environment, mails)
        print(f"the same again, which adds nothing: {again:.0f} s, at most {megabytes:.0f} MB")
        if cluster is not None:
            bare = asyncio.run(copy(url, cluster.fresh_database(), folder))
            print(f"COPY of the same rows: {bare:.0f} s, so the import has {bare / seconds:.2f} of its speed")
