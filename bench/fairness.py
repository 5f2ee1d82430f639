"""What others notice of a viewer who sends the worst documents over many connections, as fast as they are answered.

    python -m bench fairness [--entries N] [--database URL] [--documents NAMES] [--viewers N] [--rounds N] [--seconds N]

Eight viewers of four agencies ask Q1 and Q3 over a connection each; the culprit is another one. For each document:

- setting in: the others ask on while a culprit begins who never asked before; told is what they are answered in the first half
  second, the second one, and the second after that, beside the seconds before. Each of several culprits begins once.
- rounds: short ones in turns, without and with the last of these culprits. Of each pair the ratio is taken, of all pairs median
  and quartiles: so what else the machine does counts little.
- paced rounds: the others ask at fixed times, whatever comes of it, and wait from then on: the 50th and the 99th of a hundred.

With `--database` an existing one is asked, and nothing is sent that changes it but sessions. `--documents list` names them all.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from bench import commands
from bench.askers import Asker, Noted, Orders
from bench.booking import Writer, writers
from bench.contestants import Postfach
from bench.databases import cluster, machine
from bench.operations import Question, newest, questions, viewer_of
from bench.worst import ADMINISTRATOR, CHANGING, WORST, Culprit, Worst

OTHERS = 8
SETTLED_SECONDS = 0.5
"""From the begin of a round with the culprit until the others are counted."""
LEFT_SECONDS = 0.3
"""From its end: what is left is stopped."""
CALM_SECONDS = 2.0
STEPS = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0))
"""What is told of the seconds from the culprit's begin."""


@dataclass(slots=True)
class Scene:
    """A server, those who ask it, and what they do."""

    server: Postfach
    others: Asker
    culprit: Asker
    requests: list[bytes]
    seconds: float
    paced: float
    connections: int

    def ask(self, seconds: float, per_second: float | None = None) -> Noted:
        """Have the others ask for a while."""
        self.others.begin(Orders(self.server.port, self.requests, OTHERS, seconds, per_second))
        noted = self.others.noted()
        assert set(noted.statuses) <= {"200"}, noted.statuses
        return noted

    def begin(self, requests: list[bytes]) -> None:
        """Have the culprit begin."""
        self.culprit.begin(Orders(self.server.port, requests, self.connections))

    def set_in(self, requests: list[bytes]) -> list[float]:
        """Return what the others are answered from a culprit's begin on, beside before."""
        length = CALM_SECONDS + STEPS[-1][1]
        self.others.begin(Orders(self.server.port, self.requests, OTHERS, length))
        time.sleep(CALM_SECONDS)
        at = time.monotonic()
        self.begin(requests)
        noted = self.others.noted()
        self.culprit.stop()
        time.sleep(LEFT_SECONDS)
        before = noted.per_second(noted.begun + 0.2, at)
        return [noted.per_second(at + begin, at + end) / before for begin, end in STEPS]

    def pair(self, requests: list[bytes], per_second: float | None = None) -> tuple[Noted, Noted, Noted]:
        """Return what the others are answered without and with the culprit, and what the culprit is."""
        calm = self.ask(self.seconds, per_second)
        self.begin(requests)
        time.sleep(SETTLED_SECONDS)
        beside = self.ask(self.seconds, per_second)
        culprit = self.culprit.stop()
        time.sleep(LEFT_SECONDS)
        return calm, beside, culprit


def spread(ratios: Sequence[float]) -> str:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def at(noted: Noted, percent: int) -> float:
    """Return how long an answer of so many of a hundred took at the most, in milliseconds."""
    found = noted.seconds(noted.begun, noted.ended + 1)
    return 1000 * found[min(len(found) - 1, len(found) * percent // 100)]


def measured(scene: Scene, worst: Worst, culprits: list[Culprit], rounds: int, paced_rounds: int) -> str:
    """Return a line of the table."""
    starts = []
    requests: list[bytes] = []
    for culprit in culprits:
        requests = [each.raw() for each in worst.requests(scene.server, culprit)]
        starts.append(scene.set_in(requests))
    cells = [f"{statistics.median(each):.2f}" for each in zip(*starts, strict=True)]
    pairs = [scene.pair(requests) for _ in range(rounds)]
    cells.append(spread([len(beside.answers) / len(calm.answers) for calm, beside, _ in pairs]))
    seconds = rounds * (SETTLED_SECONDS + scene.seconds)
    cells.append(f"{sum(len(each.answers) for _, _, each in pairs) / seconds:.1f}")
    if paced_rounds:
        pairs = [scene.pair(requests, scene.paced) for _ in range(paced_rounds)]
        for percent in (50, 99):
            before, after = (
                statistics.median(at(pair[place], percent) for pair in pairs) for place in (0, 1)
            )
            ratios = spread([at(beside, percent) / at(calm, percent) for calm, beside, _ in pairs])
            cells.append(f"{before:.1f}, {after:.1f} ms: {ratios}")
    return f"| {worst.words} | {' | '.join(cells)} |"


class Culprits:
    """Viewers who have not asked yet."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._places = count(5)
        self._administrators = count()

    async def take(self, number: int, *, administrators: bool) -> list[Culprit]:
        """Return so many of one agency, or administrators of several, who are few."""
        connection = await asyncpg.connect(self._url)
        try:
            found = []
            people: list[Writer] = await writers(self._url, 200)
            for _ in range(number):
                place = next(self._places)
                login = f"user{place % 190}@agency0.example"
                if administrators:
                    login = ADMINISTRATOR.format(next(self._administrators) % 4)
                viewer = await viewer_of(connection, login)
                one = (await newest(connection, viewer))[0]
                found.append(Culprit(login, Question("Q3", viewer, one), people[place % len(people)]))
            return found
        finally:
            await connection.close()


def _names(chosen: argparse.Namespace) -> list[str]:
    names = [each.strip() for each in chosen.documents.split(",")] if chosen.documents else list(WORST)
    return [each for each in names if not (chosen.database and each in CHANGING)]


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("fairness", __doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", help="postgresql://…, filled")
    parser.add_argument("--documents", help="their names, with commas between; list: tell them")
    parser.add_argument("--viewers", type=int, default=3, help="how many begin, one after the other")
    parser.add_argument("--rounds", type=int, default=10, help="pairs of rounds, at least 2")
    parser.add_argument("--paced-rounds", type=int, default=4, help="0, or at least 2")
    parser.add_argument("--paced", type=float, default=80, help="requests a second of the paced rounds")
    parser.add_argument("--seconds", type=float, default=2.5, help="of a round")
    parser.add_argument("--connections", type=int, default=16, help="of the culprit")
    chosen = parser.parse_args(arguments)
    if chosen.documents == "list":
        print("\n".join(f"{name:18} {worst.words}" for name, worst in WORST.items()))
        return
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = chosen.database or stack.enter_context(cluster()).filled(chosen.entries)
        server = stack.enter_context(Postfach(url, folder))
        asked = asyncio.run(questions(url))
        both = [asked["Q1"][place] for place in range(OTHERS)] + [
            asked["Q3"][8 * place] for place in range(OTHERS)
        ]
        scene = Scene(
            server,
            stack.enter_context(Asker()),
            stack.enter_context(Asker()),
            [server.asked(each).raw() for each in both],
            chosen.seconds,
            chosen.paced,
            chosen.connections,
        )
        # Caches are filled, and PostgreSQL settles on its plans.
        scene.ask(3)
        culprits = Culprits(url)
        titles = [f"{begin:g} to {end:g} s" for begin, end in STEPS] + ["rounds", "culprit, a second"]
        titles += ["half of the answers within", "99 of 100 within"] if chosen.paced_rounds else []
        print(f"| document | {' | '.join(titles)} |")
        print(f"| --- |{' ---: |' * len(titles)}", flush=True)
        for name in _names(chosen):
            worst = WORST[name]
            people = asyncio.run(culprits.take(chosen.viewers, administrators=worst.by_administrator))
            print(measured(scene, worst, people, chosen.rounds, chosen.paced_rounds), flush=True)
