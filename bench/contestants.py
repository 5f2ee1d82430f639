"""The servers that are compared, each started as it is meant to be run, and how each of them is asked the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from bench.data.filling import SEALING_KEYS
from bench.databases import Cluster, cluster
from bench.load import Asked
from bench.operations import DOCUMENTS, Question
from tests import command, peers
from tests.client import SIGN_IN
from tests.databases import settings_environment
from tests.oracle.world import PASSWORD

TOP = Path(__file__).parents[1]
START_SECONDS = 60

# What a JSON answer holds; it is compared and written down.
Json = Any


def cpu_seconds(process: psutil.Process) -> float:
    """The processor time that a process and its children, those that have ended too, have taken."""
    spent = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # Connections that nobody needs any more end, and what they took is then told of the process that they were children of.
        spent += times.user + times.system + times.children_user + times.children_system
    return spent


class Contestant(ABC):
    """A server under measure: inside of `with` it runs and answers."""

    name: str
    port: int

    def __init__(self) -> None:
        self.http = httpx.Client(trust_env=False, timeout=60)

    @property
    @abstractmethod
    def process(self) -> psutil.Process:
        """The process, whose children belong to it."""

    @abstractmethod
    def asked(self, question: Question) -> Asked:
        """Return the request by which this server is asked a question."""

    def answer(self, question: Question) -> Json:
        """Ask once; return what is the same for every server that is right."""
        request = self.asked(question)
        response = self.http.post(
            f"http://127.0.0.1:{self.port}{request.path}",
            content=request.body,
            headers={"content-type": "application/json", **request.headers},
        )
        assert response.status_code == httpx.codes.OK, (self.name, response.status_code, response.text[:2000])
        body = response.json()
        assert "errors" not in body, (self.name, response.text[:2000])
        return self.comparable(question, body["data"])

    def comparable(self, question: Question, data: Json) -> Json:  # noqa: ARG002 (of those with words of their own)
        """Return an answer in the words of our schema."""
        return data

    @abstractmethod
    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None:
        self.http.close()


class Postfach(Contestant):
    """Our server, run as an operator runs it: signed in, with its limits, its log in a file and its audit."""

    name = "Postfach"

    def __init__(self, url: str, folder: Path, workers: int = 1) -> None:
        super().__init__()
        environment = settings_environment(
            url, folder, SEALING_KEYS=SEALING_KEYS, LOG_FORMAT="json", ACCESS_TOKEN_MINUTES="1440"
        )
        self._server = command.Server(environment, folder, "--workers", str(workers))
        self.port = self._server.port
        self._tokens: dict[str, str] = {}

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self._server.process.pid)

    def token(self, login: str) -> str:
        """Return the access token of a user, who signs in at the first call."""
        if login not in self._tokens:
            body = {"query": SIGN_IN, "variables": {"login": login, "password": PASSWORD}}
            payload = self.http.post(f"{self._server.url}/graphql", json=body).json()["data"]["signIn"]
            self._tokens[login] = payload["accessToken"]
        return self._tokens[login]

    def operation(self, login: str, document: str, variables: Mapping[str, Json]) -> Asked:
        """Return the request of any operation."""
        body = json.dumps({"query": document, "variables": variables})
        return Asked("/graphql", {"authorization": f"Bearer {self.token(login)}"}, body)

    def asked(self, question: Question) -> Asked:
        return self.operation(question.viewer.login, DOCUMENTS[question.operation], question.variables)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._server.stop()


class Child(Contestant):
    """A server that is a command of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.port = peers.free_port()
        self._written = folder / f"{type(self).__name__}.log"
        self._process: psutil.Popen | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what is run."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return what is added to the environment."""

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        with self._written.open("ab") as log:
            self._process = psutil.Popen(
                self.command(),
                cwd=TOP,
                env={**os.environ, **self.environment(), "NODE_ENV": "production"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"{self.name} did not start: {self._written.read_text()[-3000:]}")
            time.sleep(0.05)
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except psutil.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Limit(Child):
    """`bench.limit`: statements by hand, no GraphQL."""

    name = "limit"
    application = "bench.limit.server:app"

    def __init__(self, url: str, folder: Path, workers: int = 1) -> None:
        super().__init__(folder)
        self._url = url
        self._workers = workers

    def command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "uvicorn", self.application, "--host", "127.0.0.1"),
            *(
                "--port",
                str(self.port),
                "--workers",
                str(self._workers),
                "--loop",
                "uvloop",
                "--http",
                "httptools",
            ),
            *("--no-access-log", "--log-level", "warning", "--no-proxy-headers", "--no-server-header"),
        ]

    def environment(self) -> dict[str, str]:
        return {"BENCH_DATABASE_URL": self._url}

    def asked(self, question: Question) -> Asked:
        place, body = question.place, {}
        if place is not None:
            body = {"id": str(place.id), "at": place.occurred_at.isoformat()}
        path = {"Q1": "/feed", "Q2": "/mailboxes", "Q3": "/activity", "Q4": "/feed"}[question.operation]
        return Asked(path, {"x-viewer": str(question.viewer.id)}, json.dumps(body))


@contextmanager
def served(entries: int, workers: int = 1) -> Iterator[tuple[Cluster, str, Postfach]]:
    """A private PostgreSQL with so many entries, its URL, and our server on it."""
    with tempfile.TemporaryDirectory() as folder, cluster() as data:
        url = data.filled(entries)
        with Postfach(url, Path(folder), workers) as server:
            yield data, url, server
