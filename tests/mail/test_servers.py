"""On real servers, on both databases: a new password at once, and what leaves as its sender."""

from __future__ import annotations

import asyncio
import email
import email.policy
import imaplib
import poplib
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from mail.doveadm import Doveadm, DoveadmError
from mail.endings import Endings
from mail.sender.directory import Directory
from mail.sender.server import filtering
from models import clock, mailbox_passwords
from models.database import Database, Unit
from models.mailbox_passwords import NewPassword
from models.tables import Agency, Mailbox, SessionEnding
from tests import storage
from tests.mail.private_servers import KEY, MailServers, mail_servers
from tests.surroundings import SEALS

pytestmark = pytest.mark.asyncio

CHEF = "chef@nord.example"


@dataclass
class Post:
    """A mailbox with its password, on servers that run."""

    database: Database
    servers: MailServers
    endings: Endings
    agency: Agency
    mailbox: Mailbox
    closing: AsyncExitStack
    password: str = ""
    version: int = 0

    async def renew(self) -> bool:
        """As a renewal does: stored and asked for in one unit, then waited for."""
        new = await asyncio.to_thread(NewPassword.make)
        self.version += 1
        box: Any = self.mailbox

        async def work(unit: Unit) -> None:
            await mailbox_passwords.store(unit, SEALS, box, self.version, new, at=clock.now())
            if self.version > 1:
                await self.endings.ask(unit, box, self.version, clock.now())

        await self.database.transact(work)
        self.password = new.password
        return await self.endings.finish(self.database, [box.id])

    def imap(self, password: str | None = None) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.servers.imap, timeout=20)
        self.closing.callback(client.shutdown)
        client.login(CHEF, password or self.password)
        client.select()
        return client

    def pop3(self, password: str | None = None) -> poplib.POP3:
        client = poplib.POP3("127.0.0.1", self.servers.pop3, timeout=20)
        self.closing.callback(client.close)
        client.user(CHEF)
        client.pass_(password or self.password)
        return client

    def smtp(self, password: str | None = None) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.servers.submission, timeout=20)
        self.closing.callback(client.close)
        client.ehlo("test.example")
        client.login(CHEF, password or self.password)
        return client

    def send(self, header: bytes, client: smtplib.SMTP | None = None) -> tuple[int, bytes]:
        """Send a mail with these header lines; the reply to its end."""
        used = client or self.smtp()
        assert used.mail(CHEF, ["SMTPUTF8"])[0] == 250
        assert used.rcpt("kunde@web.example")[0] == 250
        code, words = used.data(header + b"Subject: t\r\n\r\ntext\r\n")
        return code, words


@pytest_asyncio.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    agency = await storage.agency()
    box = await storage.mailbox(agency, "chef")
    async with AsyncExitStack() as closing:
        servers = closing.enter_context(mail_servers(_url(database)))
        directory = Directory(database.url)
        closing.push_async_callback(directory.close)
        await closing.enter_async_context(filtering(_bound(servers.milter), directory.find))
        opened = Post(database, servers, Endings(Doveadm(servers.doveadm_url, KEY)), agency, box, closing)
        assert await opened.renew()
        yield opened


async def test_a_new_password_ends_everything_of_the_old_one(post: Post) -> None:
    old = post.password
    imap, pop3, smtp = await asyncio.to_thread(lambda: (post.imap(), post.pop3(), post.smtp()))
    between, late = await asyncio.to_thread(lambda: (post.smtp(), post.smtp()))
    for each in (between, late):
        assert await asyncio.to_thread(each.mail, CHEF) == (250, b"2.1.0 Ok")
    assert (await asyncio.to_thread(late.rcpt, "kunde@web.example"))[0] == 250

    assert await post.renew()

    def refused() -> None:
        for client in (post.imap, post.pop3, post.smtp):
            with pytest.raises((imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError)):
                client(old)
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            imap.noop()
        with pytest.raises((poplib.error_proto, OSError)):
            pop3.stat()
        assert smtp.mail(CHEF)[0] == 250  # Postfix looks at a sender when the recipient comes.
        code, words = smtp.rcpt("kunde@web.example")
        assert code == 553
        assert b"not owned by user chef@nord.example-v1" in words
        assert between.rcpt("kunde@web.example")[0] == 553
        assert late.data(b"From: chef@nord.example\r\n\r\ntext\r\n") == (
            550,
            b"5.7.1 The password was replaced: sign in again.",
        )
        post.imap()
        post.pop3()
        post.smtp()

    await asyncio.to_thread(refused)

    # The rest with the same servers, whose start takes longer than a test.
    await _away_and_back(post)


async def _away_and_back(post: Post) -> None:
    old = post.password
    await asyncio.to_thread(post.servers.stop_dovecot)
    assert not await post.renew()
    await asyncio.to_thread(post.servers.start_dovecot)
    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(post.imap, old)
    open_session = await asyncio.to_thread(post.imap)
    await post.database.execute("UPDATE session_endings SET next_attempt_at = $1", clock.now())
    # As after kill -9: another process, which knows what the database holds.
    other = Endings(Doveadm(post.servers.doveadm_url, KEY))
    async with other.running(post.database), asyncio.timeout(20):
        while (await SessionEnding.get(mailbox_id=post.mailbox.id)).ended_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        await asyncio.to_thread(open_session.noop)
    with pytest.raises(DoveadmError, match="the key is not accepted"):
        await Doveadm(post.servers.doveadm_url, "another").check()
    await Doveadm(post.servers.doveadm_url, KEY).check()


async def test_what_leaves_is_named_as_the_rule_says(post: Post) -> None:
    joerg = await storage.user(post.agency, "joerg", email_name="Jörg Müller")
    anna = await storage.user(post.agency, "anna", email_name="Anna Petersen")
    await storage.period(post.mailbox, joerg)

    async def leaves(header: str) -> bytes:
        reply = await asyncio.to_thread(post.send, header.encode())
        assert reply[0] == 250, reply
        return await asyncio.to_thread(post.servers.delivered)

    async def refused(header: bytes) -> bytes:
        code, words = await asyncio.to_thread(post.send, header)
        assert code == 550
        return words

    def fields(mail: bytes) -> list[str]:
        message = email.message_from_bytes(mail, policy=email.policy.default)
        return [str(each) for each in message.get_all("From", [])]

    assert fields(await leaves("From: The Boss <chef@nord.example>\r\n")) == [
        "Jörg Müller <chef@nord.example>"
    ]
    mail = await leaves(f"Sender: X <{CHEF}>\r\nfrom:\r\n\t{CHEF}\r\n")
    assert fields(mail) == ["Jörg Müller <chef@nord.example>"]
    assert b"\nSender:" not in mail
    await storage.period(post.mailbox, anna)
    assert fields(await leaves(f"From: The Boss <{CHEF}>\r\n")) == [CHEF]
    assert fields(await leaves(f"From: =?utf-8?Q?Anna?= =?utf-8?Q?_Petersen?= <{CHEF}>\r\n")) == [
        f"Anna Petersen <{CHEF}>"
    ]
    own = "Geschäftsführung der Nordlicht Immobilienverwaltung und Vertriebsgesellschaft mbH, Süd"
    await post.database.execute("UPDATE mailboxes SET email_name = $1 WHERE id = $2", own, post.mailbox.id)
    mail = await leaves(f"From: Jörg Müller <{CHEF}>\r\n")
    assert b"\nFrom: =?utf-8?" in mail
    assert all(len(line) <= 78 for line in mail.split(b"\n\n")[0].split(b"\n") if b"utf-8" in line)
    assert fields(mail)[0].endswith(f" <{CHEF}>")

    session = await asyncio.to_thread(post.smtp)
    for _ in range(2):
        assert (await asyncio.to_thread(post.send, f"From: {CHEF}\r\n".encode(), session))[0] == 250
        assert fields(await asyncio.to_thread(post.servers.delivered)) == [fields(mail)[0]]

    assert b"own address" in await refused(b"From: boss@nord.example\r\n")
    assert b"exactly one From" in await refused(b"From: chef@nord.example\r\nFrom: boss@nord.example\r\n")
    assert b"exactly one From" in await refused(b"X-A: b\r\n")
    for trick in (
        b"From : chef@nord.example\r\n",
        b"From: chef@nord.example\r\nFrom : boss@nord.example\r\n",
        b"From: chef@nord.example\r\nX-A: b\rFrom: boss@nord.example\r\n",
        b"From: chef@nord.example\r\nX-A: b\nFrom: boss@nord.example\r\n",
        b"From: chef@nord.example\r\n\0From: boss@nord.example\r\n",
    ):
        code, _ = await asyncio.to_thread(post.send, trick)
        if code == 250:
            # Postfix made one line or an empty one of it: nobody reads a second From there.
            assert fields(await asyncio.to_thread(post.servers.delivered)) == [fields(mail)[0]]
        else:
            assert code == 550


def _url(database: Database) -> str:
    url = database.url
    if url.dialect == "sqlite":
        return f"sqlite://{url.path}"
    return f"postgresql://{url.user}:{url.password}@{url.host}:{url.port}/{url.name}"


def _bound(port: int) -> Any:  # noqa: ANN401
    import socket  # noqa: PLC0415

    return socket.create_server(("127.0.0.1", port))
