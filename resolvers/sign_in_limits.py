"""Limits on guessing passwords: by login and by remote address, wherever and however often at once it is tried.

An attempt is written down before its password is looked at, as one that is under way; it becomes a failure or goes.
So no alias, no parallel request and no second process gets around the numbers, and who goes away in between has failed.

Nobody can lock somebody else out: an address from which the login has signed in before is not limited by what others do, there
or elsewhere. What is tried there takes turns of its own. Of one login one password at a time is looked at.

A login that nobody has is limited like any other.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import attempts, clock
from resolvers.errors import CallerError, RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from models.database import Unit
    from resolvers.request import Request

    Row = Mapping[str, Any]

LOGIN_FAILURES, ADDRESS_FAILURES = 10, 100
WITHIN = timedelta(minutes=15)
UNDER_WAY = timedelta(minutes=1)
"""An attempt that has not ended by then has failed: its client or its server went away."""
PATIENCE = 50
PAUSE_SECONDS = 0.1
"""How often, and after how long, it is asked again whether those under way have failed."""
_NETWORK_BITS = 64
_TOO_OFTEN = "Too many failed attempts; try again later."


@dataclass(slots=True)
class Attempt:
    """An attempt that was let in. Without an id it is not counted; `is_settled` once it is known what it was."""

    id: UUID | None
    address: str | None
    is_settled: bool = False

    async def fail(self, unit: Unit) -> None:
        """Count it as a failure."""
        self.is_settled = True
        if self.id is not None:
            await attempts.fail(unit, self.id)

    async def forgive(self, unit: Unit) -> None:
        """Count it no more: the password was right, or not looked at."""
        self.is_settled = True
        if self.id is not None:
            await attempts.forgive(unit, self.id)

    async def succeed(self, unit: Unit, user_id: UUID) -> None:
        """Count it no more, and remember where the user has signed in."""
        await self.forgive(unit)
        if self.address is not None:
            await attempts.remember(unit, user_id, self.address, clock.now())


@asynccontextmanager
async def sign_in(request: Request, login: str, user_id: UUID | None) -> AsyncIterator[Attempt]:
    """Let an attempt in to sign in with this login. Raises `RateLimitedError`, whether somebody has the login or not."""
    address = place_of(request.remote_address)
    key = request.services.tokens.fingerprint(f"login {login}")
    lanes = request.services.lanes
    if await attempts.is_known(request.database, user_id, address, clock.now() - attempts.REMEMBERED):
        async with lanes.turn(f"known {key} {address}", alone=True, paced=True):
            yield Attempt(None, address)
        return
    async with (
        lanes.turn(f"address {address}"),
        lanes.turn(f"login {key}", alone=True),
        _counted(request, Attempt(await _let_in(request, key, address), address)) as attempt,
    ):
        yield attempt


@asynccontextmanager
async def own_password(request: Request, user_id: UUID) -> AsyncIterator[Attempt]:
    """Let an attempt in to tell the viewer's own password. Raises `RateLimitedError`."""
    key = request.services.tokens.fingerprint(f"user {user_id}")
    async with request.services.lanes.turn(f"user {key}", alone=True):
        attempt = Attempt(await _let_in(request, key, None), place_of(request.remote_address))
        async with _counted(request, attempt):
            yield attempt


@asynccontextmanager
async def _counted(request: Request, attempt: Attempt) -> AsyncIterator[Attempt]:
    """Count an attempt no more that is refused for another reason than its password; whoever goes away has failed."""
    try:
        yield attempt
    except CallerError:
        if not attempt.is_settled:
            await request.database.transact(attempt.forgive)
        raise


def place_of(remote_address: str | None) -> str | None:
    """Return what counts as one address: of IPv6 the network, in which a client can take any."""
    if remote_address is None:
        return None
    address = ipaddress.ip_address(remote_address)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _NETWORK_BITS), strict=False))


async def _let_in(request: Request, key: str, address: str | None) -> UUID:
    async def work(unit: Unit) -> UUID | None:
        await unit.lock_turn(UUID(key[:32]))
        if address is not None:
            await unit.lock_turn(UUID(request.services.tokens.fingerprint(f"address {address}")[:32]))
        now = clock.now()
        window = clock.Window.around(now, WITHIN)
        full = await attempts.of_key(unit, key, window, LOGIN_FAILURES)
        waits = _waits(full, LOGIN_FAILURES, now)
        if address is not None:
            full = await attempts.of_address(unit, address, window, ADDRESS_FAILURES)
            waits = _waits(full, ADDRESS_FAILURES, now) or waits
        return None if waits else await attempts.begin(unit, key, address, now, window.after)

    for _ in range(PATIENCE):
        attempt_id = await request.database.transact(work)
        if attempt_id is not None:
            return attempt_id
        await asyncio.sleep(PAUSE_SECONDS)
    raise RateLimitedError(_TOO_OFTEN, 1)


def _waits(newest: Sequence[Row], most: int, now: datetime) -> bool:
    """Return whether so many are under way that one more may be one too many. Raises `RateLimitedError` for so many failures."""
    if len(newest) < most:
        return False
    if any(not row["failed"] and row["at"] > now - UNDER_WAY for row in newest):
        return True
    wait = newest[-1]["at"] + WITHIN - now
    raise RateLimitedError(_TOO_OFTEN, max(1, math.ceil(wait.total_seconds())))
