"""Handing a letter in at SMTP servers that refuse, break off and pretend: what came of it, and whose fault it was."""

import asyncio
import logging
import socket
import ssl
from pathlib import Path
from uuid import uuid4

import pytest

from mail import smtp
from mail.handing import Handed, Outcome, Outgoing
from mail.smtp import SmtpServer, SmtpTransport
from models import clock
from tests.mail.smtp_servers import DROP, STEPS, TAKE_AND_DROP, Post, Taken, encrypted, serving

pytestmark = pytest.mark.asyncio

SENDER, TO = "postfach@crm.example", "anna@home.example"
CONTENT = (
    b"From: postfach@crm.example\r\nTo: anna@home.example\r\nSubject: s\r\n\r\n.one\r\n..two\r\nthree\r\n"
)
TOKEN = "Zm9yLXRoZS1sZXR0ZXJzLW9mLXRoZS10ZXN0cy0wMDA"
BROKE_OFF = "The mail server broke off or did not answer in time."


async def handed(
    server: SmtpServer,
    *,
    to: str = TO,
    ours: bool = True,
    content: bytes = CONTENT,
    context: ssl.SSLContext | None = None,
) -> Handed:
    transport = SmtpTransport(server, sender=SENDER, name="crm.example", context=context)

    async def still_ours() -> bool:
        return ours

    try:
        return await transport.hand_over(Outgoing(uuid4(), to, content, clock.now()), still_ours)
    finally:
        await transport.close()


async def test_a_letter_arrives_as_it_is() -> None:
    async with serving() as post:
        assert await handed(post.address()) == Handed(Outcome.ACCEPTED)
        assert post.taken == [Taken(SENDER, (TO,), CONTENT)]


async def test_nothing_leaves_that_is_not_ours_any_more() -> None:
    async with serving() as post:
        assert await handed(post.address(), ours=False) == Handed(Outcome.NOT_OURS)
        assert post.taken == []


@pytest.mark.parametrize(
    "step,answer,outcome",
    [
        ("connect", "421 4.3.2 too busy", Outcome.AWAY),
        ("connect", "554 5.3.2 not for you", Outcome.UNUSABLE),
        ("ehlo", "421 4.3.2 too busy", Outcome.AWAY),
        ("auth", "454 4.7.0 later", Outcome.AWAY),
        ("auth", "535 5.7.8 wrong", Outcome.UNUSABLE),
        ("mail", "450 4.7.1 later", Outcome.LATER),
        ("mail", "421 4.3.2 too busy", Outcome.LATER),
        ("mail", "553 5.7.1 not your address", Outcome.UNUSABLE),
        ("mail", "530 5.7.0 sign in first", Outcome.UNUSABLE),
        ("mail", "552 5.3.4 too large", Outcome.REFUSED),
        ("rcpt", "450 4.2.0 greylisted, come back", Outcome.LATER),
        ("rcpt", "452 4.5.3 too many", Outcome.LATER),
        ("rcpt", "550 5.1.1 unknown", Outcome.REFUSED),
        ("rcpt", "554 5.7.1 relay access denied", Outcome.REFUSED),
        ("rcpt", "530 5.7.0 sign in first", Outcome.UNUSABLE),
        ("data", "451 4.3.0 disk", Outcome.LATER),
        ("data", "554 5.5.1 no valid recipients", Outcome.REFUSED),
        ("content", "451 4.3.0 disk", Outcome.LATER),
        ("content", "550 5.7.1 spam", Outcome.REFUSED),
    ],
)
async def test_an_answer_is_the_fault_of_the_letter_or_of_the_settings(
    step: str, answer: str, outcome: Outcome
) -> None:
    async with serving() as post:
        # More than once: AUTH is tried by every mechanism, and HELO follows EHLO.
        post.then(step, *[answer] * 4)
        assert await handed(post.address(user=step == "auth")) == Handed(outcome, answer)
        assert post.taken == []


@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_that_breaks_off_leaves_it_open(step: str) -> None:
    async with serving() as post:
        post.then(step, DROP)
        found = await handed(post.address(user=step == "auth"))
        is_early = step in {"connect", "ehlo", "auth"}
        assert found.outcome is (Outcome.AWAY if is_early else Outcome.LATER)
        assert post.taken == []


async def test_a_letter_that_was_taken_before_the_connection_broke_off_is_left_open() -> None:
    async with serving() as post:
        post.then("content", TAKE_AND_DROP)
        assert await handed(post.address()) == Handed(
            Outcome.LATER, "The connection to the mail server broke off."
        )
        assert len(post.taken) == 1


async def test_any_positive_answer_to_the_letter_is_one() -> None:
    async with serving() as post:
        post.then("content", "252 2.6.0 whatever")
        assert await handed(post.address()) == Handed(Outcome.ACCEPTED)


async def test_a_positive_answer_before_the_letter_is_none() -> None:
    async with serving() as post:
        post.then("data", "250 2.0.0 ok")
        assert (await handed(post.address())).outcome is Outcome.LATER
        assert post.taken == []


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\nQUIT\r\n", b"a", b""])
async def test_no_line_ends_otherwise_than_lines_do(content: bytes) -> None:
    async with serving() as post:
        found = await handed(post.address(), content=content)
        assert found == Handed(Outcome.REFUSED, "The letter has lines that no message may have.")
        assert post.connections == 0


async def test_a_server_that_says_goodbye_late_holds_nobody_up() -> None:
    async with serving() as post:
        assert await handed(post.address()) == Handed(Outcome.ACCEPTED)
        assert post.connections == 1


async def test_nobody_there_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for host in ("127.0.0.1", "nowhere.invalid"):
        found = await handed(SmtpServer(host, port, "none", None, None))
        assert found == Handed(Outcome.AWAY, "The mail server can't be reached.")


@pytest.mark.parametrize(
    "greeting", [b"", b"\xff\xfe\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220", b"220-x\r\n"]
)
async def test_what_does_not_speak_smtp_is_away(greeting: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], "none", None, None)
        assert (await handed(address)).outcome is Outcome.AWAY


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", 0.2)
    monkeypatch.setattr(smtp, "LAST_ANSWER_SECONDS", 0.2)
    for step in ("connect", "ehlo", "mail", "rcpt", "data", "content"):
        async with serving() as post:
            post.held_at = step
            post.gate.clear()
            found = await handed(post.address())
            assert found.outcome is (Outcome.AWAY if step in {"connect", "ehlo"} else Outcome.LATER), step
            assert post.taken == []


async def test_words_are_one_line_without_what_may_be_of_the_letter() -> None:
    async with serving() as post:
        post.then(
            "content",
            f"550-5.7.1 https://crm.example/credentials#{TOKEN}\r\n550 and\tk7Rtq-9WmXb-4hVnz-Yc3pL-d8fGs is bad",
        )
        post.then("rcpt", "550 " + "x y " * 400)
        long = await handed(post.address())
        assert long.words is not None
        assert len(long.words) == 500
        found = await handed(post.address())
        assert found == Handed(Outcome.REFUSED, "550 5.7.1 https://crm.example/credentials#… and … is bad")


async def test_nothing_of_the_letter_or_the_sign_in_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as post:
        await handed(post.address(user=True))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.log")]
    assert "three" not in "".join(ours)
    assert post.password not in "".join(ours)


# ---------------------------------------------------------------- addresses


async def test_addresses_are_written_as_mail_servers_take_them() -> None:
    async with serving() as post:
        assert await handed(post.address(), to="anna@bücher.example") == Handed(Outcome.ACCEPTED)
        assert await handed(post.address(), to="ännä@bücher.example") == Handed(Outcome.ACCEPTED)
        assert [each.to for each in post.taken] == [
            ("anna@xn--bcher-kva.example",),
            ("ännä@xn--bcher-kva.example",),
        ]


async def test_a_server_without_smtputf8_refuses_what_needs_it() -> None:
    async with serving() as post:
        post.has_utf8 = False
        found = await handed(post.address(), to="ännä@home.example")
        assert found == Handed(
            Outcome.REFUSED, "The mail server takes no international addresses (SMTPUTF8)."
        )
        assert await handed(post.address()) == Handed(Outcome.ACCEPTED)


# ---------------------------------------------------------------- TLS and signing in


def kind_of(security: str, server: ssl.SSLContext) -> dict[str, ssl.SSLContext]:
    return {"starttls": server} if security == "starttls" else {"tls": server}


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_letter_arrives_over_tls_by_somebody_signed_in(security: str, tmp_path: Path) -> None:
    server, client = encrypted(tmp_path)
    async with serving(**kind_of(security, server)) as post:
        address = post.address(security, user=True, host="localhost")  # type: ignore[arg-type]
        assert await handed(address, context=client) == Handed(Outcome.ACCEPTED)
        post.password = "another"
        assert (await handed(address, context=client)).outcome is Outcome.UNUSABLE
        assert len(post.taken) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_does_not_hold_sends_nothing(security: str, tmp_path: Path) -> None:
    server, client = encrypted(tmp_path, host="other.example")
    async with serving(**kind_of(security, server)) as post:
        address = post.address(security, user=True, host="localhost")  # type: ignore[arg-type]
        for context in (client, ssl.create_default_context()):
            found = await handed(address, context=context)
            assert found.outcome is Outcome.UNUSABLE
            assert found.words is not None
            assert "certificate" in found.words
        assert post.taken == []


async def test_what_is_to_be_encrypted_is_never_sent_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = encrypted(tmp_path)
    async with serving() as plain:
        for security in ("starttls", "tls"):
            found = await handed(plain.address(security, user=True, host="localhost"), context=client)
            assert found.outcome is Outcome.UNUSABLE
        assert plain.taken == []
    # Each waits for the other to say something.
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 0.2)
    async with serving(tls=server) as secret:
        found = await handed(secret.address("none", host="localhost"))
        assert found.outcome in {Outcome.AWAY, Outcome.LATER}


async def test_a_server_that_takes_no_sign_in_is_a_setting() -> None:
    async with serving() as post:
        post.has_auth = False
        found = await handed(post.address(user=True))
        assert found.outcome is Outcome.UNUSABLE
        assert post.taken == []


async def test_a_look_goes_as_far_as_the_sign_in() -> None:
    async with serving() as post:
        for password, outcome in ((post.password, Outcome.ACCEPTED), ("another", Outcome.UNUSABLE)):
            post.password = password
            transport = SmtpTransport(post.address(user=True), sender=SENDER, name="::1")
            assert (await transport.check()).outcome is outcome
            await transport.close()


async def test_its_representation_shows_no_password() -> None:
    assert "s3cret" not in repr(Post().address(user=True))
    assert "three" not in repr(Outgoing(uuid4(), TO, CONTENT, clock.now()))
