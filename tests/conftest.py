"""What every test may use: both databases, the environment of the command, the application, a client."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
import pytest_asyncio
from starlette.applications import Starlette

from tests import command, peers
from tests.application import started
from tests.client import Client, inside
from tests.databases import KINDS, Template, fresh_database, settings_environment
from tests.searching import Searching


def pytest_configure(config: pytest.Config) -> None:
    """Keeps what is written during the run, to search it for secrets at the end."""
    config.pluginmanager.register(Searching(config))


def pytest_unconfigure() -> None:
    """Ends the peers, whatever became of the tests, after the fixtures that use them."""
    peers.stop_all()


@pytest.fixture(scope="session", autouse=True)
def _written_at_once() -> Iterator[None]:
    """Have PostgreSQL write what it can from the first time on: a test asks for most things once."""
    # The tests of the suite's own tools need no product.
    from resolvers import writing  # noqa: PLC0415

    with mock.patch.object(writing, "SELDOM", 0):
        yield


@pytest.fixture(scope="session", autouse=True)
def synchronous() -> Iterator[str]:
    """Have SQLite in this process wait for no disk, as PostgreSQL (`peers.QUICK`); what it has to be elsewhere."""
    from models import database_url  # noqa: PLC0415 (as above)

    product = database_url.SQLITE_SYNCHRONOUS
    with mock.patch.object(database_url, "SQLITE_SYNCHRONOUS", "OFF"):
        yield product


@pytest.fixture(scope="session", autouse=True)
def _hashed_cheaply() -> Iterator[None]:
    """Have Argon2id take as little as it can in this process: a user's password takes it a fifth of a second otherwise."""
    from tests import hashing  # noqa: PLC0415 (as above)

    with hashing.as_cheap_as_can_be():
        yield


@pytest.fixture
def hashed_as_elsewhere() -> Iterator[None]:
    """For tests of what hashing takes."""
    from tests import hashing  # noqa: PLC0415 (as above)

    with hashing.as_in_the_product():
        yield


@pytest.fixture
def left_behind() -> Iterator[None]:
    """Let what GraphQL's own executor forgets be forgotten within the test, where its warnings are filtered."""
    yield
    gc.collect()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Every test that touches storage runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """A new, empty database."""
    with fresh_database(database_kind, tmp_path) as url:
        yield url


class Migrated:
    """A template for each kind of database; `databases` keeps them until it is closed."""

    def __init__(self, folders: pytest.TempPathFactory, databases: ExitStack) -> None:
        self._folders = folders
        self._databases = databases
        self._templates: dict[str, Template] = {}

    def template(self, kind: str) -> Template:
        """The template of this kind; an empty import makes it."""
        if kind not in self._templates:
            folder = self._folders.mktemp(f"template-{kind}")
            url = self._databases.enter_context(fresh_database(kind, folder))
            command.run_well(settings_environment(url, folder), "import", "-")
            self._templates[kind] = Template.of(url, empty=True)
        return self._templates[kind]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    """Databases that are up to date, to be copied; made by the command when they are first wanted."""
    with ExitStack() as databases:
        yield Migrated(tmp_path_factory, databases)


@pytest.fixture
def migrated_database_url(database_kind: str, migrated: Migrated, tmp_path: Path) -> Iterator[str]:
    """A new database that is up to date and holds nothing."""
    with migrated.template(database_kind).copied(tmp_path) as url:
        yield url


@pytest.fixture
def environment(migrated_database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of the command, for a database that is up to date."""
    return settings_environment(migrated_database_url, tmp_path)


@pytest_asyncio.fixture
async def app(environment: dict[str, str]) -> AsyncIterator[Starlette]:
    """The application in this process, started."""
    async with started(environment) as application:
        yield application


@pytest_asyncio.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    """A client without a session of the application."""
    async with inside(app) as opened:
        yield opened
