"""The letters that carry credentials: what they say, and the message that leaves.

`compose` is all that others need. A letter is written by `rendering` from the templates, in one of the languages of
`languages`; `message` makes the bytes that leave, reads them back and compares them with what was meant.
"""

from __future__ import annotations

from mail.letters.letter import Letter, LetterError
from mail.letters.message import compose

__all__ = ["Letter", "LetterError", "compose"]
