"""What arguments are given: ids, cursors and words of both worlds, those that only one of them has most of all."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type

from resolvers.node_ids import NodeKind
from tests.oracle.generator import CONTACTS, GROUPS, OUTSIDERS, PROPERTIES, SEARCHES, SUBJECTS, TEXTS, TICK
from tests.oracle.rule import Oracle, fold
from tests.system.no_trace import hidden
from tests.system.no_trace.chance import BEGIN
from tests.system.no_trace.door import Asked
from tests.system.no_trace.drawing import Pools, passwords

if TYPE_CHECKING:
    from tests.oracle.world import Mailbox
    from tests.system.no_trace.hidden import Hidden, Viewer
    from tests.system.no_trace.scene import Scene
    from tests.system.no_trace.worlds import World

READERS = 5
"""So many users' answers are searched for cursors."""


class Learning:
    """Fills the pools of one viewer."""

    def __init__(self, scene: Scene, viewer: Viewer, found: Hidden, without: World, with_: World) -> None:
        self._scene = scene
        self._viewer = viewer
        self._hidden = found
        self._without = without
        self._with = with_
        oracle = Oracle(scene.world, BEGIN)
        self.own: list[Mailbox] = [
            box for box in scene.world.mailboxes if viewer is not None and oracle.is_assigned(viewer, box)
        ]
        """The mailboxes that the viewer is assigned to."""
        self.pools = Pools(own=self._own_ids())

    async def begin(self, schema: GraphQLSchema) -> None:
        """Learn what does not change."""
        cursors = await self._cursors(self._with, schema)
        without = await self._cursors(self._without, schema)
        self.pools.cursors = cursors
        self.pools.hidden_cursors = {
            kind: [each for each in found if each not in without.get(kind, ())]
            for kind, found in cursors.items()
        }

    async def learn(self, number: int) -> None:
        """Learn what came since; `number` makes new names."""
        for kind in NodeKind:
            found, known = await self._with.ids(kind), set(await self._without.ids(kind))
            if found:
                self.pools.ids[kind] = found
                self.pools.hidden[kind] = [each for each in found if each not in known]
        self.pools.values = self._values(number)
        await self.learn_places()

    async def learn_places(self) -> None:
        """Learn the places of the entries that only one world has, the newest first."""
        agency = None if self._viewer is None else self._viewer.agency
        without, with_ = set(await self._without.places(agency)), await self._with.places(agency)
        self.pools.hidden_cursors["ActivityConnection"] = [each for each in with_ if each not in without]

    def _own_ids(self) -> dict[NodeKind, list[str]]:
        """Ids of what the viewer may change something at."""
        scene, viewer = self._scene, self._viewer
        boxes, users = self.own, [] if viewer is None else [viewer]
        if viewer is not None and viewer.role == "ADMINISTRATOR":
            boxes = [each for each in scene.world.mailboxes if each.agency == viewer.agency]
            users = [each for each in scene.world.users if each.agency == viewer.agency]
        logins = [fold(each.login) for each in users]
        return {
            NodeKind.MAILBOX: [scene.mailboxes[fold(each.address)] for each in boxes],
            NodeKind.USER: [scene.users[login] for login in logins if login in scene.users],
        }

    def _values(self, number: int) -> dict[str, list[Any]]:
        scene, viewer, found = self._scene, self._viewer, self._hidden
        addresses = [*scene.mailboxes, *found.addresses]
        mails = [*scene.world.mails, *found.mails]
        moments = [self._with.chance.moment, *(each.at for mail in mails for each in mail.bookings)]
        instants = [(moment + shift * TICK).isoformat() for moment in moments for shift in (-1, 0, 1)]
        own = addresses[0] if viewer is None else fold(viewer.login)
        new = f"neu{number}@{own.partition('@')[2]}"
        tokens = [] if viewer is None else [scene.sessions[viewer.login][1]]
        return {
            **passwords(),
            **dict.fromkeys(("occurredFrom", "occurredUntil", "from", "until", "mailDate"), instants),
            "contactReference": [*CONTACTS, "Geheim", " "],
            "contactReferences": [*CONTACTS, "Geheim"],
            **{name: [*PROPERTIES, "Geheim"] for name in ("propertyReference", "propertyReferences")},
            **{name: [*addresses, *OUTSIDERS] for name in ("sender", "recipients", "to")},
            "search": [*SEARCHES, *hidden.WORDS * 3, "zaunkönig haus", "", "ä" * 201, *addresses],
            "address": [*addresses, *(each.upper() for each in addresses), new, new, ""],
            "login": [*scene.users, *found.logins, *[own] * 5, *[new] * 10],
            "messageId": [mail.message_id for mail in (*mails, *found.mails, *found.mails)],
            "subject": list(SUBJECTS),
            "text": [*TEXTS, *(mail.text for mail in found.mails)],
            "requestId": ["r1", "r2", ""],
            "refreshToken": ["none", *tokens],
            "emailName": ["Büro", "Jo", " ", "a@b.example"],
            "email": ["home@web.example", "o@web.example", "none", ""],
            "officeGroups": [*GROUPS, *GROUPS, "Geheim", ""],
            "language": ["de", "en", "xx-none-"],
            "firstName": ["Kim", "Jo", "Ö", ""],
            "lastName": ["Muster", "Adler", "Z", ""],
            "action": ["mailbox.", "user.create", "session.", "import.mails", "x" * 101],
        }

    async def _cursors(self, world: World, schema: GraphQLSchema) -> dict[str, list[str]]:
        """The cursors of several users' answers in a world."""
        documents = _documents(schema)
        found: dict[str, list[str]] = {}
        everybody = sorted(self._scene.sessions)
        for login in Random(self._scene.seed).sample(everybody, min(READERS, len(everybody))):
            for document in documents:
                answer = await world.ask(Asked(document), self._scene.sessions[login][0])
                _collect(answer.json.get("data"), found)
        return found


def _documents(schema: GraphQLSchema) -> list[str]:
    """Documents that ask for the cursors of every connection, each under the name of its type."""
    found = []
    root = schema.query_type
    for name, definition in ({} if root is None else root.fields).items():
        kind = get_named_type(definition.type)
        if not kind.name.endswith("Connection") or not isinstance(kind, GraphQLObjectType):
            continue
        node = get_named_type(kind.fields["nodes"].type)
        nested = [
            f"{inner}(first: 20) {{ __typename edges {{ cursor }} }}"
            for inner, each in (node.fields if isinstance(node, GraphQLObjectType) else {}).items()
            if get_named_type(each.type).name.endswith("Connection")
        ]
        nodes = f"nodes {{ __typename {' '.join(nested)} }}" if nested else ""
        found.append(f"{{ {name}(first: 50) {{ __typename edges {{ cursor }} {nodes} }} }}")
    return found


def _collect(value: Any, found: dict[str, list[str]]) -> None:  # noqa: ANN401 (any JSON)
    if isinstance(value, list):
        for each in value:
            _collect(each, found)
    elif isinstance(value, dict):
        kind = value.get("__typename", "")
        for edge in value.get("edges") or () if kind.endswith("Connection") else ():
            found.setdefault(kind, []).append(edge["cursor"])
        for each in value.values():
            _collect(each, found)
