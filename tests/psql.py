"""A `psql` that stays connected, for what is asked of one database again and again."""

import secrets
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Psql:
    """Runs statements one after the other, as a `psql` of its own would each, but that it has not to be started for each."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(environment),
        )

    def run(self, statements: str) -> str:
        """Run statements and return their rows: columns by `|`, rows by line. Raises `RuntimeError` when it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        end = secrets.token_hex(16)
        try:
            self._process.stdin.write(f"{statements};\n\\echo {end}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("psql has ended") from None
        rows: list[str] = []
        for line in self._process.stdout:
            if line == f"{end}\n":
                return "".join(rows).strip()
            rows.append(line)
        raise RuntimeError(f"psql: {''.join(rows).strip()}")

    def end(self) -> None:
        """Disconnect. More than once is allowed."""
        # What it was not told any more stays with it.
        with suppress(BrokenPipeError), self._process:
            self._process.terminate()
