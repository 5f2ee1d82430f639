"""Mailboxes on servers that run, and ordinary clients of them."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import smtplib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

import pytest

from mail.endings import Endings
from models import clock, mailbox_passwords
from models.database import Database, Unit
from models.database_url import DatabaseUrl
from models.mailbox_passwords import NewPassword
from models.tables.mailboxes import Mailbox
from tests import evidence, storage
from tests.mail.deployed import START_SECONDS, MailHost, mail_host
from tests.surroundings import SEALS

PATIENCE = 60
"""So many seconds an answer may take on a machine that is busy."""

DESK, CHEF = "desk@nord.example", "chef@nord.example"


@dataclass
class Clients:
    """Ways to use mailboxes on servers that run. Every connection ends with the test."""

    host: MailHost
    passwords: dict[str, str] = field(default_factory=dict)
    open: ExitStack = field(default_factory=ExitStack)

    def imap(self, login: str = DESK, password: str | None = None, *, at_once: bool = True) -> imaplib.IMAP4:
        client: imaplib.IMAP4
        if at_once:
            client = imaplib.IMAP4_SSL(
                "localhost", self.host.imaps, ssl_context=self.host.trusts, timeout=PATIENCE
            )
        else:
            client = imaplib.IMAP4("localhost", self.host.imap, timeout=PATIENCE)
            client.starttls(self.host.trusts)
        self.open.callback(client.shutdown)
        client.login(login, password or self.passwords[login.lower()])
        return client

    @contextmanager
    def session(self, login: str = DESK) -> Iterator[imaplib.IMAP4]:
        """An IMAP session that ends before the test does: a server allows a user only so many."""
        kept, self.open = self.open, ExitStack()
        try:
            with self.open:
                yield self.imap(login)
        finally:
            self.open = kept

    def pop3(self, login: str = DESK, password: str | None = None) -> poplib.POP3_SSL:
        client = poplib.POP3_SSL("localhost", self.host.pop3s, context=self.host.trusts, timeout=PATIENCE)
        self.open.callback(client.close)
        client.user(login)
        client.pass_(password or self.passwords[login.lower()])
        return client

    def smtp(self, login: str = DESK, password: str | None = None, *, at_once: bool = False) -> smtplib.SMTP:
        client: smtplib.SMTP
        if at_once:
            client = smtplib.SMTP_SSL(
                "localhost", self.host.submissions, context=self.host.trusts, timeout=PATIENCE
            )
            self.open.callback(client.close)
        else:
            client = smtplib.SMTP("localhost", self.host.submission, timeout=PATIENCE)
            self.open.callback(client.close)
            client.starttls(context=self.host.trusts)
        client.login(login, password or self.passwords[login.lower()])
        return client

    def outside(self) -> smtplib.SMTP:
        """Another mail server, which hands in mail at port 25."""
        client = smtplib.SMTP("localhost", self.host.smtp, timeout=PATIENCE)
        self.open.callback(client.close)
        client.ehlo("web.example")
        return client


@dataclass
class Post(Clients):
    """Two mailboxes in a database that is open here, and their renewals."""

    database: Database = field(kw_only=True)
    boxes: dict[str, Mailbox] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    endings: Endings = field(default_factory=lambda: Endings(None))

    async def renew(self, address: str, new: NewPassword | None = None) -> bool:
        """Give a mailbox its next password, as a renewal does; whether the older sessions are ended."""
        made = await asyncio.to_thread(NewPassword.make) if new is None else new
        box = cast("Any", self.boxes[address])
        version = self.versions[address] = self.versions.get(address, 0) + 1

        async def work(unit: Unit) -> None:
            await mailbox_passwords.store(unit, SEALS, box, version, made, at=clock.now())
            if version > 1:
                await self.endings.ask(unit, box, version, clock.now())

        await self.database.transact(work)
        self.passwords[address] = evidence.secret(made.password, "a mailbox password")
        return await self.endings.finish(self.database, [box.id])


@contextmanager
def begun(
    database: Database,
    url: DatabaseUrl | None = None,
    *,
    filtered: bool = False,
    dovecot: Mapping[str, str] | None = None,
) -> Iterator[Post]:
    """Servers on a database, and nothing in it yet."""
    with mail_host(url or database.url, filtered=filtered, dovecot=dovecot) as host:
        post = Post(host, database=database)
        try:
            with post.open:
                yield post
        finally:
            # Shown with a failure: what the servers had to say.
            print(host.log())  # noqa: T201


async def filled(post: Post) -> None:
    """Make the two mailboxes."""
    home = await storage.agency("nord")
    for address in (DESK, CHEF):
        post.boxes[address] = await storage.mailbox(home, address.partition("@")[0])
        await post.renew(address)


def letter(sender: str, recipient: str, text: str = "Guten Tag") -> bytes:
    """A mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Besichtigung"
    message.set_content(text)
    return message.as_bytes()


def refused(client: smtplib.SMTP, sender: str, recipient: str) -> tuple[int, str]:
    """What the server answers instead of taking a mail to its only recipient."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        client.sendmail(sender, [recipient], letter(sender, recipient))
    ((code, words),) = caught.value.recipients.values()
    return code, words.decode()


def recipient_code(client: smtplib.SMTP, sender: str, recipient: str) -> int:
    """What is said of a recipient; nothing is sent."""
    client.ehlo_or_helo_if_needed()
    code, words = client.mail(sender)
    assert code == 250, words
    code, _ = client.rcpt(recipient)
    client.rset()
    return code


def arrived(post: Post, address: str) -> bytes:
    """The first mail of a mailbox, once it is there."""
    client = post.imap(address)
    deadline = time.monotonic() + START_SECONDS
    while not int(client.select("INBOX")[1][0] or 0):
        assert time.monotonic() < deadline, post.host.log()
        time.sleep(0.05)
    content = client.fetch("1", "(RFC822)")[1][0]
    assert isinstance(content, tuple)
    return content[1]
