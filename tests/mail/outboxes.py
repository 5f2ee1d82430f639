"""An agency whose letters wait in an outbox, and what is told of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio

from mail.outbox import Observer, Outbox, Pace
from mail.smtp import SmtpServer, SmtpTransport
from mail.trial import FolderTransport
from models import clock
from models.credential_deliveries import LINK_LIFETIME
from models.database import Database, Unit
from models.keys import KeyRing
from models.seals import Seals
from models.tables.agencies import Agency
from models.tables.letters import CredentialContent, CredentialDelivery, DeliveryState
from models.tables.mailboxes import Mailbox
from models.tables.users import User
from tests import storage
from tests.mail.smtp_servers import Post, serving

WAIT = 60
QUICK = Pace(
    pauses=(timedelta(seconds=0.05),),
    troubles=(timedelta(seconds=0.05),),
    lease=timedelta(seconds=20),
    renew=timedelta(seconds=0.1),
    look=timedelta(seconds=0.2),
    end=timedelta(seconds=0.1),
)
RING = KeyRing.generate()
SEALS = Seals(RING)


@dataclass
class Told:
    """What the outbox tells: changes of letters, counts, and whether a setting is wrong."""

    changes: asyncio.Queue[UUID] = field(default_factory=asyncio.Queue)
    counted: list[str] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    troubles: list[bool] = field(default_factory=list)
    failing: int = 0

    async def tell(self, unit: Unit, delivery_id: UUID) -> None:
        if self.failing > 0:
            self.failing -= 1
            raise RuntimeError("nobody can be told")
        unit.after_commit(lambda: self.changes.put_nowait(delivery_id))


@dataclass
class House:
    """An agency whose anna is assigned to a mailbox, and what was told of its letters."""

    database: Database
    agency: Agency
    anna: User
    desk: Mailbox
    told: Told = field(default_factory=Told)

    def outbox(
        self, transport: SmtpServer | FolderTransport, pace: Pace = QUICK, seals: Seals = SEALS
    ) -> Outbox:
        way = (
            SmtpTransport(transport, sender="postfach@crm.example", name="crm.example")
            if isinstance(transport, SmtpServer)
            else transport
        )
        told = self.told
        observer = Observer(told.counted.append, told.waiting.append, told.troubles.append)
        return Outbox(way, seals, told.tell, observer=observer, pace=pace)

    async def ask(
        self,
        outbox: Outbox,
        name: str = "a",
        mailbox: Mailbox | None = None,
        **columns: Any,  # noqa: ANN401 (whatever a letter has)
    ) -> UUID:
        """Has a letter wait, as asking for it does."""
        now, box = clock.now(), mailbox or self.desk
        plain: dict[str, Any] = {
            "agency_id": self.agency.id,
            "mailbox_id": box.id,
            "requested_by_id": self.anna.id,
            "to_address": f"{name}@home.example",
            "fold_to": f"{name}@home.example",
            "content": CredentialContent.ONE_TIME_LINK,
            "language": "de",
            "state": DeliveryState.QUEUED,
            "attempts": 0,
            "requested_at": now,
            "expires_at": now + LINK_LIFETIME,
            "password_version": 1,
            "token_hash": uuid4().hex * 2,
        }
        made = await CredentialDelivery.create(**(plain | columns))
        await self.database.transact(
            lambda unit: outbox.put(unit, letter(made.id), delivery_id=made.id, agency_id=self.agency.id)
        )
        return made.id

    async def mailbox(self, name: str) -> Mailbox:
        """A mailbox that anna is assigned to, with a password."""
        made = await storage.mailbox(self.agency, name)
        await storage.period(made, self.anna)
        await self.database.execute(
            "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at)"
            " VALUES ($1, $2, 1, 's', 'h', $3)",
            made.id,
            self.agency.id,
            clock.now(),
        )
        return made

    async def until(self, delivery_id: UUID, state: DeliveryState, attempts: int = 0) -> CredentialDelivery:
        """Waits until the letter is in this state after so many attempts at the least."""
        async with asyncio.timeout(WAIT):
            while True:
                row = await CredentialDelivery.get(id=delivery_id)
                if row.state is state and row.attempts >= attempts:
                    return row
                await self.told.changes.get()

    def running(self, outbox: Outbox) -> AbstractAsyncContextManager[None]:
        return outbox.running(self.database)


def letter(delivery_id: UUID) -> bytes:
    return f"Message-ID: <{delivery_id}@crm.example>\r\nSubject: s\r\n\r\n.k7Rtq secret\r\n".encode()


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    agency = await storage.agency("nord")
    found = House(database, agency, await storage.user(agency, "anna"), Mailbox())
    found.desk = await found.mailbox("desk")
    yield found


@pytest_asyncio.fixture
async def post() -> AsyncIterator[Post]:
    async with serving() as opened:
        yield opened


def taken(post: Post) -> list[bytes]:
    return [each.content for each in post.taken]
