"""The best servers of other languages, from npm: `bench/npm`."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bench.contestants import TOP, Child, Json
from bench.databases import Cluster
from bench.limit import statements
from bench.load import Asked
from bench.operations import DOCUMENTS, Question
from resolvers import node_ids
from resolvers.cursors import encode_cursor
from resolvers.node_ids import NodeKind
from schema.scalars import write_instant
from tests import peers

FOLDER = TOP / "bench" / "npm"
NODE = Path(sys.executable).with_name("node")


def are_installed() -> bool:
    """Whether npm has installed them."""
    return NODE.exists() and (FOLDER / "node_modules" / "mercurius").exists()


class Rival(Child):
    """A server on Node that is told who asks, and believes it."""

    script: str

    def __init__(self, url: str, folder: Path, workers: int = 1) -> None:
        super().__init__(folder)
        self.url = url
        self._workers = workers

    def command(self) -> Sequence[str]:
        return [str(NODE), str(FOLDER / self.script)]

    def environment(self) -> dict[str, str]:
        return {
            "BENCH_DATABASE_URL": self.url,
            "BENCH_PORT": str(self.port),
            "BENCH_WORKERS": str(self._workers),
            "BENCH_PAGE": statements.READS_ALL,
            "BENCH_PERMITS": statements.PERMITS_ALL,
        }


class Mercurius(Rival):
    """Mercurius on Fastify with graphql-jit and postgres.js; it speaks our schema."""

    name = "Mercurius"
    script = "mercurius.mjs"

    def asked(self, question: Question) -> Asked:
        body = json.dumps({"query": DOCUMENTS[question.operation], "variables": question.variables})
        return Asked("/graphql", {"x-viewer": str(question.viewer.id)}, body)


# ---------------------------------------------------------------- PostGraphile, whose words are those of the tables

_NODE = """
      id kind direction occurredAt guarded contactReference propertyReference
      mailByMailId {
        subject preview sender messageId mailDate %s
        bookingsByMailId(orderBy: [DECISIVE_AT_ASC]) {
          nodes { part mailboxByMailboxId { id address } userByUserId { id firstName lastName } }
        }
      }
"""
_FEED = f"""query Feed($after: Cursor) {{
  allActivities(first: 50, after: $after, orderBy: [OCCURRED_AT_DESC, ROW_ID_DESC]) {{
    nodes {{ {_NODE % ""} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
_MAILBOXES = """query Mailboxes {
  allMailboxes(first: 50, orderBy: [ADDRESS_ASC]) {
    nodes { id address vip active assignedUsers { nodes { id firstName lastName } } }
    pageInfo { hasNextPage endCursor }
  }
}"""
_ACTIVITY = f"query Activity($id: UUID!) {{ activityByRowId(rowId: $id) {{ {_NODE % 'remark'} }} }}"
_ROLE = "rival"


class PostGraphile(Rival):
    """PostGraphile 5 on a copy of the data, with policies as row-level security, and the index that these want."""

    name = "PostGraphile"
    script = "postgraphile.mjs"

    def __init__(self, url: str, folder: Path, workers: int = 1) -> None:
        super().__init__(url, folder, workers)
        self._order: str | None = None

    @staticmethod
    def prepared(data: Cluster, url: str) -> str:
        """Return the URL of a copy of the data, as the role that the policies apply to."""
        copy = data.copied(url)
        password = secrets.token_urlsafe(18)
        data.run_sql(f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{password}'")
        data.run_sql((FOLDER / "policies.sql").read_text(), peers.database_name(copy))
        data.run_sql("ANALYZE", peers.database_name(copy))
        return f"postgresql://{_ROLE}:{password}@127.0.0.1:{data.port}/{peers.database_name(copy)}"

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "GRAPHILE_ENV": "production"}

    def asked(self, question: Question) -> Asked:
        document = {"Q1": _FEED, "Q2": _MAILBOXES, "Q3": _ACTIVITY, "Q4": _FEED}[question.operation]
        variables = {}
        if question.operation == "Q3" and question.place is not None:
            variables = {"id": str(question.place.id)}
        elif question.operation == "Q4":
            variables = {"after": self._cursor(question)}
        body = json.dumps({"query": document, "variables": variables})
        return Asked("/graphql", {"x-viewer": str(question.viewer.id)}, body)

    def _cursor(self, question: Question) -> str:
        """Return its cursor of a place: the order's own mark, then what is ordered by."""
        if self._order is None:
            request = self.asked(Question("Q1", question.viewer))
            headers = {"content-type": "application/json", **request.headers}
            answer = self.http.post(
                f"http://127.0.0.1:{self.port}/graphql", content=request.body, headers=headers
            )
            end = answer.json()["data"]["allActivities"]["pageInfo"]["endCursor"]
            self._order = json.loads(base64.b64decode(end))[0]
        assert question.place is not None
        written = [self._order, question.place.occurred_at.isoformat(), str(question.place.id)]
        return base64.b64encode(json.dumps(written).encode()).decode()

    def comparable(self, question: Question, data: Json) -> Json:
        match question.operation:
            case "Q3":
                return {"node": _entry(data["activityByRowId"])}
            case "Q2":
                found = data["allMailboxes"]
                nodes = [
                    {
                        **each,
                        "id": _id(each),
                        "assignedUsers": {"nodes": [_person(one) for one in each["assignedUsers"]["nodes"]]},
                    }
                    for each in found["nodes"]
                ]
                end = encode_cursor([nodes[-1]["address"]])
                return {"mailboxes": {"nodes": nodes, "pageInfo": {**found["pageInfo"], "endCursor": end}}}
            case _:
                found = data["allActivities"]
                nodes = [_entry(each) for each in found["nodes"]]
                last = datetime.fromisoformat(nodes[-1]["occurredAt"]), _uuid(found["nodes"][-1])
                page = {**found["pageInfo"], "endCursor": encode_cursor(last)}
                return {"activities": {"nodes": nodes, "pageInfo": page}}


_KINDS = {"Activity": NodeKind.ACTIVITY, "Mailbox": NodeKind.MAILBOX, "User": NodeKind.USER}


def _uuid(row: Json) -> UUID:
    return UUID(json.loads(base64.b64decode(row["id"]))[1])


def _id(row: Json) -> str:
    """Return our global id for one of PostGraphile's."""
    return node_ids.encode(_KINDS[json.loads(base64.b64decode(row["id"]))[0]], _uuid(row))


def _person(row: Json) -> Json:
    return {**row, "id": _id(row)}


def _entry(row: Json) -> Json:
    """Return an entry in our words."""
    mail = row.pop("mailByMailId")
    bookings = mail.pop("bookingsByMailId")["nodes"]
    is_guarded = row.pop("guarded")
    return {
        **row,
        **mail,
        "id": _id(row),
        "vip": is_guarded,
        "occurredAt": _instant(row["occurredAt"]),
        "mailDate": _instant(mail["mailDate"]),
        "bookings": [
            {
                "part": each["part"],
                "mailbox": _person(each["mailboxByMailboxId"]),
                "user": each["userByUserId"] and _person(each["userByUserId"]),
            }
            for each in bookings
        ],
    }


def _instant(text: str) -> str:
    return write_instant(datetime.fromisoformat(text))
