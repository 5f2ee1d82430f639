"""A real Thunderbird without a window, told by Marionette to look for the settings of an address."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from tests import peers

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

SECONDS = 120
# The first of the places at which Thunderbird looks: the provider of the domain.
LOOK = """
const [address, done] = arguments;
const { FetchConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/FetchConfig.sys.mjs");
const { AccountConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/AccountConfig.sys.mjs");
const name = (interfaceOf, value) => Object.keys(interfaceOf).find(each => interfaceOf[each] === value);
const told = server => [
  server.type, server.hostname, server.port, name(Ci.nsMsgSocketType, server.socketType),
  name(Ci.nsMsgAuthMethod, server.auth), server.username,
];
FetchConfig.fromISP(address.split("@")[1], address, new AbortController().signal).then(
  found => {
    AccountConfig.replaceVariables(found, "Anna", address, "");
    done({
      isComplete: found.isComplete(),
      incoming: [found.incoming, ...found.incomingAlternatives].map(told),
      outgoing: told(found.outgoing),
    });
  },
  error => done({ error: String(error) }),
);
"""


class Thunderbird:
    """It asks everything of the web server at a port, as if that were every host's. Used as a context manager."""

    def __init__(self, folder: Path, port: int) -> None:
        self._program = peers.require("thunderbird")
        self._output = folder / "thunderbird.out"
        self._profile = folder / "thunderbird"
        self._profile.mkdir()
        preferences = {
            # The port is chosen by the system and written into a file.
            "marionette.port": 0,
            "network.proxy.type": 1,
            "network.proxy.http": "127.0.0.1",
            "network.proxy.http_port": port,
            "network.proxy.ssl": "127.0.0.1",
            "network.proxy.ssl_port": port,
            "app.update.enabled": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "mailnews.start_page.enabled": False,
            "mail.provider.enabled": False,
        }
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()
        ]
        (self._profile / "user.js").write_text("".join(lines), encoding="utf-8")
        self._guard: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        folder = str(self._profile)
        guard = [sys.executable, str(peers.GUARD), folder, str(signal.SIGTERM.value)]
        command = [self._program, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]
        command += ["--profile", folder]
        with self._output.open("wb") as output:
            self._guard = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, "HOME": folder},
                start_new_session=True,
            )
        try:
            self._socket = self._connected()
            self._read()
            self._ask("WebDriver:NewSession", {})
            self._ask("Marionette:SetContext", {"value": "chrome"})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._guard is not None:
            self._guard.communicate(timeout=SECONDS)

    def look_for(self, address: str) -> Any:  # noqa: ANN401 (JSON)
        """What Thunderbird finds for an address, and would set up."""
        script = {"script": LOOK, "args": [address], "scriptTimeout": SECONDS * 1000, "sandbox": "system"}
        return self._ask("WebDriver:ExecuteAsyncScript", script)["value"]

    def _connected(self) -> socket.socket:
        deadline = time.monotonic() + SECONDS
        file = self._profile / "MarionetteActivePort"
        while time.monotonic() < deadline and self._guard and self._guard.poll() is None:
            if file.exists() and (text := file.read_text().strip()):
                return socket.create_connection(("127.0.0.1", int(text)), SECONDS)
            time.sleep(0.1)
        raise TimeoutError(self._output.read_text(errors="replace"))

    def _ask(self, command: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 (JSON)
        assert self._socket
        self._asked += 1
        text = json.dumps([0, self._asked, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def _read(self) -> Any:  # noqa: ANN401 (JSON)
        assert self._socket
        length = b""
        while not length.endswith(b":"):
            length += self._received(1)
        return json.loads(self._received(int(length[:-1])))

    def _received(self, size: int) -> bytes:
        assert self._socket
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            if not part:
                raise ConnectionError(self._output.read_text(errors="replace"))
            found += part
        return found
