"""Starlette on asyncpg: what comes is a viewer's id and what is asked for, what goes is the text that the database made.

Run by uvicorn as `bench.limit.server:app`; `BENCH_DATABASE_URL` says where the data is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.limit import statements
from models.visibility import END

POOL_SIZE = 16


class State:
    """What the process has: connections, and who is who, so that a request looks up nothing but its answer."""

    pool: asyncpg.Pool[asyncpg.Record]
    agencies: dict[str, UUID]
    read_all: set[str]


state = State()


async def _nothing(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Do nothing between two statements."""


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Connect, and read who there is."""
    async with asyncpg.create_pool(
        os.environ["BENCH_DATABASE_URL"],
        min_size=POOL_SIZE,
        max_size=POOL_SIZE,
        reset=_nothing,
        server_settings={"timezone": "UTC", "application_name": "limit"},
    ) as pool:
        state.pool = pool
        rows = await pool.fetch("SELECT id, agency_id, activity_read_level, agents_log_read_level FROM users")
        state.agencies = {str(row["id"]): row["agency_id"] for row in rows}
        all_levels = ("ALL", "ALL")
        state.read_all = {
            str(row["id"])
            for row in rows
            if (row["activity_read_level"], row["agents_log_read_level"]) == all_levels
        }
        yield


async def _answer(statement: str, *parameters: object) -> Response:
    text = await state.pool.fetchval(statement, *parameters)
    return Response(text.encode(), media_type="application/json")


async def feed(request: Request) -> Response:
    """Q1 and Q4."""
    viewer, asked = request.headers["x-viewer"], orjson.loads(await request.body())
    place = END.occurred_at, END.id
    if asked:
        place = datetime.fromisoformat(asked["at"]).astimezone(UTC), UUID(asked["id"])
    statement = statements.FEED_ALL if viewer in state.read_all else statements.FEED_SOME
    return await _answer(statement, UUID(viewer), *place, state.agencies[viewer])


async def mailboxes(request: Request) -> Response:
    """Q2."""
    return await _answer(statements.MAILBOXES, UUID(request.headers["x-viewer"]))


async def activity(request: Request) -> Response:
    """Q3."""
    viewer, asked = request.headers["x-viewer"], orjson.loads(await request.body())
    statement = statements.ACTIVITY_ALL if viewer in state.read_all else statements.ACTIVITY_SOME
    return await _answer(statement, UUID(viewer), UUID(asked["id"]))


app = Starlette(
    lifespan=lifespan,
    routes=[Route(f"/{each.__name__}", each, methods=["POST"]) for each in (feed, mailboxes, activity)],
)
