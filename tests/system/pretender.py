"""A server that knows no GraphQL and answers the operations of `documents` from an oracle.

With the right oracle it proves that the comparison passes what is right, with a wrong one that it finds it.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.client import Json
from tests.oracle.rule import Entry, Filter, Oracle, answer, fold, groups, page, reads_private, written
from tests.oracle.world import PASSWORD, Mailbox, Period, User


class Pretender:
    """Answers as `oracle` says. A subclass may go wrong elsewhere."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        entries = sorted(oracle.entries(), key=lambda entry: entry.occurred_at, reverse=True)
        self.ids = {entry: f"e{number}" for number, entry in enumerate(entries)}
        self.app = Starlette(routes=[Route("/graphql", self._endpoint, methods=["POST"])])
        self._answers: dict[str, Callable[[User, Json], Json]] = {
            "Feed": self._feed,
            "ShortFeed": self._feed,
            "Feeds": self._feeds,
            "Position": self._positions,
            "MailboxFeed": self._mailbox_feed,
            "Nodes": lambda viewer, asked: {"nodes": [self.node(viewer, name) for name in asked["ids"]]},
            "OneNode": lambda viewer, asked: {"node": self.node(viewer, asked["id"])},
            "Mailboxes": self._mailboxes,
            "Users": self._users,
        }

    async def _endpoint(self, request: Request) -> JSONResponse:
        body = await request.json()
        operation = re.search(r"(?:query|mutation) (\w+)", body["query"])
        assert operation is not None
        if operation[1] == "SignIn":
            return JSONResponse({"data": {"signIn": self._sign_in(body["variables"])}})
        viewer = self.oracle.user(request.headers["authorization"].removeprefix("Bearer "))
        return JSONResponse({"data": self._answers[operation[1]](viewer, body["variables"])})

    def _sign_in(self, asked: Json) -> Json:
        user = self.oracle.user(asked["login"])
        if user.state != "ACTIVE" or asked["password"] != PASSWORD:
            return {"errors": [{"code": "UNAUTHENTICATED"}]}
        viewer = {"id": f"u{user.login}"}
        return {"accessToken": user.login, "refreshToken": "r", "viewer": viewer, "errors": []}

    # ------------------------------------------------------------ entries

    def visible(self, viewer: User, wanted: Filter, mailbox: str | None) -> list[Entry]:
        """The viewer's list, in the server's order."""
        found = set(self.oracle.feed(viewer, wanted, mailbox))
        return [entry for entry in self.ids if entry in found]

    def count(self, viewer: User, found: Sequence[Entry]) -> int:  # noqa: ARG002 - a subclass looks at the viewer
        """What is answered as the number of entries."""
        return len(found)

    def ends(self, has_next: bool, has_previous: bool) -> tuple[bool, bool]:  # noqa: FBT001
        """What is answered as the page's ends."""
        return has_next, has_previous

    def node(self, viewer: User, name: str) -> Json:
        """The entry with this id, or None."""
        for entry, its_name in self.ids.items():
            if its_name == name and self.oracle.visible(viewer, entry):
                return {"__typename": "Activity", **self._entry(entry)}
        return None

    def _entry(self, entry: Entry) -> Json:
        return {"id": self.ids[entry], **answer(self.oracle, entry)}

    def _feed(self, viewer: User, asked: Json, mailbox: str | None = None) -> Json:
        found = self.visible(viewer, _filter(asked.get("filter") or {}), mailbox)
        everything = list(self.ids)
        after, before = (_position(asked.get(name)) for name in ("after", "before"))
        # Positions among all entries, seen or not, become positions among those that are seen.
        ahead = [entry for entry in found if after is not None and everything.index(entry) <= after]
        until = [entry for entry in found if before is None or everything.index(entry) < before]
        part = page(
            found,
            first=asked.get("first"),
            after=len(ahead) - 1 if after is not None else None,
            last=asked.get("last"),
            before=len(until) if before is not None else None,
        )
        has_next, has_previous = self.ends(part.has_next, part.has_previous)
        cursors = [_cursor(everything.index(entry)) for entry in part.items]
        edges = [
            {"cursor": cursor, "node": {"id": self.ids[entry]}}
            for cursor, entry in zip(cursors, part.items, strict=True)
        ]
        info = {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        }
        shown = [self._entry(entry) for entry in part.items]
        count = self.count(viewer, found)
        return {"activities": {"totalCount": count, "nodes": shown, "edges": edges, "pageInfo": info}}

    def _feeds(self, viewer: User, asked: Json) -> Json:
        return {
            name: self._feed(viewer, {"first": 100, "filter": wanted})["activities"]
            for name, wanted in asked.items()
        }

    def _positions(self, viewer: User, asked: Json) -> Json:
        after = self._feed(viewer, {"first": 3, "after": asked["cursor"]})["activities"]
        before = self._feed(viewer, {"last": 3, "before": asked["cursor"]})["activities"]
        return {"after": after, "before": before}

    def _mailbox_feed(self, viewer: User, asked: Json) -> Json:
        return {"node": self._feed(viewer, asked, asked["id"])}

    # ------------------------------------------------------------ the directory

    def _mailboxes(self, viewer: User, asked: Json) -> Json:  # noqa: ARG002 - one page holds them all
        return {"mailboxes": _list([self._mailbox(viewer, box) for box in self.oracle.mailboxes(viewer)])}

    def _mailbox(self, viewer: User, box: Mailbox) -> Json:
        assigned = self.oracle.assigned_users(viewer, box)
        periods = self.oracle.assignments(viewer, box)
        return {
            "id": fold(box.address),
            "address": fold(box.address),
            "emailName": (box.email_name or "").strip() or None,
            "effectiveEmailName": self.oracle.effective_name(box, viewer),
            "vip": box.vip,
            "active": True,
            "automaticBooking": box.automatic_booking,
            "viewerIsAssigned": self.oracle.is_assigned(viewer, box),
            "viewerCanAdminister": viewer.role == "ADMINISTRATOR",
            "assignedUsers": None
            if assigned is None
            else _list([{"login": each.login} for each in assigned]),
            "assignments": None if periods is None else _list([self._period(each) for each in periods]),
            **self._feed(viewer, {"first": 5}, box.address),
        }

    def _period(self, period: Period) -> Json:
        return {
            "from": written(period.begin),
            "until": period.end and written(period.end),
            "user": {"login": fold(period.user)},
            "mailbox": {"address": fold(period.mailbox)},
        }

    def _users(self, viewer: User, asked: Json) -> Json:  # noqa: ARG002 - one page holds them all
        return {"users": _list([self._user(viewer, user) for user in self.oracle.colleagues(viewer)])}

    def _user(self, viewer: User, user: User) -> Json:
        private = reads_private(viewer, user)
        boxes = self.oracle.mailboxes_of_user(viewer, user) or []
        return {
            "id": f"u{user.login}",
            "login": user.login,
            "firstName": user.first_name,
            "lastName": user.last_name,
            "emailName": (user.email_name or "").strip() or None,
            "language": user.language,
            "role": user.role,
            "state": user.state,
            "email": user.email if private else None,
            "officeGroups": sorted(groups(user)) if private else None,
            "activityReadLevel": user.activity_level if private else None,
            "agentsLogReadLevel": user.agents_log_level if private else None,
            "mailboxes": _list([{"address": fold(box.address)} for box in boxes]) if private else None,
        }


def _list(items: list[Any]) -> Json:
    return {"totalCount": len(items), "nodes": items[:50]}


def _filter(asked: Json) -> Filter:
    begin, end = (asked.get(name) for name in ("occurredFrom", "occurredUntil"))
    return Filter(
        kind=asked.get("kind"),
        direction=asked.get("direction"),
        mailbox=asked.get("mailboxId"),
        contact=asked.get("contactReference"),
        property=asked.get("propertyReference"),
        occurred_from=begin and datetime.fromisoformat(begin),
        occurred_until=end and datetime.fromisoformat(end),
        search=asked.get("search"),
    )


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    position: int = json.loads(base64.urlsafe_b64decode(cursor))
    return position
