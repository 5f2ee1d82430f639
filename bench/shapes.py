"""What Q1 costs in the database, for each shape of user, at several sizes of the data.

    python -m bench shapes [--sizes N,N] [--rounds N] [--questions N]

A database of each size in one private PostgreSQL, our server on each, asked in turn. What is told is the time of execution that
PostgreSQL itself counted (pg_stat_statements) for all statements of one Q1 together, as the server sends them: prepared, planned
as they are then, without what EXPLAIN adds. A row is the median of the rounds; the ratio is that of the last size to the first.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import asyncpg

from bench import commands
from bench.contestants import Postfach
from bench.data.world import CLOSED, SHAPES
from bench.databases import Cluster, cluster, machine
from bench.load import Asked, Load, run
from bench.operations import Question, viewer_of

STATISTICS = """
SELECT coalesce(sum(s.total_exec_time), 0), coalesce(sum(s.calls), 0) FROM pg_stat_statements s
JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{name}' AND s.query !~ 'pg_stat_statements'
"""


def login(shape: str) -> str:
    """Return the user of a shape."""
    return f"{shape}@agency{CLOSED if shape in {'closed', 'former', 'many'} else 0}.example"


async def _questions(url: str) -> dict[str, Question]:
    connection = await asyncpg.connect(url)
    try:
        return {shape: Question("Q1", await viewer_of(connection, login(shape))) for shape in SHAPES}
    finally:
        await connection.close()


def spent(data: Cluster, server: Postfach, name: str, request: Asked, number: int) -> tuple[float, float]:
    """Return milliseconds in the database and statements of one answer."""
    data.run_sql("SELECT pg_stat_statements_reset()")
    measured = run(Load(server.port, 600, [request] * number, 1, once=True))
    assert not measured.failures, measured.failures[0]
    milliseconds, calls = data.run_sql(STATISTICS.format(name=name)).split("|")
    return float(milliseconds) / number, float(calls) / number


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("shapes", __doc__)
    parser.add_argument("--sizes", default="10000,100000", help="entries of each database")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=50, help="of each shape in a round")
    chosen = parser.parse_args(arguments)
    sizes = [int(each) for each in chosen.sizes.split(",")]
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = stack.enter_context(cluster())
        data.run_sql("CREATE EXTENSION pg_stat_statements")
        servers: dict[int, tuple[str, Postfach, dict[str, Question]]] = {}
        for size in sizes:
            url = data.filled(size)
            own = folder / str(size)
            own.mkdir()
            server = stack.enter_context(Postfach(url, own))
            servers[size] = url.rpartition("/")[2], server, asyncio.run(_questions(url))
        found: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for turn in range(-1, chosen.rounds):
            for shape in SHAPES:
                for size, (name, server, asked) in servers.items():
                    # The first round fills caches, and lets PostgreSQL settle on its plans.
                    number = chosen.questions if turn >= 0 else 20
                    once = spent(data, server, name, server.asked(asked[shape]), number)
                    if turn >= 0:
                        found.setdefault((shape, size), []).append(once)
        print(f"| user | {' | '.join(f'{size} entries' for size in sizes)} | ratio | statements |")
        print(f"| --- |{' ---: |' * (len(sizes) + 2)}")
        for shape, words in SHAPES.items():
            times = [statistics.median(each for each, _ in found[shape, size]) for size in sizes]
            cells = [f"{each:.2f} ms" for each in times]
            print(
                f"| {words} | {' | '.join(cells)} | {times[-1] / times[0]:.2f} | {found[shape, sizes[0]][0][1]:.1f} |"
            )
