"""The limit on SQLite: the very statement of the feed, run by hand, and its rows written by hand as JSON.

Run by uvicorn as `bench.limit.embedded:app`; `BENCH_DATABASE_URL` says where the data is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models import visibility
from models.database import Statements
from models.sqlite_dialect import to_sqlite, translate
from models.tables.users import ReadLevel
from models.visibility import Filter, Reader, Stretch
from resolvers import node_ids
from resolvers.cursors import encode_cursor
from resolvers.node_ids import NodeKind

PAGE = 50
BOOKINGS = """
SELECT b.mail_id, b.part, o.id AS mailbox_id, o.address, p.id AS user_id, p.first_name, p.last_name
FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id LEFT JOIN users p ON p.id = b.user_id
WHERE b.mail_id IN (SELECT value FROM json_each(?)) ORDER BY b.decisive_at, o.address
"""


class Recorder:
    """Takes the statement of the feed instead of running it."""

    is_sqlite = True

    def __init__(self) -> None:
        self.statement = ""
        self.parameters: dict[str, Any] = {}

    async def fetch(self, statement: str, *parameters: object) -> Sequence[Mapping[str, Any]]:
        """Keep it; return nothing."""
        self.statement = translate(statement)
        self.parameters = {str(place): to_sqlite(value) for place, value in enumerate(parameters, 1)}
        return []


class State:
    """What the process has: one connection, and the statement of each viewer."""

    connection: sqlite3.Connection
    feeds: dict[str, Recorder]


state = State()


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Connect, and prepare what each viewer asks."""
    path = os.environ["BENCH_DATABASE_URL"].removeprefix("sqlite:///")
    state.connection = sqlite3.connect(path, isolation_level=None, cached_statements=500)
    state.connection.row_factory = sqlite3.Row
    state.feeds = {}
    users = "SELECT id, agency_id, activity_read_level, agents_log_read_level FROM users WHERE login LIKE 'user_@%'"
    for row in state.connection.execute(users).fetchall():
        recorder, levels = Recorder(), (ReadLevel(row[2]), ReadLevel(row[3]))
        reader = Reader(UUID(row["id"]), UUID(row["agency_id"]), *levels)
        await visibility.entries(cast("Statements", recorder), reader, Filter(), Stretch(limit=PAGE + 1))
        state.feeds[row["id"]] = recorder
    yield
    state.connection.close()


def _global_id(kind: NodeKind, text: str) -> str:
    return node_ids.encode(kind, UUID(text))


def _instant(text: str) -> str:
    """Return an instant as answers have it: without microseconds where they are zero."""
    return text.replace(".000000", "")


async def feed(request: Request) -> Response:
    """Q1."""
    asked = state.feeds[request.headers["x-viewer"]]
    rows = state.connection.execute(asked.statement, asked.parameters).fetchall()
    page = rows[:PAGE]
    mails = orjson.dumps([row["mail_id"] for row in page]).decode()
    bookings: dict[str, list[dict[str, Any]]] = {}
    for row in state.connection.execute(BOOKINGS, (mails,)):
        user = row["user_id"] and {
            "id": _global_id(NodeKind.USER, row["user_id"]),
            "firstName": row["first_name"],
            "lastName": row["last_name"],
        }
        mailbox = {"id": _global_id(NodeKind.MAILBOX, row["mailbox_id"]), "address": row["address"]}
        bookings.setdefault(row["mail_id"], []).append(
            {"part": row["part"], "mailbox": mailbox, "user": user}
        )
    nodes = [
        {
            "id": _global_id(NodeKind.ACTIVITY, row["id"]),
            "kind": row["kind"],
            "direction": row["direction"],
            "subject": row["subject"],
            "preview": row["preview"],
            "sender": row["sender"],
            "messageId": row["message_id"],
            "mailDate": row["mail_date"] and _instant(row["mail_date"]),
            "occurredAt": _instant(row["occurred_at"]),
            "vip": bool(row["guarded"]),
            "contactReference": row["contact_reference"],
            "propertyReference": row["property_reference"],
            "bookings": bookings[row["mail_id"]],
        }
        for row in page
    ]
    end = encode_cursor([page[-1]["occurred_at"], page[-1]["id"]]) if page else None
    body = {"activities": {"nodes": nodes, "pageInfo": {"hasNextPage": len(rows) > PAGE, "endCursor": end}}}
    return Response(orjson.dumps({"data": body}), media_type="application/json")


app = Starlette(lifespan=lifespan, routes=[Route("/feed", feed, methods=["POST"])])
