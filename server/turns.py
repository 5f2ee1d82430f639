"""Whose turn it is: an operation begins when those go first whom its viewer has had wait for long (`execution.shares`).

Signing in and out waits for nobody: it has limits of its own, many share an address, and whoever finds a session in foreign hands
has to be able to end it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from resolvers import sign_in_limits
from schema.failures import TIMED_OUT
from schema.root import Schema
from server.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from execution.shares import Turn
    from resolvers.request import Viewer
    from schema.context import Context
    from server.bodies import Asked
    from server.runtime import Runtime
    from server.settings import Settings

T = TypeVar("T")

SESSIONS = frozenset({"signIn", "refreshSession", "signOut"})
LARGE_BYTES = 16 * 1024
BYTE_SECONDS = 6e-9
"""What is counted for each byte of a body that is larger: to receive it, or to write and to send it."""
LITTLE_COST = 100
"""What such an operation may ask for beside."""


class HeldUpError(RefusedError):
    """The operation waited for its turn for too long and was not begun."""

    def __init__(self, seconds: int) -> None:
        message = (
            f"The operation waited for its turn for {seconds} seconds, since so much was asked before: nothing was done. "
            "Ask for less at a time, or later."
        )
        super().__init__(503, TIMED_OUT, message)


def turn_of(runtime: Runtime, context: Context) -> Turn:
    """Return the turn of an operation: its viewer's or, without one, that of its address. It is to be ended."""
    return turn_by(runtime, context.request.viewer, context.request.remote_address)


def turn_by(runtime: Runtime, viewer: Viewer | None, remote_address: str | None) -> Turn:
    """Return a turn of a viewer or of an address."""
    if viewer is not None:
        return runtime.shares.turn(viewer.id)
    return runtime.shares.turn(sign_in_limits.place_of(remote_address), is_known=False)


async def read_at(turn: Turn, settings: Settings, size: int, read: Callable[[], T]) -> T:
    """Read a large body of so many bytes in a turn of whoever sent it. Raises what reading raises, and `HeldUpError`."""
    try:
        if not turn.begin():
            await _patiently(turn, settings.operation_seconds)
        turn.add_elsewhere(size * BYTE_SECONDS)
        return await turn.metered(_at_once(read))
    finally:
        turn.end()


async def looked_at(turn: Turn, look: Callable[[], bool]) -> bool:
    """Look at a document that was never seen. Without looking False where others go first."""
    if not turn.begin():
        return False
    try:
        return await turn.metered(_at_once(look))
    finally:
        turn.end()


async def _at_once(work: Callable[[], T]) -> T:
    return work()


async def _patiently(turn: Turn, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            await turn.wait()
    except TimeoutError:
        raise HeldUpError(seconds) from None


async def wait(
    turn: Turn, runtime: Runtime, asked: Asked, anew: Callable[[], Awaitable[Context]] | None
) -> Context | None:
    """Begin a turn that could not begin at once; return the context to go on in, None where it is the same as before.

    `anew` makes a context with the viewer as of now, None where nobody is signed in: whoever may not come in has not to wait for
    being told, and who waited may have other rights by then. Raises what it raises, and `HeldUpError`.
    """
    if _is_of_session(runtime, asked):
        turn.begin_at_once()
        return None
    if anew is not None:
        await anew()
    await _patiently(turn, runtime.settings.operation_seconds)
    return None if anew is None else await anew()


def _is_of_session(runtime: Runtime, asked: Asked) -> bool:
    """Whether nothing but a session is opened, renewed or ended."""
    if asked.query is None or not isinstance(runtime.schema, Schema):
        return False
    roots = runtime.schema.documents.roots(asked.query, asked.variables, LITTLE_COST)
    return bool(roots) and roots <= SESSIONS
