"""Rows of every kind in two agencies, for the tests of what the database refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tortoise.exceptions import IntegrityError

from models import clock
from models.database import Database
from models.tables.agencies import Agency
from models.tables.mailboxes import Assignment, Mailbox, MailboxEvent, MailboxEventKind
from models.tables.users import OfficeGroup, OfficeGroupMember, User, UserState
from tests import storage
from tests.storage import LONG_AGO, contents

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Stored:
    """Two agencies, and in the first everything there can be."""

    home: Agency
    abroad: Agency
    anna: User
    gone: User
    stranger: User
    desk: Mailbox
    foreign: Mailbox
    ended: Assignment
    open: Assignment
    group: OfficeGroup

    def names(self) -> Mapping[str, UUID]:
        """What statements may name."""
        return {name: row.id for name, row in vars(self).items()}


async def store(database: Database) -> Stored:
    home, abroad = await storage.agency("nord"), await storage.agency("sued")
    anna = await storage.user(home, "anna")
    desk = await storage.mailbox(home, "desk")
    stored = Stored(
        home,
        abroad,
        anna,
        await storage.user(home, "gone", state=UserState.DEACTIVATED),
        await storage.user(abroad, "stranger"),
        desk,
        await storage.mailbox(abroad, "desk"),
        await storage.period(desk, anna, LONG_AGO, LONG_AGO + 10 * DAY),
        await storage.period(desk, anna, LONG_AGO + 20 * DAY),
        await OfficeGroup.create(agency_id=home.id, name="sales"),
    )
    await OfficeGroupMember.create(agency_id=home.id, group_id=stored.group.id, user_id=anna.id)
    await storage.mail(home, desk)
    await storage.mail(abroad, stored.foreign)
    event: dict[str, Any] = {"kind": MailboxEventKind.VIP_ON, "at": clock.now(), "user_id": anna.id}
    await MailboxEvent.create(agency_id=home.id, mailbox_id=desk.id, **event)
    await database.execute(
        "INSERT INTO audit_events (id, agency_id, at, actor_id, action, details)"
        " VALUES ($1, $2, $3, $4, 'x', '{}')",
        uuid4(),
        home.id,
        clock.now(),
        anna.id,
    )
    return stored


async def store_audience(database: Database, stored: Stored) -> None:
    """As if the e-mail of the first agency had several bookings."""
    for table, column, named in (
        ("activity_readers", "user_id", stored.anna),
        ("activity_mailboxes", "mailbox_id", stored.desk),
    ):
        await database.execute(
            f"INSERT INTO {table} ({column}, activity_id, kind, guarded, occurred_at)"
            " SELECT $1, id, kind, guarded, occurred_at FROM activities WHERE agency_id = $2",
            named.id,
            stored.home.id,
        )


async def refuse(database: Database, statement: str, *parameters: object) -> None:
    """The statement is refused and leaves no trace."""
    before = await contents(database)
    with pytest.raises(IntegrityError) as caught:
        await database.execute(statement, *parameters)
    # A column that the statement forgot would be refused as well, and prove nothing.
    assert "null" not in str(caught.value).lower()
    assert await contents(database) == before
