"""What the first and a deep page of the feed cost in PostgreSQL, for each shape of user, beside a statement that does nothing.

    python -m bench feed [--entries N]

An agency of 250 users and 300 VIP mailboxes in which every entry is guarded: what the user may not see is what could slow it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID, uuid4

from bench import commands
from models import visibility
from models.database import Database
from models.database_url import DatabaseUrl
from models.tables.users import ReadLevel
from models.visibility import Filter, Position, Reader, Stretch
from tests import peers

PAGE = 51
ROUNDS = 15
SHAPES = {"nothing": "sees nothing", "usual": "a few periods", "many": "900 periods"}

FILL = """
INSERT INTO users (id, agency_id, login, first_name, last_name, fold_name, fold_search, language, role, state,
    activity_read_level, agents_log_read_level, password_hash, password_change_required)
SELECT gen_random_uuid(), '{agency}', name || '@a.example', 'a', 'b', '', '', 'de', 'USER', 'ACTIVE', 'ALL', 'ALL', '', false
FROM (SELECT 'user' || i AS name FROM generate_series(1, 247) i UNION ALL VALUES ('nothing'), ('usual'), ('many')) n;
INSERT INTO mailboxes (id, agency_id, address, fold_search, vip, active, automatic_booking, last_moment)
SELECT gen_random_uuid(), '{agency}', 'box' || i || '@a.example', '', true, true, false, '2027-01-01'
FROM generate_series(1, 300) i;
INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since)
SELECT gen_random_uuid(), '{agency}', m.id, u.id, timestamptz '2024-01-01' + random() * interval '300 days'
FROM mailboxes m JOIN users u ON u.login NOT IN ('nothing@a.example', 'many@a.example') AND random() < 0.02;
INSERT INTO assignments (id, agency_id, mailbox_id, user_id, since, until)
SELECT gen_random_uuid(), '{agency}', m.id, u.id, timestamptz '2024-01-01' + k * interval '200 days',
    timestamptz '2024-01-01' + k * interval '200 days' + interval '100 days'
FROM mailboxes m, users u, generate_series(0, 2) k WHERE u.login = 'many@a.example';
CREATE TEMP TABLE drawn AS
SELECT i, gen_random_uuid() AS mail_id, b.id AS mailbox_id, timestamptz '2024-01-01' + random() * interval '1000 days' AS moment
FROM generate_series(1, {entries}) i
JOIN (SELECT id, row_number() OVER () - 1 AS place FROM mailboxes) b ON b.place = i % 300;
INSERT INTO mails (id, agency_id, identity, message_id, sender, recipients, subject, preview, remark, fold_search)
SELECT mail_id, '{agency}', md5(i::text), i::text, 's@web.example', 'r', 'Haus ' || i, 'Guten Tag', md5(i::text), 'haus ' || i
FROM drawn;
INSERT INTO mail_mailboxes (agency_id, mail_id, mailbox_id, position) SELECT '{agency}', mail_id, mailbox_id, 1 FROM drawn;
INSERT INTO bookings (id, agency_id, mail_id, mailbox_id, part, decisive_at, position)
SELECT gen_random_uuid(), '{agency}', mail_id, mailbox_id, 'RECEIVING', moment, 1 FROM drawn;
INSERT INTO activities (id, agency_id, mail_id, kind, direction, occurred_at, guarded, mailbox_id, position)
SELECT gen_random_uuid(), '{agency}', mail_id, 'ACTIVITY', 'INCOMING', moment, true, mailbox_id, 1 FROM drawn;
ANALYZE;
"""


async def fill(database: Database, entries: int) -> UUID:
    """Store the agency and return its id."""
    agency = uuid4()
    async with database.client.acquire_connection() as connection:
        await connection.execute(
            "INSERT INTO agencies (id, key, name, fold_name) VALUES ($1, 'a', 'a', 'a')", agency
        )
        await connection.execute(FILL.format(agency=agency, entries=entries))
    return agency


async def milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of some calls."""
    await work()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


async def measure(url: str, entries: int) -> None:
    """Fill a database, then print a row for each shape and read level."""
    database = await Database.open(DatabaseUrl.parse(url))
    try:
        await database.migrate()
        agency = await fill(database, entries)
        rows = await database.fetch("SELECT id, login FROM users WHERE login NOT LIKE 'user%'")
        users = {row["login"].partition("@")[0]: row["id"] for row in rows}
        nothing = await milliseconds(lambda: database.fetch("SELECT 1 AS one"))
        print(f"{entries} guarded entries; a statement that does nothing takes {nothing:.2f} ms\n")
        print(f"{'user':16} {'level':13} {'rows':>5} {'first page':>12} {'ratio':>6} {'deep page':>12}")
        for shape, words in SHAPES.items():
            for level in ReadLevel:
                reader = Reader(users[shape], agency, level, level)
                print(f"{words:16} {level:13} {await page_row(database, reader, nothing)}")
    finally:
        await database.close()


async def page_row(database: Database, reader: Reader, nothing: float) -> str:
    """Measure one reader's pages."""
    stretch = Stretch(limit=PAGE)
    page = (await visibility.entries(database, reader, Filter(), stretch))[None]
    first = await milliseconds(lambda: visibility.entries(database, reader, Filter(), stretch))
    deep = "-"
    if page:
        place = Position(page[-1]["occurred_at"] - timedelta(days=400), page[-1]["id"])
        below = Stretch(upper=place, limit=PAGE)
        deep = f"{await milliseconds(lambda: visibility.entries(database, reader, Filter(), below)):.2f} ms"
    return f"{len(page):5} {first:9.2f} ms {first / nothing:6.1f} {deep:>12}"


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("feed", __doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    asked = parser.parse_args(arguments)
    postgres = peers.find("postgresql")
    if postgres is None:
        sys.exit("PostgreSQL is not installed")
    with ExitStack() as stack:
        cluster = peers.PostgreSQL(postgres, durable=True)
        stack.callback(cluster.stop)
        asyncio.run(measure(cluster.fresh_database(), asked.entries))
