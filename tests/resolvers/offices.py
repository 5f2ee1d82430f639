"""An agency in which something can be changed, and what its audit and events say afterwards."""

from dataclasses import dataclass
from typing import Any, cast

import orjson

from models import clock, mailbox_passwords
from models.database import Database, Unit
from models.mailbox_passwords import NewPassword
from models.seals import Seals
from models.tables.agencies import Agency
from models.tables.audit import AuditEvent
from models.tables.mailboxes import Mailbox, MailboxEvent, MailboxEventKind, MailboxPasswordKnower
from models.tables.users import Role, User
from resolvers.node_ids import NodeKind, encode
from tests import storage


@dataclass(frozen=True)
class Office:
    """An agency with an administrator, a user and a mailbox."""

    agency: Agency
    boss: User
    anna: User
    desk: Mailbox

    @classmethod
    async def open(cls) -> "Office":
        agency = await storage.agency("nord")
        return cls(
            agency,
            await storage.user(agency, "boss", role=Role.ADMINISTRATOR),
            await storage.user(agency, "anna"),
            await storage.mailbox(agency, "desk"),
        )

    @property
    def ids(self) -> tuple[str, str]:
        """The mailbox and the user, as a client names them."""
        return box_id(self.desk), user_id(self.anna)


def box_id(mailbox: Mailbox) -> str:
    return encode(NodeKind.MAILBOX, mailbox.id)


def user_id(user: User) -> str:
    return encode(NodeKind.USER, user.id)


async def audited(action: str) -> list[dict[str, Any]]:
    """What the audit tells of an action, oldest first."""
    return [
        {
            "actor": cast("Any", row).actor_id,
            "subject": (row.object_type, row.object_id),
            "from": row.remote_address,
            **orjson.loads(row.details),
        }
        for row in await AuditEvent.filter(action=action).order_by("at")
    ]


async def events(mailbox: Mailbox) -> list[tuple[MailboxEventKind, Any]]:
    """The kinds of a mailbox's events and who did it, oldest first."""
    rows = await MailboxEvent.filter(mailbox_id=mailbox.id).order_by("at")
    return [(row.kind, cast("Any", row).user_id) for row in rows]


async def new_password(database: Database, seals: Seals, mailbox: Mailbox, version: int = 1) -> str:
    """Give the mailbox a password, past the product's own ways, and return it."""
    new = NewPassword.make()

    async def work(unit: Unit) -> None:
        await mailbox_passwords.store(unit, seals, cast("Any", mailbox), version, new, at=clock.now())

    await database.transact(work)
    return new.password


async def knowers(mailbox: Mailbox) -> set[tuple[int, Any]]:
    """Which version of the mailbox's password was shown or sent by whom."""
    rows = await MailboxPasswordKnower.filter(mailbox_id=mailbox.id)
    return {(row.version, cast("Any", row).user_id) for row in rows}
