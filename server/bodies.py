"""What a client asks for: the JSON object in a request's body or in a message on a socket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from server.answers import BAD_REQUEST, JSON, RefusedError
from server.deadline import Limit

LARGEST_BYTES = 1024 * 1024
"""Of a body or a message."""
BODY_SECONDS = 30
_DOCUMENT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Asked:
    """A document or its hash, its variables, and which of its operations is meant.

    With `tells_cost` the answer says what was counted.
    """

    query: str | None = field(repr=False)
    variables: dict[str, Any] | None = field(repr=False)
    operation_name: str | None
    tells_cost: bool = False
    document_hash: str | None = None


async def read_body(request: Request) -> bytes:
    """Return the body. Raises `RefusedError`: 415 unless it is JSON in UTF-8, 413 when it is too large, 408 when it is slow."""
    headers = request.headers
    if not _is_json(headers.get("content-type", "")):
        raise RefusedError(415, BAD_REQUEST, f"A request is {JSON}; charset=utf-8.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, BAD_REQUEST, "A request is not compressed.")
    return await read_bytes(request, LARGEST_BYTES)


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.partition(";")
    parameter = parameters.strip().lower().replace('"', "")
    return kind.strip().lower() == JSON and parameter in {"", "charset=utf-8"}


async def read_bytes(request: Request, most: int) -> bytes:
    """Return the body, whatever it is. Raises `RefusedError`: 413 when it has more than `most` bytes, 408 when it is slow."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)
    body, comes_more = bytearray(), True
    with Limit(BODY_SECONDS, _too_slow):
        while comes_more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            comes_more = message.get("more_body", False)
            if len(body) > most:
                raise _too_large(most)
    return bytes(body)


def parse(text: bytes | str) -> Any:  # noqa: ANN401 (any JSON)
    """Return what JSON in UTF-8 says.

    Raises `RefusedError` (400) for anything else: lone surrogates and deeper nesting than 1024 are not taken either.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, BAD_REQUEST, "The request is not JSON in UTF-8.") from error


def asked(body: object) -> Asked:
    """Return what a parsed body asks for. Raises `RefusedError` (400) when it is no GraphQL request."""
    if isinstance(body, list):
        raise _bad("Several operations in one request are not possible.")
    if not isinstance(body, dict):
        raise _bad("A request is a JSON object.")
    query, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    named = _hash(body)
    if not (query is None and named) and (not isinstance(query, str) or not query.strip()):
        raise _bad("query is the text of a document.")
    if variables is not None and not isinstance(variables, dict):
        raise _bad("variables is an object or null.")
    if name is not None and not isinstance(name, str):
        raise _bad("operationName is a text or null.")
    tells_cost = (body.get("extensions") or {}).get("cost") is True
    return Asked(query, variables, name, tells_cost, named)


def _hash(body: dict[str, Any]) -> str | None:
    """Return the hash by which a document is named: as `documentId`, or as Apollo's clients do."""
    extensions, identifier = body.get("extensions"), body.get("documentId")
    if not isinstance(extensions, dict | None):
        raise _bad("extensions is an object or null.")
    persisted = (extensions or {}).get("persistedQuery")
    if identifier is None and persisted is None:
        return None
    if persisted is not None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise _bad("extensions.persistedQuery is an object of version 1.")
        identifier = persisted.get("sha256Hash") if identifier is None else identifier
    found = _DOCUMENT_ID.fullmatch(identifier) if isinstance(identifier, str) else None
    if found is None:
        raise _bad("A document is named by sha256: and its SHA-256 in 64 hexadecimal digits.")
    if persisted is not None and persisted.get("sha256Hash") != found[1]:
        raise _bad("documentId and extensions.persistedQuery name two documents.")
    return found[1]


def _bad(message: str) -> RefusedError:
    return RefusedError(400, BAD_REQUEST, message)


def _too_slow() -> RefusedError:
    message = f"A request is sent within {BODY_SECONDS} seconds."
    return RefusedError(408, BAD_REQUEST, message, {"Connection": "close"})


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, BAD_REQUEST, f"A request has at most {most} bytes.")
