"""SMTP servers that answer whatever comes to mind: nothing but an outcome comes of it, and only what was taken is accepted."""

import asyncio
import os
import re
from random import Random, SystemRandom
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail import smtp
from mail.handing import Handed, Outcome, Outgoing
from mail.smtp import SmtpServer, SmtpTransport
from models import clock

ROUNDS = 150
SEED = int(os.environ.get("POSTFACH_SEED") or SystemRandom().randrange(10**9))
CONTENT = b"Subject: s\r\n\r\n.k7Rtq-9WmXb-4hVnz-Yc3pL-d8fGs\r\n"
ANSWERS = (
    b"220 mail.test\r\n",
    b"250 ok\r\n",
    b"250-mail.test\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250 STARTTLS\r\n",
    b"235 signed in\r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"334 \xff\xfe\r\n",
    b"354 go on\r\n",
    b"421 busy\r\n",
    b"451 later\r\n",
    b"550 no\r\n",
    b"250 first\r\n250 second\r\n",
    b"250-never\r\n",
    b"999 what\r\n",
    b"-250 minus\r\n",
    b"2 5 0\r\n",
    b"\r\n",
    b"\xff\xfe\x00\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"550 " + b"x" * 70_000 + b"\r\n",
    b"",
)
LIKELY = {b"EHLO": 2, b"HELO": 1, b"AUTH": 3, b"MAIL": 1, b"RCPT": 1, b"DATA": 6}
"""Which answer keeps a conversation going."""
POSITIVE = re.compile(rb"(?:2\d\d-[^\n]*\n)*2\d\d [^\n]*\n")


class Whimsical:
    """A server for one connection after the other; `accepted` says whether it took the last letter."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.accepted = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(self._answer(0))
            while line := await reader.readline():
                answer = self._answer(LIKELY.get(line[:4].upper()))
                if not answer:
                    break
                writer.write(answer)
                if line[:4].upper() == b"DATA" and answer.startswith(b"354"):
                    await reader.readuntil(b"\r\n.\r\n")
                    answer = self._answer(1)
                    self.accepted = POSITIVE.match(answer) is not None
                    writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    def _answer(self, likely: int | None) -> bytes:
        if likely is not None and self._chance.random() < 0.8:
            return ANSWERS[likely]
        return self._chance.choice(ANSWERS)


@pytest.mark.asyncio
async def test_whatever_is_answered_comes_to_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "COMMAND_SECONDS", "LAST_ANSWER_SECONDS", "QUIT_SECONDS"):
        monkeypatch.setattr(smtp, name, 0.05)

    async def still_ours() -> bool:
        return True

    whimsical = Whimsical(Random(SEED))
    server = await asyncio.start_server(whimsical.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcomes = set()
    for number in range(ROUNDS):
        whimsical.accepted = False
        user = None if number % 2 else "postfach"
        transport = SmtpTransport(
            SmtpServer("127.0.0.1", port, "none", user, user), sender="a@crm.example", name="crm.example"
        )
        handed = await transport.hand_over(
            Outgoing(uuid4(), "b@home.example", CONTENT, clock.now()), still_ours
        )
        await transport.close()
        assert isinstance(handed, Handed)
        # An answer may come too late to be heard: then the letter is tried again.
        assert handed.outcome is not Outcome.ACCEPTED or whimsical.accepted, f"POSTFACH_SEED={SEED}"
        assert handed.words is None or (len(handed.words) <= smtp.WORDS and handed.words.isprintable())
        outcomes.add(handed.outcome)
    server.close()
    assert {Outcome.ACCEPTED, Outcome.AWAY, Outcome.UNUSABLE} <= outcomes


TOKEN = st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True)
PASSWORD = st.from_regex(r"[A-Za-z2-9]{5}(-[A-Za-z2-9]{5}){4}", fullmatch=True)


@given(st.text(), st.one_of(TOKEN, PASSWORD), st.text())
def test_no_secret_of_a_letter_is_kept_of_what_is_answered(before: str, secret: str, after: str) -> None:
    kept = smtp._plain(f"{before} {secret} {after}")  # noqa: SLF001 (what every answer goes through)
    assert secret not in kept
    assert len(kept) <= smtp.WORDS
    assert kept == " ".join(kept.split())
    assert kept.isprintable()
    assert not re.search(r"[A-Za-z0-9_-]{25}", kept)
