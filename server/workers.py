"""Several server processes on one socket.

The first process starts the others, replaces one that dies, and ends them all. However it ends itself, the
others end too: they watch a pipe that the system closes with it.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess

from models.database import DatabaseUnavailableError
from server.logs import configure_logs
from server.serving import HttpServer, serve
from server.settings import Settings

log = logging.getLogger("postfach.workers")

START_FAILED = 3
BEFORE_ANOTHER_SECONDS = 1
"""When a worker that died is replaced: at once would be a busy loop where each dies at its start."""

_FROM_THE_KEYBOARD = {signal.SIGINT}
_spawn = multiprocessing.get_context("spawn")


@dataclass
class _Worker:
    """A process, and the pipe on which it says once that it serves."""

    process: SpawnProcess
    pipe: connection.Connection
    serves: bool = False

    def signs(self) -> list[connection.Connection | int]:
        """Return what to wait for."""
        return [self.process.sentinel] if self.serves else [self.pipe, self.process.sentinel]

    def look(self) -> None:
        """Take what it said."""
        if not self.serves and self.pipe.poll():
            try:
                self.serves = bool(self.pipe.recv())
            except EOFError:
                self.process.join()


def supervise(settings: Settings, listener: socket.socket, count: int, announce: Callable[[], None]) -> int:
    """Serve with `count` processes until a signal comes; return the exit code.

    A process that dies is replaced. One that can't start ends them all, with the exit code 1.
    """
    return _Crew(settings, listener, count).work(announce)


class _Crew:
    def __init__(self, settings: Settings, listener: socket.socket, count: int) -> None:
        self._settings = settings
        self._listener = listener
        self._asked, self._ask = os.pipe()
        os.set_blocking(self._ask, False)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: os.write(self._ask, b"!"))
        # The start of a process starts this one first where it is missing, which lets a Ctrl-C through again.
        resource_tracker.ensure_running()
        self._workers = [self._start() for _ in range(count)]

    def work(self, announce: Callable[[], None]) -> int:
        """Keep them at work until a signal comes or one can't start."""
        announced = False
        while self._asked not in connection.wait([self._asked, *self._signs()]):
            for worker in self._workers:
                worker.look()
            if not announced and all(worker.serves for worker in self._workers):
                announced = True
                announce()
            if not self._replace_the_dead():
                self._end()
                return 1
        self._end()
        return 0

    def _signs(self) -> list[connection.Connection | int]:
        return [sign for worker in self._workers for sign in worker.signs()]

    def _start(self) -> _Worker:
        ours, theirs = _spawn.Pipe()
        process = _spawn.Process(target=_work, args=(self._settings, self._listener, theirs), name="postfach")
        # A Ctrl-C reaches the whole group, and Python itself would answer it in a process that is not there yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_THE_KEYBOARD)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FROM_THE_KEYBOARD)
        theirs.close()
        return _Worker(process, ours)

    def _replace_the_dead(self) -> bool:
        """Return False when one could not start."""
        for place, worker in enumerate(self._workers):
            code = worker.process.exitcode
            if code == START_FAILED:
                return False
            if code is not None:
                log.error("a worker died, another one takes its place", extra={"exit_code": code})
                worker.pipe.close()
                time.sleep(BEFORE_ANOTHER_SECONDS)
                self._workers[place] = self._start()
        return True

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()


def _work(settings: Settings, listener: socket.socket, pipe: connection.Connection) -> None:
    """Be a worker."""
    # Until the server takes the signals, the first process decides what a Ctrl-C does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FROM_THE_KEYBOARD)
    os.umask(0o077)
    configure_logs(settings.log_format)

    def end_with_the_first(server: HttpServer) -> None:
        asyncio.get_running_loop().add_reader(pipe.fileno(), server.end)

    def announce() -> None:
        try:
            pipe.send(True)  # noqa: FBT003 (the message)
        except OSError:
            # The server ends at once: it finds the pipe closed.
            log.error("the first process is gone, this one ends")  # noqa: TRY400 (the trace says no more)

    try:
        serve(settings, listener, announce, end_with_the_first)
    except DatabaseUnavailableError as error:
        words = " ".join(str(error).split())
        sys.stderr.write(f"postfach: the database does not answer: {words}\n")
        sys.exit(START_FAILED)
