"""Our server beside the limit and the best of other languages: four operations on the same data, in alternating rounds.

    python -m bench compare [--entries N] [--rounds N] [--seconds N] [--workers N] [--servers limit,Postfach,…] [--save FOLDER]

It fills a private PostgreSQL, starts the servers, checks first that all give the same answers, and asks them in turn, all of
them in each round, so that whatever else the machine does meets all alike. A row is the median of the rounds. `processor` is the
server's own time for an answer, `in database` that of PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from bench import commands, report
from bench.contestants import Contestant, Limit, Postfach, cpu_seconds
from bench.databases import Cluster, cluster, machine
from bench.load import Load, run
from bench.operations import Question, questions
from bench.report import Round
from bench.rivals import Mercurius, PostGraphile, are_installed

SERVERS = ("limit", "Postfach", "Mercurius", "PostGraphile")
WARM_SECONDS = 4.0
"""V8 and the servers' caches need a while."""


def check(contestants: Sequence[Contestant], asked: dict[str, list[Question]]) -> None:
    """Make sure that every server gives the same answers, and that there is something in them."""
    for operation, each in asked.items():
        for question in each:
            expected = contestants[0].answer(question)
            assert expected, (operation, question)
            for other in contestants[1:]:
                found = other.answer(question)
                if found != expected:
                    sys.exit(
                        f"{operation} as {question.viewer.login}: {other.name} answers otherwise than {contestants[0].name}\n"
                        f"{json.dumps(expected, indent=1)[:3000]}\n{json.dumps(found, indent=1)[:3000]}"
                    )


def one_round(
    contestant: Contestant,
    asked: Sequence[Question],
    database: psutil.Process,
    seconds: float,
    connections: int,
) -> Round:
    """Ask one server for some seconds."""
    requests = [contestant.asked(question) for question in asked]
    before, before_database = cpu_seconds(contestant.process), cpu_seconds(database)
    measured = run(Load(contestant.port, seconds, requests, connections))
    if measured.failures:
        sys.exit(f"{contestant.name}: {measured.failures[0]}")
    micro = 1e6 / measured.answers
    return Round(
        contestant.name,
        asked[0].operation,
        measured.per_second,
        measured.p50,
        measured.p99,
        (cpu_seconds(contestant.process) - before) * micro,
        (cpu_seconds(database) - before_database) * micro,
    )


def contestants(
    names: Sequence[str], data: Cluster, url: str, folder: Path, workers: int
) -> list[Contestant]:
    """Return the servers of these names, but those that npm has not installed."""
    made: list[Contestant] = []
    for name in names:
        match name:
            case "limit":
                made.append(Limit(url, folder, workers))
            case "Postfach":
                made.append(Postfach(url, folder, workers))
            case "Mercurius" | "PostGraphile" if not are_installed():
                print(f"{name} is left out: npm has not installed it", flush=True)
            case "Mercurius":
                made.append(Mercurius(url, folder, workers))
            case "PostGraphile":
                made.append(PostGraphile(PostGraphile.prepared(data, url), folder, workers))
            case _:
                sys.exit(f"{name}: the servers are {', '.join(SERVERS)}")
    return made


def median(rounds: Sequence[Round]) -> Round:
    """Return what is in the middle of some rounds, value by value."""
    middle = {
        name: statistics.median(getattr(each, name) for each in rounds)
        for name in ("per_second", "p50", "p99", "processor", "in_database")
    }
    return Round(rounds[0].server, rounds[0].operation, **middle)


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser_of_rounds("compare", __doc__)
    parser.add_argument("--workers", type=int, default=1, help="processes of each server")
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--operations", default="Q1,Q2,Q3,Q4")
    parser.add_argument("--save", type=Path, help="a folder for the table, the picture and every round")
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        before = machine()
        data = stack.enter_context(cluster())
        url = data.filled(chosen.entries)
        asked = asyncio.run(questions(url))
        asked = {name: asked[name] for name in chosen.operations.split(",")}
        servers = contestants(chosen.servers.split(","), data, url, folder, chosen.workers)
        for server in servers:
            stack.enter_context(server)
        check(servers, asked)
        database = psutil.Process(data.pid)
        found: dict[tuple[str, str], list[Round]] = defaultdict(list)
        for turn in range(-1, chosen.rounds):
            for operation, each in asked.items():
                for server in servers:
                    seconds = chosen.seconds if turn >= 0 else WARM_SECONDS
                    done = one_round(server, each, database, seconds, chosen.connections)
                    if turn >= 0:
                        found[operation, server.name].append(done)
            print(f"round {turn + 1} of {chosen.rounds}", flush=True)
        rows = [median(rounds) for rounds in found.values()]
        words = (
            f"{chosen.entries} entries, {chosen.workers} worker(s), {chosen.connections} connections, "
            f"{chosen.rounds} rounds of {chosen.seconds:g} s; {before}"
        )
        table = report.table(rows, found, words)
        print(table)
        if chosen.save:
            chosen.save.mkdir(parents=True, exist_ok=True)
            (chosen.save / "table.md").write_text(table)
            (chosen.save / "picture.svg").write_text(report.picture(rows))
            every = [asdict(each) for rounds in found.values() for each in rounds]
            (chosen.save / "rounds.json").write_text(json.dumps(every, indent=1))
