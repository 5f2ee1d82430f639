"""What was measured, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, BAR, GAP, LEFT = 760, 18, 26, 130
COLOURS = ("#8a8f98", "#1f6feb", "#c2691d", "#7d4fb2", "#2c8a4b")


@dataclass(frozen=True, slots=True)
class Round:
    """What a server did with an operation in one round: times of an answer in milliseconds, of processors in microseconds."""

    server: str
    operation: str
    per_second: float
    p50: float
    p99: float
    processor: float
    in_database: float


def table(rows: Sequence[Round], rounds: Mapping[tuple[str, str], Sequence[Round]], words: str) -> str:
    """Return the rows in Markdown, each with its share of the limit and how far its rounds lay apart."""
    lines = [
        words,
        "",
        "| operation | server | a second | of the limit | Postfach is | p50 | p99 | processor | in database | rounds apart |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    speed = {(row.operation, row.server): row.per_second for row in rows}
    for row in rows:
        limit, ours = speed.get((row.operation, "limit")), speed.get((row.operation, "Postfach"))
        each = [one.per_second for one in rounds[row.operation, row.server]]
        cells = [
            row.operation,
            row.server,
            f"{row.per_second:.0f}",
            f"{row.per_second / limit:.2f}" if limit else "",
            f"{ours / row.per_second:.2f} times" if ours and row.server not in {"limit", "Postfach"} else "",
            f"{row.p50:.1f} ms",
            f"{row.p99:.1f} ms",
            f"{row.processor:.0f} µs",
            f"{row.in_database:.0f} µs",
            f"{100 * (max(each) - min(each)) / row.per_second:.0f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def picture(rows: Sequence[Round]) -> str:
    """Return bars of answers a second, each operation on a scale of its own, the fastest as wide as there is room."""
    operations = list(dict.fromkeys(row.operation for row in rows))
    servers = list(dict.fromkeys(row.server for row in rows))
    shapes, top = [], 16
    for operation in operations:
        own = [row for row in rows if row.operation == operation]
        most = max(row.per_second for row in own)
        shapes.append(f'<text x="0" y="{top + 13}" font-weight="bold">{escape(operation)}</text>')
        for row in own:
            width = (WIDTH - LEFT - 90) * row.per_second / most
            colour = COLOURS[servers.index(row.server) % len(COLOURS)]
            shapes += [
                f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(row.server)}</text>',
                f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + width + 6:.1f}" y="{top + 13}">{row.per_second:.0f} /s</text>',
            ]
            top += BAR + 4
        top += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="13" '
        f'role="img" aria-label="Answers a second">\n' + "\n".join(shapes) + "\n</svg>\n"
    )
