"""Sending a mailbox's credentials in a letter.

One unit of work decides and counts, writes the audit's row, the event and who knows the password from now on, writes the letter
and has it wait in the outbox: all of it or nothing. The letter is finished and sealed in it, since the link's token and the
password are kept nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from mail.letters import Letter, compose
from mail.letters.letter import LINK_PATH
from models import audit, folding, mailbox_passwords
from models.credential_deliveries import LINK_LIFETIME
from models.tables.letters import CredentialContent, DeliveryState
from models.tables.mailboxes import MailboxEventKind
from resolvers import letter_requests, mailbox_events, mailboxes, rates, text
from resolvers.acting import acting_user
from resolvers.deliveries import CredentialDelivery
from resolvers.errors import ConflictError, ForbiddenError, NotFoundError
from resolvers.node_ids import NodeKind, decode_as

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.database import Unit
    from models.mailbox_passwords import StoredPassword
    from resolvers.letter_requests import LetterRequest, Sending
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer

TOKEN_BYTES = 32


async def send(request: Request, asked: Sending) -> CredentialDelivery:
    """Have a letter with a mailbox's credentials leave, for those who may reveal its password.

    The same `request_id` of the same viewer at the same mailbox within 24 hours sends one letter and answers it each time.
    Raises `NotFoundError` for what is no mailbox of the viewer's agency, `ForbiddenError` for those of the agency who may not,
    `InvalidInputError` for an address that is none or leads into the mailbox itself, `ForbiddenError` for a password that the
    agency does not allow in letters, `ConflictError` for a `request_id` that another letter has and for a mailbox without a
    password, and `RateLimitedError` by `rates.LETTERS`, by address, and for the same letter twice within a minute.
    """
    member = request.member()
    wanted = decode_as(NodeKind.MAILBOX, asked.mailbox_id)
    if member is None or wanted is None:
        raise NotFoundError("There is no such mailbox.", ["input", "mailboxId"])
    return await request.database.transact(_Asking(request, member[1], wanted, asked).work)


@dataclass(frozen=True, slots=True)
class _Secret:
    """What a letter brings: a link whose token has this hash, or the password. Its representation shows neither."""

    link: str | None = field(repr=False, default=None)
    token_hash: str | None = None
    password: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The unit of work of one call."""

    request: Request
    agency_id: UUID
    wanted: UUID
    asked: Sending

    async def work(self, unit: Unit) -> CredentialDelivery:
        await unit.lock_agency(self.agency_id)
        acting = await acting_user(unit, self.request)
        await unit.lock_turn(acting.id)
        mailbox, last_moment = await mailboxes.hold(unit, acting, self.wanted, ["input", "mailboxId"])
        if not mailboxes.can_reveal(acting, mailbox):
            raise ForbiddenError(
                "Letters are for those assigned to the mailbox now and, where it is not VIP, for administrators."
            )
        checked = letter_requests.check(self.asked, mailbox)
        earlier = await letter_requests.answered(unit, acting, mailbox, checked)
        if earlier is not None:
            return earlier
        agency = await self._agency(unit, checked)
        await letter_requests.limit(unit, acting, mailbox, checked)
        current = await mailbox_passwords.of(unit, mailbox.id)
        if current is None:
            raise ConflictError("The mailbox has no password yet: make one.", ["input", "mailboxId"])
        return await self._send(unit, acting, mailbox, last_moment, checked, current, agency["name"])

    async def _agency(self, unit: Unit, checked: LetterRequest) -> Mapping[str, Any]:
        """Return the agency, which allows what the letter is to carry."""
        row = await unit.fetch_one(
            "SELECT name, passwords_in_letters AS is_allowed FROM agencies WHERE id = $1", self.agency_id
        )
        if row is None:
            raise NotFoundError("There is no such mailbox.", ["input", "mailboxId"])
        if checked.content is CredentialContent.PASSWORD and not row["is_allowed"]:
            raise ForbiddenError("The agency does not allow passwords in letters.", ["input", "content"])
        return row

    async def _send(
        self,
        unit: Unit,
        acting: Viewer,
        mailbox: Mailbox,
        last_moment: datetime,
        checked: LetterRequest,
        current: StoredPassword,
        agency: str,
    ) -> CredentialDelivery:
        delivery_id = uuid4()
        await audit.record(
            unit,
            rates.LETTERS.action,
            agency_id=self.agency_id,
            actor_id=acting.id,
            remote_address=self.request.remote_address,
            subject=("mailbox", mailbox.id),
            details={
                "delivery": str(delivery_id),
                "to": checked.to,
                "content": checked.content.value,
                "version": current.version,
            },
        )
        await mailbox_passwords.note_knower(
            unit,
            agency_id=self.agency_id,
            mailbox_id=mailbox.id,
            version=current.version,
            user_id=acting.id,
        )
        moment = await mailbox_events.write_next(
            unit, mailbox, MailboxEventKind.CREDENTIALS_SENT, after=last_moment, user_id=acting.id
        )
        secret = self._secret(checked, mailbox, current)
        expires_at = moment + LINK_LIFETIME if secret.token_hash is not None else None
        delivery = CredentialDelivery(
            delivery_id,
            mailbox.id,
            checked.to,
            checked.content,
            DeliveryState.QUEUED,
            0,
            None,
            acting.id,
            moment,
            expires_at,
            None,
            None,
        )
        await _store(unit, self.agency_id, delivery, checked, current.version, secret.token_hash)
        services = self.request.services
        names = await _names(unit, acting, mailbox, checked)
        letter = Letter(
            language=checked.language,
            agency=agency,
            address=mailbox.address,
            email_name=mailbox.email_name or names["reader"],
            requested_by=names["requester"],
            to=checked.to,
            sender=services.correspondent.sender,
            servers=services.servers,
            link=secret.link,
            password=secret.password,
            expires_at=expires_at,
            public_url=services.correspondent.public_url,
            message_id=f"<{delivery_id}@{text.domain_of(services.correspondent.sender)}>",
            date=moment,
        )
        # It takes some milliseconds; nobody else of this process waits for them.
        signing = services.profile_signing
        content = await asyncio.to_thread(compose, letter, None if signing is None else signing.sign)
        await services.outbox.put(unit, content, delivery_id=delivery_id, agency_id=self.agency_id)
        return delivery

    def _secret(self, checked: LetterRequest, mailbox: Mailbox, current: StoredPassword) -> _Secret:
        """Return what the letter brings. The token is in no place but the letter."""
        services = self.request.services
        if checked.content is CredentialContent.PASSWORD:
            return _Secret(
                password=mailbox_passwords.opened(
                    services.seals, current.sealed, mailbox.address, current.version
                )
            )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        return _Secret(
            f"{services.correspondent.public_url}{LINK_PATH}#{token}",
            hashlib.sha256(token.encode()).hexdigest(),
        )


# ---------------------------------------------------------------- what is stored


async def _store(
    unit: Unit,
    agency_id: UUID,
    delivery: CredentialDelivery,
    checked: LetterRequest,
    version: int,
    token_hash: str | None,
) -> None:
    if checked.request_id is not None:
        # One that is too old to be repeated is free for another letter.
        await unit.execute(
            "UPDATE credential_deliveries SET request_id = NULL "
            "WHERE mailbox_id = $1 AND requested_by_id = $2 AND request_id = $3",
            delivery.mailbox_id,
            delivery.requested_by_id,
            checked.request_id,
        )
    await unit.execute(
        "INSERT INTO credential_deliveries (id, agency_id, mailbox_id, requested_by_id, to_address, fold_to, content, "
        "language, state, attempts, requested_at, expires_at, password_version, token_hash, request_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        delivery.id,
        agency_id,
        delivery.mailbox_id,
        delivery.requested_by_id,
        delivery.to,
        checked.fold_to,
        delivery.content.value,
        checked.language,
        delivery.state.value,
        delivery.attempts,
        delivery.requested_at,
        delivery.expires_at,
        version,
        token_hash,
        checked.request_id,
    )


async def _names(unit: Unit, acting: Viewer, mailbox: Mailbox, checked: LetterRequest) -> dict[str, Any]:
    """Return the name of whoever asks, and the sender name of the reader where that is somebody assigned."""
    row = await unit.fetch_one("SELECT first_name, last_name FROM users WHERE id = $1", acting.id)
    assigned = await unit.fetch(
        "SELECT u.email, u.email_name FROM assignments a JOIN users u ON u.id = a.user_id "
        "WHERE a.mailbox_id = $1 AND a.until IS NULL ORDER BY u.id",
        mailbox.id,
    )
    readers = [
        each["email_name"]
        for each in assigned
        if each["email"] is not None and folding.fold(each["email"]) == checked.fold_to
    ]
    requester = "" if row is None else f"{row['first_name']} {row['last_name']}"
    return {"requester": requester, "reader": readers[0] if len(readers) == 1 else None}
