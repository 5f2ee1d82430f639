"""Asks a server as fast as it answers, over connections that stay open, and says how long each answer took.

A process of its own: standard input has a `Load` as JSON, standard output gets what was measured. Each connection sends its next
request when it has the whole answer to the last one. An answer that is not, byte for byte, the one that was seen at first is an
error, unless the load says that answers differ.

It costs some 15 µs a request, so that it is not what is measured.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle

CHUNK = 256 * 1024
HEAD_END = b"\r\n\r\n"
LENGTH, CHUNKED, LAST_CHUNK = b"content-length:", b"transfer-encoding: chunked", b"0\r\n\r\n"
GOOD = b"HTTP/1.1 200 "


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: where, with which headers, which body."""

    path: str
    headers: dict[str, str]
    body: str

    def raw(self) -> bytes:
        """What goes over the connection."""
        body = self.body.encode()
        lines = [f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Load:
    """What a connection asks: its share of `requests` in turn, over and over, or `once` each."""

    port: int
    seconds: float
    requests: list[Asked]
    connections: int = 16
    once: bool = False
    same: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a load; times in milliseconds."""

    answers: int
    seconds: float
    p50: float
    p99: float
    failures: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def run(load: Load) -> Measured:
    """Run a load in a process of its own and return what it measured."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=load.seconds + 120,
    )
    return Measured(**json.loads(done.stdout))


class Connection:
    """A connection that asks one request after the other, each with its number."""

    __slots__ = ("answers", "begun", "buffer", "expected", "requests", "seen", "socket")

    def __init__(self, port: int, requests: Iterator[tuple[int, bytes]]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.seen: dict[int, bytes] = {}
        self.buffer = b""
        self.expected = 0
        self.answers = -1

    def ask(self) -> bool:
        """Send the next request; False when there is none."""
        following = next(self.requests, None)
        if following is None:
            return False
        self.answers, request = following
        self.buffer = b""
        self.expected = 0
        self.begun = time.perf_counter()
        self.socket.sendall(request)
        return True

    def take(self) -> bytes | None:
        """Read what is there; the whole answer once it is complete."""
        received = self.socket.recv(CHUNK)
        if not received:
            raise ConnectionError("the server closed a connection")
        self.buffer = self.buffer + received if self.buffer else received
        if not self.expected:
            head = self.buffer.find(HEAD_END)
            if head < 0:
                return None
            self.expected = _expected(self.buffer[:head].lower(), head + len(HEAD_END))
        if self.expected < 0:
            return self.buffer if self.buffer.endswith(LAST_CHUNK) else None
        return self.buffer if len(self.buffer) >= self.expected else None


def _expected(head: bytes, begin: int) -> int:
    """Return how long the answer is in all; -1 where it ends with its last chunk."""
    place = head.find(LENGTH)
    if place < 0:
        if CHUNKED not in head:
            raise ConnectionError("an answer without a length")
        return -1
    end = head.find(b"\r\n", place)
    return begin + int(head[place + len(LENGTH) : end if end >= 0 else None])


def measure(load: Load) -> Measured:
    """Run a load in this process."""
    raw = [each.raw() for each in load.requests]
    step = load.connections
    connections = {}
    poll = select.epoll()
    for number in range(step):
        own = raw[number % len(raw) :: step] if not load.once else raw[number::step]
        if not own:
            continue
        turns = enumerate(own)
        connection = Connection(load.port, turns if load.once else cycle(list(turns)))
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
    begun = time.perf_counter()
    end = begun + load.seconds
    times, failures = [], []
    waiting = sum(connection.ask() for connection in connections.values())
    now = begun
    while waiting:
        for descriptor, _ in poll.poll(60) or _late():
            connection = connections[descriptor]
            answer = connection.take()
            if answer is None:
                continue
            now = time.perf_counter()
            times.append(now - connection.begun)
            if not _is_good(connection, answer, same=load.same):
                failures.append(answer[:2000].decode("utf-8", "replace"))
            if len(failures) > 2 or now >= end or not connection.ask():
                # Others may take longer than a server keeps a connection on which nothing is asked.
                poll.unregister(connection.socket)
                connection.socket.close()
                waiting -= 1
    times.sort()
    return Measured(
        answers=len(times),
        seconds=now - begun,
        p50=1000 * times[len(times) // 2],
        p99=1000 * times[min(len(times) - 1, len(times) * 99 // 100)],
        failures=failures,
    )


def _late() -> list[tuple[int, int]]:
    raise TimeoutError("no answer for a minute")


def _is_good(connection: Connection, answer: bytes, *, same: bool) -> bool:
    if not answer.startswith(GOOD) or b'"errors":[{' in answer:
        return False
    if not same:
        return True
    body = answer[answer.find(HEAD_END) :]
    return connection.seen.setdefault(connection.answers, body) == body


if __name__ == "__main__":
    given = json.load(sys.stdin)
    given["requests"] = [Asked(**each) for each in given["requests"]]
    json.dump(asdict(measure(Load(**given))), sys.stdout)
