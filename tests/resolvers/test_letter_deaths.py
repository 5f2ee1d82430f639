"""A letter that waits ends with the right of whoever asked for it, as soon as that is taken away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from mail.handing import Handed, Outcome, Outgoing
from mail.outbox import Outbox
from models.database import Database
from models.outbox import GIVEN_UP
from models.tables.letters import CredentialDelivery, DeliveryState, OutboxLetter
from models.tables.users import UserState
from resolvers import assignments, credentials, mailbox_settings, renewals, user_rights
from resolvers.deliveries import CHANGED, teller
from resolvers.request import Request
from tests import storage
from tests.resolvers.letters import asked, office
from tests.resolvers.offices import Office, box_id, user_id
from tests.surroundings import SEALS, Nowhere

__all__ = ["office"]
pytestmark = pytest.mark.asyncio

SECONDS = 25
"""Less than the outbox waits by itself."""


class Away(Nowhere):
    """A mail server that is not there."""

    async def hand_over(self, letter: Outgoing, still_ours: Callable[[], Awaitable[bool]]) -> Handed:  # noqa: ARG002
        return Handed(Outcome.AWAY, "The mail server can't be reached.")


async def unassign(boss: Request, office: Office) -> None:
    await assignments.unassign(boss, *office.ids)


async def lock(boss: Request, office: Office) -> None:
    await user_rights.set_state(boss, user_id(office.anna), UserState.LOCKED)


async def renew(boss: Request, office: Office) -> None:
    await renewals.generate(boss, box_id(office.desk), None)


async def guard(boss: Request, office: Office) -> None:
    await mailbox_settings.set_vip(boss, box_id(office.desk), vip=True, confirm=False)


@pytest.mark.parametrize(
    "who,change,death",
    [
        ("anna", unassign, "RIGHTS"),
        ("anna", lock, "RIGHTS"),
        ("anna", renew, "RENEWED"),
        ("boss", guard, "RIGHTS"),
    ],
)
async def test_a_letter_ends_with_the_right(
    database: Database,
    office: Office,
    who: str,
    change: Callable[[Request, Office], Awaitable[None]],
    death: str,
) -> None:
    boss = await storage.request(database, office.boss)
    services = boss.services
    outbox = Outbox(Away(), SEALS, teller(services.events))
    boss.services = replace(services, outbox=outbox)
    asker = await storage.request(database, getattr(office, who))
    asker.services = boss.services
    async with outbox.running(database), asyncio.timeout(SECONDS):
        with services.events.subscribe(CHANGED) as changes:
            delivery = await credentials.send(asker, asked(office.desk))
            await anext(changes)
            assert (await CredentialDelivery.get(id=delivery.id)).attempts == 1
            await change(boss, office)
            await anext(changes)
    row = await CredentialDelivery.get(id=delivery.id)
    assert row.state is DeliveryState.FAILED
    assert row.failure == GIVEN_UP[death]  # type: ignore[index]
    assert await OutboxLetter.all().count() == 0
