"""Takes the examples out of a page: an operation, its variables, and the answer that stands beside it.

In a page an example is a run of fenced blocks: `graphql` with the operation, then perhaps `json variables`, then
`json answer`. A word after `graphql` says who asks: the name before the @ of a login of the demonstration, or
`browser`, which keeps cookies; without one it is a client that is not signed in. Of a subscription the answer is the
next event, once the example after it has been answered: it is a `json event` block behind that one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block: the words behind its opening, its text, and where the text lies in the page."""

    words: list[str]
    text: str
    start: int
    line: int


@dataclass(frozen=True)
class Example:
    """One operation of a page, and what stands beside it."""

    page: Path
    line: int
    who: str | None
    document: str
    variables: Fence | None
    answer: Fence | None
    event: Fence | None

    @property
    def place(self) -> str:
        """The page and the line, for whoever has to look."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(text: str) -> list[Fence]:
    """Every fenced block of a page."""
    return [
        Fence(found[1].split(), found[2], found.start(2), text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def examples(page: Path) -> list[Example]:
    """Every operation of a page, in order. Raises `ValueError` for a block that belongs to none."""
    found: list[Example] = []
    waiting: dict[str, Fence] = {}
    for fence in reversed(fences(page.read_text("utf-8"))):
        match fence.words:
            case ["json", "variables" | "answer" | "event" as name]:
                if name in waiting:
                    raise ValueError(f"{page.name}:{waiting[name].line} belongs to no operation")
                waiting[name] = fence
            case ["graphql", *who]:
                parts = (waiting.pop(name, None) for name in ("variables", "answer", "event"))
                found.append(Example(page, fence.line, who[0] if who else None, fence.text, *parts))
    if waiting:
        raise ValueError(f"{page.name}: {', '.join(waiting)} before the first operation")
    return found[::-1]
