"""Letters over `kill -9`, before and after the mail server has them: none is lost, and what is sent again is the same."""

import asyncio
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from models import clock
from tests import command, storage
from tests.client import Client, Json, connected
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.mail.smtp_servers import PASSWORD, TAKE_AND_HOLD, USER, Post, encrypted, serving
from tests.stream import stream

OWN = "a horse that is correct"
WORLD = f"""
{{"type": "agency", "key": "nord", "name": "Nord", "domains": ["nord.example"]}}
{{"type": "user", "agency": "nord", "login": "boss@nord.example", "firstName": "B", "lastName": "B", \
"role": "ADMINISTRATOR", "password": "{OWN}"}}
{{"type": "mailbox", "agency": "nord", "address": "desk@nord.example"}}
"""
BOX = '{ mailbox(address: "desk@nord.example") { id } }'
SEND = """mutation ($box: ID!, $to: String!) {
  sendMailboxCredentials(input: { mailboxId: $box, to: $to }) { delivery { id state } errors { code message } }
}"""
CHANGED = (
    """subscription ($id: ID!) { credentialDeliveryChanged(deliveryId: $id) { state attempts to sentAt } }"""
)
SECONDS = 60


@pytest.mark.timeout(240)
def test_letters_survive_kill_9(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    with migrated.template(database_kind).copied(tmp_path) as url:
        asyncio.run(survive(url, tmp_path))


async def survive(url: str, folder: Path) -> None:
    """Kill the server before and after the mail server has the letter, which comes over TLS or STARTTLS."""
    secured, _ = encrypted(folder)
    scheme, how = (
        ("smtps", {"tls": secured}) if url.startswith("sqlite") else ("smtp+starttls", {"starttls": secured})
    )
    async with serving(**how) as post:
        smtp = f"{scheme}://{USER}:{PASSWORD}@localhost:{post.port}"
        environment = settings_environment(url, folder, SMTP_URL=smtp, SMTP_FROM="post@crm.example")
        environment["SSL_CERT_FILE"] = str(folder / "root.pem")
        await asyncio.to_thread(command.run_well, environment, "import", "-", text=WORLD.strip())
        server = command.Server(environment, folder)
        with ExitStack() as running:
            await asyncio.to_thread(running.enter_context, server)
            async with connected(server.url) as client:
                boss = await client.sign_in("boss@nord.example", OWN)
                box = (await boss.data(BOX))["mailbox"]["id"]

            post.held_at = "rcpt"
            first = await killed_while_sending(server, boss, box, "a@home.example", post)
            assert post.taken == []
            post.held_at = None
            assert await sent_after_start(server, url, boss, first) == {
                "state": "SENT",
                "attempts": 2,
                "to": "a@home.example",
            }
            assert [each.to for each in post.taken] == [("a@home.example",)]

            post.then("content", TAKE_AND_HOLD)
            second = await killed_while_sending(server, boss, box, "b@home.example", post)
            assert (await sent_after_start(server, url, boss, second))["state"] == "SENT"
            # Nobody heard that it was taken, and SMTP has no way to ask: the same bytes, the same Message-ID.
            again = [each.content for each in post.taken if each.to == ("b@home.example",)]
            assert len(again) == 2
            assert again[0] == again[1]
        for each in post.taken:
            token = re.search(rb"credentials#([\w-]{43})", each.content.replace(b"=\r\n", b""))
            assert token is not None
            assert token[1].decode() not in server.written
        assert PASSWORD not in server.written


async def killed_while_sending(server: command.Server, boss: Client, box: str, to: str, post: Post) -> str:
    """Ask for a letter, and kill the server when the mail server holds back."""
    post.gate.clear()
    post.arrived.clear()
    async with connected(server.url) as client:
        answer = await boss.over(client).payload(SEND, {"box": box, "to": to})
        assert answer["errors"] == []
        await asyncio.wait_for(post.arrived.wait(), SECONDS)
    await asyncio.to_thread(server.kill)
    post.gate.set()
    found: str = answer["delivery"]["id"]
    return found


async def sent_after_start(server: command.Server, url: str, boss: Client, delivery_id: str) -> Json:
    """Start the server again; return what is told of the letter when it has left."""
    if not url.startswith("sqlite"):
        async with storage.opened(url) as database:
            # As if the lease of the process that is gone were over.
            await database.execute("UPDATE outbox_letters SET next_attempt_at = $1", clock.now())
    await asyncio.to_thread(server.start)
    return await told(server, boss, delivery_id)


async def told(server: command.Server, boss: Client, delivery_id: str) -> Json:
    """What is told of a letter when it has left."""
    async with stream(server.socket_url, token=boss.token) as listening:
        heard = await listening.subscribe(CHANGED, {"id": delivery_id})
        while True:
            found = (await heard.data(SECONDS))["credentialDeliveryChanged"]
            if found.pop("sentAt") is not None:
                return found
