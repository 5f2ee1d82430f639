"""On real servers, on both databases: a new password at once, and what leaves as its sender."""

from __future__ import annotations

import asyncio
import email
import email.policy
import imaplib
import poplib
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from mail.doveadm import Doveadm, DoveadmError
from mail.endings import Endings
from mail.sender.directory import Directory
from mail.sender.server import filtering
from models import clock
from models.database import Database
from models.tables.agencies import Agency
from models.tables.mailboxes import SessionEnding
from tests import storage
from tests.mail.post import CHEF, DESK, Post, begun, filled, letter

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


@pytest_asyncio.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    """Two mailboxes on servers with the filter, and the way to Dovecot's API."""
    async with AsyncExitStack() as closing:
        opened = closing.enter_context(begun(database, filtered=True))
        directory = Directory(database.url)
        closing.push_async_callback(directory.close)
        listening = socket.create_server(("127.0.0.1", opened.host.milter))
        await closing.enter_async_context(filtering(listening, directory.find))
        opened.endings = Endings(Doveadm(opened.host.doveadm_url, opened.host.doveadm_key))
        await filled(opened)
        yield opened


def send(
    post: Post, header: bytes, client: smtplib.SMTP | None = None, *, sender: str = CHEF
) -> tuple[int, bytes]:
    """Send a mail with these header lines to the other mailbox; the reply to its end."""
    used = client or post.smtp(CHEF)
    used.ehlo_or_helo_if_needed()
    assert not used.has_extn("smtputf8")
    assert used.mail(sender)[0] == 250
    assert used.rcpt(DESK)[0] == 250
    code, words = used.data(header + b"Subject: t\r\n\r\ntext\r\n")
    return code, words


async def test_a_new_password_ends_everything_of_the_old_one(post: Post) -> None:
    old = post.passwords[CHEF]

    def open_all() -> tuple[imaplib.IMAP4, poplib.POP3, list[smtplib.SMTP]]:
        return post.imap(CHEF), post.pop3(CHEF), [post.smtp(CHEF) for _ in range(4)]

    imap, pop3, (early, between, late, bouncing) = await asyncio.to_thread(open_all)
    for each in (between, late):
        assert await asyncio.to_thread(each.mail, CHEF) == (250, b"2.1.0 Ok")
    assert (await asyncio.to_thread(late.rcpt, "kunde@web.example"))[0] == 250

    assert await post.renew(CHEF)

    def look() -> None:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            post.imap(CHEF, old)
        with pytest.raises(poplib.error_proto, match="AUTH"):
            post.pop3(CHEF, old)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            post.smtp(CHEF, old)
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            imap.noop()
        with pytest.raises((poplib.error_proto, OSError)):
            pop3.stat()
        assert early.mail(CHEF)[0] == 250  # Postfix looks at a sender when the recipient comes.
        code, words = early.rcpt("kunde@web.example")
        assert code == 553
        assert b"not owned by user chef@nord.example-v1" in words
        assert between.rcpt("kunde@web.example")[0] == 553
        assert late.data(f"From: {CHEF}\r\n\r\ntext\r\n".encode()) == (
            550,
            b"5.7.1 The password was replaced: sign in again.",
        )
        # The empty sender, of receipts, is nobody's: the filter asks who signed in.
        assert bouncing.mail("")[0] == bouncing.rcpt(DESK)[0] == 250
        assert bouncing.data(f"From: {CHEF}\r\n\r\ntext\r\n".encode())[0] == 550
        post.imap(CHEF)
        post.pop3(CHEF)
        assert send(post, f"From: {CHEF}\r\n".encode())[0] == 250

    await asyncio.to_thread(look)

    # The rest with the same servers, whose start takes longer than a test.
    await _away_and_back(post)


async def _away_and_back(post: Post) -> None:
    old = post.passwords[CHEF]
    await asyncio.to_thread(post.host.stop_dovecot)
    assert not await post.renew(CHEF)
    await asyncio.to_thread(post.host.start_dovecot)
    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(post.imap, CHEF, old)
    open_session = await asyncio.to_thread(post.imap, CHEF)
    await post.database.execute("UPDATE session_endings SET next_attempt_at = $1", clock.now())
    # As after kill -9: another process, which knows what the database holds.
    api, box = Doveadm(post.host.doveadm_url, post.host.doveadm_key), post.boxes[CHEF].id
    async with Endings(api).running(post.database), asyncio.timeout(20):
        while (await SessionEnding.get(mailbox_id=box)).ended_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        await asyncio.to_thread(open_session.noop)
    with pytest.raises(DoveadmError, match="the key is not accepted"):
        await Doveadm(post.host.doveadm_url, "another").check()
    await api.check()


async def test_what_leaves_is_named_as_the_rule_says(post: Post) -> None:
    box = post.boxes[CHEF]
    home = await Agency.get()
    joerg = await storage.user(home, "joerg", email_name="Jörg Müller")
    anna = await storage.user(home, "anna", email_name="Anna Petersen")
    await storage.period(box, joerg)

    async def leaves(header: str) -> bytes:
        reply = await asyncio.to_thread(send, post, header.encode())
        assert reply[0] == 250, reply
        return await asyncio.to_thread(post.host.delivered, DESK)

    async def refused(header: bytes) -> bytes:
        code, words = await asyncio.to_thread(send, post, header)
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
    await storage.period(box, anna)
    assert fields(await leaves(f"From: The Boss <{CHEF}>\r\n")) == [CHEF]
    assert fields(await leaves(f"From: =?utf-8?Q?Anna?= =?utf-8?Q?_Petersen?= <{CHEF}>\r\n")) == [
        f"Anna Petersen <{CHEF}>"
    ]
    own = "Geschäftsführung der Nordlicht Immobilienverwaltung und Vertriebsgesellschaft mbH, Süd"
    await post.database.execute("UPDATE mailboxes SET email_name = $1 WHERE id = $2", own, box.id)
    mail = await leaves(f"From: Jörg Müller <{CHEF}>\r\n")
    assert b"\nFrom: =?utf-8?" in mail
    assert all(len(line) <= 78 for line in mail.split(b"\n\n")[0].split(b"\n") if b"utf-8" in line)
    assert fields(mail)[0].endswith(f" <{CHEF}>")

    session = await asyncio.to_thread(post.smtp, CHEF)
    for _ in range(2):
        assert (await asyncio.to_thread(send, post, f"From: {CHEF}\r\n".encode(), session))[0] == 250
        assert fields(await asyncio.to_thread(post.host.delivered, DESK)) == [fields(mail)[0]]

    assert b"own address" in await refused(b"From: boss@nord.example\r\n")
    # A receipt has no sender, but a From.
    for header, reply in ((f"From: {DESK}\r\n", 550), (f"From: {CHEF}\r\n", 250)):
        assert (await asyncio.to_thread(send, post, header.encode(), sender=""))[0] == reply
    assert fields(await asyncio.to_thread(post.host.delivered, DESK)) == [fields(mail)[0]]
    assert b"exactly one From" in await refused(b"From: chef@nord.example\r\nFrom: boss@nord.example\r\n")
    assert b"exactly one From" in await refused(b"X-A: b\r\n")
    for trick in (
        b"From : chef@nord.example\r\n",
        b"From: chef@nord.example\r\nFrom : boss@nord.example\r\n",
        b"From: chef@nord.example\r\nX-A: b\rFrom: boss@nord.example\r\n",
        b"From: chef@nord.example\r\nX-A: b\nFrom: boss@nord.example\r\n",
        b"From: chef@nord.example\r\n\0From: boss@nord.example\r\n",
    ):
        code, _ = await asyncio.to_thread(send, post, trick)
        if code == 250:
            # Postfix made one line or an empty one of it: nobody reads a second From there.
            assert fields(await asyncio.to_thread(post.host.delivered, DESK)) == [fields(mail)[0]]
        else:
            assert code == 550


def putting_off(client: smtplib.SMTP) -> int:
    """The temporary reply to the first step of sending that is refused."""
    header = f"From: {CHEF}\r\n\r\ntext\r\n".encode()
    steps: list[Callable[[], tuple[int, bytes]]] = [
        lambda: client.mail(CHEF),
        lambda: client.rcpt(DESK),
        lambda: client.data(header),
    ]
    return next(code for code, _ in (step() for step in steps) if code >= 400)


async def test_while_the_filter_is_away_sending_is_put_off_and_nothing_bounces(database: Database) -> None:
    with begun(database, filtered=True) as post:
        await filled(post)
        header = f"From: The Boss <{CHEF}>\r\n".encode()

        def away() -> None:
            for at_once in (False, True):
                with pytest.raises(smtplib.SMTPResponseException) as caught:
                    post.smtp(CHEF, at_once=at_once)
                assert 400 <= caught.value.smtp_code < 500
            # What comes from outside needs no filter, and mail is read.
            post.outside().sendmail("buyer@web.example", [DESK], letter("buyer@web.example", DESK))
            assert post.imap().select("INBOX")[0] == "OK"
            assert b"Guten Tag" in post.host.delivered(DESK)

        await asyncio.to_thread(away)
        directory = Directory(database.url)
        listening = socket.create_server(("127.0.0.1", post.host.milter))
        async with filtering(listening, directory.find):
            assert (await asyncio.to_thread(send, post, header))[0] == 250
            assert f"From: {CHEF}\n".encode() in await asyncio.to_thread(post.host.delivered, DESK)
            client = await asyncio.to_thread(post.smtp, CHEF)
        # It goes in the middle of a session.
        assert 400 <= await asyncio.to_thread(putting_off, client) < 500
        await directory.close()
        assert post.host.queue() == []
        assert "status=bounced" not in post.host.log()
