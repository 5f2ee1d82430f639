"""The log: one line an event on standard error, as text for people or as JSON for machines.

A line never holds what a client sent (documents, variables, query strings) nor an exception's message, which
may repeat it: of a crash the log tells the exception's type and where it was raised.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Literal, TextIO

import orjson

from server.surroundings import request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
QUIET = ("uvicorn", "uvicorn.error", "asyncio", "tortoise", "websockets", "httpx")
SILENT = ("strawberry.execution", "uvicorn.access")


def configure_logs(form: Literal["text", "json"]) -> None:
    """Send every log of this process to standard error in this form."""
    handler = StandardError(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    # Lines tell none of it, and finding it out takes longer than writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 (logging's own documented switch: no caller is looked for)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    silence()


def silence() -> None:
    """Keep the libraries quiet that would log documents and variables."""
    for name in SILENT:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


_EVENT = vars(logging.LogRecord("", logging.INFO, "", 0, "", (), None))


class StandardError(logging.StreamHandler[TextIO]):
    """Writes lines on standard error."""

    def tell(self, line: str) -> None:
        """Write a line that is finished. Raises what the system says of it."""
        self.acquire()
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        finally:
            self.release()


def tell(logger: logging.Logger, message: str, told: Mapping[str, object]) -> None:
    """Log an event as `logger.info` does with `told` as its extras, without looking for what no line tells."""
    if not logger.isEnabledFor(logging.INFO):
        return
    now = time.time()
    handlers = logging.root.handlers
    handler = handlers[0] if len(handlers) == 1 else None
    if (
        handler.__class__ is StandardError
        and handler.formatter.__class__ is JsonLines
        and not (logger.handlers or logger.filters or handler.filters)
    ):
        # What becomes of the record below, without one.
        with suppress(OSError, ValueError):
            handler.tell(_line(now, "INFO", logger.name, message, {**told}))
        return
    record = logging.LogRecord.__new__(logging.LogRecord)
    vars(record).update(_EVENT, name=logger.name, msg=message, created=now, msecs=now % 1 * 1000, **told)
    logger.handle(record)


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and what the event brings."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        extras = _extras(record)
        return _line(record.created, record.levelname, record.name, record.getMessage(), extras)


def _line(moment: float, level: str, logger: str, message: str, extras: dict[str, object]) -> str:
    line = {"at": _instant(moment), "level": level, "logger": logger, "message": message, **extras}
    if (name := request_id.get()) is not None:
        line["request"] = name
    return orjson.dumps(line, default=str).decode()


class TextLines(logging.Formatter):
    """`time LEVEL logger: message name=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        extras = _extras(record)
        if (name := request_id.get()) is not None:
            extras["request"] = name
        told = "".join(
            f" {name}={' '.join(str(value).split())}" for name, value in extras.items() if value is not None
        )
        return f"{_instant(record.created)} {record.levelname:<7} {record.name}: {record.getMessage()}{told}"


def _instant(moment: float) -> str:
    seconds, microseconds = divmod(round(moment * 1_000_000), 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _extras(record: logging.LogRecord) -> dict[str, object]:
    extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if record.exc_info and record.exc_info[0] is not None:
        extras["exception"] = record.exc_info[0].__qualname__
        extras["trace"] = places(record.exc_info[2])
    return extras


def places(trace: TracebackType | None) -> list[str]:
    """Return where an exception came through, the innermost place last, and no values."""
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace)
    ]
