"""Answers as GraphQL has them, for what goes wrong before or around an operation too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
_CONTENT_TYPES = {JSON: b"application/json; charset=utf-8", GRAPHQL: GRAPHQL.encode()}
BAD_REQUEST = "BAD_REQUEST"
RETRY_AFTER_SECONDS = 5


class RefusedError(Exception):
    """A request is refused before anything was executed."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def media_type(headers: Headers) -> str:
    """Return the media type that the client wants most, `application/json` if it does not care.

    Raises `RefusedError` (406) when it takes neither.
    """
    accepts = headers.getlist("accept")
    return _best(",".join(accepts)) if accepts else JSON


@lru_cache(maxsize=256)
def _best(accepts: str) -> str:
    best, quality = "", 0.0
    ranges = [_range(part) for part in accepts.split(",")]
    for candidate in (JSON, GRAPHQL):
        found = _quality(candidate, ranges)
        # The newer type wins where both are asked for by name with equal weight.
        if found > quality or (found == quality > 0 and any(name == GRAPHQL for name, _ in ranges)):
            best, quality = candidate, found
    if not best:
        raise RefusedError(406, BAD_REQUEST, f"Answers are {JSON} or {GRAPHQL}.")
    return best


def wants_page(headers: Headers) -> bool:
    """Return whether a browser asks for a page."""
    ranges = [_range(part) for part in ",".join(headers.getlist("accept")).split(",")]
    return any(name in {"text/html", "application/xhtml+xml"} and quality > 0 for name, quality in ranges)


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name, quality


def _quality(candidate: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the most exact range that the type is in."""
    kind = candidate.partition("/")[0]
    for name in (candidate, f"{kind}/*", "*/*"):
        found = [quality for each, quality in ranges if each == name]
        if found:
            return max(found)
    return 0.0


class Answer(Response):
    """A response that no cache may keep, of one of the two media types."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Set the header fields."""
        self.raw_headers = [
            (b"cache-control", b"no-store"),
            *(
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ),
            (b"content-length", str(len(self.body)).encode()),
            (b"content-type", _CONTENT_TYPES[self.media_type or JSON]),
        ]


def respond(
    body: Mapping[str, Any], status: int, kind: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer that no cache may keep: it may hold a secret or somebody's mail."""
    return Answer(orjson.dumps(body), status, headers, kind)


def refuse(error: RefusedError, kind: str = JSON) -> Response:
    """Return the answer to a request that is refused; what GraphQL has nothing against is 200 as `application/json` alone."""
    body = {"errors": [{"message": error.message, "extensions": {"code": error.code}}]}
    status = HTTPStatus.BAD_REQUEST if kind == GRAPHQL and error.status == HTTPStatus.OK else error.status
    return respond(body, status, kind, error.headers)
