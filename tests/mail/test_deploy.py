"""Real Dovecot and Postfix, configured by `deploy/`, obey what the database says; both databases, ordinary clients."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, cast

import asyncpg
import pytest

from models import clock, mailbox_passwords
from models.database import Database, DatabaseUrl, Unit
from models.mailbox_passwords import NewPassword
from models.tables import Mailbox
from tests import storage
from tests.mail.deployed import START_SECONDS, MailHost, mail_host
from tests.surroundings import SEALS

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

DESK, CHEF = "desk@nord.example", "chef@nord.example"
FAILURE_DELAY = 2
"""What `deploy/` lets a client wait that failed, in seconds."""


@dataclass
class Post:
    """Two mailboxes with their passwords, and ways to use them. Every connection ends with the test."""

    database: Database
    host: MailHost
    boxes: dict[str, Mailbox] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    open: ExitStack = field(default_factory=ExitStack)

    async def renew(self, address: str, version: int) -> None:
        """Give a mailbox its next password, as a renewal stores it."""
        new = await asyncio.to_thread(NewPassword.make)
        box = cast("Any", self.boxes[address])

        async def work(unit: Unit) -> None:
            await mailbox_passwords.store(unit, SEALS, box, version, new, at=clock.now())

        await self.database.transact(work)
        self.passwords[address] = new.password

    def imap(self, login: str = DESK, password: str | None = None, *, at_once: bool = True) -> imaplib.IMAP4:
        client: imaplib.IMAP4
        if at_once:
            client = imaplib.IMAP4_SSL("localhost", self.host.imaps, ssl_context=self.host.trusts, timeout=20)
        else:
            client = imaplib.IMAP4("localhost", self.host.imap, timeout=20)
            client.starttls(self.host.trusts)
        self.open.callback(client.shutdown)
        client.login(login, password or self.passwords[login.lower()])
        return client

    def pop3(self, login: str = DESK, password: str | None = None) -> poplib.POP3_SSL:
        client = poplib.POP3_SSL("localhost", self.host.pop3s, context=self.host.trusts, timeout=20)
        self.open.callback(client.close)
        client.user(login)
        client.pass_(password or self.passwords[login.lower()])
        return client

    def smtp(self, login: str = DESK, password: str | None = None, *, at_once: bool = False) -> smtplib.SMTP:
        client: smtplib.SMTP
        if at_once:
            client = smtplib.SMTP_SSL(
                "localhost", self.host.submissions, context=self.host.trusts, timeout=20
            )
        else:
            client = smtplib.SMTP("localhost", self.host.submission, timeout=20)
            client.starttls(context=self.host.trusts)
        self.open.callback(client.close)
        client.login(login, password or self.passwords[login.lower()])
        return client

    def outside(self) -> smtplib.SMTP:
        """Another mail server, which hands in mail at port 25."""
        client = smtplib.SMTP("localhost", self.host.smtp, timeout=20)
        self.open.callback(client.close)
        client.ehlo("web.example")
        return client


@contextmanager
def begun(database: Database, url: DatabaseUrl | None = None) -> Iterator[Post]:
    with mail_host(url or database.url) as host:
        post = Post(database, host)
        try:
            with post.open:
                yield post
        except BaseException:
            # Shown with the failure: what the servers had to say.
            print(host.log())  # noqa: T201
            raise


async def filled(post: Post) -> None:
    home = await storage.agency("nord")
    for address in (DESK, CHEF):
        post.boxes[address] = await storage.mailbox(home, address.partition("@")[0])
        await post.renew(address, 1)


def letter(sender: str, recipient: str, text: str = "Guten Tag") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Besichtigung"
    message.set_content(text)
    return message.as_bytes()


def refused(code: int, call: Callable[..., Any], *arguments: object) -> str:
    """The server answers the call with this code; returns its words."""
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        call(*arguments)
    assert caught.value.smtp_code == code, caught.value.smtp_error
    return str(caught.value.smtp_error)


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


async def test_what_is_switched_off_takes_in_nothing_from_its_moment_on_and_still_sends(
    database: Database,
) -> None:
    with begun(database) as post:
        await filled(post)
        switch = "UPDATE mailboxes SET active = $2::timestamptz IS NULL, receiving_stops_at = $2::timestamptz WHERE id = $1"
        box = post.boxes[DESK].id

        def code() -> int:
            return recipient_code(post.outside(), "buyer@web.example", DESK)

        await database.execute(switch, box, clock.now() + timedelta(minutes=30))
        assert await asyncio.to_thread(code) == 250
        await database.execute(switch, box, clock.now())
        assert await asyncio.to_thread(code) == 550
        await asyncio.to_thread(lambda: post.smtp().sendmail(DESK, [CHEF], letter(DESK, CHEF)))
        assert b"Guten Tag" in await asyncio.to_thread(arrived, post, CHEF)
        await asyncio.to_thread(post.imap)
        await database.execute(switch, box, None)
        assert await asyncio.to_thread(code) == 250


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_each_role_reads_its_views_and_nothing_else(database: Database) -> None:
    url = database.url
    allowed = {
        "postfach_dovecot": {"mail_passwords", "mail_accounts"},
        "postfach_postfix": {"mail_domains", "mail_accounts", "mail_logins"},
    }
    with begun(database) as post:
        await filled(post)
        relations = {
            row["relname"]
            for row in await database.fetch(
                "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND relkind IN ('r', 'v', 'm')"
            )
        }
        places = {
            "postfach_dovecot": post.host.folder / "sql.conf.ext",
            "postfach_postfix": post.host.folder / "postfix/postfach/senders.cf",
        }
        for role, views in allowed.items():
            words = places[role].read_text().replace(" = ", "=").split()
            (password,) = (each.removeprefix("password=") for each in words if each.startswith("password="))
            connection = await asyncpg.connect(
                host=url.host, port=url.port, database=url.name, user=role, password=password
            )
            try:
                read = set()
                for relation in relations:
                    try:
                        await connection.fetch(f"SELECT * FROM {relation} LIMIT 1")
                    except asyncpg.InsufficientPrivilegeError:
                        continue
                    read.add(relation)
                assert read == views
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute("DELETE FROM mail_accounts")
            finally:
                await connection.close()
    assert {row for views in allowed.values() for row in views} <= relations


async def test_no_view_but_dovecots_has_a_hash_and_none_a_sealed_token(database: Database) -> None:
    box = await storage.mailbox(await storage.agency("nord"), "desk")
    new = await asyncio.to_thread(NewPassword.make)

    async def work(unit: Unit) -> str:
        stored = await mailbox_passwords.store(unit, SEALS, cast("Any", box), 3, new, at=clock.now())
        return stored.sealed

    token = await database.transact(work)
    found = {
        view: [dict(row) for row in await database.fetch(f"SELECT * FROM {view}")]
        for view in ("mail_passwords", "mail_accounts", "mail_domains", "mail_logins")
    }
    assert found["mail_passwords"] == [
        {"address": DESK, "login": f"{DESK}-v3", "password": "{ARGON2ID}" + new.hash}
    ]
    assert [(row["address"], bool(row["receives"])) for row in found["mail_accounts"]] == [(DESK, True)]
    assert found["mail_domains"] == [{"name": "nord.example"}]
    assert found["mail_logins"] == [{"login": f"{DESK}-v3", "address": DESK}]
    assert token not in str(found)
