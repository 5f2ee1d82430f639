"""How a page writes an answer: readable lines, and words in place of what is made at random.

`"mailbox-chef…"` stands for an id, a cursor or a token. One word stands for one value, wherever it is written.
"""

import json
import re
from typing import Any

Json = Any
WORD = re.compile(r"[a-z0-9-]+…")
WIDTH = 100


class Words:
    """The words of a page and what they stand for, as far as it was read."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def meant(self, written: Json) -> Json:
        """What is written, with values in place of words. Raises `KeyError` for a word that no answer gave."""
        match written:
            case dict():
                return {name: self.meant(value) for name, value in written.items()}
            case list():
                return [self.meant(value) for value in written]
            case str() if WORD.fullmatch(written):
                return self._values[written]
            case _:
                return written

    def told(self, value: Json, written: Json) -> Json:
        """The value as the page would write it. Where a new word is written, it stands for the value from now on."""
        match value, written:
            case dict(), _:
                beside = written if isinstance(written, dict) else {}
                return {name: self.told(part, beside.get(name)) for name, part in value.items()}
            case list(), _:
                parts = written if isinstance(written, list) else []
                padded = [*parts, *[None] * (len(value) - len(parts))]
                return [self.told(part, each) for part, each in zip(value, padded, strict=False)]
            case str(), _:
                return self._word(value, written)
            case _:
                return value

    def _word(self, value: str, written: Json) -> str:
        for word, known in self._values.items():
            if known == value:
                return word
        is_new = isinstance(written, str) and WORD.fullmatch(written) and written not in self._values
        if not is_new or value == written:
            return value
        self._values[written] = value
        return str(written)


def lines(value: Json, indent: str = "") -> str:
    """JSON in which what fits into a line stands in one."""
    flat = json.dumps(value, ensure_ascii=False)
    inside = f"{indent}  "
    if len(indent) + len(flat) <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    if isinstance(value, list):
        parts = [lines(each, inside) for each in value]
        opened, closed = "[", "]"
    else:
        parts = [f"{json.dumps(name)}: {lines(each, inside)}" for name, each in value.items()]
        opened, closed = "{", "}"
    joined = ",\n".join(f"{inside}{part}" for part in parts)
    return f"{opened}\n{joined}\n{indent}{closed}"
