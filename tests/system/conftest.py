"""What the tests that drive the real thing share."""

from collections.abc import Iterator

import pytest

from tests import command
from tests.databases import settings_environment


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[command.Server]:
    """A running server with the demonstration, as `make run` serves it."""
    folder = tmp_path_factory.mktemp("demonstration")
    environment = settings_environment(f"sqlite:///{folder / 'postfach.sqlite3'}", folder)
    command.run_well(environment, "demo")
    with command.Server(environment, folder) as server:
        yield server
