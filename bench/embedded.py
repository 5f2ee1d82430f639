"""Q1 of our server on SQLite, beside the same statement run by hand in Starlette.

    python -m bench sqlite [--entries N] [--rounds N] [--seconds N] [--connections N]

The answers are compared first; then both are asked in turn.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from bench import commands
from bench.compare import check
from bench.contestants import Contestant, Limit, Postfach, cpu_seconds
from bench.data.filling import fill
from bench.data.world import World, today
from bench.databases import machine
from bench.load import Load, run
from bench.operations import Question, Viewer


class ByHand(Limit):
    """`bench.limit.embedded`."""

    name = "by hand"
    application = "bench.limit.embedded:app"


def questions(url: str) -> list[Question]:
    """Return Q1 as sixteen viewers ask it."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    logins = [f"user{1 + place // 4}@agency{place % 4}.example" for place in range(16)]
    found = "SELECT id, agency_id FROM users WHERE login = ?"
    rows = [(login, *connection.execute(found, (login,)).fetchone()) for login in logins]
    connection.close()
    return [
        Question("Q1", Viewer(UUID(identifier), UUID(agency), login)) for login, identifier, agency in rows
    ]


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser_of_rounds("sqlite", __doc__)
    chosen = parser.parse_args(arguments)
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'postfach.sqlite3'}"
        asyncio.run(fill(url, World(today()), chosen.entries))
        asked = questions(url)
        servers: list[Contestant] = [ByHand(url, folder), Postfach(url, folder)]
        for server in servers:
            stack.enter_context(server)
        check(servers, {"Q1": asked})
        rates: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
        for turn in range(-1, chosen.rounds):
            for server in servers:
                requests = [server.asked(question) for question in asked]
                before = cpu_seconds(server.process)
                seconds = chosen.seconds if turn >= 0 else 1.0
                measured = run(Load(server.port, seconds, requests, chosen.connections))
                assert not measured.failures, measured.failures[0]
                if turn >= 0:
                    spent = 1e6 * (cpu_seconds(server.process) - before) / measured.answers
                    rates[server.name].append((measured.per_second, spent))
        middle = {
            name: [statistics.median(each) for each in zip(*found, strict=True)]
            for name, found in rates.items()
        }
        for name, (rate, spent) in middle.items():
            print(f"{name:9} {rate:7.0f} a second, {spent:6.0f} µs of its processor")
        print(f"Postfach has {middle['Postfach'][0] / middle['by hand'][0]:.2f} of what is done by hand")
