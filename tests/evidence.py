"""What the whole test run writes, and the secrets that must not be in it; `searching.py` looks when the tests have ended.

Each process of the run keeps files in one folder: what the product and the servers logged and answered as errors, their
audit and their metrics. Passwords, tokens and keys that a test makes or sees are named here; those that have a shape of
their own (`searching.SHAPES`) need no name.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prometheus_client import generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import CollectorRegistry

SHORTEST = 10
"""A shorter text, `wrong` for one, is in many a line that holds no secret."""

_SECRET_NAMES = re.compile(r"(?i)password|secret|(?<!device)token$")
_SECRET_FIELDS = re.compile(rb'"(?:\w*[pP]assword|\w*[sS]ecret|\w*[tT]oken)"\s*:\s*("(?:[^"\\]|\\.)*")')
_MESSAGES = re.compile(rb'"message"\s*:')
_JWT = re.compile(r"eyJ[\w-]+\.eyJ")
AUDIT = "SELECT * FROM audit_events"

_LIBRARIES_OF_TESTS = ("httpx", "httpcore", "websockets.client", "hypothesis")


class Evidence:
    """What one process of the run keeps."""

    def __init__(self, folder: Path, process: str) -> None:
        self._folder = folder
        self._written = (folder / f"{process}.written").open("a", encoding="utf-8", errors="backslashreplace")
        self._secrets = (folder / f"{process}.secrets").open("a", encoding="utf-8", errors="backslashreplace")
        # Which line on what follows is from where: apart, since the names of tests may hold what they are about.
        self._origins = (folder / f"{process}.origins").open("a", encoding="utf-8", errors="backslashreplace")
        self._seen: set[str] = set()
        self._lines = 0
        self._last = ""
        self._followed = 0
        self._process = process

    def secret(self, value: str, what: str) -> None:
        """Name a secret. Look for it as it is, and as URLs, JSON and base64 write it."""
        if len(value) < SHORTEST or value in self._seen or "\n" in value or _JWT.match(value):
            return
        if len(set(value)) == 1:
            return  # A test of lengths: other tests fill names and texts with the same symbol.
        if not value.isprintable():
            return  # A test that tries what no password can be, lone surrogates for one.
        self._seen.add(value)
        for spelling in dict.fromkeys(spellings(value)):
            self._secrets.write(f"{what}, in {_test()}\t{spelling}\n")

    def keep(self, text: str, origin: str) -> None:
        """Keep what was written somewhere."""
        heading = f"{origin}, in {_test()}"
        if heading != self._last:
            self._origins.write(f"{self._lines + 1}\t{heading}\n")
            self._last = heading
        whole = text if text.endswith("\n") else f"{text}\n"
        self._lines += whole.count("\n")
        self._written.write(whole)

    def follow(self, file: Path, origin: str) -> None:
        """Keep all that is ever written to a file, also when the file is gone in the end."""
        self._followed += 1
        mine = self._folder / f"{self._process}-{self._followed}.followed"
        self._origins.write(f"{mine.name}\t{origin}, in {_test()}\n")
        try:
            os.link(file, mine)
        except OSError:
            mine.symlink_to(file)

    def flush(self) -> None:
        """Have everything in the files."""
        for file in (self._written, self._secrets, self._origins):
            file.flush()

    def close(self) -> None:
        """Keep no more."""
        for file in (self._written, self._secrets, self._origins):
            file.close()


class Records(logging.Handler):
    """Keeps the log of this process in the product's own form, in which an exception's text is never."""

    def __init__(self, evidence: Evidence) -> None:
        # The product has no setting for more; below it libraries tell of statements and their values.
        super().__init__(logging.INFO)
        self._evidence = evidence

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        if record.name.startswith(_LIBRARIES_OF_TESTS):
            return
        from server.logs import TextLines  # noqa: PLC0415 (the tests of the suite's own tools need no product)

        with suppress(Exception):  # A record that can't be formatted is a test's own business.
            self._evidence.keep(TextLines().format(record), "a log record")


def spellings(value: str) -> Iterator[str]:
    """How a secret may be written: as it is, in URLs, in JSON, and within base64."""
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    # Whatever stands before it, as in AUTH PLAIN: each of three alignments, without the ends that depend on neighbours.
    data = value.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        inner = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(inner) >= SHORTEST:
            yield inner


def _test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "no test").rpartition(" ")[0] or "no test"


# ---------------------------------------------------------------- of this process

_current: list[Evidence] = []


def begin(evidence: Evidence) -> None:
    """Keep from now on what this process sees."""
    _current.append(evidence)


def current() -> Evidence:
    """What this process keeps in."""
    return _current[-1]


def end() -> None:
    """Keep no more."""
    _current.pop().close()


def secret(value: str, what: str = "a secret of the tests") -> str:
    """Name a secret that nothing may write; returns it."""
    for each in _current[-1:]:
        each.secret(value, what)
    return value


def keep(text: str, origin: str) -> None:
    """Keep what a server wrote, or anything else in which no secret may be."""
    for each in _current[-1:]:
        each.keep(text, origin)


def follow(file: Path, origin: str) -> None:
    """Keep whatever is written to a file that exists, from its beginning."""
    for each in _current[-1:]:
        each.follow(file, origin)


def flush() -> None:
    """Have everything in the files."""
    for each in _current[-1:]:
        each.flush()


# ---------------------------------------------------------------- of what tests do


def sent(variables: Mapping[str, Any] | None) -> None:
    """Name the secrets among what a client sends."""
    for name, value in (variables or {}).items():
        if isinstance(value, dict):
            sent(value)
        elif isinstance(value, str) and _SECRET_NAMES.search(name) and "@" not in value:
            secret(value, f"what a client sent as {name}")


def answered(body: bytes) -> None:
    """Name the secrets that an answer holds in fields made for them, and keep its errors."""
    brought(body, "what an answer held")
    if _MESSAGES.search(body):
        with suppress(ValueError):
            for errors in _errors(json.loads(body)):
                keep(json.dumps(errors, ensure_ascii=False), "errors of an answer")


def brought(lines: bytes, what: str) -> None:
    """Name the secrets in JSON that fields made for them hold."""
    for found in _SECRET_FIELDS.findall(lines):
        with suppress(ValueError):
            secret(json.loads(found), what)


def _errors(value: Any) -> Iterator[Any]:  # noqa: ANN401 (JSON)
    if isinstance(value, list):
        for each in value:
            yield from _errors(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "errors":
                yield each
            else:
                yield from _errors(each)


def metrics(registry: CollectorRegistry) -> None:
    """Keep what an application in this process counted."""
    keep(generate_latest(registry).decode(), "metrics")


def audit_of_file(database: Path) -> None:
    """Keep the audit of an embedded database that the test leaves behind; one that never came to have it has none."""
    if not database.exists():
        return
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        try:
            rows = connection.execute(AUDIT).fetchall()
        except sqlite3.DatabaseError as error:
            keep(f"the audit can't be read: {error}", "the audit")
            return
    keep("".join(f"{row}\n" for row in rows), "the audit")
