"""Compares what one viewer reads of users and mailboxes, and of the lists under them, with the oracle."""

from collections import Counter
from collections.abc import Sequence

from tests.client import Json
from tests.oracle.rule import Filter, fold, groups, page, reads_private, written
from tests.oracle.world import Mailbox, Period, User
from tests.system import documents
from tests.system.viewpoint import Viewpoint


class Directory:
    """The directory as one viewer sees it, who has learned the feed."""

    def __init__(self, view: Viewpoint) -> None:
        self._view = view

    async def compare(self) -> None:
        """Compares mailboxes with everything under them, and users."""
        await self._compare_mailboxes()
        await self._compare_users()

    async def _compare_mailboxes(self) -> None:
        boxes = self._view.oracle.mailboxes(self._view.viewer)
        data = await self._view.client.data(documents.MAILBOXES, {"first": 100})
        found = data["mailboxes"]
        assert found["totalCount"] == len(boxes)
        assert [node["address"] for node in found["nodes"]] == [fold(box.address) for box in boxes]
        for node, box in zip(found["nodes"], boxes, strict=True):
            assert self._view.known.mailboxes.setdefault(fold(box.address), node["id"]) == node["id"]
            self._check_mailbox(node, box)
        if boxes:
            await self._compare_mailbox_feed(self._view.random.choice(boxes), self._view.random.choice(boxes))
        foreign = [
            name
            for address, name in self._view.known.mailboxes.items()
            if self._view.oracle.mailbox(address).agency != self._view.viewer.agency
        ]
        if foreign:
            data = await self._view.client.data(documents.NODES, {"ids": foreign})
            assert data["nodes"] == [None] * len(foreign)

    def _check_mailbox(self, node: Json, box: Mailbox) -> None:
        assigned = self._view.oracle.assigned_users(self._view.viewer, box)
        periods = self._view.oracle.assignments(self._view.viewer, box)
        plain = {
            "emailName": (box.email_name or "").strip() or None,
            "effectiveEmailName": self._view.oracle.effective_name(box, self._view.viewer),
            "vip": box.vip,
            "active": True,
            "automaticBooking": box.automatic_booking,
            "viewerIsAssigned": self._view.oracle.is_assigned(self._view.viewer, box),
            "viewerCanAdminister": self._view.viewer.role == "ADMINISTRATOR",
        }
        assert {name: node[name] for name in plain} == plain
        if assigned is None:
            assert node["assignedUsers"] is None
        else:
            assert node["assignedUsers"]["totalCount"] == len(assigned)
            assert [user["login"] for user in node["assignedUsers"]["nodes"]] == [
                fold(user.login) for user in assigned
            ]
        if periods is None:
            assert node["assignments"] is None
        else:
            self._check_periods(node["assignments"], box, periods)
        part = page(self._view.passing(None, box.address), first=5)
        self._view.check_page(
            node["activities"], part.items, has_next=part.has_next, has_previous=part.has_previous
        )
        assert node["activities"]["totalCount"] == len(self._view.passing(None, box.address))

    def _check_periods(self, found: Json, box: Mailbox, periods: Sequence[Period]) -> None:
        told = [
            (each["from"], each["until"], each["user"]["login"], each["mailbox"]["address"])
            for each in found["nodes"]
        ]
        expected = [
            (written(each.begin), each.end and written(each.end), fold(each.user), fold(box.address))
            for each in periods
        ]
        assert found["totalCount"] == len(expected)
        # Newest first; of equal moments the server says which comes first, and which the page cuts off.
        assert [begin for begin, *_ in told] == [begin for begin, *_ in expected[:50]]
        assert Counter(told) <= Counter(expected)

    async def _compare_mailbox_feed(self, box: Mailbox, other: Mailbox) -> None:
        name = self._view.known.mailboxes[fold(box.address)]
        for wanted in (None, Filter(mailbox=other.address), Filter(kind="ACTIVITY", search="haus")):
            backwards = self._view.random.random() < 0.5
            variables = {"id": name} | ({} if wanted is None else {"filter": self._view.written(wanted)})
            pages = await self._view.client.walk(
                documents.MAILBOX_FEED, "node.activities", variables, size=2, backwards=backwards
            )
            self._view.check_walk(pages, self._view.passing(wanted, box.address), size=2, backwards=backwards)

    async def _compare_users(self) -> None:
        users = self._view.oracle.colleagues(self._view.viewer)
        data = await self._view.client.data(documents.USERS, {"first": 100})
        assert data["users"]["totalCount"] == len(users)
        assert [node["login"] for node in data["users"]["nodes"]] == [fold(user.login) for user in users]
        for node, user in zip(data["users"]["nodes"], users, strict=True):
            self._check_user(node, user)

    def _check_user(self, node: Json, user: User) -> None:
        private = reads_private(self._view.viewer, user)
        boxes = self._view.oracle.mailboxes_of_user(self._view.viewer, user)
        told_groups = None if node["officeGroups"] is None else set(node["officeGroups"])
        told_boxes = node["mailboxes"] and [box["address"] for box in node["mailboxes"]["nodes"]]
        assert (told_groups, told_boxes) == (
            groups(user) if private else None,
            None if boxes is None else [fold(box.address) for box in boxes],
        )
        plain = {
            "firstName": user.first_name,
            "lastName": user.last_name,
            "emailName": (user.email_name or "").strip() or None,
            "language": user.language,
            "role": user.role,
            "state": user.state,
            "email": user.email if private else None,
            "activityReadLevel": user.activity_level if private else None,
            "agentsLogReadLevel": user.agents_log_level if private else None,
        }
        assert {name: node[name] for name in plain} == plain
