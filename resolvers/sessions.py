"""Signing in and out: sessions, their tokens, and the user's own password.

A session ends with its sign-out, with a changed password, with a user who is locked or deactivated, when a refresh
token is used a second time, and when it was not refreshed in time. What it opened elsewhere learns that from the
bus.

Who fails to sign in is told nothing: an unknown login, a wrong password and a user who may not come in take one
Argon2 verification each and have the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from models import audit, clock
from models import sessions as stored
from models.tables.sessions import SessionKind
from models.tables.users import UserState
from resolvers import sign_in_limits, text
from resolvers.acting import acting_user
from resolvers.errors import (
    CallerError,
    InvalidInputError,
    NotFoundError,
    PasswordChangeRequiredError,
    RateLimitedError,
    UnauthenticatedError,
    WrongPasswordError,
)
from resolvers.request import Viewer, viewer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from models.database import Database, Unit
    from resolvers.request import Request
    from resolvers.services import Services
    from resolvers.sign_in_limits import Attempt
    from resolvers.tokens import RefreshToken, TokenPair

    Row = Mapping[str, Any]

REPEAT = timedelta(seconds=30)
"""How long a refresh token that was used may be used again: the answer may have been lost. So far the clock may go back, too."""
NEW_PASSWORD = ["newPassword"]
REFUSED = "The token does not hold: refresh the session or sign in again."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in now, and the session's tokens."""

    viewer: Viewer
    tokens: TokenPair


async def viewer_of_token(database: Database, services: Services, token: str) -> Viewer:
    """Return whom an access token signs in, as the database knows him or her now.

    Raises `UnauthenticatedError` for a token that does not hold, a session that has ended, a user who may not come in.
    """
    session_id = services.tokens.read_access(token)
    viewer = None if session_id is None else await viewer_of_session(database, session_id)
    if viewer is None:
        raise UnauthenticatedError(REFUSED)
    return viewer


async def viewer_of_session(database: Database, session_id: UUID) -> Viewer | None:
    """Return the user of a session as he or she is now; None when it has ended or the user may not come in."""
    row = await stored.viewer(database, session_id)
    return None if row is None else viewer_of(row, session_id)


async def sign_in(
    request: Request, login: str, password: str, new_password: str | None, kind: SessionKind
) -> SignedIn:
    """Open a session for the user with this login, whatever its case, and this password; make him or her the viewer.

    `new_password` is the user's password from then on, and the user's other sessions end. Raises
    `RateLimitedError` by `sign_in_limits`, then `UnauthenticatedError`; with the right password also
    `PasswordChangeRequiredError` where somebody else set it and `new_password` is missing, and `InvalidInputError` where that is
    not 12 to 128 characters or not new.
    """
    login = text.lookup_address(login.strip())
    found = await stored.user_by_login(request.database, login)
    try:
        async with sign_in_limits.sign_in(request, login, None if found is None else found["id"]) as attempt:
            signed_in = None
            while signed_in is None:
                found = await stored.user_by_login(request.database, login)
                new_hash = await _checked(request, found, password, new_password, attempt)
                chosen = new_password is not None
                signed_in = await request.database.transact(
                    _Opening(request, found or {}, kind, new_hash, attempt, chosen=chosen).work
                )
    except RateLimitedError as error:
        request.services.count_sign_in(error.code.value)
        raise
    request.services.count_sign_in("succeeded")
    request.viewer = signed_in.viewer
    return signed_in


async def _checked(
    request: Request, found: Row | None, password: str, new_password: str | None, attempt: Attempt
) -> str | None:
    """Return the hash to store, if any, for somebody who may come in; else write down and raise why not."""
    hasher = request.services.hasher
    right = await hasher.verify(found["password_hash"] if found else None, password)
    if found is None or not right or found["state"] != UserState.ACTIVE:
        if found is not None and hasher.needs_rehash(found["password_hash"]):
            # A cheap hash, brought by an import, must not tell by its speed that there is such a login.
            await hasher.verify(None, password)
        reason = "unknown login" if found is None else "not active" if right else "wrong password"
        error = UnauthenticatedError("Login or password is wrong, or the user may not sign in.")
        await _tell_failure(request, found, reason, error, attempt.fail)
        raise error
    try:
        return await _changed_hash(request, found, password, new_password)
    except (PasswordChangeRequiredError, InvalidInputError) as refused:
        await _tell_failure(request, found, refused.code.value, refused, attempt.forgive)
        raise


async def _changed_hash(request: Request, found: Row, password: str, new_password: str | None) -> str | None:
    """Return the hash to store: of the new password, or of this one where new hashes are stronger; else None."""
    hasher = request.services.hasher
    if new_password is not None:
        _check_new(new_password, password)
        return await hasher.hash(new_password)
    if found["password_change_required"]:
        raise PasswordChangeRequiredError(
            "Somebody else set the password: sign in with newPassword.", NEW_PASSWORD
        )
    return await hasher.hash(password) if hasher.needs_rehash(found["password_hash"]) else None


@dataclass(frozen=True, slots=True)
class _Opening:
    """The unit of work that opens a session."""

    request: Request
    found: Row
    kind: SessionKind
    new_hash: str | None
    attempt: Attempt
    chosen: bool

    async def work(self, unit: Unit) -> SignedIn | None:
        """Return None when the password or the state changed since they were looked at."""
        user = await _lock(unit, self.found)
        if user is None or any(
            user[name] != self.found[name] for name in ("password_hash", "state", "password_change_required")
        ):
            return None
        if self.new_hash is not None and self.chosen:
            await stored.set_password(unit, user["id"], self.new_hash, change_required=False)
            await end_sessions(unit, self.request.services, user["id"])
            await _tell(self.request, unit, "user.password", user, ("user", user["id"]))
        elif self.new_hash is not None:
            await stored.renew_hash(unit, user["id"], self.new_hash)
        await self.attempt.succeed(unit, user["id"])
        tokens = self.request.services.tokens
        lasts_until = clock.now() + tokens.refresh_lifetime
        session_id = await stored.begin(unit, user["id"], self.kind, lasts_until)
        await _tell(
            self.request, unit, "session.sign_in", user, ("session", session_id), {"kind": self.kind.value}
        )
        return SignedIn(viewer_of(user, session_id), tokens.pair(session_id, 1, lasts_until))


async def refresh(request: Request, token: str | None) -> SignedIn:
    """Trade a refresh token for a new pair; make its user the viewer.

    It works once. The same within 30 seconds, while its successor is unused, gives another pair; any other second use
    ends the session. Raises `UnauthenticatedError`.
    """
    read = None if token is None else request.services.tokens.read_refresh(token)
    owner = None if read is None else await stored.owner(request.database, read.session_id)
    refreshed = None
    if read is not None and owner is not None:
        refreshed = await request.database.transact(_Trade(request, read, owner).work)
    if refreshed is None:
        raise UnauthenticatedError("The refresh token does not hold: sign in again.")
    request.viewer = refreshed.viewer
    return refreshed


@dataclass(frozen=True, slots=True)
class _Trade:
    """The unit of work that trades a refresh token."""

    request: Request
    token: RefreshToken
    owner: Row

    async def work(self, unit: Unit) -> SignedIn | None:
        """Return None when the token gives nothing; what a second use ends stays ended."""
        user = await _lock(unit, self.owner)
        session = await stored.lock_session(unit, self.token.session_id)
        now = clock.now()
        if user is None or user["state"] != UserState.ACTIVE or session is None:
            return None
        if session["ended_at"] is not None or session["expires_at"] <= now:
            return None
        generation, lasts_until = session["generation"], session["expires_at"]
        if self.token.generation == generation:
            generation += 1
            lasts_until = now + self.request.services.tokens.refresh_lifetime
            await stored.advance(unit, session["id"], now, lasts_until)
        elif self.token.generation != generation - 1 or abs(now - session["advanced_at"]) > REPEAT:
            await stored.end(unit, session["id"])
            await self.request.services.events.publish_sessions_ended(unit, user["id"], [session["id"]])
            await _tell(self.request, unit, "session.refresh_reused", user, ("session", session["id"]))
            return None
        return SignedIn(
            viewer_of(user, session["id"]),
            self.request.services.tokens.pair(session["id"], generation, lasts_until),
        )


async def sign_out(request: Request, *, everywhere: bool) -> None:
    """End the viewer's session or, with `everywhere`, all of them; there is no viewer afterwards."""
    viewer = request.signed_in()

    async def work(unit: Unit) -> None:
        if viewer.agency_id is not None:
            await unit.lock_agency(viewer.agency_id)
        # Before what everybody shares who acts: two who end one session would wait for each other.
        await stored.lock_user(unit, viewer.id)
        acting = await acting_user(unit, request)
        if everywhere:
            await end_sessions(unit, request.services, acting.id)
        else:
            await stored.end(unit, acting.session_id)
            await request.services.events.publish_sessions_ended(unit, acting.id, [acting.session_id])
        await _tell(
            request,
            unit,
            "session.sign_out",
            {"id": acting.id, "agency_id": acting.agency_id},
            ("session", acting.session_id),
            {"everywhere": everywhere},
        )

    await request.database.transact(work)
    request.viewer = None


async def change_password(request: Request, current_password: str, new_password: str) -> None:
    """Give the viewer a new password and end his or her other sessions.

    Raises `InvalidInputError` where it is not 12 to 128 characters or not new, `RateLimitedError` by `sign_in_limits`, then
    `WrongPasswordError`.
    """
    viewer = request.signed_in()
    _check_new(new_password, current_password)
    async with sign_in_limits.own_password(request, viewer.id) as attempt:
        await _change_password(request, viewer, current_password, new_password, attempt)


async def _change_password(
    request: Request, viewer: Viewer, current_password: str, new_password: str, attempt: Attempt
) -> None:
    hasher = request.services.hasher
    while True:
        verified = await stored.password_hash(request.database, viewer.id)
        if not await hasher.verify(verified, current_password):
            await request.database.transact(attempt.fail)
            raise WrongPasswordError("The current password is wrong.", ["currentPassword"])
        new_hash = await hasher.hash(new_password)

        async def work(unit: Unit, verified: str = verified, new_hash: str = new_hash) -> bool:
            if viewer.agency_id is not None:
                await unit.lock_agency(viewer.agency_id)
            user = await stored.lock_user(unit, viewer.id)
            acting = await acting_user(unit, request)
            if user is None or user["password_hash"] != verified:
                return False
            await stored.set_password(unit, acting.id, new_hash, change_required=False)
            await end_sessions(unit, request.services, acting.id, keep=acting.session_id)
            await attempt.succeed(unit, acting.id)
            await _tell(request, unit, "user.password", user, ("user", acting.id))
            return True

        if await request.database.transact(work):
            return


async def set_password(database: Database, services: Services, login: str, password: str) -> None:
    """Give a user a password from outside of the API, to be changed at the next sign-in; end all sessions.

    Raises `InvalidInputError` where it is not 12 to 128 characters, `NotFoundError` for an unknown login.
    """
    text.password(password, ["password"])
    found = await stored.user_by_login(database, text.lookup_address(login.strip()))
    if found is None:
        raise NotFoundError("No user has this login.")
    new_hash = await services.hasher.hash(password)

    async def work(unit: Unit) -> None:
        await _lock(unit, found)
        await stored.set_password(unit, found["id"], new_hash, change_required=True)
        await end_sessions(unit, services, found["id"])
        await audit.record(
            unit,
            "user.password",
            agency_id=found["agency_id"],
            actor_id=None,
            remote_address=None,
            subject=("user", found["id"]),
            details={"by": "command"},
        )

    await database.transact(work)


async def end_sessions(unit: Unit, services: Services, user_id: UUID, *, keep: UUID | None = None) -> None:
    """End every session of a user but the kept one, and what they opened, when the unit commits."""
    ended = await stored.end_all(unit, user_id, keep=keep)
    await services.events.publish_sessions_ended(unit, user_id, ended)


def _check_new(new_password: str, old_password: str) -> None:
    text.password(new_password, NEW_PASSWORD)
    if new_password == old_password:
        raise InvalidInputError("The new password is the old one.", NEW_PASSWORD)


async def _lock(unit: Unit, found: Row) -> Row | None:
    """Take the locks of a unit about one user, and return the user as he or she is now."""
    if found["agency_id"] is not None:
        await unit.lock_agency(found["agency_id"])
    return await stored.lock_user(unit, found["id"])


async def _tell_failure(
    request: Request,
    found: Row | None,
    reason: str,
    told: CallerError,
    count: Callable[[Unit], Awaitable[None]],
) -> None:
    """Write down a failed sign-in, of a login that nobody has not even the login; count it as the client is told of it.

    Whoever reads the counters reads no more than that: a reason there would tell which logins exist.
    """

    async def work(unit: Unit) -> None:
        await count(unit)
        await audit.record(
            unit,
            "session.sign_in_failed",
            agency_id=found["agency_id"] if found else None,
            actor_id=None,
            remote_address=request.remote_address,
            subject=("user", found["id"]) if found else None,
            details={"reason": reason},
        )

    request.services.count_sign_in(told.code.value)
    await request.database.transact(work)


async def _tell(
    request: Request,
    unit: Unit,
    action: str,
    user: Row,
    subject: tuple[str, UUID],
    details: dict[str, audit.Detail] | None = None,
) -> None:
    await audit.record(
        unit,
        action,
        agency_id=user["agency_id"],
        actor_id=user["id"],
        remote_address=request.remote_address,
        subject=subject,
        details=details,
    )
