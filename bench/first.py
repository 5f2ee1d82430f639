"""What a document costs that the server sees for the first time, beside the same one when it is known.

    python -m bench first [--entries N] [--documents N] [--rounds N]

Each document is Q1 under another name and with another alias, so the answer is as large. `first` asks for the fields of an entry
in the order of Q1, `other` each time in another one, so that no code that was generated before fits. One connection; the
difference of the medians is what is taken for parsing, measuring, validating and compiling.
"""

from __future__ import annotations

import random
import statistics
from itertools import count

from bench import commands
from bench.contestants import Postfach, cpu_seconds, served
from bench.databases import machine
from bench.load import Asked, Load, run
from bench.operations import FEED

LOGIN = "ordinary@agency0.example"


def renamed(number: int) -> str:
    """Return Q1 as no other number has it."""
    return FEED.replace("query Feed(", f"query Feed{number}(").replace(
        "activities(", f"list{number}: activities("
    )


def shuffled(number: int) -> str:
    """Return it with the fields of an entry in an order of its own."""
    text = renamed(number)
    begin, end = text.index("id kind"), text.index("bookings {")
    fields = text[begin:end].split()
    random.Random(number).shuffle(fields)
    return text[:begin] + " ".join(fields) + " " + text[end:]


def asked(server: Postfach, number: int, *, other: bool = False) -> Asked:
    """Return the request of the document of this number."""
    return server.operation(LOGIN, shuffled(number) if other else renamed(number), {})


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("first", __doc__)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--documents", type=int, default=60, help="of each kind in a round")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    print(machine())
    with served(chosen.entries) as (_, _, server):
        numbers = count()
        known = asked(server, next(numbers))
        run(Load(server.port, 60, [known] * 20, 1, once=True, same=False))
        rows: dict[str, list[tuple[float, float]]] = {"known": [], "first": [], "other": []}
        for _ in range(chosen.rounds):
            kinds = {
                "known": [known] * chosen.documents,
                "first": [asked(server, next(numbers)) for _ in range(chosen.documents)],
                "other": [asked(server, next(numbers), other=True) for _ in range(chosen.documents)],
            }
            for kind, requests in kinds.items():
                before = cpu_seconds(server.process)
                measured = run(Load(server.port, 60, requests, 1, once=True, same=False))
                assert not measured.failures, measured.failures[0]
                spent = 1000 * (cpu_seconds(server.process) - before) / measured.answers
                rows[kind].append((measured.p50, spent))
        times = {
            kind: [statistics.median(each) for each in zip(*found, strict=True)]
            for kind, found in rows.items()
        }
        for kind, (p50, spent) in times.items():
            print(f"{kind:6} {p50:6.2f} ms, of the server's processor {spent:5.2f} ms")
        for kind in ("first", "other"):
            more = [found - known for found, known in zip(times[kind], times["known"], strict=True)]
            print(f"{kind}: {more[0]:.2f} ms more, of the server's processor {more[1]:.2f} ms more")
