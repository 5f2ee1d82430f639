"""What the filter answers a mail server, packet by packet, and to what is no mail server."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.sender import protocol
from mail.sender.conversation import Conversation
from mail.sender.directory import Directory
from mail.sender.protocol import CONTINUE, Packet, ProtocolError
from mail.sender.rule import Sender
from mail.sender.server import filtering
from models import clock
from models.database import Database, DatabaseUnavailableError
from models.database_url import DatabaseUrl
from tests import command, peers, storage
from tests.resolvers.offices import new_password
from tests.surroundings import SEALS

OWN = "chef@nord.example"
LOGIN = f"{OWN}-v3"
OFFER = struct.pack("!III", 6, 0x1FF, 0x1FFFFF)
PLACED = [("Subject", "t"), ("From", OWN)]


async def find(login: str) -> Sender | None:
    """Knows one login; the database is away for another."""
    if login == "away":
        raise DatabaseUnavailableError("away")
    return Sender(OWN, "Nord", ()) if login == LOGIN else None


def mail(login: str | None, *fields: tuple[str, str]) -> list[bytes]:
    """The packets of a mail."""
    macros = [] if login is None else [b"DM{auth_authen}\0" + login.encode() + b"\0"]
    headers = [f"L{name}\0{value}\0".encode("utf-8", "surrogateescape") for name, value in fields]
    return [*macros, b"M<x@y.example>\0", *headers, b"E"]


async def answers(*packets: bytes) -> list[bytes]:
    """All answers of one connection."""
    conversation = Conversation(find)
    found: list[bytes] = []
    for packet in packets:
        found += await conversation.answer(Packet(packet[:1], packet[1:])) or []
    return found


async def last(login: str | None, *fields: tuple[str, str]) -> bytes:
    return (await answers(*mail(login, *fields)))[-1]


@pytest.mark.asyncio
async def test_the_own_address_passes_with_its_name_and_the_next_mail_begins_anew() -> None:
    changed = protocol.changed("From", 1, f"Nord <{OWN}>")
    one = mail(LOGIN, *PLACED)
    assert await answers(*one, *one) == [CONTINUE, CONTINUE, CONTINUE, changed, CONTINUE] * 2
    assert (await answers(*mail(LOGIN, ("From", f"Nord <{OWN}>"))))[2:] == [CONTINUE]
    given_up = [*one[:-1], b"A"]
    assert (await answers(*given_up, *one))[-2:] == [changed, CONTINUE]


@pytest.mark.asyncio
async def test_who_has_not_signed_in_or_not_with_this_password_sends_nothing() -> None:
    assert await answers(*mail(None, *PLACED)[:1]) == [b"y530 5.7.0 Sign in first.\0"]
    assert await last(None, *PLACED) == b"y530 5.7.0 Sign in first.\0"
    # The login of an earlier mail is none of this one.
    assert (await answers(*mail(LOGIN, *PLACED), *mail(None, *PLACED)))[-1] == b"y530 5.7.0 Sign in first.\0"
    for login in (f"{OWN}-v2", OWN, "x"):
        assert await last(login, *PLACED) == b"y550 5.7.1 The password was replaced: sign in again.\0"


@pytest.mark.asyncio
async def test_a_database_that_is_away_puts_mail_off() -> None:
    assert (await last("away", *PLACED)).startswith(b"y451 4.3.0 ")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "field",
    [
        ("From ", "boss@bank.example"),
        (" From", "boss@bank.example"),
        ("Fro\x0bm", "boss@bank.example"),
        ("F\udcffrom", "boss@bank.example"),
        ("From\t", OWN),
        ("", "boss@bank.example"),
        ("X-A", "b\rFrom: boss@bank.example"),
        ("X-A", "b\nFrom: boss@bank.example"),
        ("X-A", "b\r\nFrom: boss@bank.example"),
        ("From", "boss@bank.example"),
        ("FROM", OWN),
    ],
)
async def test_what_could_be_read_as_another_from_is_refused(field: tuple[str, str]) -> None:
    for fields in ([*PLACED, field], [field, *PLACED]):
        assert (await last(LOGIN, *fields)).startswith(b"y550 5.7.1 ")


PIECES = st.sampled_from(
    [
        *(
            b"O" + OFFER,
            b"DM{auth_authen}\0" + LOGIN.encode() + b"\0",
            b"DM",
            b"M<x@y>\0",
            b"A",
            b"K",
            b"E",
            b"N",
        ),
        *(
            b"LFrom\0" + OWN.encode() + b"\0",
            b"LFrom\0boss@bank.example\0",
            b"LSubject\0t\0",
            b"LFrom\0x",
            b"B",
        ),
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(min_size=1, max_size=40)), max_size=20))
def test_nothing_passes_that_was_not_looked_at(packets: list[bytes]) -> None:
    async def talk() -> None:
        conversation = Conversation(find)
        for packet in packets:
            state = (conversation._login, [each.value for each in conversation._fields])  # noqa: SLF001
            try:
                given = await conversation.answer(Packet(packet[:1], packet[1:]))
            except ProtocolError:
                return
            if given is None:
                return
            if packet[:1] == b"E" and given[-1] == CONTINUE:
                assert state == (LOGIN, [OWN.encode()])
                assert given[0] == protocol.changed("From", 1, f"Nord <{OWN}>") or len(given) == 2

    asyncio.run(talk())


@pytest.mark.asyncio
async def test_whoever_speaks_something_else_is_hung_up_on() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    weak = struct.pack("!III", 6, 0x01, 0)
    async with filtering(listener, find):
        for content in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0\0\0\0",
            protocol.packed(b"Z"),
            protocol.packed(b"O" + weak),
            protocol.packed(b"O"),
            protocol.packed(b"LFrom"),
            protocol.packed(b"DMx\0"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(content)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(protocol.packed(b"O" + OFFER))
        assert await reader.readexactly(17) == protocol.packed(b"O" + struct.pack("!III", 6, 0x10, 0x31B))
        writer.close()


# ---------------------------------------------------------------- who sends


@pytest.mark.asyncio
async def test_a_login_is_an_address_with_the_version_of_its_password(database: Database) -> None:
    agency = await storage.agency()
    box = await storage.mailbox(agency, "chef", email_name="Nord")
    anna = await storage.user(agency, "anna", email_name="Anna Petersen")
    nameless = await storage.user(agency, "leer", email_name=None)
    former = await storage.user(agency, "alt", email_name="Former")
    for each in (anna, nameless, former):
        await storage.period(box, each)
    await database.execute("UPDATE assignments SET until = $1 WHERE user_id = $2", clock.now(), former.id)
    directory = Directory(database.url)
    assert await directory.find(f"{OWN}-v1") is None
    await new_password(database, SEALS, box, version=1)
    found = await directory.find(f"{OWN}-v1")
    assert found is not None
    assert (found.address, found.name, set(found.assigned)) == (OWN, "Nord", {"Anna Petersen", None})
    assert len(found.assigned) == 2
    for other in (OWN, f"{OWN}-v2", "", f"{OWN}-v1\0", "' OR 1=1 --"):
        assert await directory.find(other) is None
    await new_password(database, SEALS, box, version=2)
    assert await directory.find(f"{OWN}-v1") is None
    await database.execute("DELETE FROM session_endings")
    alone = await storage.mailbox(agency, "leer")
    await new_password(database, SEALS, alone)
    assert await directory.find("leer@nord.example-v1") == Sender("leer@nord.example", None, ())
    await directory.close()


@pytest.mark.asyncio
async def test_a_role_of_its_own_reads_the_view_and_nothing_else(database: Database) -> None:
    if database.is_sqlite:
        return
    agency = await storage.agency()
    await new_password(database, SEALS, await storage.mailbox(agency, "chef"))
    cluster, name = peers.postgresql(), database.url.name
    cluster.run_sql("CREATE ROLE milter_only LOGIN PASSWORD 'weak'")
    try:
        cluster.run_sql("GRANT SELECT ON mail_senders TO milter_only", name)
        url = replace(database.url, user="milter_only", password="weak")
        directory = Directory(url)
        assert await directory.find(f"{OWN}-v1") == Sender(OWN, None, ())
        await directory.close()
        for table in ("mailbox_passwords", "mailboxes", "users"):
            said = cluster.run_sql(f"SELECT has_table_privilege('milter_only', '{table}', 'SELECT')", name)
            assert said == "f"
    finally:
        cluster.run_sql("DROP OWNED BY milter_only; DROP ROLE milter_only", name)


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite:///nowhere/x", "postgresql://u:p@127.0.0.1:PORT/x"])
async def test_a_database_that_is_not_there_is_said_so(url: str) -> None:
    there = url.replace("PORT", str(peers.free_port()))
    with pytest.raises(DatabaseUnavailableError):
        await Directory(DatabaseUrl.parse(there)).find(LOGIN)


# ---------------------------------------------------------------- the command


def test_the_command_needs_no_key_and_no_database_to_be_there() -> None:
    # A socket's path is short.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "milter"
        url = f"postgresql://u:p@127.0.0.1:{peers.free_port()}/x"
        process = subprocess.Popen(
            [command.COMMAND, "milter", "--listen", f"unix:{path}"],
            env={"PATH": "/usr/bin:/bin", "POSTFACH_DATABASE_URL": url, "POSTFACH_DATA_DIR": folder},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"Postfach sets sender names on unix:{path}\n"
            assert path.stat().st_mode & 0o777 == 0o666
            in_use = command.run({"POSTFACH_DATA_DIR": folder}, "milter", "--listen", f"unix:{path}")
            assert (in_use.code, in_use.error) == (1, f"postfach: --listen unix:{path}: is in use\n")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                for packet in mail(LOGIN, *PLACED):
                    client.sendall(protocol.packed(packet))
                client.shutdown(socket.SHUT_WR)
                answer = client.makefile("rb").read()
            assert answer.startswith(protocol.packed(CONTINUE) * 3)
            assert b"y451 4.3.0 " in answer
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        assert sorted(each.name for each in Path(folder).iterdir()) == []


@pytest.mark.parametrize("place", ["", "8025", "unix:", "host:99999", "a b:1", "inet:1@x"])
def test_a_place_that_is_none_is_wrong_usage(place: str) -> None:
    assert command.run({}, "milter", "--listen", place).code == 2
