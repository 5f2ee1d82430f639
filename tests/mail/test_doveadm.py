"""Dovecot's HTTP API: what counts as ended, and what is said of failures."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from mail import doveadm
from mail.doveadm import Doveadm, DoveadmError, doveadm_at
from tests import peers
from tests.mail.answering import KEY, Api, answering

pytestmark = pytest.mark.asyncio

USERS = ["anna@nord.example", "boss@nord.example"]


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as opened:
        yield opened


async def failure(api: Api, key: str = KEY) -> str:
    """What is said, which holds nothing of the key and hides it from whoever prints the chain."""
    with pytest.raises(DoveadmError) as caught:
        await Doveadm(api.url, key).kick(USERS)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert key not in str(caught.value)
    return str(caught.value)


async def test_each_user_is_asked_for_and_a_pattern_is_none(api: Api) -> None:
    assert await Doveadm(api.url, KEY).kick([*USERS, "*@nord.example"]) == {*USERS, "*@nord.example"}
    assert api.asked == [[*USERS, "?@nord.example"]]


@pytest.mark.parametrize(
    "result, is_ended",
    [
        (["doveadmResponse", [{"result": "anna@nord.example"}], "0"], True),
        (["doveadmResponse", [{"count": "1"}], "0"], True),
        (["error", {"type": "exitCode", "exitCode": 68}, "0"], True),
        (["error", {"type": "exitCode", "exitCode": 75}, "0"], False),
        (["error", {"type": "exitCode", "exitCode": 64}, "0"], False),
        (["error", {"type": "unknownMethod", "exitCode": 0}, "0"], False),
        (["error", {"type": "other", "exitCode": 68}, "0"], False),
        (["error", 68, "0"], False),
        (["doveadmResponse", [], "7"], False),
    ],
)
async def test_nobody_logged_in_is_ended_and_an_error_is_not(
    api: Api, result: list[object], *, is_ended: bool
) -> None:
    api.answer = lambda _: orjson.dumps([result])
    assert await Doveadm(api.url, KEY).kick(USERS[:1]) == (set(USERS[:1]) if is_ended else set())


async def test_failures_are_said_in_plain_words(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.status = "401 Authentication required"
    assert await failure(api) == "the key is not accepted"
    api.status = "404 Path Not Found"
    assert await failure(api) == "it answers with HTTP status 404"
    api.status = "307 Elsewhere\r\nLocation: http://127.0.0.1:9/"
    assert await failure(api) == "it answers with HTTP status 307"
    api.status = "200 OK"
    for body in (b"", b"{", b"{}x", b"7", b"[7]", b'[["error"]]', b"\xff"):
        api.answer = lambda _, body=body: body  # type: ignore[misc]
        assert await failure(api) == "its answer is not that of Dovecot's HTTP API"
    monkeypatch.setattr(doveadm, "SECONDS", 0.05)
    api.gate.clear()
    assert await failure(api) == "no answer in time"
    api.gate.set()
    api.url = f"http://127.0.0.1:{peers.free_port()}"
    assert re.fullmatch("it can't be reached: .+", await failure(api))


async def test_no_proxy_of_the_environment_gets_the_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{peers.free_port()}")
    assert await Doveadm(api.url, KEY).kick(USERS) == set(USERS)


async def test_no_log_holds_the_key(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await Doveadm(api.url, KEY).check()
    assert api.asked == [["nobody@postfach.invalid"]]
    assert caplog.records
    assert not [each for each in caplog.records if KEY in each.getMessage() or "azN5" in each.getMessage()]


async def test_a_path_in_the_address_is_kept_and_nothing_set_is_nothing(api: Api) -> None:
    assert await Doveadm(f"{api.url}/doveadm/v1", KEY).kick(USERS) == set(USERS)
    assert doveadm_at(None, None) is None
    assert doveadm_at(api.url, None) is None
