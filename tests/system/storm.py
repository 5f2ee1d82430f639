"""Twenty clients at once: some assign, some switch, some book, some read. Each notes what it was answered.

The notes are judged afterwards, against the history that the API tells.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from tests.client import Client, Json
from tests.oracle.rule import fold
from tests.oracle.world import Agency, Level, Mailbox, Period, User, World
from tests.system import documents
from tests.system.history import Booked

DOMAIN = "storm.example"
START = datetime(2024, 1, 1, tzinfo=UTC)
MAILBOXES = tuple(f"box{number}@{DOMAIN}" for number in range(5))
BOOKERS = tuple(f"booker{number}@{DOMAIN}" for number in range(8))
ADMINISTRATORS = tuple(f"admin{number}@{DOMAIN}" for number in range(3))
WATCHER = f"watcher@{DOMAIN}"
"""Reads everything that is not guarded and is never assigned."""
OWNER = BOOKERS[2]
"""Reads own entries alone, and nobody changes that."""
GROUPS = ("sales", "rent")
LEVELS: tuple[Level, ...] = ("ALL", "OFFICE_GROUP", "OWN", "NOTHING")


def storm_world() -> World:
    """An agency with the module, whose bookers are assigned to two mailboxes each."""
    users = (
        *(User("storm", login, "Ada", login, role="ADMINISTRATOR") for login in ADMINISTRATORS),
        *(
            User("storm", login, "Bo", login, office_groups=GROUPS[:1], activity_level=LEVELS[index % 4])
            for index, login in enumerate(BOOKERS)
        ),
        User("storm", WATCHER, "Wanda", "Wacht", activity_level="ALL", agents_log_level="ALL"),
    )
    return World(
        agencies=(Agency("storm", "Storm", (DOMAIN,), ("VIP_MAILBOXES",)),),
        users=users,
        mailboxes=tuple(Mailbox("storm", address, vip=index < 2) for index, address in enumerate(MAILBOXES)),
        periods=tuple(
            Period(MAILBOXES[(index + shift) % len(MAILBOXES)], login, START)
            for index, login in enumerate(BOOKERS)
            for shift in (0, 1)
        ),
    )


@dataclass(frozen=True)
class Snapshot:
    """The newest entries that a viewer was shown between two readings of the test's clock."""

    login: str
    begin: float
    end: float
    entries: list[Json]


@dataclass
class Notes:
    """What the clients were answered."""

    booked: list[Booked] = field(default_factory=list)
    assigned: list[Json] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    surely_vip: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """For each mailbox the spans from the answer that it is VIP to the question to end that."""
    refusals: dict[str, int] = field(default_factory=dict)

    def refuse(self, payload: Json) -> bool:
        """Counts the errors of a payload; whether there are any."""
        for error in payload["errors"]:
            self.refusals[error["code"]] = self.refusals.get(error["code"], 0) + 1
        return bool(payload["errors"])


class Storm:
    """The clients' behaviour until `end`, a reading of the test's clock."""

    def __init__(self, clients: dict[str, Client], ids: dict[str, str], notes: Notes, end: float) -> None:
        self._clients = clients
        self._ids = ids
        self._notes = notes
        self._end = end
        self._mails: list[dict[str, Json]] = []
        self._count = 0
        self._shown = asyncio.Event()

    async def rage(self, random: Random) -> None:
        """Runs twenty clients until the end."""
        each: list[tuple[Callable[[Client, Random], Awaitable[None]], str]] = [
            *((self._book, login) for login in BOOKERS),
            *((self._assign, ADMINISTRATORS[number % 3]) for number in range(4)),
            (self._change_rights, ADMINISTRATORS[0]),
            *((self._read, login) for login in (WATCHER, *BOOKERS[:3])),
        ]
        async with asyncio.TaskGroup() as group:
            for act, login in each:
                group.create_task(self._repeat(act, self._clients[login], Random(random.random())))
            for number in range(3):
                # Each mailbox is switched by one client alone, so that its notes are the truth.
                group.create_task(self._switch(self._clients[ADMINISTRATORS[number]], MAILBOXES[number]))

    async def _repeat(
        self, act: Callable[[Client, Random], Awaitable[None]], client: Client, random: Random
    ) -> None:
        while time.monotonic() < self._end:
            await act(client, random)

    async def _book(self, client: Client, random: Random) -> None:
        address = random.choice(MAILBOXES)
        if self._mails and random.random() < 0.4:
            mail = random.choice(self._mails[-20:])
            part = "SENDING" if fold(mail["sender"]) == address else "RECEIVING"
            mail = {**mail, "propertyReferences": [f"P-{random.randrange(3)}"]}
        else:
            part = random.choice(("SENDING", "RECEIVING"))
            self._count += 1
            others = [other for other in MAILBOXES if other != address and random.random() < 0.3]
            mail = {
                "messageId": f"{self._count}@{DOMAIN}",
                "sender": address if part == "SENDING" else random.choice(("buyer@web.example", *others)),
                "recipients": [*others, "buyer2@web.example", *([] if part == "SENDING" else [address])],
                "subject": f"No. {self._count}",
                "text": "Guten Tag",
                "contactReferences": [f"K-{self._count % 7}"],
                # Everybody reads their own agents-log entries, so that every booking can be judged.
                "propertyReferences": ["P-0"],
            }
            self._mails.append(mail)
        wanted = {**mail, "mailboxId": self._ids[address], "part": part}
        begin = datetime.now(UTC)
        payload = await client.payload(documents.BOOK, {"input": wanted})
        if not self._notes.refuse(payload):
            called = Booked(
                str(client.login), address, wanted, payload["activities"], begin, datetime.now(UTC)
            )
            self._notes.booked.append(called)

    async def _assign(self, client: Client, random: Random) -> None:
        pair = {"mailbox": self._ids[random.choice(MAILBOXES)], "user": self._ids[random.choice(BOOKERS)]}
        document = documents.ASSIGN if random.random() < 0.6 else documents.UNASSIGN
        payload = await client.payload(document, pair)
        if not self._notes.refuse(payload):
            self._notes.assigned.append(payload["assignment"])

    async def _change_rights(self, client: Client, random: Random) -> None:
        # The first bookers keep theirs, so that what they are shown can be judged afterwards.
        wanted = {
            "activityReadLevel": random.choice(LEVELS),
            "officeGroups": [group for group in GROUPS if random.random() < 0.5],
        }
        user = self._ids[random.choice(BOOKERS[4:])]
        self._notes.refuse(await client.payload(documents.RIGHTS, {"user": user, "input": wanted}))

    async def _read(self, client: Client, random: Random) -> None:
        begin = time.monotonic()
        data = await client.data(documents.FEED, {"first": random.choice((5, 50))})
        end = time.monotonic()
        assert client.login is not None
        self._notes.snapshots.append(Snapshot(client.login, begin, end, data["activities"]["nodes"]))
        self._shown.set()

    async def _switch(self, client: Client, address: str) -> None:
        spans = self._notes.surely_vip.setdefault(address, [])
        vip_since: float | None = None
        while time.monotonic() < self._end:
            wanted = vip_since is None
            asked = time.monotonic()
            variables = {"mailbox": self._ids[address], "vip": wanted, "confirm": True}
            payload = await client.payload(documents.VIP, variables)
            if not self._notes.refuse(payload):
                assert payload["mailbox"]["vip"] == wanted
                if vip_since is not None:
                    spans.append((vip_since, asked))
                vip_since = time.monotonic() if wanted else None
            await self._some_reads()
        if vip_since is not None:
            spans.append((vip_since, float("inf")))

    async def _some_reads(self) -> None:
        """Returns when others have read a few times, so that reads fall into a span, or at the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, self._end - time.monotonic())):
                for _ in range(8):
                    self._shown.clear()
                    await self._shown.wait()
