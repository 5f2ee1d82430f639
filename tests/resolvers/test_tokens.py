"""What an access token says is read once; whether it still holds is asked each time."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest

from models import clock
from models.keys import KeyRing
from resolvers import tokens as room
from resolvers.tokens import Tokens

FIFTEEN = timedelta(minutes=15)


def ring() -> Tokens:
    return Tokens(KeyRing.generate(), FIFTEEN, timedelta(days=30))


def access(tokens: Tokens, session_id: UUID) -> str:
    return tokens.pair(session_id, 1, clock.now() + timedelta(days=1)).access


def test_a_signature_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, session_id = ring(), uuid4()
    token = access(tokens, session_id)
    assert tokens.read_access(token) == session_id
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: pytest.fail("read again"))
    assert tokens.read_access(token) == session_id


def test_a_token_that_was_read_ends_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, now = ring(), clock.now().replace(microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: now)
    token = access(tokens, uuid4())
    assert tokens.read_access(token) is not None
    monkeypatch.setattr(clock, "now", lambda: now + FIFTEEN - clock.MICROSECOND)
    assert tokens.read_access(token) is not None
    monkeypatch.setattr(clock, "now", lambda: now + FIFTEEN)
    assert tokens.read_access(token) is None


def test_what_was_refused_is_refused_again() -> None:
    tokens = ring()
    pair = tokens.pair(uuid4(), 1, clock.now() + timedelta(days=1))
    for wrong in ("", "a.b.c", pair.refresh, access(ring(), uuid4()), pair.access[:-4] + "AAAA"):
        assert tokens.read_access(wrong) is None
        assert tokens.read_access(wrong) is None
    assert tokens.read_refresh(pair.access) is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REMEMBERED", 3)
    tokens, sessions = ring(), [uuid4() for _ in range(5)]
    made = [access(tokens, each) for each in sessions]
    for _ in range(2):
        assert [tokens.read_access(each) for each in made] == sessions
    assert len(tokens._read) == 3  # noqa: SLF001 (nobody is told)
