"""Whom the e-mails of a file name before it says that they are mailboxes.

An e-mail's mailboxes are fixed when it comes. A mailbox whose line came only after it would not be one of them, and a VIP
mailbox would not guard it. There may be millions of such addresses, so they are kept in a temporary file and not in memory.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from resolvers.text import domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resolvers.importing.known import Agency

CACHE_KIBIBYTES = 4_096


class Addressees:
    """Addresses in an agency's domains that were no mailboxes when an e-mail of the file named them."""

    def __init__(self) -> None:
        self._found: sqlite3.Connection | None = None

    def name(self, agency: Agency, number: int, addresses: Iterable[str], later: frozenset[str]) -> None:
        """Remember whom the e-mail of a line names, but those of which the line itself says that they came `later`."""
        unknown = [
            (address, number)
            for address in addresses
            if address not in agency.mailboxes
            and address not in later
            and domain_of(address) in agency.content.domains
        ]
        if unknown:
            self._open().executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", unknown)

    def line_that_names(self, address: str) -> int | None:
        """Return the number of the first line that named the address, or None."""
        if self._found is None:
            return None
        row = self._found.execute("SELECT line FROM named WHERE address = ?", (address,)).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Forget them."""
        if self._found is not None:
            self._found.close()

    def _open(self) -> sqlite3.Connection:
        if self._found is None:
            # A database without a name is one of its own, in a temporary file that goes with it.
            self._found = sqlite3.connect("", isolation_level=None)
            self._found.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            self._found.execute("PRAGMA journal_mode = OFF")
            self._found.execute("PRAGMA synchronous = OFF")
            self._found.execute("BEGIN")
            self._found.execute(
                "CREATE TABLE named (address TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
            )
        return self._found
