"""How much memory a worker holds under mixed load.

    python -m bench memory [--entries N] [--minutes N] [--save FILE]

Sixteen connections ask the four operations and book e-mails, and now and then a document comes that was never seen. The table has
a line each minute; what grows after the first ones is a leak, or a cache that is not full yet.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count
from pathlib import Path

from bench import commands
from bench.booking import Writer, bookings, writers
from bench.contestants import served
from bench.databases import machine
from bench.first import asked as unseen
from bench.load import Load, run
from bench.operations import questions

SLICE_SECONDS = 10
UNSEEN_IN_A_SLICE = 20


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("memory", __doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--save", type=Path, help="a file for the lines")
    chosen = parser.parse_args(arguments)
    print(machine())
    with served(chosen.entries) as (_, url, server):
        asked = [server.asked(each) for some in asyncio.run(questions(url)).values() for each in some]
        people: list[Writer] = asyncio.run(writers(url))
        numbers, lines, begun = count(), [], time.monotonic()
        answers, line_at = 0, begun
        while (now := time.monotonic()) < begun + 60 * chosen.minutes:
            strange = [unseen(server, next(numbers)) for _ in range(UNSEEN_IN_A_SLICE)]
            for load in (
                Load(server.port, SLICE_SECONDS, asked, same=False),
                Load(
                    server.port,
                    SLICE_SECONDS,
                    bookings(server, people, next(numbers), 400),
                    once=True,
                    same=False,
                ),
                Load(server.port, SLICE_SECONDS, strange, once=True, same=False),
            ):
                measured = run(load)
                assert not measured.failures, measured.failures[0]
                answers += measured.answers
            if now >= line_at:
                line_at = now + 60
                held = server.process.memory_info().rss / 1e6
                lines.append(f"{(time.monotonic() - begun) / 60:6.1f} min {answers:9} answers {held:7.1f} MB")
                print(lines[-1], flush=True)
        held = server.process.memory_info().rss / 1e6
        lines.append(f"{(time.monotonic() - begun) / 60:6.1f} min {answers:9} answers {held:7.1f} MB")
        print(lines[-1])
    if chosen.save:
        chosen.save.write_text("\n".join(lines) + "\n")
