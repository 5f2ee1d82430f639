"""Letters with one-time links, as if they had been sent."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from models import clock
from models.credential_deliveries import LINK_LIFETIME
from models.tables.letters import CredentialContent, CredentialDelivery, DeliveryState
from models.tables.mailboxes import Mailbox
from models.tables.users import User


async def give_link(mailbox: Mailbox, by: User, *, version: int = 1, **columns: Any) -> str:  # noqa: ANN401
    """The token of a link to a mailbox's password, in a letter that was sent and that `by` asked for."""
    token = secrets.token_urlsafe(32)
    now = clock.now()
    plain: dict[str, Any] = {
        "agency_id": mailbox.agency_id,  # type: ignore[attr-defined]
        "mailbox_id": mailbox.id,
        "requested_by_id": by.id,
        "to_address": "reader@home.example",
        "fold_to": "reader@home.example",
        "content": CredentialContent.ONE_TIME_LINK,
        "language": "de",
        "state": DeliveryState.SENT,
        "attempts": 1,
        "requested_at": now,
        "sent_at": now,
        "expires_at": now + LINK_LIFETIME,
        "password_version": version,
        "token_hash": hashlib.sha256(token.encode()).hexdigest(),
    }
    await CredentialDelivery.create(**(plain | columns))
    return token


async def opened_at() -> list[datetime | None]:
    """When the link of each letter was used, in the order of the letters."""
    return [each.opened_at for each in await CredentialDelivery.all().order_by("requested_at")]
