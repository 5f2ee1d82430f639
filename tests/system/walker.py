"""Changes a served world step by step over the API and keeps the oracle's world beside it in step.

Every step knows what must be answered: the change with the server's moments, or an error and no change.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from tests.client import Client, Json, nodes
from tests.oracle.rule import Oracle, answer, entries_of, fold, identity
from tests.oracle.world import PASSWORD, Booking, Level, Mail, Mailbox, Part, Period, State, User, World
from tests.system import documents
from tests.system.copies import joined, some_mail
from tests.system.directory import Directory
from tests.system.harness import told
from tests.system.history import instant
from tests.system.transcript import booking_input
from tests.system.viewpoint import Known, Viewpoint, content

LEVELS: tuple[Level, ...] = ("ALL", "ALL", "OFFICE_GROUP", "OFFICE_GROUP", "OWN", "NOTHING")


def reads_nothing(user: User) -> bool:
    """Whether the user may be shown no entry of an open e-mail that they booked."""
    return "NOTHING" in (user.activity_level, user.agents_log_level)


class Walker:
    """One world on a server. `stranger` is a client without a session of that server."""

    def __init__(self, stranger: Client, world: World, number: int, random: Random) -> None:
        self.world = world
        self._stranger = stranger
        self.number = number
        self._random = random
        self._clients: dict[str, Client] = {}
        self._ids: dict[str, str] = {}
        self._agency_id = ""
        steps: dict[Callable[[], Awaitable[str]], int] = {
            self._book: 10,
            self._assign: 4,
            self._unassign: 1,
            self._switch_vip: 3,
            self._change_rights: 2,
            self._change_state: 1,
            self._switch_module: 1,
            self._create_mailbox: 1,
        }
        self._steps = [step for step, weight in steps.items() for _ in range(weight)]

    @property
    def _agency(self) -> str:
        return self.world.agencies[0].key

    def _oracle(self) -> Oracle:
        return Oracle(self.world, datetime.now(UTC))

    def _colleagues(self, state: State | None = "ACTIVE") -> list[User]:
        return [
            user
            for user in self.world.users
            if user.agency == self._agency and (state is None or user.state == state)
        ]

    def _boxes(self) -> list[Mailbox]:
        return [box for box in self.world.mailboxes if box.agency == self._agency]

    @property
    def _administrator(self) -> Client:
        return self._clients[self.world.users[0].login]

    # ------------------------------------------------------------ the walk

    async def begin(self) -> None:
        """Signs everybody in and learns the ids."""
        await self.sign_in(self._stranger)
        boxes = (await self._administrator.data(documents.MAILBOXES, {"first": 100}))["mailboxes"]["nodes"]
        users = (await self._administrator.data(documents.USERS, {"first": 100}))["users"]["nodes"]
        self._ids = {box["address"]: box["id"] for box in boxes} | {
            each["login"]: each["id"] for each in users
        }
        self._agency_id = (await self._administrator.data(documents.AGENCY))["agency"]["id"]

    async def sign_in(self, stranger: Client) -> None:
        """Signs everybody in, at another server with the same world perhaps."""
        self._stranger = stranger
        for user in self.world.users:
            if user.state == "ACTIVE":
                self._clients[user.login] = await stranger.sign_in(user.login, PASSWORD)

    async def step(self) -> str:
        """Makes one change, compares its answer, and says what it was."""
        return await self._random.choice(self._steps)()

    async def compare(self, *, everybody: bool) -> None:
        """Compares everything with the oracle, for all users or for two of them."""
        oracle, known = self._oracle(), Known()
        viewers = self._colleagues()
        if not everybody:
            viewers = self._random.sample(viewers, min(2, len(viewers)))
        views = [
            Viewpoint(self._clients[user.login], oracle, user, known, Random(self._random.random()))
            for user in viewers
        ]
        for view in views:
            with told(f"feed of {view.viewer}"):
                await view.learn()
        for view in views:
            with told(f"parts of the feed of {view.viewer}"):
                await view.compare(list(known.entries))
                await Directory(view).compare()

    # ------------------------------------------------------------ bookings

    async def _book(self) -> str:
        oracle = self._oracle()
        booker, box = self._some_pair()
        mail = some_mail(self._random, self.world, self.number, box)
        part: Part = "SENDING" if fold(mail.sender) == fold(box.address) else "RECEIVING"
        if self._random.random() < 0.05:
            part = "SENDING"
        what = f"{booker.login} books {mail.message_id} at {box.address} {part}"
        wanted = {"input": booking_input(self._ids[fold(box.address)], mail, part)}
        assigned = oracle.is_assigned(booker, box)
        if assigned and reads_nothing(booker):
            # Nobody would tell the moment of this booking.
            return f"not tried: {what}"
        begin = datetime.now(UTC)
        payload = await self._clients[booker.login].payload(documents.BOOK, wanted)
        codes = [error["code"] for error in payload["errors"]]
        if not assigned:
            assert codes == ["FORBIDDEN"], (what, payload)
        elif part == "SENDING" and fold(mail.sender) != fold(box.address):
            assert codes == ["INVALID_INPUT"], (what, payload)
        else:
            assert codes == [], (what, payload)
            self._take_booking(booker, box, part, mail, payload["activities"], begin)
            return what
        assert payload["activities"] == []
        return f"refused: {what}"

    def _some_pair(self) -> tuple[User, Mailbox]:
        """A user and a mailbox, most of the time of those that are assigned and read what they book."""
        pairs = [(user, box) for user in self._colleagues() for box in self._boxes()]
        assigned = [pair for pair in pairs if self._current(*pair) and not reads_nothing(pair[0])]
        return self._random.choice(assigned if assigned and self._random.random() < 0.85 else pairs)

    def _take_booking(
        self, booker: User, box: Mailbox, part: Part, mail: Mail, told_entries: list[Json], begin: datetime
    ) -> None:
        known = next((each for each in self.world.mails if identity(each) == identity(mail)), None)
        old = known.bookings if known is not None else ()
        if known is not None and any(fold(booking.mailbox) == fold(box.address) for booking in old):
            changed = known
        else:
            at = next(
                instant(booking["decisiveAt"])
                for booking in told_entries[0]["bookings"]
                if booking["mailbox"]["address"] == fold(box.address)
            )
            assert begin <= at <= datetime.now(UTC)
            bookings = (*old, Booking(box.address, part, at, booker.login))
            changed = replace(mail, bookings=bookings) if known is None else joined(known, mail, bookings)
        others = tuple(each for each in self.world.mails if each is not known)
        self.world = replace(self.world, mails=(*others, changed))
        oracle = self._oracle()
        expected = [
            content(answer(oracle, entry)) for entry in entries_of(changed) if oracle.visible(booker, entry)
        ]
        assert sorted(map(content, told_entries)) == sorted(expected)

    # ------------------------------------------------------------ assignments

    async def _assign(self) -> str:
        actor, user, box = self._trio()
        oracle = self._oracle()
        what = f"{actor.login} assigns {user.login} to {box.address}"
        begin = datetime.now(UTC)
        payload = await self._change(actor, documents.ASSIGN, box, user)
        if actor.role != "ADMINISTRATOR":
            return self._refused(what, payload, "FORBIDDEN")
        current = self._current(user, box)
        if current is None and user.state != "ACTIVE":
            assert payload["errors"], (what, payload)
            return f"refused: {what}"
        assert payload["errors"] == [], (what, payload)
        period = Period(box.address, user.login, instant(payload["assignment"]["from"]))
        if current is None:
            assert begin <= period.begin <= datetime.now(UTC)
            self.world = replace(self.world, periods=(*self.world.periods, period))
        else:
            assert oracle.is_assigned(user, box)
            assert (period.begin, payload["assignment"]["until"]) == (current.begin, None)
        return what

    async def _unassign(self) -> str:
        actor, user, box = self._trio()
        what = f"{actor.login} unassigns {user.login} from {box.address}"
        begin = datetime.now(UTC)
        payload = await self._change(actor, documents.UNASSIGN, box, user)
        if actor.role != "ADMINISTRATOR":
            return self._refused(what, payload, "FORBIDDEN")
        current = self._current(user, box)
        if current is None:
            if not self._periods(user, box):
                return self._refused(what, payload, "NOT_FOUND")
            assert payload["errors"] == [], (what, payload)
            return f"nothing to do: {what}"
        assert payload["errors"] == [], (what, payload)
        end = instant(payload["assignment"]["until"])
        assert begin <= end <= datetime.now(UTC)
        self._end(current, end)
        return what

    def _trio(self) -> tuple[User, User, Mailbox]:
        administrators = [user for user in self._colleagues() if user.role == "ADMINISTRATOR"]
        actor = self._random.choice(administrators if self._random.random() < 0.85 else self._colleagues())
        return actor, self._random.choice(self._colleagues(None)), self._random.choice(self._boxes())

    async def _change(self, actor: User, document: str, box: Mailbox, user: User) -> Json:
        pair = {"mailbox": self._ids[fold(box.address)], "user": self._ids[fold(user.login)]}
        return await self._clients[actor.login].payload(document, pair)

    def _periods(self, user: User, box: Mailbox) -> list[Period]:
        return [
            period
            for period in self.world.periods
            if fold(period.user) == fold(user.login) and fold(period.mailbox) == fold(box.address)
        ]

    def _current(self, user: User, box: Mailbox) -> Period | None:
        return next((period for period in self._periods(user, box) if period.end is None), None)

    def _end(self, period: Period, end: datetime) -> None:
        others = tuple(each for each in self.world.periods if each is not period)
        self.world = replace(self.world, periods=(*others, replace(period, end=end)))

    # ------------------------------------------------------------ settings

    async def _switch_vip(self) -> str:
        actor, _, box = self._trio()
        wanted = self._random.random() < 0.5
        confirm = self._random.random() < 0.7
        what = f"{actor.login} switches VIP of {box.address} to {wanted} (confirmed: {confirm})"
        variables = {"mailbox": self._ids[fold(box.address)], "vip": wanted, "confirm": confirm}
        payload = await self._clients[actor.login].payload(documents.VIP, variables)
        if actor.role != "ADMINISTRATOR":
            return self._refused(what, payload, "FORBIDDEN")
        switched = self._with_mailbox(replace(box, vip=wanted))
        if wanted != box.vip:
            if wanted and "VIP_MAILBOXES" not in self.world.agencies[0].modules:
                return self._refused(what, payload, "MODULE_NOT_ENABLED")
            if not wanted and not confirm:
                if [error["code"] for error in payload["errors"]] == ["RATE_LIMITED"]:
                    return f"refused by rate: {what}"
                assert payload["errors"][0]["entriesOpened"] == self._opened_by(switched), (what, payload)
                return self._refused(what, payload, "CONFIRMATION_REQUIRED")
        assert payload["errors"] == [], (what, payload)
        assert payload["mailbox"]["vip"] == wanted
        self.world = switched
        return what

    def _with_mailbox(self, box: Mailbox) -> World:
        boxes = (box if each.address == box.address else each for each in self.world.mailboxes)
        return replace(self.world, mailboxes=tuple(boxes))

    def _opened_by(self, switched: World) -> int:
        before, after = self._oracle(), Oracle(switched, datetime.now(UTC))
        return sum(before.guarded(entry.mail) and not after.guarded(entry.mail) for entry in before.entries())

    async def _change_rights(self) -> str:
        user = self._random.choice(self._colleagues(None))
        wanted: Json = {
            "activityReadLevel": self._random.choice(LEVELS),
            "officeGroups": self._random.sample(["sales", "Sales", " Büro Süd "], self._random.randrange(3)),
        }
        if self._random.random() < 0.5:
            wanted["agentsLogReadLevel"] = self._random.choice(LEVELS)
        what = f"rights of {user.login}: {wanted}"
        variables = {"user": self._ids[fold(user.login)], "input": wanted}
        payload = await self._administrator.payload(documents.RIGHTS, variables)
        if payload["errors"]:
            assert user.state == "DEACTIVATED", (what, payload)
            return f"refused: {what}"
        self._take_user(
            replace(
                user,
                activity_level=wanted["activityReadLevel"],
                agents_log_level=wanted.get("agentsLogReadLevel", user.agents_log_level),
                office_groups=tuple(wanted["officeGroups"]),
            )
        )
        return what

    async def _change_state(self) -> str:
        candidates = [user for user in self._colleagues(None)[1:] if user.state != "DEACTIVATED"]
        locked = [user for user in candidates if user.state == "LOCKED"]
        if not candidates:
            return "nobody is left to lock"
        user = self._random.choice(locked or candidates)
        wanted: State = "ACTIVE" if user.state == "LOCKED" else "LOCKED"
        if self._random.random() < 0.1:
            wanted = "DEACTIVATED"
        variables = {"user": self._ids[fold(user.login)], "state": wanted}
        begin = datetime.now(UTC)
        payload = await self._administrator.payload(documents.STATE, variables)
        assert payload["errors"] == []
        assert payload["user"]["state"] == wanted
        if user.state == "ACTIVE":
            ended = await self._clients.pop(user.login).execute("{ viewer { id } }")
            assert ended.status == 401, ended.body
        self._take_user(replace(user, state=wanted))
        if wanted == "ACTIVE":
            self._clients[user.login] = await self._stranger.sign_in(user.login, PASSWORD)
        if wanted == "DEACTIVATED":
            await self._end_all(user, begin)
        return f"{user.login} becomes {wanted}"

    async def _end_all(self, user: User, begin: datetime) -> None:
        """Every open period of a user who was deactivated has ended just now."""
        for box in self._boxes():
            period = self._current(user, box)
            if period is None:
                continue
            variables = {"id": self._ids[fold(box.address)]}
            pages = await self._administrator.walk(documents.PERIODS, "node.assignments", variables, size=100)
            ends = [
                each["until"]
                for each in nodes(pages)
                if (each["user"]["login"], instant(each["from"])) == (user.login, period.begin)
            ]
            assert len(ends) == 1
            end = instant(ends[0])
            assert begin <= end <= datetime.now(UTC)
            self._end(period, end)

    async def _create_mailbox(self) -> str:
        """Makes a mailbox of an address that e-mails were sent to before, or of a new one."""
        taken = {fold(box.address) for box in self._boxes()}
        address = f"{self._random.choice(('gone', 'fresh1', 'fresh2'))}@{self.world.agencies[0].domains[0]}"
        vip = self._random.random() < 0.5
        what = f"{address} becomes a mailbox (VIP: {vip})"
        wanted = {"address": address.title(), "vip": vip}
        payload = await self._administrator.payload(documents.CREATE_MAILBOX, {"input": wanted})
        if vip and "VIP_MAILBOXES" not in self.world.agencies[0].modules and address not in taken:
            return self._refused(what, payload, "MODULE_NOT_ENABLED")
        if address in taken:
            assert payload["errors"], (what, payload)
            return f"refused: {what}"
        assert payload["errors"] == [], (what, payload)
        assert (payload["mailbox"]["address"], payload["mailbox"]["vip"]) == (address, vip)
        self._ids[address] = payload["mailbox"]["id"]
        mails = (replace(mail, later=mail.later | {address}) for mail in self.world.mails)
        boxes = (*self.world.mailboxes, Mailbox(self._agency, address, vip=vip))
        self.world = replace(self.world, mailboxes=boxes, mails=tuple(mails))
        return what

    async def _switch_module(self) -> str:
        manager = next(user for user in self.world.users if user.role == "ACCOUNT_MANAGER")
        agency = self.world.agencies[0]
        wanted = "VIP_MAILBOXES" not in agency.modules
        variables = {"agency": self._agency_id, "module": "VIP_MAILBOXES", "enabled": wanted}
        payload = await self._clients[manager.login].payload(documents.MODULE, variables)
        assert payload["errors"] == []
        others = tuple(name for name in agency.modules if name != "VIP_MAILBOXES")
        changed = replace(agency, modules=(*others, *(("VIP_MAILBOXES",) if wanted else ())))
        self.world = replace(self.world, agencies=(changed, *self.world.agencies[1:]))
        return f"the module is switched to {wanted}"

    def _take_user(self, user: User) -> None:
        users = (user if each.login == user.login else each for each in self.world.users)
        self.world = replace(self.world, users=tuple(users))

    def _refused(self, what: str, payload: Json, code: str) -> str:
        assert [error["code"] for error in payload["errors"]] == [code], (what, payload)
        return f"refused with {code}: {what}"
