"""What stops an import."""

from __future__ import annotations


class LineRefusedError(Exception):
    """A line can't be taken. `reason` is one line of text and shows nothing of what the refused one holds.

    `number` counts from 1 and is None until somebody who knows it has set it.
    """

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.number = number

    def __str__(self) -> str:
        return self.reason if self.number is None else f"line {self.number}: {self.reason}"
