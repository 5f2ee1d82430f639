"""What a field costs whose value a resolver works out from its row, beyond the row.

    python -m bench plain [--rounds N] [--seconds N]

A hundred mailboxes without such a field, and with twenty of them each: the difference of the server's processor time, over two
thousand fields, with all that they cost until they are bytes on their way.
"""

from __future__ import annotations

import statistics

from bench import commands
from bench.contestants import cpu_seconds, served
from bench.databases import machine
from bench.load import Load, run

MAILBOXES, FIELDS = 100, 20
LOGIN = "user0@agency0.example"


def document(fields: int) -> str:
    """Return the operation with so many fields on each mailbox."""
    more = " ".join(f"field{number}: viewerCanAdminister" for number in range(fields))
    return f"query Plain {{ mailboxes(first: {MAILBOXES}) {{ nodes {{ id {more} }} }} }}"


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser("plain", __doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    chosen = parser.parse_args(arguments)
    print(machine())
    with served(1_000) as (_, _, server):
        found: dict[int, list[float]] = {0: [], FIELDS: []}
        for turn in range(-1, chosen.rounds):
            for fields, times in found.items():
                request = server.operation(LOGIN, document(fields), {})
                before = cpu_seconds(server.process)
                measured = run(Load(server.port, chosen.seconds if turn >= 0 else 1.0, [request], 4))
                assert not measured.failures, measured.failures[0]
                if turn >= 0:
                    times.append(1e6 * (cpu_seconds(server.process) - before) / measured.answers)
        without, with_ = (statistics.median(times) for times in found.values())
        each = (with_ - without) / (MAILBOXES * FIELDS)
        print(
            f"without {without:.0f} µs, with {MAILBOXES * FIELDS} fields {with_:.0f} µs: {each:.2f} µs a field"
        )
