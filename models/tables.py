"""What is stored, as Tortoise models.

Three things hold everywhere. Identifiers are random, so that they tell nothing about how many others there
are. Whatever belongs to an agency carries its `agency_id`, and the database refuses a row that refers to
another agency's. Instants are UTC to the microsecond.

Columns named `fold_…` hold what `models.folding` made of the text beside them, for order and search alike on
both databases. What no model can say (exclusion of overlapping periods, partial indexes, triggers) stands in
the migrations.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.fields import InstantField

_WITHIN_AGENCY: dict[str, Any] = {
    "related_name": False,
    "on_delete": fields.NO_ACTION,
    "db_constraint": False,
}
"""A reference within one agency: the migrations hold it together with `agency_id`, which no model can say."""


class Role(StrEnum):
    """What a user may change."""

    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"
    ACCOUNT_MANAGER = "ACCOUNT_MANAGER"


class UserState(StrEnum):
    """Whether a user may come in; DEACTIVATED is final."""

    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    DEACTIVATED = "DEACTIVATED"


class ReadLevel(StrEnum):
    """Which entries that are not guarded a user reads."""

    ALL = "ALL"
    OFFICE_GROUP = "OFFICE_GROUP"
    OWN = "OWN"
    NOTHING = "NOTHING"


class ModuleName(StrEnum):
    """A paid feature of an agency."""

    VIP_MAILBOXES = "VIP_MAILBOXES"
    AUTOMATIC_BOOKING = "AUTOMATIC_BOOKING"


class ActivityKind(StrEnum):
    """At a contact or at a property."""

    ACTIVITY = "ACTIVITY"
    AGENTS_LOG = "AGENTS_LOG"


class MailDirection(StrEnum):
    """What the bookings of an e-mail make it."""

    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"
    INTERNAL = "INTERNAL"


class MailPart(StrEnum):
    """A mailbox's part in an e-mail."""

    SENDING = "SENDING"
    RECEIVING = "RECEIVING"


class MailboxEventKind(StrEnum):
    """What those assigned to a VIP mailbox can see was done to it."""

    VIP_ON = "VIP_ON"
    VIP_OFF = "VIP_OFF"
    SWITCHED_ON = "SWITCHED_ON"
    SWITCHED_OFF = "SWITCHED_OFF"
    PASSWORD_RENEWED = "PASSWORD_RENEWED"  # noqa: S105 (a kind of event)
    PASSWORD_REVEALED = "PASSWORD_REVEALED"  # noqa: S105 (a kind of event)
    CREDENTIALS_SENT = "CREDENTIALS_SENT"


class CredentialContent(StrEnum):
    """How a letter brings a mailbox's password."""

    ONE_TIME_LINK = "ONE_TIME_LINK"
    PASSWORD = "PASSWORD"  # noqa: S105 (a kind of letter)


class DeliveryState(StrEnum):
    """What became of a letter; the last two are final."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class SessionKind(StrEnum):
    """Where a client keeps its tokens."""

    BEARER = "BEARER"
    COOKIE = "COOKIE"


class Agency(Model):
    """A customer, the tenant."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    key = fields.TextField()
    name = fields.TextField()
    fold_name = fields.TextField()
    contact_name = fields.TextField(null=True)
    contact_email = fields.TextField(null=True)
    contact_phone = fields.TextField(null=True)
    passwords_in_letters = fields.BooleanField(db_default=False)

    class Meta:
        table = "agencies"


class Domain(Model):
    """A mail domain, lower case, and the one agency it belongs to."""

    name = fields.CharField(max_length=253, primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )

    class Meta:
        table = "domains"


class Module(Model):
    """A module that an agency has or had: no row is the same as not enabled."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    name = fields.CharEnumField(ModuleName, max_length=32)
    enabled = fields.BooleanField()

    class Meta:
        table = "modules"


class User(Model):
    """A person who signs in: somebody of an agency or, without one, an account manager."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyNullableRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    login = fields.TextField()
    first_name = fields.TextField()
    last_name = fields.TextField()
    fold_name = fields.TextField()
    fold_search = fields.TextField()
    email = fields.TextField(null=True)
    email_name = fields.TextField(null=True)
    language = fields.TextField()
    role = fields.CharEnumField(Role, max_length=32)
    state = fields.CharEnumField(UserState, max_length=32)
    activity_read_level = fields.CharEnumField(ReadLevel, max_length=32)
    agents_log_read_level = fields.CharEnumField(ReadLevel, max_length=32)
    password_hash = fields.TextField()
    password_change_required = fields.BooleanField()

    class Meta:
        table = "users"


class OfficeGroup(Model):
    """A group in use: it goes with its last member."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    name = fields.TextField()

    class Meta:
        table = "office_groups"


class OfficeGroupMember(Model):
    """A user in an office group."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    group: fields.ForeignKeyRelation[OfficeGroup] = fields.ForeignKeyField(
        "models.OfficeGroup", **_WITHIN_AGENCY
    )
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **_WITHIN_AGENCY)

    class Meta:
        table = "office_group_members"


class Mailbox(Model):
    """An address of one of the agency's domains.

    `last_moment` is the newest moment taken at the mailbox (a booking's, a period's end): the next one is
    later.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    address = fields.TextField()
    email_name = fields.TextField(null=True)
    fold_search = fields.TextField()
    vip = fields.BooleanField()
    active = fields.BooleanField()
    receiving_stops_at = InstantField(null=True)
    automatic_booking = fields.BooleanField()
    last_moment = InstantField()

    class Meta:
        table = "mailboxes"


class Assignment(Model):
    """A period in which a user was assigned to a mailbox: `since` is in it, `until` is not."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **_WITHIN_AGENCY)
    since = InstantField()
    until = InstantField(null=True)

    class Meta:
        table = "assignments"


class MailboxEvent(Model):
    """What was switched, renewed, shown and sent at a mailbox."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    kind = fields.CharEnumField(MailboxEventKind, max_length=32)
    at = InstantField()
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", **_WITHIN_AGENCY, null=True
    )

    class Meta:
        table = "mailbox_events"


class MailboxPassword(Model):
    """A mailbox's current password (`models.mailbox_passwords`): one row each."""

    mailbox_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    version = fields.IntField()
    sealed = fields.TextField()
    hash = fields.TextField()
    changed_at = InstantField()

    class Meta:
        table = "mailbox_passwords"


class MailboxPasswordKnower(Model):
    """A user to whom, or by whom, the password of a version was shown or sent."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    version = fields.IntField()
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **_WITHIN_AGENCY)

    class Meta:
        table = "mailbox_password_knowers"


class MailboxRenewal(Model):
    """What a client's `requestId` made of a mailbox's password, so that the same again renews nothing."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **_WITHIN_AGENCY)
    request_id = fields.TextField()
    version = fields.IntField()
    at = InstantField()

    class Meta:
        table = "mailbox_renewals"


class SessionEnding(Model):
    """Sessions on the mail server that were opened with a mailbox's older passwords and are still to be ended.

    At `ended_at` they were ended for its version; the row goes when that was repeated (`mail.endings`).
    """

    mailbox_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    version = fields.IntField()
    asked_at = InstantField()
    attempts = fields.IntField()
    next_attempt_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "session_endings"


class CredentialDelivery(Model):
    """A letter with a mailbox's credentials, asked for at `requested_at`, a moment of the mailbox.

    With a one-time link it has the SHA-256 of the link's token in hex, and `expires_at`; the token itself is nowhere.
    `password_version` is that of the password which the letter is about. `request_id` is the client's, and forgotten once
    it may be used again. The letter itself waits in `outbox_letters`, as long as the state is QUEUED.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    requested_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", **_WITHIN_AGENCY)
    to_address = fields.TextField()
    fold_to = fields.TextField()
    content = fields.CharEnumField(CredentialContent, max_length=32)
    language = fields.TextField()
    state = fields.CharEnumField(DeliveryState, max_length=32)
    attempts = fields.IntField()
    failure = fields.TextField(null=True)
    requested_at = InstantField()
    expires_at = InstantField(null=True)
    sent_at = InstantField(null=True)
    opened_at = InstantField(null=True)
    password_version = fields.IntField()
    token_hash = fields.CharField(max_length=64, null=True)
    request_id = fields.TextField(null=True)

    class Meta:
        table = "credential_deliveries"


class OutboxLetter(Model):
    """A finished letter that waits to be sent, sealed. It goes once it was accepted or given up (`mail.outbox`).

    Until `next_attempt_at` nobody takes it; with a `lease` because somebody is sending it.
    """

    delivery_id = fields.UUIDField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    sealed = fields.TextField()
    next_attempt_at = InstantField()
    lease = fields.UUIDField(null=True)

    class Meta:
        table = "outbox_letters"


class Mail(Model):
    """An e-mail that took part in the agency.

    `identity` is the SHA-256 of all that makes it this e-mail and no other (`models.mails`). `recipients` are
    one a line.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT
    )
    identity = fields.CharField(max_length=64)
    message_id = fields.TextField()
    sender = fields.TextField()
    recipients = fields.TextField()
    subject = fields.TextField()
    preview = fields.TextField()
    remark = fields.TextField()
    fold_search = fields.TextField()
    mail_date = InstantField(null=True)

    class Meta:
        table = "mails"


class MailMailbox(Model):
    """One of an e-mail's mailboxes: it guards the entries while it is VIP.

    `position` is that of the booking that brought it: 1 for those fixed at the first.
    """

    id = fields.BigIntField(primary_key=True)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    position = fields.SmallIntField()

    class Meta:
        table = "mail_mailboxes"


class Booking(Model):
    """A mailbox's part in an e-mail and the moment that decides who may see it. Never changes.

    `position` counts the bookings of one e-mail from 1 in the order in which they were made.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **_WITHIN_AGENCY)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField("models.Mailbox", **_WITHIN_AGENCY)
    part = fields.CharEnumField(MailPart, max_length=32)
    decisive_at = InstantField()
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", **_WITHIN_AGENCY, null=True
    )
    position = fields.SmallIntField()

    class Meta:
        table = "bookings"


class Activity(Model):
    """An entry: an activity at a contact or an agents-log entry at a property.

    `occurred_at`, `guarded` and `direction` follow from the e-mail's bookings and mailboxes and change with
    them. `mailbox` is that of the only booking; with several it is null, and `activity_readers` and
    `activity_mailboxes` hold the entry's audience and mailboxes, because its place in a list is then no
    longer the moment that opens it. `position` is that of the booking that made the entry.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyRelation[Agency] = fields.ForeignKeyField("models.Agency", **_WITHIN_AGENCY)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", **_WITHIN_AGENCY)
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    direction = fields.CharEnumField(MailDirection, max_length=32)
    contact_reference = fields.TextField(null=True)
    property_reference = fields.TextField(null=True)
    occurred_at = InstantField()
    guarded = fields.BooleanField()
    mailbox: fields.ForeignKeyNullableRelation[Mailbox] = fields.ForeignKeyField(
        "models.Mailbox", **_WITHIN_AGENCY, null=True
    )
    position = fields.SmallIntField()

    class Meta:
        table = "activities"


class ActivityReader(Model):
    """Somebody of the audience of an entry with several bookings."""

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    guarded = fields.BooleanField()
    occurred_at = InstantField()

    class Meta:
        table = "activity_readers"


class ActivityMailbox(Model):
    """A booking's mailbox of an entry with several bookings."""

    id = fields.BigIntField(primary_key=True)
    mailbox: fields.ForeignKeyRelation[Mailbox] = fields.ForeignKeyField(
        "models.Mailbox", related_name=False, on_delete=fields.RESTRICT
    )
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(ActivityKind, max_length=32)
    guarded = fields.BooleanField()
    occurred_at = InstantField()

    class Meta:
        table = "activity_mailboxes"


class Session(Model):
    """What a sign-in opened: a family of refresh tokens.

    Each trade makes the next `generation`, at `advanced_at`; `ended_at` ends the session for good.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    kind = fields.CharEnumField(SessionKind, max_length=32)
    generation = fields.IntField()
    opened_at = InstantField()
    advanced_at = InstantField()
    expires_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "sessions"


class SignInAttempt(Model):
    """An attempt to sign in that failed or is under way: of one that succeeds the row is removed.

    `key` stands for the login, without telling it. `address` is the remote address, of IPv6 the network.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    key = fields.CharField(max_length=64)
    address = fields.TextField(null=True)
    at = InstantField()
    failed = fields.BooleanField()

    class Meta:
        table = "sign_in_attempts"


class SignInAddress(Model):
    """An address from which a user has signed in."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    address = fields.TextField()
    at = InstantField()

    class Meta:
        table = "sign_in_addresses"


class AuditEvent(Model):
    """Who did what, when, to what, from where.

    Holds no secret and nothing of an e-mail. `details` is a JSON object. `place` counts the events of an agency, `digest`
    chains each to the one before it (`models.audit`): both are null in rows from before there were chains.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    agency: fields.ForeignKeyNullableRelation[Agency] = fields.ForeignKeyField(
        "models.Agency", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    at = InstantField()
    actor: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT, null=True
    )
    action = fields.TextField()
    object_type = fields.TextField(null=True)
    object_id = fields.UUIDField(null=True)
    details = fields.TextField()
    remote_address = fields.TextField(null=True)
    place = fields.BigIntField(null=True)
    digest = fields.CharField(max_length=64, null=True)

    class Meta:
        table = "audit_events"
