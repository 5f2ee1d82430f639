"""The application in this process, for tests that need it quick."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from unittest import mock

from starlette.applications import Starlette

from tests import evidence


@asynccontextmanager
async def started(environment: Mapping[str, str]) -> AsyncIterator[Starlette]:
    """The application of these settings, its lifespan running. Passwords are hashed as cheaply as Argon2id can."""
    # Imported when a test wants it: the tests of the suite's own tools need no product.
    from resolvers.hashing import Hasher  # noqa: PLC0415
    from server import app, runtime  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415

    with mock.patch.object(runtime, "Hasher", partial(Hasher, passes=1, memory_kib=8, lanes=1)):
        application = app.create_app(Settings.load(dict(environment)))
    async with application.router.lifespan_context(application):
        yield application
        evidence.metrics(application.state.runtime.metrics.registry)
