"""Looks at the end of the run for secrets in everything that was written during it, and fails the run where one is found.

It works the same in one process and in several (pytest-xdist): each keeps its own files, and the process that the user
started searches all of them with `grep`, which takes a fraction of a second.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import evidence

SHAPES = {
    "a mailbox password": r"[2-9A-HJ-NP-Za-kmnp-z]{5}(-[2-9A-HJ-NP-Za-kmnp-z]{5}){4}",
    "a sealed token": r"v1\.[A-Za-z0-9._-]{1,64}\.[A-Za-z0-9_-]{38,}",
    "an Argon2 hash": r"[$]argon2i?d?[$]v=",
    "an access or refresh token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
    "a key of 32 bytes": r"(^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{43}=($|[^A-Za-z0-9+/=])",
    "the token of a link": r"credentials#[A-Za-z0-9_-]{20,}",
}
"""Secrets that are known by how they look, whoever made them: POSIX extended regular expressions."""

FEW = 20
"""So many places are told of each secret and file."""


@dataclass(frozen=True)
class Leak:
    """A secret in what was written. Its text never holds the secret."""

    secret: str
    origin: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.secret}: written to {self.origin} ({self.file}, line {self.line})"


def search(folder: Path) -> list[Leak]:
    """Everything in the folder's files that is a secret by its shape or by its name."""
    files = sorted(
        str(each) for each in folder.iterdir() if each.suffix in {".written", ".followed"} and each.exists()
    )
    names: dict[str, str] = {}
    for file in sorted(folder.glob("*.secrets")):
        for line in file.read_text("utf-8").split("\n"):
            what, _, value = line.partition("\t")
            if value:
                names.setdefault(value, what)
    if not files:
        return []
    leaks = []
    for what, shape in SHAPES.items():
        for place, number, _ in _grep(files, "-E", "-e", shape):
            leaks.append(Leak(what, _origin(folder, Path(place), number), place, number))
    if names:
        patterns = folder / "patterns"
        patterns.write_text("".join(f"{value}\n" for value in names), "utf-8")
        for place, number, value in _grep(files, "-F", "-f", str(patterns)):
            what = names.get(value, "a named secret")
            leaks.append(Leak(what, _origin(folder, Path(place), number), place, number))
    return leaks


def _grep(files: list[str], *wanted: str) -> list[tuple[str, int, str]]:
    """File, line and text of each match."""
    done = subprocess.run(
        ["grep", "-a", "-o", "-n", "-H", "-m", str(FEW), *wanted, "--", *files],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    if done.returncode > 1:
        raise RuntimeError(f"grep: {done.stderr.decode('utf-8', 'replace')}")
    found = []
    for row in done.stdout.decode("utf-8", "replace").split("\n"):
        if row:
            name, line, text = row.split(":", 2)
            found.append((name, int(line), text))
    return found


def _origin(folder: Path, file: Path, line: int) -> str:
    """Where a line of a file is from."""
    origin = "a file"
    for process in folder.glob("*.origins"):
        for row in process.read_text("utf-8").split("\n"):
            place, _, told = row.partition("\t")
            if place == file.name:
                return told
            if process.stem == file.stem and place.isdecimal() and int(place) <= line:
                origin = told
    return origin


class Searching:
    """The plugin: keeps during the run, searches at its end, and forgets what holds no secret."""

    def __init__(self, config: pytest.Config) -> None:
        given = getattr(config, "workerinput", {})
        self._leads = not given
        self._folder = Path(given.get("evidence") or tempfile.mkdtemp(prefix="postfach-evidence-"))
        self._evidence = evidence.Evidence(self._folder, str(given.get("workerid", "main")))
        evidence.begin(self._evidence)
        self._handler = evidence.Records(self._evidence)
        logging.getLogger().addHandler(self._handler)
        # What an operator's log holds, whatever a single test looks at.
        logging.getLogger("postfach").setLevel(logging.INFO)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 (pytest-xdist is not required)
        """Tell a process of pytest-xdist where to keep."""
        node.workerinput["evidence"] = str(self._folder)

    def pytest_runtest_logfinish(self) -> None:
        """Have it in the files, whatever becomes of the process."""
        self._evidence.flush()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search, once everybody has ended."""
        logging.getLogger().removeHandler(self._handler)
        self._evidence.flush()
        if not self._leads:
            return
        leaks = search(self._folder)
        if leaks:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._tell(session.config, leaks)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _tell(self, config: pytest.Config, leaks: list[Leak]) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        words = "\n".join(["Secrets were written during the run:", *sorted({str(each) for each in leaks})])
        report = pytest.CollectReport("no secret is written", "failed", words, [])
        reporter.stats.setdefault("error", []).append(report)
