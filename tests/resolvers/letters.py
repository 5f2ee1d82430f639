"""Letters with credentials as tests ask for them, and what then waits."""

import email
from collections.abc import Awaitable
from email import policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from models.database import Database
from models.seals import Purpose
from models.tables.letters import CredentialContent, OutboxLetter
from models.tables.mailboxes import Mailbox
from models.tables.users import User
from resolvers import credentials
from resolvers.deliveries import CredentialDelivery as Delivery
from resolvers.errors import CallerError
from resolvers.letter_requests import Sending
from tests import storage
from tests.resolvers.offices import Office, box_id, new_password
from tests.storage import contents
from tests.surroundings import SEALS

SENT = "mailbox.credentials_send"
HOME = "anna@home.example"


@pytest_asyncio.fixture
async def office(database: Database) -> Office:
    """Anna is assigned to the desk, which has a password."""
    opened = await Office.open()
    await storage.period(opened.desk, opened.anna)
    await new_password(database, SEALS, opened.desk)
    return opened


def asked(mailbox: Mailbox | str, to: str = HOME, **changes: Any) -> Sending:  # noqa: ANN401 (whatever it has)
    wanted = mailbox if isinstance(mailbox, str) else box_id(mailbox)
    plain: dict[str, Any] = {"content": CredentialContent.ONE_TIME_LINK, "language": None, "request_id": None}
    return Sending(wanted, to, **(plain | changes))


async def sending(
    database: Database,
    who: User | None,
    mailbox: Mailbox | str,
    to: str = HOME,
    **changes: Any,  # noqa: ANN401 (whatever it has)
) -> Delivery:
    request = await storage.request(database, who)
    return await credentials.send(request, asked(mailbox, to, **changes))


async def refuse(database: Database, work: Awaitable[Any], error: type[CallerError]) -> CallerError:
    """It is refused and leaves no trace."""
    before = await contents(database, "sessions")
    with pytest.raises(error) as caught:
        await work
    assert await contents(database, "sessions") == before
    return caught.value


async def letter(delivery_id: UUID) -> EmailMessage:
    """The letter that waits, opened."""
    row = await OutboxLetter.get(delivery_id=delivery_id)
    content = SEALS.open(row.sealed, Purpose.LETTER, delivery_id).encode("latin-1")
    return email.message_from_bytes(content, policy=policy.default)


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
