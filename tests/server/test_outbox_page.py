"""The page that shows the letters of a trial: to whoever sits at the machine, and with nothing of a letter let loose."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from mail.letters import compose
from tests.mail.letters.letters import TOKEN, letter
from tests.server.doors import Doors, doors

# The page asks no database.
pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database_kind", ["sqlite"])]

NAME = "20261125T210500.000000Z-2f7c0000-0000-4000-8000-000000000000"
OLDER = "20261124T210500.000000Z-2f7c0000-0000-4000-8000-000000000001"
HOSTILE = "20261123T210500.000000Z-2f7c0000-0000-4000-8000-000000000002"
LINK = f"https://crm.example/credentials#{TOKEN}"


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    async with doors(door_database, tmp_path, OUTBOX_PAGE="on") as opened:
        folder = opened.settings.outbox_folder
        folder.mkdir()
        (folder / f"{NAME}.eml").write_bytes(compose(letter()))
        (folder / f"{OLDER}.eml").write_bytes(compose(letter(language="en", to="ben@home.example")))
        (folder / f"{HOSTILE}.eml").write_bytes(
            b"From: <script>alert(1)</script>\r\nSubject: </style><script>alert(2)</script>\r\n\r\n<script>alert(3)</script>\r\n"
        )
        for other in ("notes.txt", f".{NAME}", "x.eml", f"{NAME}.eml.bak"):
            (folder / other).write_text("not a letter")
        yield opened


async def get(
    house: Doors, path: str, *, host: str = "127.0.0.1:8000", client: str = "127.0.0.1"
) -> httpx.Response:
    transport = httpx.ASGITransport(app=house.app, client=(client, 1))
    async with httpx.AsyncClient(base_url="http://x", transport=transport) as http:
        return await http.get(path, headers={"host": host})


async def test_letters_are_listed_newest_first_and_shown(house: Doors) -> None:
    listed = await get(house, "/outbox")
    assert (listed.status_code, listed.headers["cache-control"]) == (200, "no-store")
    assert listed.text.index(NAME) < listed.text.index(OLDER) < listed.text.index(HOSTILE)
    assert listed.text.count("<li>") == 3
    assert "not a letter" not in listed.text
    assert TOKEN not in listed.text
    shown = await get(house, f"/outbox?letter={NAME}")
    assert "<dt>To</dt><dd>anna@home.example</dd>" in shown.text
    assert f'<a href="{LINK}" target="_blank" rel="noopener">{LINK}</a>' in shown.text
    assert "anna@nordlicht.example.mobileconfig" in shown.text
    assert f'<iframe src="/outbox/{NAME}/html" title="The letter\'s HTML"\n' in shown.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox">' in shown.text


async def test_the_page_lets_in_nothing_but_its_own_style_and_the_frame(house: Doors) -> None:
    policy = (await get(house, f"/outbox?letter={HOSTILE}")).headers["content-security-policy"]
    assert [each.partition(" ")[0] for each in policy.split("; ")] == [
        "default-src",
        "style-src",
        "frame-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
    ]
    assert "unsafe" not in policy
    assert "script" not in policy


async def test_a_letters_html_stands_in_a_frame_without_scripts_and_origin(house: Doors) -> None:
    frame = await get(house, f"/outbox/{NAME}/html")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert 'src="data:image/png;base64,' in frame.text
    assert "cid:" not in frame.text


async def test_what_a_letter_says_is_text(house: Doors) -> None:
    for path in ("/outbox", f"/outbox?letter={HOSTILE}"):
        page = (await get(house, path)).text
        assert "<script" not in page
        assert "&lt;script&gt;alert(2)" in page


async def test_a_letter_is_downloaded_as_it_left(house: Doors) -> None:
    found = await get(house, f"/outbox/{NAME}.eml")
    assert found.content == (house.settings.outbox_folder / f"{NAME}.eml").read_bytes()
    assert found.headers["content-type"] == "message/rfc822"
    assert found.headers["content-disposition"] == f'attachment; filename="{NAME}.eml"'


@pytest.mark.parametrize(
    "path",
    [
        "/outbox/notes.txt",
        "/outbox/x.eml",
        f"/outbox/{NAME}.eml.bak",
        f"/outbox/{NAME}0.eml",
        "/outbox/..%2Ftoken.keys.eml",
        "/outbox/%2e%2e/html",
        f"/outbox/{NAME.replace('2f', '3f')}.eml",
        f"/outbox/{NAME.replace('2f', '3f')}/html",
    ],
)
async def test_nothing_else_of_the_folder_is_answered(house: Doors, path: str) -> None:
    found = await get(house, path)
    assert found.status_code == 404
    assert "not a letter" not in found.text


@pytest.mark.parametrize(
    "host,client",
    [
        ("127.0.0.1:8000", "192.0.2.7"),
        ("postfach.test", "127.0.0.1"),
        # A name that its owner lets point at this machine.
        ("rebound.evil.example:8000", "127.0.0.1"),
        ("127.0.0.1.evil.example", "127.0.0.1"),
        ("localhost.evil.example", "127.0.0.1"),
        ("0.0.0.0:8000", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("[::1", "127.0.0.1"),
    ],
)
async def test_nobody_else_reads_a_letter(house: Doors, host: str, client: str) -> None:
    for path in ("/outbox", f"/outbox/{NAME}/html", f"/outbox/{NAME}.eml"):
        found = await get(house, path, host=host, client=client)
        assert (found.status_code, found.text) == (404, "Not found")


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "127.0.0.1"])
async def test_whoever_sits_at_the_machine_does(house: Doors, host: str) -> None:
    assert (await get(house, "/outbox", host=host, client="::1")).status_code == 200


async def test_it_is_not_there_unless_it_is_switched_on(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path) as house:
        assert (await get(house, "/outbox")).status_code == 404


async def test_without_letters_it_says_how_to_get_one(door_database: str, tmp_path: Path) -> None:
    async with doors(door_database, tmp_path, OUTBOX_PAGE="on") as house:
        assert "sendMailboxCredentials" in (await get(house, "/outbox")).text


async def test_with_a_mail_server_it_says_where_letters_go(door_database: str, tmp_path: Path) -> None:
    async with doors(
        door_database, tmp_path, OUTBOX_PAGE="on", SMTP_URL="smtp://127.0.0.1:1", SMTP_FROM="a@crm.example"
    ) as house:
        assert "through the mail server" in (await get(house, "/outbox")).text
