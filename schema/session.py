"""Signing in and out, and the viewer's own password."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Any

import strawberry

from models.tables.sessions import SessionKind as Kind
from resolvers import sessions, users
from resolvers.errors import InvalidInputError, UnauthenticatedError
from resolvers.sessions import SignedIn
from schema.connections import given
from schema.context import CookieJar, Info
from schema.enums import SessionKind
from schema.marks import BEARS_SECRET
from schema.payloads import Answers, Payload
from schema.permissions import signed_in
from schema.user import User


@strawberry.type(description="A session's tokens, and who is signed in.")
class SignInPayload(Payload):
    """Made by `Answers`."""

    access_token: str | None = strawberry.field(
        description=(
            "For the Authorization header, as Bearer. Null when the tokens are in cookies, and when there are errors."
        ),
        default=None,
    )
    refresh_token: str | None = strawberry.field(
        description=(
            "For refreshSession, once. Null when the tokens are in cookies, and when there are errors."
        ),
        default=None,
    )
    expires_at: datetime | None = strawberry.field(
        description="Until when the access token holds; null when there are errors.", default=None
    )
    viewer: User | None = strawberry.field(
        description="Who is signed in; null when there are errors.", default=None
    )


@strawberry.type(description="Says whether the session has ended.")
class SignOutPayload(Payload):
    """Made by `Answers`."""


@strawberry.type(description="Says whether the password was changed.")
class ChangePasswordPayload(Payload):
    """Made by `Answers`."""


async def _sign_in(
    info: Info,
    login: Annotated[str, strawberry.argument(description="The user's address, whatever its case.")],
    password: Annotated[str, strawberry.argument(description="The user's own password.")],
    new_password: Annotated[
        str | None,
        strawberry.argument(description="12 to 128 characters, and not the old ones: kept from then on."),
    ] = strawberry.UNSET,
    session: Annotated[
        SessionKind | None, strawberry.argument(description="Where the client keeps the tokens.")
    ] = Kind.BEARER,
) -> Any:
    kind = session or Kind.BEARER
    cookies = info.context.cookies if kind is Kind.COOKIE else None
    if kind is Kind.COOKIE and cookies is None:
        raise InvalidInputError("Cookies can't be set over a WebSocket or for this origin.", ["session"])
    opened = await sessions.sign_in(info.context.request, login, password, given(new_password), kind)
    return await _payload(info, opened, cookies)


async def _refresh_session(
    info: Info,
    refresh_token: Annotated[
        str | None, strawberry.argument(description="The token of the last pair; null: the cookie's.")
    ] = strawberry.UNSET,
) -> Any:
    token = given(refresh_token)
    if token is not None:
        return await _payload(info, await sessions.refresh(info.context.request, token), None)
    cookies = info.context.cookies
    if cookies is None or cookies.refresh_token is None:
        raise UnauthenticatedError("There is no refresh token: sign in.")
    try:
        opened = await sessions.refresh(info.context.request, cookies.refresh_token)
    except UnauthenticatedError:
        cookies.empty()
        raise
    return await _payload(info, opened, cookies)


async def _sign_out(
    info: Info,
    everywhere: Annotated[
        bool | None, strawberry.argument(description="Whether to end every session of the viewer.")
    ] = False,
) -> Any:
    await sessions.sign_out(info.context.request, everywhere=bool(everywhere))
    cookies = info.context.cookies
    if cookies is not None and cookies.signs_in:
        cookies.empty()


async def _change_password(
    info: Info,
    current_password: Annotated[str, strawberry.argument(description="The viewer's password until now.")],
    new_password: Annotated[
        str, strawberry.argument(description="12 to 128 characters, and not the old ones.")
    ],
) -> Any:
    await sessions.change_password(info.context.request, current_password, new_password)


async def _payload(info: Info, opened: SignedIn, cookies: CookieJar | None) -> SimpleNamespace:
    """Return the payload's fields; with cookies the tokens go there."""
    if cookies is not None:
        cookies.keep(opened.tokens)
    return SimpleNamespace(
        access_token=opened.tokens.access if cookies is None else None,
        refresh_token=opened.tokens.refresh if cookies is None else None,
        expires_at=opened.tokens.expires_at,
        viewer=await users.by_id(info.context.request, opened.viewer.id),
    )


@strawberry.type
class SessionMutation:
    """Signing in and out."""

    sign_in: SignInPayload = strawberry.field(
        resolver=_sign_in,
        metadata=BEARS_SECRET,
        description=(
            "Opens a session. With newPassword it changes the password first, and ends the user's other sessions; "
            "a password that somebody else set wants that (PASSWORD_CHANGE_REQUIRED). "
            "Of every other failure only UNAUTHENTICATED is told. After ten failures at a login or a hundred from an address "
            "within 15 minutes: RATE_LIMITED, but not for an address from which the user has signed in before."
        ),
        extensions=[Answers()],
    )
    sign_out: SignOutPayload = strawberry.field(
        resolver=_sign_out,
        description="Ends the viewer's session, its subscriptions too; with everywhere, every session of the viewer.",
        extensions=[*signed_in(), Answers()],
    )
    refresh_session: SignInPayload = strawberry.field(
        resolver=_refresh_session,
        metadata=BEARS_SECRET,
        description=(
            "Trades a refresh token (null: the cookie's) for a new pair. It works once; the same again within 30 "
            "seconds, its successor unused, gives a new pair, later it ends the session."
        ),
        extensions=[Answers()],
    )
    change_password: ChangePasswordPayload = strawberry.field(
        resolver=_change_password,
        metadata=BEARS_SECRET,
        description=(
            "Changes the viewer's own password, and ends the viewer's other sessions. "
            "WRONG_PASSWORD where the current one is not right, RATE_LIMITED after ten such within 15 minutes."
        ),
        extensions=[*signed_in(), Answers()],
    )
