"""The page behind a letter's link, and what its button asks for, through the door."""

import json
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from models import clock
from models.database import Database
from models.tables.mailboxes import Mailbox
from resolvers import one_time_links
from tests import storage
from tests.resolvers.links import give_link, opened_at
from tests.resolvers.offices import new_password
from tests.server.doors import HOST, Doors, doors
from tests.storage import contents

pytestmark = pytest.mark.asyncio

OURS = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}


@pytest_asyncio.fixture
async def house(door_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    """Nobody waits for a refusal."""
    monkeypatch.setattr(one_time_links, "ANSWER_AFTER", timedelta(0))
    async with doors(
        door_database, tmp_path, PUBLIC_URL=f"http://{HOST}", SUBMISSION="smtp.mail.example:587:starttls"
    ) as opened:
        yield opened


async def desk_of(house: Doors) -> tuple[Mailbox, str]:
    desk = await storage.mailbox(house.nord, "desk")
    return desk, await new_password(database_of(house), house.runtime.services.seals, desk)


def database_of(house: Doors) -> Database:
    return house.runtime.database


async def post(house: Doors, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:  # noqa: ANN401 (JSON or bytes)
    sent = {"content-type": "application/json", **(OURS if headers is None else headers)}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with house.client() as client:
        return await client.http.post("/credentials", content=content, headers=sent)


async def get(house: Doors, method: str = "GET", **headers: str) -> httpx.Response:
    async with house.client() as client:
        return await client.http.request(
            method, "/credentials", headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


def fixed(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but the name of its request."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, answer.content, headers


# ---------------------------------------------------------------- the page


async def test_the_page_speaks_the_browsers_language(house: Doors) -> None:
    for wanted, language in (
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.1", "en"),
        ("fr", "de"),
    ):
        page = await get(house, accept_language=wanted)
        assert (page.status_code, page.headers["content-language"]) == (200, language)
        assert f'<html lang="{language}">' in page.text
        # The other languages wait in it: changing to one loads nothing.
        for word in ("Kennwort anzeigen", "Show the password", "Deutsch", "English"):
            assert word in page.text


async def test_the_page_is_stored_nowhere_and_lets_in_nothing_from_elsewhere(house: Doors) -> None:
    page = await get(house)
    headers = page.headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["vary"] == "Accept-Language"
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = re.sub(r"'sha256-[A-Za-z0-9+/]{43}='", "HASH", headers["content-security-policy"])
    assert policy == (
        "default-src 'none'; script-src HASH; style-src HASH; connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert not re.search(r"(?:src|href|action)\s*=\s*[\"']|https?:|@import|url\(|\son\w+=", page.text)


async def test_opening_the_page_changes_nothing(house: Doors) -> None:
    desk, _ = await desk_of(house)
    await give_link(desk, house.anna)
    before = await contents(database_of(house))
    page, head = await get(house), await get(house, "HEAD")
    assert (page.status_code, head.status_code, head.content) == (200, 200, b"")
    assert fixed(head)[2] == fixed(page)[2]
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await get(house, method)
        assert answer.status_code == 405
        assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD", "POST"]
    assert await contents(database_of(house)) == before


# ---------------------------------------------------------------- the button


async def test_the_button_is_answered_the_password_the_servers_and_what_sets_up_a_phone(house: Doors) -> None:
    desk, secret = await desk_of(house)
    token = await give_link(desk, house.anna)

    answer = await post(house, {"token": token})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    codes = [shown.pop(name) for name in ("profileCode", "accountCode")]
    assert shown == {
        "address": "desk@nord.example",
        "password": secret,
        "servers": {
            "imap": {"host": "imap.postfach.test", "port": 993, "security": "tls"},
            "pop3": {"host": "pop3.postfach.test", "port": 995, "security": "tls"},
            "submission": {"host": "smtp.mail.example", "port": 587, "security": "starttls"},
        },
        "profileUrl": f"http://{HOST}/mail/profile.mobileconfig?emailaddress=desk@nord.example",
    }
    assert all(code.startswith("data:image/svg+xml;base64,") for code in codes)
    assert codes[0] != codes[1]
    async with house.client() as client:
        assert (await client.http.get(shown["profileUrl"])).status_code == 200


async def test_wrong_used_and_expired_are_one_answer(house: Doors) -> None:
    desk, _ = await desk_of(house)
    expired = await give_link(desk, house.anna, expires_at=clock.now() - timedelta(seconds=1))
    used = await give_link(desk, house.anna)
    assert (await post(house, {"token": used})).status_code == 200

    answers = [await post(house, {"token": token}) for token in (used, expired, "x" * 43, "", "ä", used[:-1])]

    assert [fixed(each) for each in answers] == [fixed(answers[0])] * 6
    assert answers[0].status_code == 404
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[0].json() == {
        "errors": [{"message": "The link shows nothing.", "extensions": {"code": "NOT_FOUND"}}]
    }


FOREIGN: list[dict[str, str]] = [
    {},
    {"origin": "http://elsewhere.example"},
    {"origin": "http://elsewhere.example", "sec-fetch-site": "same-origin"},
    {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"},
    {"origin": f"http://{HOST}", "sec-fetch-site": "same-site"},
    {"origin": f"http://{HOST}", "sec-fetch-site": "none"},
    {"origin": "null"},
    {"origin": "null", "sec-fetch-site": "cross-site"},
]


async def test_what_is_not_our_page_is_refused(house: Doors) -> None:
    desk, _ = await desk_of(house)
    token = await give_link(desk, house.anna)
    before = await contents(database_of(house))
    for headers in FOREIGN:
        answer = await post(house, {"token": token}, headers)
        assert answer.status_code == 403, headers
        assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["FORBIDDEN"]
    assert await contents(database_of(house)) == before


LESS: list[dict[str, str]] = [
    {"origin": f"http://{HOST}"},
    {"sec-fetch-site": "same-origin"},
    {"origin": "null", "sec-fetch-site": "same-origin"},
]


async def test_browsers_that_send_less_are_answered(house: Doors) -> None:
    desk, secret = await desk_of(house)
    for headers in LESS:
        answer = await post(house, {"token": await give_link(desk, house.anna)}, headers)
        assert answer.json()["password"] == secret, headers


async def test_a_front_end_that_may_ask_for_graphql_may_not_ask_here(
    door_database: str, tmp_path: Path
) -> None:
    front_end = "https://crm.example"
    async with doors(door_database, tmp_path, ALLOWED_ORIGINS=front_end) as house:
        answer = await post(house, {"token": "x"}, {"origin": front_end})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


BAD = [
    (b'{"token": "x"}', "text/plain", 415),
    (b"token=x", "application/x-www-form-urlencoded", 415),
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"[]", "application/json", 400),
    (b"{}", "application/json", 400),
    (b'{"token": 1}', "application/json", 400),
    (b'{"token": null}', "application/json", 400),
    (b'{"token": "x", "more": 1}', "application/json", 400),
    (b'{"token": "\\ud800"}', "application/json", 400),
    (b'{"token": "' + b"x" * 1024 * 1024 + b'"}', "application/json", 413),
]


async def test_a_bad_request_is_told_so_and_is_not_counted(house: Doors) -> None:
    before = await contents(database_of(house))
    for body, kind, status in BAD:
        answer = await post(house, body, {**OURS, "content-type": kind})
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store"), body[:40]
        assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]
    assert await contents(database_of(house)) == before


async def test_too_many_wrong_tokens_are_told_how_long_to_wait(
    house: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_time_links, "REFUSALS", 2)
    answers = [await post(house, {"token": "x"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [404, 404, 429]
    assert 0 < int(answers[2].headers["retry-after"]) <= 15 * 60
    assert answers[2].json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
    # A link that works is not held up, and each is counted.
    desk, secret = await desk_of(house)
    assert (await post(house, {"token": await give_link(desk, house.anna)})).json()["password"] == secret
    async with house.client() as client:
        told = re.findall(
            r"(?m)^postfach_one_time_links_total\{outcome=\"(\w+)\"\} (\S+)$",
            (await client.http.get("/metrics")).text,
        )
    assert dict(told) == {"shown": "1.0", "NOT_FOUND": "2.0", "RATE_LIMITED": "1.0"}


async def test_without_the_database_the_link_stays(house: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, secret = await desk_of(house)
    token = await give_link(desk, house.anna)
    monkeypatch.setattr(house.runtime, "_database", None)
    answer = await post(house, {"token": token})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    assert await opened_at() == [None]
    assert (await post(house, {"token": token})).json()["password"] == secret


async def test_neither_token_nor_password_is_anywhere_but_in_the_answer(
    house: Doors, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    desk, secret = await desk_of(house)
    token = await give_link(desk, house.anna)
    answers = [await post(house, {"token": token}), await post(house, {"token": token})]
    other = await give_link(desk, house.anna)
    await database_of(house).execute("UPDATE mailbox_passwords SET sealed = 'v1.gone.x'")
    answers.append(await post(house, {"token": other}))

    assert [each.status_code for each in answers] == [200, 404, 500]
    assert secret in answers[0].text
    written = capfd.readouterr()
    held = [
        str(await contents(database_of(house))),
        caplog.text,
        written.out,
        written.err,
        *[str(each.headers) for each in answers],
        answers[1].text,
        answers[2].text,
    ]
    for each in (secret, token, other):
        assert [number for number, text in enumerate(held) if each in text] == []
