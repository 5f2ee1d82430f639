"""Puts what is hidden into one of the worlds: by import, through the API, and by the product's own units of work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import bookings
from models.bookings import References
from tests.client import SIGN_IN
from tests.oracle.generator import Size, random_world
from tests.oracle.rule import fold
from tests.oracle.world import PASSWORD, Mailbox, User, World
from tests.system.no_trace import hidden
from tests.system.no_trace.door import Asked
from tests.system.no_trace.scene import RENEW, REVEAL, SEND

if TYPE_CHECKING:
    from random import Random

    from models.database import Unit
    from tests.system.no_trace.hidden import Hidden, Viewer
    from tests.system.no_trace.scene import Scene
    from tests.system.no_trace.worlds import World as Running

FIRST_STEP = 500
ELSEWHERE = 1_000_000
"""Between the number of a world and that of the agencies that only one world has."""
PRIVATE = """mutation ($user: ID!, $email: String, $rights: SetUserRightsInput!) {
  updateUser(userId: $user, input: { email: $email }) { errors { code } }
  setUserRights(userId: $user, input: $rights) { errors { code } }
}"""


async def add(running: Running, scene: Scene, viewer: Viewer, found: Hidden, random: Random) -> None:
    """Add all of it."""
    adding = _Adding(running, scene, viewer, found, random)
    await adding.bring()
    await adding.live()
    await adding.add_entries()


class _Adding:
    def __init__(self, running: Running, scene: Scene, viewer: Viewer, found: Hidden, random: Random) -> None:
        self._running = running
        self._scene = scene
        self._viewer = viewer
        self._found = found
        self._random = random
        self._steps = FIRST_STEP

    def _step(self) -> None:
        self._steps += 1
        self._running.chance.step(f"hidden {self._scene.seed}", self._steps)

    @property
    def _agency(self) -> str | None:
        return None if self._viewer is None else self._viewer.agency

    async def bring(self) -> None:
        """Import mails and periods, agencies, and what belongs to an agency that is not the viewer's."""
        self._step()
        world = self._scene.world
        manages = self._viewer is not None and self._viewer.role == "ACCOUNT_MANAGER"
        others = [agency for agency in world.agencies if agency.key != self._agency]
        self._found.logins = [f"geheim@{agency.domains[0]}" for agency in others]
        self._found.addresses = [f"tresor@{agency.domains[0]}" for agency in others]
        await self._running.bring(
            World(
                users=tuple(
                    User(agency.key, login, "Gerd", "Geheim", role="ADMINISTRATOR")
                    for agency, login in zip(others, self._found.logins, strict=True)
                ),
                mailboxes=tuple(
                    Mailbox(agency.key, address, vip=True)
                    for agency, address in zip(others, self._found.addresses, strict=True)
                ),
                periods=tuple(self._found.periods),
                mails=tuple(self._found.mails),
            )
        )
        # An account manager reads every agency.
        if not manages:
            self._step()
            number = self._scene.seed + ELSEWHERE
            await self._running.bring(random_world(self._random, number, Size(users=2, mailboxes=2, mails=3)))

    async def live(self) -> None:
        """Renew, reveal and send passwords, sign in, and change what is private."""
        for user, box in hidden.closed_rooms(self._scene.world, self._viewer):
            name = self._scene.mailboxes[fold(box.address)]
            # To an address of its own: how many letters an agency sends to one is limited for everybody together.
            to = {"to": f"geheim{self._steps}@web.example"}
            for document, given in ((RENEW, {}), (REVEAL, {"password": PASSWORD}), (SEND, to)):
                self._step()
                await self._running.ask(Asked(document, {"box": name, **given}), self._scene.token(user))
        for user in self._scene.world.users:
            if user.state == "ACTIVE" and user != self._viewer and not self._reads_audit_of(user):
                self._step()
                given = {"login": user.login, "password": PASSWORD}
                await self._running.ask(Asked(SIGN_IN, given), None)
            await self._change_private(user)

    def _reads_audit_of(self, user: User) -> bool:
        viewer = self._viewer
        return viewer is not None and viewer.role == "ADMINISTRATOR" and viewer.agency == user.agency

    async def _change_private(self, user: User) -> None:
        """What administrators and the user alone read, without opening anything to the viewer."""
        if user == self._viewer or user.agency is None or self._reads_audit_of(user):
            return
        administrator = next(
            each
            for each in self._scene.world.users
            if each.agency == user.agency and each.role == "ADMINISTRATOR" and each.state == "ACTIVE"
        )
        self._step()
        rights = {"officeGroups": [*user.office_groups, "Geheim"], "activityReadLevel": "NOTHING"}
        given = {
            "user": self._scene.users[fold(user.login)],
            "email": "geheim@web.example",
            "rights": rights if administrator != user else {},
        }
        await self._running.ask(Asked(PRIVATE, given), self._scene.token(administrator))

    async def add_entries(self) -> None:
        """Entries of the other kind at mails of which the viewer sees one kind."""
        running = self._running
        for mail, kind in hidden.half_visible(self._scene.world, self._viewer)[:5]:
            self._step()
            identity = hidden.identity_of(mail)
            # Booked where it is VIP, a copy would open them to the audience.
            self._found.identities.add(identity)
            references = References(("Geheim",), ()) if kind == "ACTIVITY" else References((), ("Geheim",))

            async def work(unit: Unit, identity: str = identity, references: References = references) -> None:
                row = await unit.fetch_one("SELECT id, agency_id FROM mails WHERE identity = $1", identity)
                assert row is not None
                await bookings._add_entries(unit, row["agency_id"], row["id"], 1, references)  # noqa: SLF001
                await bookings.settle(unit, row["id"])

            await running.run(running.database.transact(work))
