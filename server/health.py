"""Whether the process lives, and whether it can answer."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.database import UNAVAILABLE, DatabaseUnavailableError
from server.runtime import Runtime

PATIENCE_SECONDS = 5


def health_routes(runtime: Runtime) -> list[Route]:
    """Return `/healthz`, which answers while the process lives, and `/readyz`.

    The second answers 503 unless the database is there and up to date.
    """

    async def healthz(_: Request) -> Response:
        return _answer(200, "alive")

    async def readyz(_: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await runtime.database.fetch("SELECT 1 AS one")
                pending = await runtime.database.pending_migrations()
        except (DatabaseUnavailableError, TimeoutError, *UNAVAILABLE):
            return _answer(503, "the database does not answer")
        if pending:
            return _answer(503, "the database is not up to date")
        return _answer(200, "ready")

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


def _answer(status: int, words: str) -> Response:
    return JSONResponse({"status": words}, status, headers={"Cache-Control": "no-store"})
