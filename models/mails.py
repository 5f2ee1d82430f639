"""What makes an e-mail one and the same, and what is kept of its text beside the text."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

import idna

from models.folding import search_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_QUOTES = "\"'`"
_TOKEN = re.compile(r"[^\s<>()\[\],;:@]+@[^\s<>()\[\],;:@]+")
PREVIEW_LENGTH = 160
PREVIEW_SOURCE = 4 * PREVIEW_LENGTH


def same_address(address: str) -> str:
    """Return an address for comparison: the same whatever its case, and however its domain is written (RFC 5891)."""
    text = address.strip().lower()
    if text.isascii():
        return text
    local, at, domain = text.rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return text


def addressed(texts: Iterable[str]) -> set[str]:
    """Return every address, for comparison, that could be meant by what stands as a sender or recipient.

    A client may hand over more than one address, a name beside it, quotes, or letters that only look like it. Taking one too
    many for a mailbox guards an entry too much; missing one would leave it open. A `+tag` reaches the mailbox without it.
    """
    found = set()
    for text in texts:
        found.add(same_address(text))
        shown = "".join(
            character
            for character in unicodedata.normalize("NFKC", text)
            if character not in _QUOTES and unicodedata.category(character) != "Cf"
        )
        for token in _TOKEN.findall(shown):
            address = same_address(token.strip("."))
            local, _, domain = address.rpartition("@")
            found |= {address, f"{local.partition('+')[0]}@{domain}"}
    return found


def identity(message_id: str, sender: str, recipients: Sequence[str], subject: str, text: str) -> str:
    """Return the e-mail's identity within its agency: 64 hexadecimal digits of SHA-256.

    Equal only where Message-ID, sender, recipients (in any order, addresses whatever their case), subject and
    text are equal. Each part goes in with its length before it, so that no part can pass for another.
    """
    digest = hashlib.sha256()
    people = sorted(same_address(recipient) for recipient in recipients)
    for part in (message_id, same_address(sender), str(len(people)), *people, subject, text):
        encoded = part.encode()
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


def preview(text: str) -> str:
    """Return the beginning of a text on one line, at most 160 characters."""
    beginning = " ".join(text[:PREVIEW_SOURCE].split())
    if len(beginning) <= PREVIEW_LENGTH and len(text) <= PREVIEW_SOURCE:
        return beginning
    return beginning[: PREVIEW_LENGTH - 1].rstrip() + "…"


def search_text(subject: str, text: str, sender: str, recipients: Sequence[str]) -> str:
    """Return what a search looks in.

    A word has no white space, so it can't reach from one part into the next.
    """
    return search_key(subject, text, sender, *recipients)
