"""Access and refresh tokens: JWTs that name a session and say until when, and carry no right.

A token is signed with the first key of the ring (HS256) and names it as `kid`; one of any key of the ring holds.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt

from models import clock

if TYPE_CHECKING:
    from models.keys import KeyRing

ALGORITHM = "HS256"
ACCESS, REFRESH = "access", "refresh"
FINGERPRINT = b"postfach fingerprint "
REMEMBERED = 10_000
"""Access tokens whose signature is not looked at again."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client keeps; `expires_at` is the access token's end, `lasts_until` that of the refresh token."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime
    lasts_until: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token says: the session's family and the generation in it."""

    session_id: UUID
    generation: int


class Tokens:
    """Makes and reads tokens. Lifetimes are at least a second."""

    def __init__(self, keys: KeyRing, access_lifetime: timedelta, refresh_lifetime: timedelta) -> None:
        self._keys = keys
        self._access_lifetime = access_lifetime
        self.refresh_lifetime = refresh_lifetime
        self._read: OrderedDict[str, tuple[UUID, float]] = OrderedDict()

    def pair(self, session_id: UUID, generation: int, lasts_until: datetime) -> TokenPair:
        """Return new tokens of a session that lasts until then; no two pairs are equal."""
        lasts_until = lasts_until.replace(microsecond=0)
        expires_at = min(clock.now().replace(microsecond=0) + self._access_lifetime, lasts_until)
        return TokenPair(
            access=self._sign({"use": ACCESS, "sid": str(session_id)}, expires_at),
            refresh=self._sign({"use": REFRESH, "sid": str(session_id), "gen": generation}, lasts_until),
            expires_at=expires_at,
            lasts_until=lasts_until,
        )

    def read_access(self, text: str) -> UUID | None:
        """Return the session of an access token, or None when the token does not hold.

        What one says that held is remembered, not whether it still holds.
        """
        found = self._read.get(text)
        if found is not None:
            session_id, end = found
            return session_id if end > clock.now().timestamp() else None
        claims = self._claims(text, ACCESS)
        read = None if claims is None else _uuid(claims.get("sid"))
        if claims is not None and read is not None:
            self._read[text] = read, claims["exp"]
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        return read

    def read_refresh(self, text: str) -> RefreshToken | None:
        """Return what a refresh token says, or None when it does not hold."""
        claims = self._claims(text, REFRESH)
        if claims is None:
            return None
        session_id, generation = _uuid(claims.get("sid")), claims.get("gen")
        if session_id is None or not isinstance(generation, int):
            return None
        return RefreshToken(session_id, generation)

    def fingerprint(self, text: str) -> str:
        """Return what stands for a text that must not be kept itself: 64 hexadecimal digits, others with another key."""
        _, key = self._keys.first
        # A lone surrogate is in nobody's login.
        return hmac.digest(key, FINGERPRINT + text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _sign(self, claims: dict[str, Any], expires_at: datetime) -> str:
        name, key = self._keys.first
        payload = {**claims, "exp": int(expires_at.timestamp()), "jti": secrets.token_urlsafe(12)}
        return jwt.encode(payload, key, ALGORITHM, headers={"kid": name})

    def _claims(self, text: str, use: str) -> dict[str, Any] | None:
        try:
            key = self._keys.get(jwt.get_unverified_header(text).get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                text,
                key,
                algorithms=[ALGORITHM],
                # The end is looked at below, by the server's clock alone.
                options={"require": ["exp", "use", "sid"], "verify_exp": False},
            )
            if claims["use"] != use or datetime.fromtimestamp(claims["exp"], UTC) <= clock.now():
                return None
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError):
            return None
        return claims


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
