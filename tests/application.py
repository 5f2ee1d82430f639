"""The application in this process, for tests that need it quick."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from tests import evidence


@asynccontextmanager
async def started(environment: Mapping[str, str]) -> AsyncIterator[Starlette]:
    """The application of these settings, its lifespan running."""
    # Imported when a test wants it: the tests of the suite's own tools need no product.
    from server import app  # noqa: PLC0415
    from server.settings import Settings  # noqa: PLC0415

    application = app.create_app(Settings.load(dict(environment)))
    async with application.router.lifespan_context(application):
        yield application
        evidence.metrics(application.state.runtime.metrics.registry)
