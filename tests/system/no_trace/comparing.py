"""When two answers are the same: byte for byte, but for what product.md excepts."""

import json
import re
from collections.abc import Iterator

from tests.system.no_trace.door import Answered

_REFERENCE = re.compile(rb'"reference":"[0-9a-f]{16}"')
_NUMBER_OPENED = re.compile(rb'"entriesOpened":\d+')
UNTOLD = frozenset({b"x-request-id", b"content-length", b"date"})
"""Headers: a random reference, the length of a body that is compared itself, and the hour."""


def told(answer: Answered) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """What of an answer has to be equal."""
    lengths = [value for name, value in answer.headers if name == b"content-length"]
    assert lengths in ([], [str(len(answer.body)).encode()]), lengths
    headers = tuple((name, value) for name, value in answer.headers if name not in UNTOLD)
    body = _NUMBER_OPENED.sub(b'"entriesOpened":0', _REFERENCE.sub(b'"reference":""', answer.body))
    return answer.status, headers, body


def without_places(answer: Answered) -> tuple[object, ...]:
    """What of an answer has to be equal even where it is chance which of several errors came first: all but their places."""
    status, headers, body = told(answer)
    content = json.loads(body)
    for error in content.get("errors") or ():
        error.pop("path", None)
        error.pop("locations", None)
    return status, headers, json.dumps(content)


def difference(without: Answered, with_: Answered) -> str | None:
    """Where the answers of the worlds without and with what is hidden differ; None where they don't."""
    return next(_differences(told(without), told(with_)), None)


def _differences(
    one: tuple[int, tuple[tuple[bytes, bytes], ...], bytes],
    other: tuple[int, tuple[tuple[bytes, bytes], ...], bytes],
) -> Iterator[str]:
    if one[0] != other[0]:
        yield f"status {one[0]} and {other[0]}"
    if one[1] != other[1]:
        yield f"headers {sorted(set(one[1]) ^ set(other[1]))}"
    if one[2] != other[2]:
        place = next(
            (number for number, pair in enumerate(zip(one[2], other[2], strict=False)) if pair[0] != pair[1]),
            min(len(one[2]), len(other[2])),
        )
        begin = max(0, place - 150)
        yield f"bodies at byte {place}:\n  {one[2][begin : place + 150]!r}\n  {other[2][begin : place + 150]!r}"
