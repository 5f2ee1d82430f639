"""Asks as one viewer in two worlds, of which one holds more that is hidden, until an answer differs."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from resolvers.node_ids import NodeKind
from schema import schema as postfach
from tests.client import SIGN_IN
from tests.operations import Drawn
from tests.oracle.generator import TEXTS
from tests.oracle.rule import Oracle, fold
from tests.oracle.world import PASSWORD
from tests.system.no_trace import adding, hidden, worlds
from tests.system.no_trace.chance import BEGIN
from tests.system.no_trace.comparing import difference, told, without_places
from tests.system.no_trace.door import Asked
from tests.system.no_trace.drawing import Drawing
from tests.system.no_trace.hidden import booked_now
from tests.system.no_trace.learning import Learning
from tests.system.no_trace.openings import Openings
from tests.system.no_trace.shrinking import shrink
from tests.system.transcript import booking_input

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.oracle.world import Mail, Mailbox, User
    from tests.system.no_trace.coverage import Coverage
    from tests.system.no_trace.door import Answered, Socket
    from tests.system.no_trace.hidden import Viewer
    from tests.system.no_trace.scene import Scene
    from tests.system.no_trace.worlds import World

SCHEMA = postfach._schema  # noqa: SLF001 (it has no public name)
BOOK = """mutation ($input: BookMailInput!) { bookMail(input: $input) { errors { code } } }"""
LETTER = "subscription ($id: ID!) { credentialDeliveryChanged(deliveryId: $id) { id state } }"
AGAIN = 3
"""So often a drawn document is asked, each time with other values."""
TRIES = 8
TURNS = 20
"""After so many documents the ids of what came since are learned."""
LETTERS = 5
"""After so many documents the letters that were asked for leave."""
FIRST_STEP = 1_000
"""Behind those of the past that both worlds share."""


class TraceError(AssertionError):
    """What is hidden left a trace."""


@dataclass
class Side:
    """One world of the pair, and what the viewer has open there."""

    world: World
    socket: Socket | None = None
    listening: list[str] = field(default_factory=list)


@asynccontextmanager
async def pair(scene: Scene, folder: Path, viewer: Viewer, seed: str) -> AsyncIterator[Fuzzer]:
    """Two worlds that differ in what is hidden from the viewer."""
    random = Random(seed)
    async with (
        worlds.copy_of(scene.template, folder, "without", scene.secrets) as without,
        worlds.copy_of(scene.template, folder, "with", scene.secrets) as with_,
    ):
        found = hidden.find(random, scene.world, scene.seed, viewer)
        await adding.add(with_, scene, viewer, found, random)
        fuzzer = Fuzzer(scene, viewer, found, random, seed, Side(without), Side(with_))
        try:
            await fuzzer.prepare()
            yield fuzzer
        finally:
            await fuzzer.close()


class Fuzzer:
    """Two worlds and one viewer. A step is a drawn operation, or something that others do."""

    def __init__(
        self,
        scene: Scene,
        viewer: Viewer,
        found: hidden.Hidden,
        random: Random,
        seed: str,
        without: Side,
        with_: Side,
    ) -> None:
        self._scene = scene
        self._viewer = viewer
        self._hidden = found
        self._random = random
        self._seed = seed
        self._without = without
        self._with = with_
        self._token = scene.token(viewer)
        self._learning = Learning(scene, viewer, found, without.world, with_.world)
        self._own = self._learning.own
        self._number = FIRST_STEP
        self._fence: Mailbox | None = None
        self._listened: list[Drawn] = []
        self._openings = Openings(
            SCHEMA,
            None if viewer is None else scene.users.get(fold(viewer.login)),
            None if viewer is None else viewer.login,
            found,
            frozenset(scene.mailboxes[address] for address in found.guards),
        )
        oracle = Oracle(scene.world, BEGIN)
        self._bookers = [
            (user, box)
            for user in scene.world.users
            for box in scene.world.mailboxes
            if user.state == "ACTIVE" and user != viewer and oracle.is_assigned(user, box)
        ]
        self.operations = 0
        """That were compared."""
        self.events = 0
        """Messages of subscriptions that were compared."""
        self.unsteady = 0
        """Queries that were answered now so, now so."""

    async def prepare(self) -> None:
        """Look for what arguments may be given."""
        for _ in range(3):
            self._step()
            await self._hidden_booking()
        await self._learning.begin(SCHEMA)
        await self._learning.learn(self._number)

    async def close(self) -> None:
        """Leave the sockets."""
        self._fence = None
        for side in (self._without, self._with):
            if side.socket is not None:
                await side.socket.close()
                side.socket, side.listening = None, []

    async def run(self, operations: int, coverage: Coverage) -> None:
        """Compare so many operations. Raises `TraceError` for an answer that differs."""
        drawing = Drawing(
            SCHEMA,
            self._random,
            self._learning.pools,
            coverage,
            is_signed_in=self._viewer is not None,
        )
        end, turns = self.operations + operations, 0
        while self.operations < end:
            self._step()
            turns += 1
            if turns % TURNS == 0:
                await self._learning.learn(self._number)
            if turns % LETTERS == 0:
                for side in (self._without, self._with):
                    await side.world.send_letters()
            dice = self._random.random()
            if dice < 0.07:
                await self._others_book()
            elif dice < 0.14:
                await self._hidden_booking()
            elif dice < 0.2 and self._may_listen:
                await self._hear(drawing, coverage)
            else:
                await self._compare_one(drawing, coverage)

    def _step(self) -> None:
        self._number += 1
        for side in (self._without, self._with):
            side.world.chance.step(self._seed, self._number)

    # ------------------------------------------------------------ operations of the viewer

    async def _compare_one(self, drawing: Drawing, coverage: Coverage) -> None:
        asked = drawing.asked()
        for _ in range(AGAIN):
            if not self._openings.are_in(asked):
                await self._compare(asked, coverage)
            asked = drawing.again(asked)
            self._step()

    async def _compare(self, asked: Asked, coverage: Coverage) -> None:
        one, other = await self._answers(asked)
        self.operations += 1
        self._note(asked, one, coverage)
        found = difference(one, other)
        if found is not None and not await self._is_unsteady(asked, one, other):
            raise TraceError(await self._report(asked, found))
        if b'"code":"INTERNAL"' in one.body:
            raise TraceError(f"{self._place()}\na crash: {one.body[:500]!r}\n{_written(asked)}")
        if self._token is not None and asked.document.startswith("mutation"):
            self._step()
            await self._come_back()

    async def _is_unsteady(self, asked: Asked, *answers: Answered) -> bool:
        """Whether a query is answered now so, now so, in both worlds alike: which of several errors comes first is chance."""
        if asked.document.startswith("mutation"):
            # It can't be asked again.
            return not asked.socket and without_places(answers[0]) == without_places(answers[1])
        one, other = ({told(answer)} for answer in answers)
        for _ in range(TRIES):
            again = await self._answers(asked)
            one.add(told(again[0]))
            other.add(told(again[1]))
        self.unsteady += bool(one & other)
        return bool(one & other)

    async def _answers(self, asked: Asked) -> tuple[Answered, Answered]:
        token = self._token if asked.signed_in else None
        answers = []
        for side in (self._without, self._with):
            if asked.socket:
                socket = await side.world.socket(token)
                try:
                    answers.append(await socket.ask(asked))
                finally:
                    await socket.close()
            else:
                answers.append(await side.world.ask(asked, token))
        return answers[0], answers[1]

    @staticmethod
    def _note(asked: Asked, answer: Answered, coverage: Coverage) -> None:
        for line in answer.body.splitlines():
            body = json.loads(line)
            body = body.get("payload", body) if asked.socket else body
            if isinstance(body, dict):
                coverage.note(asked.document, body.get("data"))
                for error in body.get("errors") or ():
                    coverage.codes[error["extensions"]["code"]] += 1

    async def _come_back(self) -> None:
        """Sign in again where the viewer's session has ended, in both worlds alike."""
        one, other = await self._answers(Asked("{ viewer { id login } }"))
        found = difference(one, other)
        if found is not None:
            raise TraceError(f"{self._place()}\nafter a mutation: {found}")
        if one.status == 200 or self._viewer is None:
            return
        given = {"login": self._viewer.login, "password": PASSWORD}
        one, other = await self._answers(Asked(SIGN_IN, given, signed_in=False))
        found = difference(one, other)
        if found is not None:
            raise TraceError(f"{self._place()}\nsigning in again: {found}")
        self._token = one.json["data"]["signIn"]["accessToken"]

    # ------------------------------------------------------------ what others do

    async def _others_book(self) -> None:
        """Somebody books a mail, in both worlds."""
        if not self._bookers:
            return
        user, box = self._random.choice(self._bookers)
        mail = booked_now(user, box, self._number, self._random.choice(TEXTS))
        others = [each.address for each in self._scene.world.mailboxes if each.agency == box.agency]
        if self._random.random() < 0.5:
            mail = replace(mail, recipients=(box.address, self._random.choice(others)))
        for side in (self._without, self._with):
            await self._book(side, user, box, mail)

    async def _hidden_booking(self) -> None:
        """Somebody books a mail that the viewer may not see, in one world alone."""
        if not self._hidden.rooms:
            return
        rooms = self._hidden.rooms
        near = [room for room in rooms if self._viewer is not None and room[1].agency == self._viewer.agency]
        user, box = self._random.choice(near if near and self._random.random() < 0.8 else rooms)
        text = f"{self._random.choice(TEXTS)} {self._random.choice(hidden.WORDS)}"
        mail = booked_now(user, box, self._number, text)
        self._hidden.mails.append(mail)
        self._hidden.identities.add(hidden.identity_of(mail))
        await self._book(self._with, user, box, mail)
        await self._learning.learn_places()

    async def _book(self, side: Side, user: User, box: Mailbox, mail: Mail) -> None:
        given = {"input": booking_input(self._scene.mailboxes[fold(box.address)], mail)}
        # Whoever has lost the right in the meantime is refused, which is nobody's secret.
        # Whoever was last looked up with other rights would have it begin again, and draw other ids.
        await side.world.ask(Asked("{ viewer { id } }"), self._scene.token(user))
        await side.world.ask(Asked(BOOK, given), self._scene.token(user))

    # ------------------------------------------------------------ subscriptions

    @property
    def _may_listen(self) -> bool:
        """Whether something that the viewer books is sure to be heard."""
        return self._viewer is not None and self._viewer.activity_level != "NOTHING" and bool(self._own)

    async def _hear(self, drawing: Drawing, coverage: Coverage) -> None:
        """Listen while others book. Nothing else happens meanwhile: what is heard depends on when it is delivered."""
        await self._listen(drawing)
        for _ in range(self._random.randint(1, 4)):
            self._step()
            await (self._others_book() if self._random.random() < 0.5 else self._hidden_booking())
        await self._compare_events(coverage)
        await self.close()

    async def _listen(self, drawing: Drawing) -> None:
        """Begin to listen, with three subscriptions on a socket in each world."""
        self._fence = self._random.choice(self._own)
        name = self._scene.mailboxes[fold(self._fence.address)]
        filters = (
            "",
            f'(filter: {{ mailboxId: "{name}" }})',
            '(filter: { contactReference: "K-1" })',
            "(filter: { kind: ACTIVITY })",
            '(filter: { search: "Anruf" })',
        )
        self._listened = [drawing.subscription(each) for each in self._random.sample(filters, 3)]
        for side in (self._without, self._with):
            side.socket = await side.world.socket(self._token)
        # What was booked before is told by the time that this is heard.
        await self._begin([Drawn("subscription { activityBooked { fence: messageId } }")])
        await self._heard_until_now()
        await self._begin(self._listened)
        await self._listen_to_hidden()

    async def _begin(self, drawn: Sequence[Drawn]) -> None:
        """Begin these subscriptions in both worlds."""
        for side in (self._without, self._with):
            if side.socket is not None:
                side.listening = [side.socket.begin(each.text, each.variables) for each in drawn]
                # Answered on the same socket: what was begun before has been registered.
                await side.socket.ask(Asked("{ viewer { id mailboxes { totalCount } } agency { id } }"))

    async def _listen_to_hidden(self) -> None:
        """Listen to a letter that the viewer may not read: there is none."""
        hidden_letters = self._learning.pools.hidden.get(NodeKind.CREDENTIAL_DELIVERY)
        if hidden_letters is None or self._without.socket is None or self._with.socket is None:
            return
        asked = Asked(LETTER, {"id": self._random.choice([*hidden_letters, "no id"])})
        answers = [await side.ask(asked) for side in (self._without.socket, self._with.socket)]
        found = difference(answers[0], answers[1])
        if found is not None:
            raise TraceError(f"{self._place()}\nlistening to a letter: {found}")

    async def _heard_until_now(self) -> list[list[list[str]]] | None:
        """Book a mail, as the viewer, that every subscription hears of; return what each has heard, in both worlds.

        None where the viewer has left the mailbox, or is signed out.
        """
        if self._fence is None or self._viewer is None:
            return None
        self._step()
        mail = replace(booked_now(self._viewer, self._fence, self._number), properties=())
        given = {"input": booking_input(self._scene.mailboxes[fold(self._fence.address)], mail)}
        for side in (self._without, self._with):
            answer = await side.world.ask(Asked(BOOK, given), self._token)
            if side.socket is None or b'"errors":[]' not in answer.body:
                return None
        heard: list[list[list[str]]] = []
        for side in (self._without, self._with):
            if side.socket is not None:
                for name in side.listening:
                    await side.socket.until(name, mail.message_id)
                heard.append([side.socket.received[name] for name in side.listening])
        return heard

    async def _compare_events(self, coverage: Coverage) -> None:
        """Have all subscriptions heard the same in both worlds."""
        heard = await self._heard_until_now()
        if heard is None:
            return
        if heard[0] != heard[1]:
            pairs = [(one, other) for one, other in zip(*heard, strict=True) if one != other]
            raise TraceError(f"{self._place()}\nsubscriptions heard {pairs[0][0]}\nand {pairs[0][1]}")
        for drawn, texts in zip(self._listened, heard[0], strict=True):
            self.events += len(texts)
            for text in texts:
                coverage.note(drawn.text, json.loads(text)["payload"].get("data"))

    # ------------------------------------------------------------ reports

    def _place(self) -> str:
        who = "nobody" if self._viewer is None else f"{self._viewer}"
        return f"seed {self._seed!r}, step {self._number}, operation {self.operations}, as {who}"

    async def _report(self, asked: Asked, found: str) -> str:
        smaller = asked
        if not asked.document.startswith("mutation"):

            async def shows(document: str) -> bool:
                return difference(*await self._answers(replace(asked, document=document))) is not None

            if await shows(asked.document):
                smaller = replace(asked, document=await shrink(asked.document, shows))
                found = difference(*await self._answers(smaller)) or found
        return f"{self._place()}\n{found}\n{_written(smaller)}"


def _written(asked: Asked) -> str:
    variables = json.dumps(dict(asked.variables), ensure_ascii=False)
    return f"{asked.document}\nvariables {variables}, {asked.accept}, socket {asked.socket}"
