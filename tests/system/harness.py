"""A served world: imported into a fresh database, answered by a real server, with signed-in clients."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tests import command
from tests.client import Client
from tests.databases import Template, settings_environment
from tests.oracle.world import PASSWORD, World

SEED = int(os.environ.get("POSTFACH_SEED") or SystemRandom().randrange(10**9))


@dataclass(frozen=True)
class Served:
    """A running server and what it needs to be started again."""

    environment: Mapping[str, str]
    server: command.Server

    @property
    def url(self) -> str:
        """Where the server answers."""
        return self.server.url

    def bring(self, lines: str) -> None:
        """Imports more. The server of an embedded database rests meanwhile, since that has one process."""
        rests = self.environment["POSTFACH_DATABASE_URL"].startswith("sqlite")
        if rests:
            self.server.stop()
        command.run_well(self.environment, "import", "-", text=lines)
        if rests:
            self.server.start()


@contextmanager
def served(template: Template, folder: Path, world: World, *options: str) -> Iterator[Served]:
    """A server of a new database that holds this world; `options` are those of `postfach serve`."""
    with template.copied(folder) as url:
        environment = settings_environment(url, folder)
        command.run_well(environment, "import", "-", text=world.text())
        with command.Server(environment, folder, *options, cheaply=True) as server:
            yield Served(environment, server)


async def sign_in_all(client: Client, world: World) -> dict[str, Client]:
    """A signed-in client for each active user, by login."""
    return {
        user.login: await client.sign_in(user.login, PASSWORD)
        for user in world.users
        if user.state == "ACTIVE"
    }


@contextmanager
def told(where: str) -> Iterator[None]:
    """Adds to any failure where it happened."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
