"""What a letter is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from mail.servers import MailServers

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 random bytes in base64url."""
LINK_PATH = "/credentials"


class LetterError(Exception):
    """The letter can't be written. The text says why in plain words and holds nothing of what was to be in it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The credentials of the mailbox `address`, for the reader at `to`.

    `language` is any tag of BCP 47. It carries a `link` that works until `expires_at`, or the `password` itself, never
    both. `requested_by` is the name of whoever asked for it, `sender` the address it comes from. Its representation shows
    neither link nor password.
    """

    language: str
    agency: str
    address: str
    email_name: str | None
    requested_by: str
    to: str
    sender: str
    servers: MailServers
    link: str | None = field(repr=False)
    password: str | None = field(repr=False)
    expires_at: datetime | None
    public_url: str
    message_id: str
    date: datetime

    def check(self) -> None:
        """Raise `LetterError` where no letter can be written of this."""
        if (self.link is None) == (self.password is None):
            raise LetterError("a letter carries a link or a password")
        if self.link is not None:
            start, _, token = self.link.partition("#")
            if start != self.public_url + LINK_PATH or not _TOKEN.fullmatch(token):
                raise LetterError("the link does not lead to the page that shows a password")
            if self.expires_at is None:
                raise LetterError("a link expires")
        texts = (self.agency, self.address, self.requested_by, self.to, self.sender, self.message_id)
        if any(_UNPRINTABLE.search(text) for text in (*texts, self.email_name or "", self.password or "")):
            raise LetterError("a control character or a line break in it")
