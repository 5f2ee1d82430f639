"""The four operations that servers are compared by, in the words of our schema, and whom and what they ask for.

Q1 the newest 50 entries that the viewer may see, each with twelve scalars, its bookings' mailboxes and users, and the page's end;
Q2 fifty mailboxes with the users assigned now, asked by an administrator; Q3 one entry; Q4 as Q1, 20,000 entries further down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from uuid import UUID

import asyncpg

from resolvers import node_ids
from resolvers.cursors import encode_cursor
from resolvers.node_ids import NodeKind

ENTRY = """
      id kind direction subject preview sender messageId mailDate occurredAt vip contactReference propertyReference
      bookings { part mailbox { id address } user { id firstName lastName } }
"""
FEED = f"""query Feed($after: String) {{
  activities(first: 50, after: $after) {{
    nodes {{ {ENTRY} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
MAILBOXES = """query Mailboxes {
  mailboxes(first: 50) {
    nodes { id address vip active assignedUsers { nodes { id firstName lastName } } }
    pageInfo { hasNextPage endCursor }
  }
}"""
ACTIVITY = f"""query Activity($id: ID!) {{
  node(id: $id) {{ ... on Activity {{ {ENTRY} remark }} }}
}}"""

DOCUMENTS = {"Q1": FEED, "Q2": MAILBOXES, "Q3": ACTIVITY, "Q4": FEED}
DEPTH = 20_000
VIEWERS = 16
IDS_OF_A_VIEWER = 8


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks."""

    id: UUID
    agency_id: UUID
    login: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list of entries, or an entry."""

    occurred_at: datetime
    id: UUID

    @property
    def cursor(self) -> str:
        """Our cursor of it."""
        return encode_cursor([self.occurred_at, self.id])

    @property
    def node_id(self) -> str:
        """Our global id of it."""
        return node_ids.encode(NodeKind.ACTIVITY, self.id)


@dataclass(frozen=True, slots=True)
class Question:
    """One operation as one viewer asks it; `place` is the entry of a Q3 and the cursor of a Q4."""

    operation: str
    viewer: Viewer
    place: Place | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The variables, in the words of our schema."""
        if self.place is None:
            return {}
        return {"id": self.place.node_id} if self.operation == "Q3" else {"after": self.place.cursor}


async def viewer_of(connection: asyncpg.Connection[asyncpg.Record], login: str) -> Viewer:
    """Return a user of the world."""
    row = await connection.fetchrow("SELECT id, agency_id FROM users WHERE login = $1", login)
    assert row is not None, f"{login}: not in this database"
    return Viewer(row["id"], row["agency_id"], login)


async def questions(url: str) -> dict[str, list[Question]]:
    """Return for each operation what is asked, in turn: sixteen viewers of four agencies, four administrators for Q2."""
    connection = await asyncpg.connect(url)
    try:
        logins = [f"user{1 + place // 4}@agency{place % 4}.example" for place in range(VIEWERS)]
        viewers = [await viewer_of(connection, login) for login in logins]
        found: dict[str, list[Question]] = {
            "Q1": [Question("Q1", viewer) for viewer in viewers],
            "Q2": [
                Question("Q2", await viewer_of(connection, f"user0@agency{place}.example"))
                for place in range(4)
            ],
            "Q3": [],
            "Q4": [],
        }
        for viewer in viewers:
            found["Q3"] += [Question("Q3", viewer, each) for each in await newest(connection, viewer)]
            found["Q4"].append(Question("Q4", viewer, await deep(connection, viewer)))
        return found
    finally:
        await connection.close()


async def newest(connection: asyncpg.Connection[asyncpg.Record], viewer: Viewer) -> list[Place]:
    """Return some entries that are not guarded, so that whoever reads all of them may see them."""
    rows = await connection.fetch(
        "SELECT occurred_at, id FROM activities WHERE agency_id = $1 AND NOT guarded AND kind = 'ACTIVITY' "
        "ORDER BY occurred_at DESC, id DESC LIMIT 400",
        viewer.agency_id,
    )
    places = [Place(row["occurred_at"], row["id"]) for row in rows]
    return list(islice(cycle(places[viewer.id.int % 50 :: 50] or places[:1]), IDS_OF_A_VIEWER))


async def deep(connection: asyncpg.Connection[asyncpg.Record], viewer: Viewer) -> Place:
    """Return the place so far down a viewer's list, or half of it where it is shorter."""
    count = "SELECT count(*) FROM activities WHERE agency_id = $1 AND NOT guarded"
    visible: int = await connection.fetchval(count, viewer.agency_id)
    row = await connection.fetchrow(
        "SELECT occurred_at, id FROM activities WHERE agency_id = $1 AND NOT guarded "
        f"ORDER BY occurred_at DESC, id DESC OFFSET {min(DEPTH, visible // 2)} LIMIT 1",
        viewer.agency_id,
    )
    assert row is not None
    return Place(row["occurred_at"], row["id"])
