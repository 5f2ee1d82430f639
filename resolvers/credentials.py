"""Sending a mailbox's credentials in a letter.

One unit of work decides and counts, writes the audit's row, the event and who knows the password from now on, writes the letter
and has it wait in the outbox: all of it or nothing. The letter is finished and sealed in it, since the link's token and the
password are kept nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from mail.letters import Letter, compose
from mail.letters.letter import LINK_PATH
from models import audit, clock, folding, mailbox_passwords
from models.credential_deliveries import LINK_LIFETIME
from models.tables import CredentialContent, DeliveryState, MailboxEventKind
from resolvers import batches, deliveries, mailbox_events, mailboxes, rates, text
from resolvers.acting import acting_user
from resolvers.deliveries import CredentialDelivery
from resolvers.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError, RateLimitedError
from resolvers.node_ids import NodeKind, decode_as
from resolvers.renewals import REPEATABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from models.database import Unit
    from models.mailbox_passwords import StoredPassword
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer

GERMAN = "de"
TOKEN_BYTES = 32
AGAIN_AFTER = timedelta(minutes=1)
"""So long after a letter the same one is not sent again: it is on its way."""
TO_ONE_ADDRESS = 10
"""So many letters an agency sends to one address within the time of `rates.LETTERS`."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a client asks for; `language` and `request_id` may be absent."""

    mailbox_id: str
    to: str
    content: CredentialContent
    language: str | None
    request_id: str | None


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
class _Checked:
    """What is asked for, in the form in which it is stored."""

    to: str
    fold_to: str
    content: CredentialContent
    language: str
    request_id: str | None


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
        checked = _checked(self.asked, mailbox)
        earlier = await _asked_before(unit, acting, mailbox, checked)
        if earlier is not None:
            return earlier
        agency = await self._agency(unit, checked)
        await _limit(unit, acting, mailbox, checked)
        current = await mailbox_passwords.of(unit, mailbox.id)
        if current is None:
            raise ConflictError("The mailbox has no password yet: make one.", ["input", "mailboxId"])
        return await self._send(unit, acting, mailbox, last_moment, checked, current, agency["name"])

    async def _agency(self, unit: Unit, checked: _Checked) -> Mapping[str, Any]:
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
        checked: _Checked,
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

    def _secret(self, checked: _Checked, mailbox: Mailbox, current: StoredPassword) -> _Secret:
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


# ---------------------------------------------------------------- what is asked for


def _checked(asked: Sending, mailbox: Mailbox) -> _Checked:
    to = text.email(asked.to, ["input", "to"])
    if text.leads_into(to, mailbox.address):
        raise InvalidInputError(
            "That is the mailbox itself: whoever needs its password can't read the letter there.",
            ["input", "to"],
        )
    language, request_id = asked.language, asked.request_id
    return _Checked(
        to=to,
        fold_to=folding.fold(to),
        content=asked.content,
        language=GERMAN if language is None else text.language(language, ["input", "language"]),
        request_id=None if request_id is None else text.request_id(request_id, ["input", "requestId"]),
    )


async def _asked_before(
    unit: Unit, acting: Viewer, mailbox: Mailbox, checked: _Checked
) -> CredentialDelivery | None:
    """Return the letter that the same `request_id` had sent."""
    if checked.request_id is None:
        return None
    row = await unit.fetch_one(
        f"SELECT {deliveries.COLUMNS}, d.language FROM credential_deliveries d "
        "WHERE d.mailbox_id = $1 AND d.requested_by_id = $2 AND d.request_id = $3 AND d.requested_at > $4",
        mailbox.id,
        acting.id,
        checked.request_id,
        clock.now() - REPEATABLE,
    )
    if row is None:
        return None
    earlier = deliveries.read(row)
    if (earlier.to, earlier.content, row["language"]) != (checked.to, checked.content, checked.language):
        raise ConflictError("Another letter was asked for by this requestId.", ["input", "requestId"])
    return earlier


async def _limit(unit: Unit, acting: Viewer, mailbox: Mailbox, checked: _Checked) -> None:
    """Raise `RateLimitedError`, which says why, where a letter is not to leave now."""
    to = unit, mailbox, checked.fold_to
    await _limit_address(*to, 1, AGAIN_AFTER, "This letter was asked for a moment ago.", same_letter=True)
    await rates.LETTERS.require(unit, acting.id, mailbox.id)
    await _limit_address(*to, TO_ONE_ADDRESS, rates.LETTERS.within, "Too many letters to this address.")


async def _limit_address(
    unit: Unit,
    mailbox: Mailbox,
    fold_to: str,
    number: int,
    within: timedelta,
    words: str,
    *,
    same_letter: bool = False,
) -> None:
    now = clock.now()
    row = await unit.fetch_one(
        "SELECT requested_at FROM credential_deliveries WHERE agency_id = $1 AND fold_to = $2 AND requested_at > $3 "
        "AND (NOT $4::boolean OR (mailbox_id = $5 AND state <> 'FAILED')) "
        "ORDER BY requested_at DESC LIMIT 1 OFFSET $6::bigint",
        mailbox.agency_id,
        fold_to,
        now - within,
        same_letter,
        mailbox.id,
        number - 1,
    )
    if row is not None:
        wait = math.ceil((row["requested_at"] + within - now).total_seconds())
        raise RateLimitedError(f"{words} Try again later.", wait, ["input", "to"])


# ---------------------------------------------------------------- what is stored


async def _store(
    unit: Unit,
    agency_id: UUID,
    delivery: CredentialDelivery,
    checked: _Checked,
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


async def _names(unit: Unit, acting: Viewer, mailbox: Mailbox, checked: _Checked) -> dict[str, Any]:
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


# ---------------------------------------------------------------- addresses that suggest themselves


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody assigned to a mailbox, and where letters reach the person."""

    address: str
    user_id: UUID


async def suggested(request: Request, mailbox: Mailbox) -> list[Recipient]:
    """Return where letters about a mailbox might go: to active users assigned now whose private address the viewer may read.

    In the order of the users' names. Whether the viewer may send letters is not asked here.
    """
    return (
        await batches.batch(request, "suggested recipients", partial(_suggest, request)).get(mailbox.id) or []
    )


async def _suggest(request: Request, keys: list[UUID]) -> dict[UUID, list[Recipient]]:
    viewer = request.signed_in()
    rows = await request.database.fetch(
        "SELECT a.mailbox_id, m.address, u.email, u.id FROM assignments a JOIN users u ON u.id = a.user_id "
        "JOIN mailboxes m ON m.id = a.mailbox_id WHERE a.mailbox_id = ANY($1::uuid[]) AND a.until IS NULL "
        "AND m.agency_id = $2 AND u.state = 'ACTIVE' AND u.email IS NOT NULL AND ($3::boolean OR u.id = $4) "
        "ORDER BY u.fold_name, u.login",
        keys,
        viewer.agency_id,
        viewer.administers,
        viewer.id,
    )
    found: dict[UUID, list[Recipient]] = {}
    for row in rows:
        if not text.leads_into(row["email"], row["address"]):
            found.setdefault(row["mailbox_id"], []).append(Recipient(row["email"], row["id"]))
    return found
