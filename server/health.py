"""Whether the process lives, and whether it can answer."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.faults import UNAVAILABLE, DatabaseUnavailableError, refuses_changes
from server.runtime import Runtime

PATIENCE_SECONDS = 5


def health_routes(runtime: Runtime) -> list[Route]:
    """Return `/healthz`, which answers while the process lives, and `/readyz`.

    The second answers 503 unless the database is there and up to date, and takes changes as far as it is known.
    """

    async def healthz(_: Request) -> Response:
        return _answer(200, "alive")

    async def readyz(_: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await runtime.database.fetch("SELECT 1 AS one")
                pending = await runtime.database.pending_migrations()
                if not runtime.database.takes_changes:
                    await runtime.database.try_change()
        except (DatabaseUnavailableError, TimeoutError, *UNAVAILABLE) as error:
            full = refuses_changes(error)
            return _answer(503, f"the database {'takes no changes' if full else 'does not answer'}")
        if pending:
            return _answer(503, "the database is not up to date")
        return _answer(200, "ready")

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


def _answer(status: int, words: str) -> Response:
    return JSONResponse({"status": words}, status, headers={"Cache-Control": "no-store"})
