"""Dovecot's HTTP API, as far as sessions are ended through it.

`kick` ends every IMAP and POP3 session of a user, at this moment; it keeps nobody from signing in again. A user of
whom there is no session is done with as well. The key goes into a header and nowhere else: no error repeats it, nor what
the server answered.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/doveadm/v1"
SECONDS = 5
"""How long one asking may take, connecting included."""
NOBODY_LOGGED_IN = 68
"""EX_NOHOST of sysexits(3), which doveadm gives for "not found"."""
NOBODY = "nobody@postfach.invalid"
"""RFC 2606 keeps the domain from ever being somebody's."""


class DoveadmError(Exception):
    """The API did not do what it was asked to; says in plain words why, and nothing that is secret."""


class Doveadm:
    """The API at one address, `http://HOST:PORT`, with `/doveadm/v1` behind it where it has no path."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url if urlsplit(url).path else url + PATH
        self._authorization = f"X-Dovecot-API {base64.b64encode(key.encode()).decode()}"
        # Made once: reading the system's certificates takes longer than the rest.
        self._certificates = ssl.create_default_context() if url.startswith("https:") else False

    async def kick(self, users: Sequence[str]) -> set[str]:
        """End the sessions of these users and return those who have none of them left; raises `DoveadmError`.

        Of the others the server could not end them all.
        """
        # A `*` is a pattern to Dovecot. No mailbox has one; if one had, nobody of another length would pay for it.
        commands = [["kick", {"mask": [user.replace("*", "?")]}, str(tag)] for tag, user in enumerate(users)]
        done = _done(await self._post(orjson.dumps(commands)))
        return {user for tag, user in enumerate(users) if str(tag) in done}

    async def check(self) -> None:
        """Ask for something that changes nothing; raises `DoveadmError` where `kick` would fail."""
        if not await self.kick([NOBODY]):
            raise DoveadmError("it refuses to end sessions")

    async def _post(self, body: bytes) -> bytes:
        # Dovecot 2.3 leaves a wrong key unanswered where the client asks to close the connection: it is closed unasked.
        limits = httpx.Limits(max_keepalive_connections=0)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(SECONDS),
                # The key is for this server alone: no proxy of the environment, no other place that it names.
                httpx.AsyncClient(
                    verify=self._certificates, trust_env=False, limits=limits, timeout=SECONDS
                ) as client,
            ):
                answer = await client.post(self._url, content=body, headers=headers)
        except (TimeoutError, httpx.TimeoutException):
            raise DoveadmError("no answer in time") from None
        except httpx.HTTPError as error:
            # Without the cause: it holds the request, and the request the key.
            raise DoveadmError(f"it can't be reached: {str(error) or type(error).__name__}") from None
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise DoveadmError("the key is not accepted")
        if answer.status_code != HTTPStatus.OK:
            raise DoveadmError(f"it answers with HTTP status {answer.status_code}")
        return answer.content


def doveadm_at(url: str | None, key: str | None) -> Doveadm | None:
    """Return the API at an address; None where the settings name none."""
    return None if url is None or key is None else Doveadm(url, key)


def _done(body: bytes) -> set[str]:
    """Return the tags of the commands that were carried out."""
    done = set()
    try:
        for kind, result, tag in orjson.loads(body):
            if kind == "doveadmResponse" or (kind == "error" and _is_nobody(result)):
                done.add(str(tag))
    except (ValueError, TypeError):
        raise DoveadmError("its answer is not that of Dovecot's HTTP API") from None
    return done


def _is_nobody(result: Any) -> bool:  # noqa: ANN401 (whatever the JSON holds)
    return (
        isinstance(result, dict)
        and result.get("type") == "exitCode"
        and result.get("exitCode") == NOBODY_LOGGED_IN
    )
