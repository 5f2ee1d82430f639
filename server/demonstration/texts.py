"""Reads the text files of this package: tables of fields between bars, and blocks of headers and letters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Final

# A line this long was wrapped by its writer and goes on in the next one; a shorter one ends on purpose.
_WRAPPED: Final = 70
_CHOICE: Final = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Block:
    """What follows a line `== title`: headers, each of which may come several times, and one text or more."""

    title: str
    headers: Mapping[str, list[str]]
    texts: tuple[str, ...]

    def header(self, name: str, default: str = "") -> str:
        """Give the first header of that name."""
        return self.headers.get(name, [default])[0]

    def words(self, name: str) -> list[str]:
        """Give the words of a header, which stand between spaces or commas."""
        return self.header(name).replace(",", " ").split()


def table(name: str) -> list[list[str]]:
    """Read a file of one row a line, the fields between bars; lines that start with # are comments."""
    rows = _content(name).splitlines()
    return [row.split("|") for row in rows if row and not row.startswith("#")]


def blocks(name: str) -> Iterator[Block]:
    """Read a file of blocks; what stands before the first one is a comment."""
    for part in re.split(r"^== ", _content(name), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n\n")
        title, *lines = head.splitlines()
        headers: dict[str, list[str]] = {}
        for line in lines:
            key, value = line.split(": ", 1)
            headers.setdefault(key, []).append(value)
        texts = re.split(r"^--$", body, flags=re.MULTILINE)
        yield Block(title.strip(), headers, tuple(_unwrap(text) for text in texts))


def fill(text: str, values: Mapping[str, object], chance: Random) -> str:
    """Choose among `[one|another]` and put the values in place of `{name}`."""
    chosen = _CHOICE.sub(lambda choice: chance.choice(choice[1].split("|")), text)
    return chosen.format_map(values)


def _content(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _unwrap(text: str) -> str:
    lines: list[str] = []
    wrapped = False
    for line in text.strip().splitlines():
        if wrapped and line and not line.startswith("- "):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        wrapped = len(line) > _WRAPPED
    return "\n".join(lines)
