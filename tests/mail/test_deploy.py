"""Real Dovecot and Postfix, configured by `deploy/`, obey what the database says; both databases, ordinary clients."""

from __future__ import annotations

import asyncio
import imaplib
import os
import poplib
import re
import smtplib
import ssl
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from random import Random, SystemRandom
from typing import Any, cast

import argon2
import asyncpg
import pytest

from models import clock, mailbox_passwords
from models.database import Database, Unit
from models.mailbox_passwords import NewPassword
from resolvers.importing.passwords import MAIL_SERVERS_KIBIBYTES
from tests import storage
from tests.mail.deployed import START_SECONDS
from tests.mail.post import CHEF, DESK, PATIENCE, arrived, begun, filled, letter, recipient_code, refused
from tests.server.cable import Cable
from tests.surroundings import SEALS

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


async def test_a_mailbox_is_used_by_every_protocol_and_with_no_other_password(database: Database) -> None:
    with begun(database) as post:
        await filled(post)

        def use() -> None:
            post.smtp(DESK.upper()).sendmail(DESK, [CHEF], letter(DESK, CHEF))
            assert b"Guten Tag" in arrived(post, CHEF)
            assert post.imap(CHEF.upper(), at_once=False).select("INBOX")[0] == "OK"
            assert post.pop3(CHEF).stat()[0] == 1
            assert post.smtp(at_once=True).noop()[0] == 250

            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                post.imap(password="wrong")
            with pytest.raises(poplib.error_proto, match="AUTH"):
                post.pop3(password=post.passwords[CHEF])
            with pytest.raises(smtplib.SMTPAuthenticationError):
                post.smtp("nobody@nord.example", "wrong")
            # Dovecot takes a connection within one machine for secure: only Postfix can show here what it asks for.
            plain = smtplib.SMTP("localhost", post.host.submission, timeout=PATIENCE)
            post.open.callback(plain.close)
            plain.ehlo()
            assert not plain.has_extn("auth")

        await asyncio.to_thread(use)


async def test_the_dearest_hash_that_an_import_takes_is_checked(database: Database) -> None:
    memory = MAIL_SERVERS_KIBIBYTES - 1024
    dear = argon2.PasswordHasher(time_cost=1, memory_cost=memory, parallelism=1)
    with begun(database) as post:
        await filled(post)
        password = post.passwords[DESK]
        await post.renew(DESK, NewPassword(password, await asyncio.to_thread(dear.hash, password)))

        def use() -> None:
            assert post.imap().select("INBOX")[0] == "OK"
            assert post.smtp().noop()[0] == 250

        await asyncio.to_thread(use)


async def test_one_sends_as_oneself_alone_and_nobody_from_outside(database: Database) -> None:
    with begun(database) as post:
        await filled(post)

        def use() -> None:
            client = post.smtp()
            for foreign in (CHEF, "ceo@bank.example"):
                code, words = refused(client, foreign, CHEF)
                assert (code, "not owned by user" in words) == (553, True), words
            outside = post.outside()
            assert not outside.has_extn("auth")
            assert recipient_code(outside, "buyer@web.example", DESK) == 250
            assert recipient_code(outside, "", DESK) == 250
            assert recipient_code(outside, "buyer@web.example", DESK.upper()) == 250
            for own in (CHEF, CHEF.upper(), f"{CHEF}.", '"chef"@nord.example', DESK):
                assert recipient_code(outside, own, DESK) == 553
            assert recipient_code(outside, "nobody@nord.example", DESK) == 250
            assert recipient_code(outside, "buyer@web.example", "nobody@nord.example") == 550
            assert recipient_code(outside, "buyer@web.example", "desk+tag@nord.example") == 550
            assert recipient_code(outside, "buyer@web.example", "x@elsewhere.example") == 554

        await asyncio.to_thread(use)


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


async def test_two_hundred_wrong_logins_keep_nobody_else_waiting(database: Database) -> None:
    at_once, rounds = 20, 10
    # Those that fail wait so long themselves that they all still wait when the other one is in, on any machine.
    with begun(database, dovecot={"auth_failure_delay": "120 secs"}) as post:
        await filled(post)

        def fail(number: int) -> imaplib.IMAP4:
            client = imaplib.IMAP4_SSL(
                "localhost", post.host.imaps, ssl_context=post.host.trusts, timeout=PATIENCE
            )
            client.send(f"a1 LOGIN {DESK} wrong-{number}\r\n".encode())
            return client

        def told(client: imaplib.IMAP4) -> bytes:
            """What it was told by now."""
            client.sock.settimeout(0)
            try:
                return client.sock.recv(1000)
            except (BlockingIOError, ssl.SSLWantReadError):
                return b""

        def attack() -> None:
            for turn in range(rounds):
                failing = [fail(turn * at_once + number) for number in range(at_once)]
                try:
                    # From the same address.
                    with post.session(CHEF):
                        # Of more than a hundred that wait Dovecot drops the oldest.
                        assert [words for each in failing if b"a1 " in (words := told(each))] == []
                finally:
                    for each in failing:
                        each.shutdown()

        await asyncio.to_thread(attack)
        # Dovecot would have everybody at an address wait for the next login after somebody there failed.
        assert post.host.penalties() == []


def odd_addresses(seed: int) -> list[str]:
    """Addresses that are none of the mailboxes, some of them nearly."""
    parts = [
        *"desk",
        "desk",
        "nord",
        "example",
        *"@.'\"\\%_*+-=;() |/",
        "''",
        "--",
        "%s",
        "%Lu",
        "-v1",
        "or",
        "1",
        "ä",
        "\u017f",
        "\u212a",
    ]
    draw = Random(seed)
    nearly = [
        "desk@nord.example-v1",
        "desk' or '1'='1@nord.example",
        "desk@nord.example' or 'a'='a",
        "d%sk@nord.example",
        "_esk@nord.example",
        "%@nord.example",
        "*@nord.example",
        "de\u017fk@nord.example",
        "des\u212a@nord.example",
        '"desk "@nord.example',
        "desk@@nord.example",
        "@nord.example",
        "nord.example",
    ]
    drawn = ["".join(draw.choices(parts, k=draw.randint(1, 12))) for _ in range(60)]
    # In quotes, after a backslash or beside a comment it would be the mailbox.
    return [*nearly, *(f"{each}@nord.example" for each in drawn if re.sub("[^a-z]", "", each) != "desk")]


async def test_no_odd_address_is_a_mailbox_or_troubles_the_servers(database: Database) -> None:
    seed = int(os.environ.get("POSTFACH_SEED") or SystemRandom().randrange(2**32))
    with begun(database) as post:
        await filled(post)

        def ask() -> None:
            for address in odd_addresses(seed):
                with smtplib.SMTP("localhost", post.host.smtp, timeout=PATIENCE) as client:
                    client.ehlo("web.example")
                    client.putcmd("MAIL", "FROM:<buyer@web.example>")
                    assert client.getreply()[0] == 250
                    client.command_encoding = "utf-8"
                    code, words = client.docmd(f"RCPT TO:<{address}>")
                    assert 500 <= code < 600, (seed, address, code, words)
                assert not post.host.has_user(address), (seed, address)
            # As ever.
            assert recipient_code(post.outside(), "buyer@web.example", DESK) == 250
            assert post.host.has_user(DESK.upper())
            post.imap()

        await asyncio.to_thread(ask)
        for word in ("fatal:", "panic:", "Fatal:", "Panic:", "terminated"):
            assert word not in post.host.log()


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_each_role_reads_its_views_and_nothing_else(database: Database) -> None:
    url = database.url
    allowed = {
        "postfach_dovecot": {"mail_passwords", "mail_accounts"},
        "postfach_postfix": {"mail_domains", "mail_accounts", "mail_logins"},
        "postfach_milter": {"mail_senders"},
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
        for role, views in allowed.items():
            connection = await asyncpg.connect(
                host=url.host, port=url.port, database=url.name, user=role, password=post.host.passwords[role]
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


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_while_the_database_is_away_everything_is_temporary_and_nothing_bounces(
    database: Database,
) -> None:
    cable = Cable(database.url.host, database.url.port)
    await cable.plug()
    with begun(database, replace(database.url, port=cable.port)) as post:
        await filled(post)
        await asyncio.to_thread(post.imap)
        await cable.pull()

        def away() -> None:
            with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
                post.imap()
            # Before anybody signs in: a login that can't be checked would be told like a wrong password.
            for port in (post.host.submission, post.host.submissions):
                client = (
                    smtplib.SMTP("localhost", port, timeout=PATIENCE)
                    if port == post.host.submission
                    else smtplib.SMTP_SSL("localhost", port, context=post.host.trusts, timeout=PATIENCE)
                )
                post.open.callback(client.close)
                assert client.ehlo()[0] == 421
            assert recipient_code(post.outside(), "buyer@web.example", DESK) == 451

        await asyncio.to_thread(away)
        await cable.plug()
        # Postfix asks a database that failed again after a minute, which the test spares itself.
        await asyncio.to_thread(post.host.reload_postfix)

        def back() -> bool:
            # A server allows a user only so many sessions: each of these ends before the next is tried.
            kept, post.open = post.open, ExitStack()
            try:
                with post.open:
                    post.imap()
                    post.smtp()
                    return recipient_code(post.outside(), "buyer@web.example", DESK) == 250
            except (imaplib.IMAP4.error, smtplib.SMTPException):
                return False
            finally:
                post.open = kept

        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(back):
            assert time.monotonic() < deadline, post.host.log()
        mail = letter("buyer@web.example", DESK)
        await asyncio.to_thread(lambda: post.outside().sendmail("buyer@web.example", [DESK], mail))
        assert b"Guten Tag" in await asyncio.to_thread(arrived, post, DESK)
        await cable.pull()
