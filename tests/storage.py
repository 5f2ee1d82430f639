"""A migrated database for the tests of single rooms, and rows in it, written past the product's own ways."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from tortoise.backends.base.executor import EXECUTOR_CACHE

from models import folding
from models.database import Database
from models.database_url import DatabaseUrl
from models.tables.agencies import Agency, Domain, Module, ModuleName
from models.tables.mailboxes import Assignment, Mailbox
from models.tables.mails import (
    Activity,
    ActivityKind,
    ActivityMailbox,
    ActivityReader,
    Booking,
    Mail,
    MailDirection,
    MailMailbox,
    MailPart,
)
from models.tables.sessions import Session, SessionKind
from models.tables.users import ReadLevel, Role, User, UserState
from resolvers.request import Request, Viewer
from tests.databases import Template, fresh_database
from tests.surroundings import services

TABLES = (
    "agencies",
    "domains",
    "modules",
    "users",
    "office_groups",
    "office_group_members",
    "mailboxes",
    "assignments",
    "mailbox_events",
    "mailbox_passwords",
    "mailbox_password_knowers",
    "mailbox_renewals",
    "session_endings",
    "credential_deliveries",
    "outbox_letters",
    "mails",
    "mail_mailboxes",
    "bookings",
    "activities",
    "activity_readers",
    "activity_mailboxes",
    "sessions",
    "sign_in_attempts",
    "sign_in_addresses",
    "audit_events",
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
"""When everything that `rows` here writes began."""


@asynccontextmanager
async def opened(url: str, *, migrate: bool = False) -> AsyncIterator[Database]:
    """The database at this URL, brought up to date first where wanted."""
    # Tortoise keeps its statements by the connection's name, and every database here has the same.
    EXECUTOR_CACHE.clear()
    database = await Database.open(DatabaseUrl.parse(url))
    try:
        if migrate:
            await database.migrate()
        yield database
    finally:
        await database.close()


class Templates:
    """A migrated template for each kind of database, made when it is first wanted."""

    def __init__(self, folders: pytest.TempPathFactory, databases: ExitStack) -> None:
        self._folders = folders
        self._databases = databases
        self._templates: dict[str, Template] = {}

    def template(self, kind: str) -> Template:
        """The template of this kind."""
        if kind not in self._templates:
            folder = self._folders.mktemp(f"storage-{kind}")
            url = self._databases.enter_context(fresh_database(kind, folder))
            # A thread has no event loop yet, whatever pytest has under way in this one.
            maker = threading.Thread(target=lambda: asyncio.run(_migrate(url)))
            maker.start()
            maker.join()
            self._templates[kind] = Template.of(url, empty=True)
        return self._templates[kind]


async def _migrate(url: str) -> None:
    async with opened(url, migrate=True):
        pass


@pytest.fixture(scope="session")
def storage_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """Migrated databases to be copied."""
    with ExitStack() as databases:
        yield Templates(tmp_path_factory, databases)


@pytest_asyncio.fixture
async def database(
    database_kind: str, storage_templates: Templates, tmp_path: Path
) -> AsyncIterator[Database]:
    """A database that is up to date and holds nothing, open in this process."""
    with storage_templates.template(database_kind).copied(tmp_path) as url:
        async with opened(url) as database:
            yield database


async def contents(database: Database, *but: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but these, to compare what a call changed."""
    return {
        table: [dict(row) for row in await database.fetch(f"SELECT * FROM {table} ORDER BY 1")]
        for table in TABLES
        if table not in but
    }


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []
    database.observer = seen.append
    try:
        yield seen
    finally:
        database.observer = None


async def agency(
    key: str = "nord", *, modules: tuple[ModuleName, ...] = (ModuleName.VIP_MAILBOXES,), **columns: object
) -> Agency:
    """An agency with the domain KEY.example and its modules."""
    contact: dict[str, Any] = {
        "contact_name": "Jo Kern",
        "contact_email": "kern@provider.example",
        "contact_phone": None,
    }
    name = f"{key.title()} Immobilien"
    row = await Agency.create(key=key, name=name, fold_name=folding.sort_key(name), **(contact | columns))
    await Domain.create(name=f"{key}.example", agency_id=row.id)
    for module in modules:
        await Module.create(agency_id=row.id, name=module, enabled=True)
    return row


async def user(of: Agency | None, name: str, **columns: object) -> User:
    """An active user NAME@KEY.example with the last name NAME; an account manager without an agency."""
    login = f"{name}@{of.key if of else 'provider'}.example"
    first, last = str(columns.pop("first_name", "Kim")), str(columns.pop("last_name", name.title()))
    plain: dict[str, Any] = {
        "email": None,
        "email_name": None,
        "language": "de",
        "role": Role.USER if of else Role.ACCOUNT_MANAGER,
        "state": UserState.ACTIVE,
        "activity_read_level": ReadLevel.OWN,
        "agents_log_read_level": ReadLevel.OWN,
        "password_hash": "",
        "password_change_required": False,
    }
    return await User.create(
        agency_id=of.id if of else None,
        login=login,
        first_name=first,
        last_name=last,
        fold_name=folding.sort_key(last, first),
        fold_search=folding.search_key(login, first, last),
        **(plain | columns),
    )


async def mailbox(of: Agency, local: str, **columns: object) -> Mailbox:
    """A mailbox LOCAL@KEY.example: active, not VIP, without a name of its own."""
    address = f"{local}@{of.key}.example"
    plain: dict[str, Any] = {
        "email_name": None,
        "vip": False,
        "active": True,
        "receiving_stops_at": None,
        "automatic_booking": False,
        "last_moment": LONG_AGO,
    }
    chosen = plain | columns
    return await Mailbox.create(
        agency_id=of.id,
        address=address,
        fold_search=folding.search_key(address, chosen["email_name"]),
        **chosen,
    )


async def period(
    at: Mailbox, who: User, since: datetime = LONG_AGO, until: datetime | None = None
) -> Assignment:
    """A period of a user at a mailbox; the mailbox's newest moment is not earlier than its ends."""
    row = await Assignment.create(
        agency_id=cast("Any", at).agency_id, mailbox_id=at.id, user_id=who.id, since=since, until=until
    )
    newest = max(moment for moment in (at.last_moment, since, until) if moment is not None)
    at.last_moment = newest
    await at.save(update_fields=["last_moment"])
    return row


async def request(database: Database, who: User | None) -> Request:
    """A request of a user who has just signed in; of nobody where there is none."""
    return Request(database, services(), None if who is None else await viewer(who), "192.0.2.7")


async def viewer(who: User) -> Viewer:
    """The user with a new session, whatever the user's state."""
    now = datetime.now(UTC)
    session = await Session.create(
        user_id=who.id,
        kind=SessionKind.BEARER,
        generation=1,
        opened_at=now,
        advanced_at=now,
        expires_at=now + timedelta(days=1),
        ended_at=None,
    )
    return Viewer(
        id=who.id,
        agency_id=cast("Any", who).agency_id,
        login=who.login,
        role=who.role,
        activity_read_level=who.activity_read_level,
        agents_log_read_level=who.agents_log_read_level,
        session_id=session.id,
    )


async def mail(of: Agency, *mailboxes: Mailbox, readers: tuple[User, ...] = (), text: str = "t") -> Activity:
    """An e-mail read at each of these mailboxes, with one activity; guarded where one of them is VIP.

    With several mailboxes its audience is `readers`. Returns the activity.
    """
    guarded = any(each.vip for each in mailboxes)
    moment = LONG_AGO + timedelta(days=1)
    row = await Mail.create(
        agency_id=of.id,
        identity=secrets.token_hex(32),
        message_id="m@portal.example",
        sender="buyer@web.example",
        recipients="\n".join(each.address for each in mailboxes),
        subject="s",
        preview=text,
        remark=text,
        fold_search=folding.search_key("s", text),
        mail_date=None,
    )
    for position, each in enumerate(mailboxes, 1):
        await MailMailbox.create(agency_id=of.id, mail_id=row.id, mailbox_id=each.id, position=1)
        await Booking.create(
            agency_id=of.id,
            mail_id=row.id,
            mailbox_id=each.id,
            part=MailPart.RECEIVING,
            decisive_at=moment,
            user_id=None,
            position=position,
        )
    entry = await Activity.create(
        agency_id=of.id,
        mail_id=row.id,
        kind=ActivityKind.ACTIVITY,
        direction=MailDirection.INCOMING,
        contact_reference=None,
        property_reference=None,
        occurred_at=moment,
        guarded=guarded,
        mailbox_id=mailboxes[0].id if len(mailboxes) == 1 else None,
        position=1,
    )
    copied: dict[str, Any] = {
        "activity_id": entry.id,
        "kind": ActivityKind.ACTIVITY,
        "guarded": guarded,
        "occurred_at": moment,
    }
    for who in readers:
        await ActivityReader.create(user_id=who.id, **copied)
    for each in mailboxes if len(mailboxes) > 1 else ():
        await ActivityMailbox.create(mailbox_id=each.id, **copied)
    return entry
