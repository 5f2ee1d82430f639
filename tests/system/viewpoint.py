"""Compares what one viewer is answered, operation by operation, with what the oracle says."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random

from tests.client import Client, Json
from tests.oracle.generator import CONTACTS, PROPERTIES, SEARCHES, TICK
from tests.oracle.rule import Entry, Filter, Oracle, answer, fold, page
from tests.oracle.world import User
from tests.system import documents


@dataclass
class Known:
    """What the viewers of a world learned together: ids, cursors, and the server's order at equal moments."""

    entries: dict[str, Entry] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    order: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of ids of one moment, the one that stands first first."""
    mailboxes: dict[str, str] = field(default_factory=dict)
    """Address to id."""


class Viewpoint:
    """One signed-in viewer of a world."""

    def __init__(self, client: Client, oracle: Oracle, viewer: User, known: Known, random: Random) -> None:
        self.client = client
        self.oracle = oracle
        self.viewer = viewer
        self.known = known
        self.random = random
        self.feed: list[str] = []
        """The ids of the whole feed, in the server's order."""

    # ------------------------------------------------------------ first the whole feed

    async def learn(self) -> None:
        """Reads the mailboxes and the whole feed."""
        data = await self.client.data(documents.MAILBOXES, {"first": 100})
        self.known.mailboxes |= {node["address"]: node["id"] for node in data["mailboxes"]["nodes"]}
        await self._learn_feed()

    async def _learn_feed(self) -> None:
        """Reads the whole feed and compares its entries, their order and count; keeps ids and cursors."""
        expected = self.oracle.feed(self.viewer)
        by_content = {content(answer(self.oracle, entry)): entry for entry in expected}
        assert len(by_content) == len(expected), "the world has two entries that look the same"
        pages = await self.client.walk(documents.FEED, "activities", size=100)
        found = [node for each in pages for node in each["nodes"]]
        shown, due = Counter(map(content, found)), Counter(by_content.keys())
        assert shown == due, f"too much: {sorted(shown - due)[:2]}, too little: {sorted(due - shown)[:2]}"
        moments = [by_content[content(node)].occurred_at for node in found]
        assert moments == sorted(moments, reverse=True)
        self.feed = [node["id"] for node in found]
        assert len(set(self.feed)) == len(self.feed)
        for each in pages:
            assert each["totalCount"] == len(expected)
            assert [edge["node"]["id"] for edge in each["edges"]] == [node["id"] for node in each["nodes"]]
            for edge in each["edges"]:
                # A cursor is the same for everybody, or it would tell what else its reader can see.
                assert self.known.cursors.setdefault(edge["node"]["id"], edge["cursor"]) == edge["cursor"]
        for node in found:
            entry = by_content[content(node)]
            assert self.known.entries.setdefault(node["id"], entry) == entry
        self._learn_order()

    def _learn_order(self) -> None:
        moment_of = {name: self.known.entries[name].occurred_at for name in self.feed}
        for index, name in enumerate(self.feed):
            for later in self.feed[index + 1 :]:
                if moment_of[later] != moment_of[name]:
                    break
                assert (later, name) not in self.known.order, "two viewers see one moment in different orders"
                self.known.order.add((name, later))

    # ------------------------------------------------------------ then every way to a part of it

    async def compare(self, everybody: Sequence[str]) -> None:
        """Compares filters, pages, positions and nodes; `everybody` are all ids that anyone knows."""
        filters = self._filters()
        for start in range(0, len(filters), documents.LISTS):
            await self._compare_lists(filters[start : start + documents.LISTS])
        for backwards in (False, True):
            await self._compare_walk(None, size=self.random.choice((1, 3, 4, 5, 7)), backwards=backwards)
        wanted = self.random.choice(self._filters())
        await self._compare_walk(wanted, size=2, backwards=self.random.random() < 0.5)
        await self._compare_positions()
        await self._compare_nodes(everybody)

    def _filters(self) -> list[Filter]:
        """Every field of the filter, and some fields together."""
        draw = self.random.choice
        moments = [entry.occurred_at for entry in self.oracle.entries()] or [self.oracle.now]
        boxes: list[str | None] = [mailbox.address for mailbox in self.oracle.mailboxes(self.viewer)]
        boxes = boxes or [None]
        singles = [
            Filter(kind="ACTIVITY"),
            Filter(kind="AGENTS_LOG"),
            Filter(direction=draw(("INCOMING", "OUTGOING", "INTERNAL"))),
            Filter(mailbox=draw(boxes)),
            Filter(contact=draw(CONTACTS)),
            Filter(property=draw(PROPERTIES)),
            Filter(occurred_from=draw(moments)),
            Filter(occurred_until=draw(moments)),
            Filter(occurred_from=draw(moments), occurred_until=draw(moments) + TICK),
            Filter(search=draw(SEARCHES)),
            Filter(search=draw(SEARCHES)),
        ]
        mixed = [
            Filter(
                kind=draw((None, "ACTIVITY", "AGENTS_LOG")),
                direction=draw((None, None, "INCOMING", "INTERNAL")),
                mailbox=draw((None, draw(boxes))),
                contact=draw((None, None, None, draw(CONTACTS))),
                property=draw((None, None, None, draw(PROPERTIES))),
                occurred_from=draw((None, draw(moments))),
                occurred_until=draw((None, draw(moments))),
                search=draw((None, draw(SEARCHES))),
            )
            for _ in range(4)
        ]
        return singles + mixed

    def passing(self, wanted: Filter | None, mailbox: str | None = None) -> list[str]:
        """The ids of the feed that pass the filter, in the server's order."""
        passing = set(self.oracle.feed(self.viewer, wanted, mailbox))
        return [name for name in self.feed if self.known.entries[name] in passing]

    async def _compare_lists(self, filters: Sequence[Filter]) -> None:
        variables = {f"f{number}": self.written(wanted) for number, wanted in enumerate(filters)}
        data = await self.client.data(documents.FEEDS, variables)
        for number, wanted in enumerate(filters):
            found, expected = data[f"f{number}"], self.passing(wanted)
            assert [node["id"] for node in found["nodes"]] == expected[:100], wanted
            assert found["totalCount"] == len(expected), wanted

    async def _compare_walk(self, wanted: Filter | None, *, size: int, backwards: bool) -> None:
        variables = {} if wanted is None else {"filter": self.written(wanted)}
        pages = await self.client.walk(
            documents.SHORT_FEED, "activities", variables, size=size, backwards=backwards
        )
        self.check_walk(pages, self.passing(wanted), size=size, backwards=backwards)

    def check_walk(self, pages: list[Json], expected: list[str], *, size: int, backwards: bool) -> None:
        position: int | None = None
        for found in pages:
            if backwards:
                wanted = page(expected, last=size, before=position)
                position = expected.index(wanted.items[0]) if wanted.items else None
            else:
                wanted = page(expected, first=size, after=position)
                position = expected.index(wanted.items[-1]) if wanted.items else None
            self.check_page(found, wanted.items, has_next=wanted.has_next, has_previous=wanted.has_previous)
            assert found["totalCount"] == len(expected)

    def check_page(self, found: Json, expected: Sequence[str], *, has_next: bool, has_previous: bool) -> None:
        assert [node["id"] for node in found["nodes"]] == list(expected)
        cursors = [self.known.cursors[name] for name in expected]
        if "edges" in found:
            assert [edge["cursor"] for edge in found["edges"]] == cursors
        assert found["pageInfo"] == {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        }

    async def _compare_positions(self) -> None:
        """A cursor of any entry of the agency is a position, visible to this viewer or not."""
        strangers = [name for name in self.known.cursors if self._is_placed(name)]
        for name in self.random.sample(strangers, min(4, len(strangers))):
            ahead = [other for other in self.feed if other != name and self._stands_before(other, name)]
            behind = [other for other in self.feed if other != name and not self._stands_before(other, name)]
            data = await self.client.data(documents.POSITION, {"cursor": self.known.cursors[name]})
            after, before = data["after"], data["before"]
            assert [node["id"] for node in after["nodes"]] == behind[:3]
            assert after["pageInfo"]["hasNextPage"] == (len(behind) > 3)
            assert [node["id"] for node in before["nodes"]] == ahead[-3:]
            assert before["pageInfo"]["hasPreviousPage"] == (len(ahead) > 3)

    def _is_placed(self, name: str) -> bool:
        """Whether it is known where the entry stands among those that the viewer sees."""
        moment = self.known.entries[name].occurred_at
        ties = (
            other for other in self.feed if other != name and self.known.entries[other].occurred_at == moment
        )
        return all({(name, other), (other, name)} & self.known.order for other in ties)

    def _stands_before(self, one: str, other: str) -> bool:
        moment, mark = self.known.entries[one].occurred_at, self.known.entries[other].occurred_at
        return moment > mark or (moment == mark and (one, other) in self.known.order)

    async def _compare_nodes(self, everybody: Sequence[str]) -> None:
        visible = set(self.feed)

        def expected(name: str) -> Json:
            if name not in visible:
                return None
            return {"__typename": "Activity", **answer(self.oracle, self.known.entries[name]), "id": name}

        names = list(everybody)
        self.random.shuffle(names)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            data = await self.client.data(documents.NODES, {"ids": part})
            assert data["nodes"] == [expected(name) for name in part]
        for name in names[:3]:
            data = await self.client.data(documents.NODE, {"id": name})
            assert data["node"] == expected(name)

    def written(self, wanted: Filter) -> dict[str, Json]:
        """The filter as the API takes it. Times are written with some offset, which must not matter."""
        moments = {"occurredFrom": wanted.occurred_from, "occurredUntil": wanted.occurred_until}
        values = {
            "kind": wanted.kind,
            "direction": wanted.direction,
            "mailboxId": None if wanted.mailbox is None else self.known.mailboxes[fold(wanted.mailbox)],
            "contactReference": wanted.contact,
            "propertyReference": wanted.property,
            "search": wanted.search,
            **{name: None if at is None else self._at(at) for name, at in moments.items()},
        }
        # Null for what may be absent means absent.
        return {name: value for name, value in values.items() if value is not None or self._coin()}

    def _at(self, moment: datetime) -> str:
        offset = timezone(timedelta(minutes=self.random.choice((0, 330, -570))))
        return moment.astimezone(offset).isoformat()

    def _coin(self) -> bool:
        return self.random.random() < 0.5


def content(node: Json) -> str:
    """What an entry says, without its id: by this the server's entries and the oracle's are matched."""
    told = {name: value for name, value in node.items() if name not in {"id", "__typename"}}
    return json.dumps(told, sort_keys=True)
