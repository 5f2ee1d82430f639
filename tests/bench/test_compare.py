"""The data of the measurements is what an import would have stored, and the servers that are compared answer alike."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from bench import embedded
from bench.booking import bare, bookings, writers
from bench.compare import check, one_round
from bench.contestants import Limit, Postfach
from bench.data.world import CLOSED, SHAPES
from bench.embedded import ByHand
from bench.first import asked as unseen
from bench.load import Asked, Load, run
from bench.operations import Question, questions, viewer_of
from tests import peers
from tests.databases import Template, fresh_database

ENTRIES = 1_500
TABLES = (
    "agencies",
    "users",
    "mailboxes",
    "activities",
    "mails",
    "bookings",
    "mail_mailboxes",
    "activity_readers",
)
COUNTS = f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in TABLES)}"

AUDIENCE = (
    "SELECT DISTINCT s.user_id, a.id FROM activities a JOIN bookings b ON b.mail_id = a.mail_id JOIN assignments s "
    "ON s.mailbox_id = b.mailbox_id AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until) "
    "WHERE (SELECT count(*) FROM bookings c WHERE c.mail_id = a.mail_id) > 1"
)
STORED = "SELECT user_id, activity_id FROM activity_readers"
WRONG = {
    "guarded": "SELECT id FROM activities a WHERE guarded <> EXISTS (SELECT FROM mail_mailboxes g JOIN mailboxes v "
    "ON v.id = g.mailbox_id WHERE g.mail_id = a.mail_id AND v.vip)",
    "moment": "SELECT id FROM activities a WHERE occurred_at <> "
    "(SELECT min(decisive_at) FROM bookings b WHERE b.mail_id = a.mail_id)",
    "only mailbox": "SELECT id FROM activities a WHERE (mailbox_id IS NULL) <> "
    "((SELECT count(*) FROM bookings b WHERE b.mail_id = a.mail_id) > 1)",
    "reader missing": f"{AUDIENCE} EXCEPT {STORED}",
    "reader too many": f"{STORED} EXCEPT {AUDIENCE}",
    "booked by somebody else": "SELECT id FROM bookings b WHERE user_id IS NOT NULL AND NOT EXISTS (SELECT FROM assignments s "
    "WHERE s.mailbox_id = b.mailbox_id AND s.user_id = b.user_id AND s.since <= b.decisive_at "
    "AND (s.until IS NULL OR b.decisive_at < s.until))",
    "later than its mailbox": "SELECT b.id FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id "
    "WHERE b.decisive_at > o.last_moment",
}
BOOKED = (
    "SELECT count(DISTINCT m.id), count(DISTINCT b.id), count(DISTINCT a.id) FROM mails m JOIN bookings b ON b.mail_id = m.id "
    "JOIN activities a ON a.mail_id = m.id WHERE m.message_id LIKE '1.%@bench.example'"
)
SHAPE_OF_ROWS = (
    "SELECT count(DISTINCT (length(m.remark), length(m.preview), m.sender, b.part, b.position, a.kind, a.direction, a.position, "
    "a.mailbox_id = b.mailbox_id, (SELECT count(*) FROM mail_mailboxes g WHERE g.mail_id = m.id))) FROM mails m "
    "JOIN bookings b ON b.mail_id = m.id JOIN activities a ON a.mail_id = m.id WHERE m.message_id LIKE '%@bench.example'"
)


def filled(url: str) -> None:
    """Stores the world by a role that is no superuser, so every constraint and trigger looks at every row."""
    command = [sys.executable, "-m", "bench", "fill", "--entries", str(ENTRIES), "--database", url]
    subprocess.run(command, check=True, timeout=100)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL that is filled."""
    with fresh_database("postgresql", tmp_path_factory.mktemp("bench")) as url:
        filled(url)
        yield url


def asked_of(url: str, statement: str) -> list[tuple[object, ...]]:
    """What PostgreSQL answers."""

    async def work() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(work())


def test_both_databases_hold_the_same_world_and_sqlite_s_limit_answers_alike(
    world: str, tmp_path: Path
) -> None:
    with fresh_database("sqlite", tmp_path) as url:
        filled(url)
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            (counts,) = connection.execute(COUNTS).fetchall()
        connection.close()
        with ByHand(url, tmp_path) as limit, Postfach(url, tmp_path) as ours:
            check([limit, ours], {"Q1": embedded.questions(url)[:3]})

    assert counts[:4] == (5, 1000, 1500, ENTRIES)
    assert asked_of(world, COUNTS) == [counts]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_follows_from_bookings_is_right(world: str, wrong: str) -> None:
    assert asked_of(world, WRONG[wrong]) == []


def test_each_shape_of_user_is_there(world: str) -> None:
    found = asked_of(
        world,
        "SELECT split_part(u.login, '@', 1), count(a.id), count(DISTINCT a.mailbox_id), bool_and(m.vip) FROM users u "
        "LEFT JOIN assignments a ON a.user_id = u.id LEFT JOIN mailboxes m ON m.id = a.mailbox_id "
        f"WHERE u.login IN ({', '.join(repr(each) for each in shape_logins())}) GROUP BY 1 ORDER BY 1",
    )
    assert found == [
        ("closed", 0, 0, None),
        ("former", 3, 3, True),
        ("group", 0, 0, None),
        ("many", 900, 300, True),
        ("nothing", 2, 2, True),
        ("ordinary", 5, 5, False),
    ]


def shape_logins() -> list[str]:
    """The logins of the users that have a shape."""
    return [
        f"{name}@agency{CLOSED if name in {'closed', 'former', 'many'} else 0}.example" for name in SHAPES
    ]


async def _shapes(url: str) -> list[Question]:
    connection = await asyncpg.connect(url)
    try:
        return [Question("Q1", await viewer_of(connection, login)) for login in shape_logins()]
    finally:
        await connection.close()


def test_the_limit_and_the_server_answer_alike_and_are_measured(world: str, tmp_path: Path) -> None:
    asked = {operation: each[:3] for operation, each in asyncio.run(questions(world)).items()}
    with (
        Template.of(world).copied(tmp_path) as url,
        Limit(url, tmp_path) as limit,
        Postfach(url, tmp_path) as ours,
    ):
        check([limit, ours], asked)
        check([limit, ours], {"Q1": asyncio.run(_shapes(world))})
        measured = [
            one_round(each, asked["Q1"], psutil.Process(peers.postgresql().pid), 0.5, 4)
            for each in (limit, ours)
        ]
        people = asyncio.run(writers(url, 4))
        booked = run(Load(ours.port, 60, bookings(ours, people, 1, 8), 4, once=True, same=False))
        inserted = asyncio.run(bare(url, people, 1, 0.2))
        counted, kinds_of_rows = asked_of(url, BOOKED), asked_of(url, SHAPE_OF_ROWS)
        first = run(Load(ours.port, 60, [unseen(ours, number) for number in range(2)], 1, once=True))
        failed = run(Load(ours.port, 5, [Asked("/graphql", {}, '{"query": "{ nothing }"}')], 2))

    assert [(each.server, each.operation) for each in measured] == [("limit", "Q1"), ("Postfach", "Q1")]
    for each in measured:
        assert each.per_second > 0
        assert 0 < each.p50 <= each.p99
        assert each.processor > 0
        assert each.in_database > 0
    assert (booked.answers, booked.failures) == (8, [])
    assert (first.answers, first.failures) == (2, [])
    assert inserted > 0
    assert counted == [(8, 8, 8)]
    # What is inserted by hand is what bookMail leaves behind, but for what names the e-mail.
    assert kinds_of_rows == [(1,)]
    # The load stops where an answer is an error, and does not count it as one that was good.
    assert len(failed.failures) > 2
    assert "nothing" in failed.failures[0]
