"""The command `postfach` as an operator runs it: once, or as a server that can be ended and killed."""

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests import evidence, peers

COMMAND = str(Path(sys.executable).with_name("postfach"))
CHEAPLY = (sys.executable, "-m", "tests.cheaply")
"""The same, but that passwords cost next to nothing."""
START_SECONDS = 60
STOP_SECONDS = 30
NOTED = 5000
"""So many characters of what a server wrote stand beside a failure."""


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code and what it wrote."""

    code: int
    output: str
    error: str


def run(
    environment: Mapping[str, str], *arguments: str, text: str | None = None, seconds: float = 300
) -> Finished:
    """Runs `postfach ARGUMENTS` to its end, with `text` on standard input."""
    if arguments[:1] == ("password",):
        evidence.secret((text or "").strip(), "a password on standard input")
    evidence.brought((text or "").encode("utf-8", "surrogatepass"), "a password in an import")
    done = subprocess.run(
        [COMMAND, *arguments],
        input=text or "",
        capture_output=True,
        text=True,
        check=False,
        env=dict(environment),
        timeout=seconds,
    )
    # Standard output is what was asked for: the demonstration's shows its logins.
    evidence.keep(done.stderr, f"standard error of postfach {arguments[0] if arguments else ''}")
    return Finished(done.returncode, done.stdout, done.stderr)


def run_well(environment: Mapping[str, str], *arguments: str, text: str | None = None) -> str:
    """The same for a command that must succeed; returns its standard output."""
    done = run(environment, *arguments, text=text)
    assert done.code == 0, f"postfach {' '.join(arguments)} ended with {done.code}: {done.error}"
    return done.output


class Server:
    """`postfach serve` on a free port of the loopback address.

    Used as a context manager it is ready inside, and ended outside. What it writes goes to files in `folder`.
    With `cheaply` it hashes passwords as no server should.
    """

    def __init__(
        self, environment: Mapping[str, str], folder: Path, *options: str, cheaply: bool = False
    ) -> None:
        self.port = peers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.socket_url = f"ws://127.0.0.1:{self.port}/graphql"
        self._command = CHEAPLY if cheaply else (COMMAND,)
        self._options = options
        self._environment = {"POSTFACH_PUBLIC_URL": self.url, **environment}
        self._output = folder / f"server-{self.port}.out"
        self._error = folder / f"server-{self.port}.err"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def written(self) -> str:
        """Everything that the server wrote since it was made, standard output first."""
        return self._output.read_text() + self._error.read_text()

    def launch(self) -> None:
        """Starts the process and does not wait until it is ready."""
        assert self._process is None or self._process.poll() is not None, "the server still runs"
        is_new = not self._error.exists()
        with self._output.open("ab") as output, self._error.open("ab") as error:
            if is_new:
                evidence.follow(self._output, "standard output of postfach serve")
                evidence.follow(self._error, "standard error of postfach serve")
            self._process = subprocess.Popen(
                [*self._command, "serve", "--host", "127.0.0.1", "--port", str(self.port), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                env=self._environment,
            )

    def start(self) -> None:
        """Starts the process and waits until it answers that it is ready."""
        self.launch()
        self.await_ready()

    def await_ready(self) -> None:
        """Returns when /readyz answers 200.

        Raises:
            RuntimeError: the process ended before, or the time was up.
        """
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the server ended with {self.process.returncode}: {self.written}")
                try:
                    if client.get(f"{self.url}/readyz").status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the server was not ready in time: {self.written}")

    def stop(self) -> int:
        """Asks the process to finish what is under way and to end; returns its exit code."""
        if self.process.poll() is None:
            self._keep_metrics()
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _keep_metrics(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        # A server that can't answer, or that a test stopped in its own way, has none.
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/metrics")
            evidence.keep(connection.getresponse().read().decode(), "metrics of postfach serve")

    def kill(self) -> None:
        """Ends the process at once, as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:
            self.kill()
            error.add_note(f"the server wrote: …{self.written[-NOTED:]}")
