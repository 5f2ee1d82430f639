"""A letter's whole way: asked for, sent by a real Postfix, read in a real Dovecot mailbox, its link pressed in a real browser.

What the page then shows opens the mailbox over IMAP and sends from it over SMTP, as the reader's mail program would.
"""

from __future__ import annotations

import asyncio
import email
import imaplib
import plistlib
import re
import smtplib
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, async_playwright, expect

from models.database_url import DatabaseUrl
from tests import command, peers
from tests.client import Client, Json, connected
from tests.conftest import Migrated
from tests.databases import settings_environment
from tests.mail.client_setup.certificates import Chain, chain
from tests.mail.deployed import MailHost, mail_host
from tests.stream import stream

OWN = "a horse that is correct"
READERS = "7hKpw-Rt4Xa-nB9vQ-cF2mZ-y6LdG"
DESK = "neues.postfach@nord.example"
READER, SECOND = "leserin@nord.example", "leser@nord.example"
WORLD = f"""
{{"type": "agency", "key": "nord", "name": "Nordlicht Häuser & Gärten", "domains": ["nord.example"]}}
{{"type": "user", "agency": "nord", "login": "boss@nord.example", "firstName": "Jörg", "lastName": "Müller", \
"role": "ADMINISTRATOR", "password": "{OWN}"}}
{{"type": "mailbox", "agency": "nord", "address": "{DESK}", "emailName": "Zoë Groß"}}
{{"type": "mailbox", "agency": "nord", "address": "{READER}", "password": "{READERS}"}}
{{"type": "mailbox", "agency": "nord", "address": "{SECOND}", "password": "{READERS}"}}
"""
SEND = """mutation ($box: ID!, $to: String!, $language: String, $content: CredentialContent = ONE_TIME_LINK) {
  sendMailboxCredentials(input: { mailboxId: $box, to: $to, language: $language, content: $content }) {
    delivery { id } errors { code message }
  }
}"""
CHANGED = """subscription ($id: ID!) {
  credentialDeliveryChanged(deliveryId: $id) { state failure openedAt }
}"""
ALLOW = "mutation { setPasswordsInLetters(allowed: true) { errors { code } } }"
SECONDS = 60
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
    console.error("policy", event.effectiveDirective, event.blockedURI))"""


@pytest.mark.timeout(240)
def test_a_letter_sets_a_mailbox_up(database_kind: str, migrated: Migrated, tmp_path: Path) -> None:
    peers.require("chromium")
    signed_by = chain(tmp_path)
    with (
        # Not in the test's own folder, which every pytest that starts closes to Postfix's account.
        tempfile.TemporaryDirectory(prefix="postfach-letters-") as folder,
        migrated.template(database_kind).copied(Path(folder)) as url,
        mail_host(DatabaseUrl.parse(url)) as host,
    ):
        environment = settings_environment(
            url,
            tmp_path,
            SMTP_URL=f"smtp+starttls://localhost:{host.smtp}",
            SMTP_FROM="postfach@crm.example",
            IMAP=f"localhost:{host.imaps}:tls",
            POP3=f"localhost:{host.pop3s}:tls",
            SUBMISSION=f"localhost:{host.submission}:starttls",
            PROFILE_CERTIFICATE_FILE=str(signed_by.certificates),
            PROFILE_KEY_FILE=str(signed_by.key),
        )
        # The system's certificates, for the server process, are those of the test.
        environment["SSL_CERT_FILE"] = str(host.folder / "mail.pem")
        command.run_well(environment, "import", "-", text=WORLD.strip())
        with command.Server(environment, tmp_path) as server:
            way = Way(server, host, signed_by)
            try:
                asyncio.run(way.go())
            except BaseException as error:
                error.add_note(host.log()[-5000:])
                raise
        written = server.written + host.log()
        assert way.secrets
        assert [number for number, each in enumerate(way.secrets) if each in written] == []


@dataclass
class Way:
    """The servers, and what must be in no log of theirs."""

    server: command.Server
    host: MailHost
    signed_by: Chain
    secrets: list[str] = field(default_factory=lambda: [OWN, READERS])

    async def go(self) -> None:
        async with connected(self.server.url) as http, self._browser() as browser:
            boss = await http.sign_in("boss@nord.example", OWN)
            box = await _mailbox(boss)
            payload = await boss.payload(SEND, {"box": box, "to": READER, "language": "de"})
            assert payload["errors"] == []
            async with stream(self.server.socket_url, token=boss.token) as events:
                told = await events.subscribe(CHANGED, {"id": payload["delivery"]["id"]})
                sent = (await told.data(SECONDS))["credentialDeliveryChanged"]
                assert sent == {"state": "SENT", "failure": None, "openedAt": None}
                link = self._check_letter(await asyncio.to_thread(self._read, 1))
                password = await self._press(browser, link)
                opened = (await told.data(SECONDS))["credentialDeliveryChanged"]
                assert opened.pop("openedAt") is not None
                assert opened == {"state": "SENT", "failure": None}
            await asyncio.to_thread(self._use, password)
            await self._press_again(browser, link)
            # The other kind of letter, in the other language.
            assert (await boss.payload(ALLOW))["errors"] == []
            asked = {"box": box, "to": SECOND, "language": "en-GB", "content": "PASSWORD"}
            assert (await boss.payload(SEND, asked))["errors"] == []
            self._check_password(await asyncio.to_thread(self._read, 1, SECOND), password)

    @asynccontextmanager
    async def _browser(self) -> AsyncIterator[Browser]:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=peers.require("chromium"), args=CHROMIUM_OPTIONS
            )
            yield browser
            await browser.close()

    # ------------------------------------------------------------ the letter

    def _read(self, number: int, reader: str = READER) -> EmailMessage:
        """Wait for so many messages in a reader's mailbox; return the newest."""
        with closing(_Imap(self.host, reader, READERS)) as imap:
            return imap.message(number)

    def _check_letter(self, letter: EmailMessage) -> str:
        """Hold what arrived against what was to leave; return its link."""
        assert letter["Subject"] == f"Zugangsdaten für {DESK}"
        assert letter["From"] == "Nordlicht Häuser & Gärten <postfach@crm.example>"
        assert letter["To"] == READER
        text, html = (_body(letter, kind) for kind in ("plain", "html"))
        (link,) = map(str, re.findall(r"http\S+/credentials#\S+", text))
        self.secrets.append(link.partition("#")[2])
        assert f'href="{link}"' in html
        assert link.startswith(f"{self.server.url}/credentials#")
        for each in (DESK, f"localhost, Port {self.host.imaps}, SSL/TLS", "Jörg Müller"):
            assert each in text
            assert each in html
        (profile,) = letter.iter_attachments()
        content = profile.get_payload(decode=True)
        assert isinstance(content, bytes)
        account = plistlib.loads(_verified(content, self.signed_by))["PayloadContent"][0]
        assert (account["EmailAddress"], account["EmailAccountName"]) == (DESK, "Zoë Groß")
        assert account["IncomingMailServerPortNumber"] == self.host.imaps
        return link

    def _check_password(self, letter: EmailMessage, password: str) -> None:
        """Hold a letter with the password itself against what was to leave."""
        assert letter["Subject"] == f"Credentials for {DESK}"
        assert letter["Content-Language"] == "en"
        for kind in ("plain", "html"):
            assert password in _body(letter, kind)
            assert "/credentials" not in _body(letter, kind)

    # ------------------------------------------------------------ the page

    async def _press(self, browser: Browser, link: str) -> str:
        """Open the link with an English browser and press; return what is shown."""
        async with self._page(browser, "en-GB", link) as page:
            await expect(page.get_by_role("heading", level=1)).to_have_text("Password of your mailbox")
            await page.get_by_role("button", name="Deutsch").click()
            await page.get_by_role("button", name="Kennwort anzeigen").click()
            password = await self._shown(page)
            await page.get_by_role("button", name="English").click()
            await expect(page.get_by_text(f"localhost, port {self.host.imaps}, SSL/TLS")).to_be_visible()
            assert await page.locator("#password").inner_text() == password
            # Who comes back to the page finds nothing there.
            await page.goto("about:blank")
            await page.go_back()
            assert password not in await page.content()
        return password

    async def _press_again(self, browser: Browser, link: str) -> None:
        async with self._page(browser, "de-DE", link) as page:
            await page.get_by_role("button", name="Kennwort anzeigen").click()
            await expect(page.get_by_text("Dieser Link zeigt kein Kennwort")).to_be_visible()
            assert urlsplit(page.url).fragment == ""

    @asynccontextmanager
    async def _page(self, browser: Browser, locale: str, link: str) -> AsyncIterator[Page]:
        """The page behind a link; all that it asks for is itself, and nothing breaks its policy."""
        context = await browser.new_context(
            locale=locale, viewport={"width": 390, "height": 800}, permissions=["clipboard-read"]
        )
        troubles: list[str] = []
        asked: list[str] = []

        def note(request: Request) -> None:
            if urlsplit(request.url).scheme != "data":
                asked.append(f"{request.method} {request.url}")

        await context.add_init_script(WATCH_POLICY)
        context.on("request", note)
        page = await context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        await page.goto(link)
        own = f"{self.server.url}/credentials"
        assert asked == [f"GET {own}"]
        yield page
        await context.close()
        assert set(asked) <= {f"GET {own}", f"POST {own}"}
        assert [each for each in troubles if "404" not in each] == []

    async def _shown(self, page: Page) -> str:
        """Return the password that the page shows; its address has no token any more, and the button copies."""
        await expect(page.locator("#password")).to_be_visible()
        password = await page.locator("#password").inner_text()
        self.secrets.append(password)
        assert urlsplit(page.url).fragment == ""
        assert await page.locator("#address").inner_text() == DESK
        await page.locator("[data-copy=password]").click()
        await expect(page.locator("[data-copy=password]")).to_have_text("Kopiert")
        assert await page.evaluate("navigator.clipboard.readText()") == password
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        for code in ("profile-code", "account-code"):
            assert await page.locator(f"#{code}").evaluate("image => image.naturalWidth") > 0
        return password

    # ------------------------------------------------------------ the mailbox

    def _use(self, password: str) -> None:
        """Open the mailbox with the password and send from it, as a mail program does."""
        with closing(_Imap(self.host, DESK, password)) as imap:
            assert imap.count() == 0
        answer = EmailMessage()
        answer["From"], answer["To"], answer["Subject"] = DESK, READER, "Es geht"
        answer.set_content("Angekommen.")
        with smtplib.SMTP("localhost", self.host.submission, timeout=20) as smtp:
            smtp.starttls(context=self.host.trusts)
            smtp.login(DESK, password)
            smtp.send_message(answer)
        received = self._read(2)
        assert (received["Subject"], received.get_content().strip()) == ("Es geht", "Angekommen.")


class _Imap:
    """A mailbox over IMAP with TLS."""

    def __init__(self, host: MailHost, login: str, password: str) -> None:
        self._client = imaplib.IMAP4_SSL("localhost", host.imaps, ssl_context=host.trusts, timeout=20)
        self._client.login(login, password)
        self._client.select("INBOX", readonly=True)

    def close(self) -> None:
        self._client.logout()

    def count(self) -> int:
        self._client.noop()
        _, found = self._client.search(None, "ALL")
        return len(found[0].split())

    def message(self, number: int) -> EmailMessage:
        """Wait until there are so many messages; return the last of them."""
        deadline = time.monotonic() + SECONDS
        while self.count() < number:
            assert time.monotonic() < deadline, "nothing arrives"
            time.sleep(0.05)
        _, parts = self._client.fetch(str(number), "(BODY.PEEK[])")
        assert isinstance(parts[0], tuple)
        found = email.message_from_bytes(parts[0][1], policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


async def _mailbox(boss: Client) -> str:
    found: Json = await boss.data("{ mailboxes { nodes { id address } } }")
    return next(str(each["id"]) for each in found["mailboxes"]["nodes"] if each["address"] == DESK)


def _body(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def _verified(content: bytes, signed_by: Chain) -> bytes:
    """Return what is in a signature, after OpenSSL has found it good."""
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-purpose", "any", "-CAfile", signed_by.trusted],
        input=content,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
