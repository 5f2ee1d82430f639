"""Mail goes on while Postfach is down, stopped or killed: the real server, filter, Dovecot and Postfix, on both databases."""

from __future__ import annotations

import asyncio
import imaplib
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from models.database_url import DatabaseUrl
from tests import command, evidence
from tests.client import connected
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.mail.deployed import mail_host, wait_for
from tests.mail.post import CHEF, DESK, Clients, letter, recipient_code

OWN = evidence.secret("a horse that is correct", "a user's password")
OLD = evidence.secret("Aa2Bb-3Cc4D-d5Ee6-Ff7Gg-8Hh9J", "a mailbox's password")
WORLD = (
    {"type": "agency", "key": "nord", "name": "Nord", "domains": ["nord.example"]},
    {
        "type": "user",
        "agency": "nord",
        "login": "boss@nord.example",
        "firstName": "B",
        "lastName": "B",
        "role": "ADMINISTRATOR",
        "password": OWN,
    },
    {"type": "mailbox", "agency": "nord", "address": CHEF, "emailName": "Chefin", "password": OLD},
    {"type": "mailbox", "agency": "nord", "address": DESK, "password": OLD},
)
BOX = "query ($address: String!) { mailbox(address: $address) { id } }"
GENERATE = """mutation ($box: ID!) {
  generateMailboxPassword(mailboxId: $box) { effective errors { code message } }
}"""
REVEAL = """mutation ($box: ID!, $own: String!) {
  revealMailboxPassword(mailboxId: $box, currentPassword: $own) { password errors { code } }
}"""


@contextmanager
def filtering(
    post: Clients, environment: Mapping[str, str], url: DatabaseUrl, folder: Path
) -> Iterator[None]:
    """`postfach milter` where Postfix expects it, on PostgreSQL under its own role."""
    place = environment["POSTFACH_DATABASE_URL"]
    if url.dialect == "postgresql":
        password = post.host.passwords["postfach_milter"]
        place = f"postgresql://postfach_milter:{password}@{url.host}:{url.port}/{url.name}"
    log = folder / "milter.err"
    log.touch()
    evidence.follow(log, "standard error of postfach milter")
    with log.open("ab") as error:
        process = subprocess.Popen(
            [command.COMMAND, "milter", "--listen", f"127.0.0.1:{post.host.milter}"],
            env={**environment, "POSTFACH_DATABASE_URL": place},
            stderr=error,
        )
    try:
        wait_for(lambda: "sets sender names" in log.read_text(), log.read_text)
        yield
        process.terminate()
        assert process.wait(command.STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


async def renewed(server: command.Server) -> str:
    """The next password of the mailbox, made and shown over the API; the old sessions are ended by then."""
    async with connected(server.url) as client:
        boss = await client.sign_in("boss@nord.example", OWN)
        box = (await boss.data(BOX, {"address": CHEF}))["mailbox"]["id"]
        assert await boss.payload(GENERATE, {"box": box}) == {"effective": True, "errors": []}
        shown = await boss.payload(REVEAL, {"box": box, "own": OWN})
    assert shown["errors"] == []
    return str(shown["password"])


def use(post: Clients) -> None:
    """Everything that mailboxes are for."""
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        post.imap(CHEF, OLD)
    with post.session(CHEF) as session:
        assert session.select("INBOX")[0] == "OK"
    post.pop3(CHEF).quit()
    post.smtp(CHEF).sendmail(CHEF, [DESK], letter(CHEF, DESK))
    assert f"From: Chefin <{CHEF}>\n".encode() in post.host.delivered(DESK)
    post.outside().sendmail("buyer@web.example", [CHEF], letter("buyer@web.example", CHEF))
    assert b"Guten Tag" in post.host.delivered(CHEF)
    assert recipient_code(post.outside(), "buyer@web.example", "nobody@nord.example") == 550


@pytest.mark.timeout(300)
def test_mail_goes_on_while_postfach_is_down(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    with migrated.template(database_kind).copied(tmp_path) as address:
        environment = settings_environment(address, tmp_path)
        command.run_well(environment, "import", "-", text="\n".join(map(json.dumps, WORLD)))
        url = DatabaseUrl.parse(address)
        with ExitStack() as running:
            post = Clients(running.enter_context(mail_host(url, filtered=True)), {CHEF: OLD, DESK: OLD})
            running.enter_context(filtering(post, environment, url, tmp_path))
            running.enter_context(post.open)
            changes = {
                "POSTFACH_DOVEADM_URL": post.host.doveadm_url,
                "POSTFACH_DOVEADM_KEY": post.host.doveadm_key,
            }
            server = command.Server({**environment, **changes}, tmp_path)
            with server:
                open_session = post.imap(CHEF)
                post.passwords[CHEF] = asyncio.run(renewed(server))
                with pytest.raises((imaplib.IMAP4.abort, OSError)):
                    open_session.noop()
            # Ended as it should: on SQLite nobody has the database open now.
            use(post)
            server.start()
            server.kill()
            use(post)
            # What the mail servers left beside the database keeps nobody out.
            with server:
                post.passwords[CHEF] = asyncio.run(renewed(server))
            use(post)
            assert post.host.queue() == []
            assert "status=bounced" not in post.host.log()
