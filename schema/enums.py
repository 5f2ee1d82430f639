"""The enums of the domain as clients see them: their descriptions are set here, once, for all types that use them."""

from __future__ import annotations

from enum import Enum

import strawberry

from mail.client_setup.settings import ConnectionSecurity, MailProtocol
from models.tables.agencies import ModuleName
from models.tables.letters import CredentialContent, DeliveryState
from models.tables.mailboxes import MailboxEventKind
from models.tables.mails import ActivityKind, MailDirection, MailPart
from models.tables.sessions import SessionKind
from models.tables.users import ReadLevel, Role, UserState
from resolvers.errors import ErrorCode

__all__ = [
    "ActivityKind",
    "ConnectionSecurity",
    "CredentialContent",
    "DeliveryState",
    "ErrorCode",
    "MailDirection",
    "MailPart",
    "MailProtocol",
    "MailboxEventKind",
    "ModuleName",
    "ReadLevel",
    "Role",
    "SessionKind",
    "UserState",
]


def describe(enum: type[Enum], description: str, values: dict[Enum, str]) -> None:
    """Make an enum known to GraphQL. Raises `KeyError` for a value without a description."""
    strawberry.enum(enum, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[enum[value.name]]


describe(
    Role,
    "What a user may change.",
    {
        Role.USER: "Reads by his or her levels, and changes own settings.",
        Role.ADMINISTRATOR: "Changes the agency's settings: users, mailboxes, assignments.",
        Role.ACCOUNT_MANAGER: (
            "The provider's Kundenbetreuer: belongs to no agency, switches modules, never sees mail or passwords."
        ),
    },
)
describe(
    UserState,
    "Whether a user may come in.",
    {
        UserState.ACTIVE: "May sign in, and may be assigned to mailboxes.",
        UserState.LOCKED: "Sees nothing for now; assignments are kept. Can be made active again.",
        UserState.DEACTIVATED: "Has left for good: final, and every assignment has ended.",
    },
)
describe(
    ReadLevel,
    "Which entries a user reads, of those that are not guarded by a VIP mailbox.",
    {
        ReadLevel.ALL: "Every entry of the agency.",
        ReadLevel.OFFICE_GROUP: (
            "Entries whose audience contains the user or somebody who shares an office group with the user now."
        ),
        ReadLevel.OWN: "Entries whose audience the user belongs to.",
        ReadLevel.NOTHING: "None.",
    },
)
describe(
    ModuleName,
    "A paid feature of an agency (Zusatzmodul).",
    {
        ModuleName.VIP_MAILBOXES: "Mailboxes whose entries only their audience may see.",
        ModuleName.AUTOMATIC_BOOKING: "E-mails are booked without somebody reading them.",
    },
)
describe(
    MailboxEventKind,
    "What was done to a mailbox.",
    {
        MailboxEventKind.VIP_ON: "It was made a VIP mailbox.",
        MailboxEventKind.VIP_OFF: "It ceased to be a VIP mailbox.",
        MailboxEventKind.SWITCHED_ON: "It was switched on again.",
        MailboxEventKind.SWITCHED_OFF: "It was switched off.",
        MailboxEventKind.PASSWORD_RENEWED: "It got a new password.",
        MailboxEventKind.PASSWORD_REVEALED: "Its password was shown.",
        MailboxEventKind.CREDENTIALS_SENT: "Its credentials were sent in a letter.",
    },
)
describe(
    ActivityKind,
    "Where an entry is kept.",
    {
        ActivityKind.ACTIVITY: "Aktivität, kept at a contact.",
        ActivityKind.AGENTS_LOG: "Maklerbucheintrag, kept at a property.",
    },
)
describe(
    MailDirection,
    "Which way an e-mail went, seen from the agency.",
    {
        MailDirection.INCOMING: "Received by mailboxes of the agency.",
        MailDirection.OUTGOING: "Sent by a mailbox of the agency.",
        MailDirection.INTERNAL: "Sent and received by mailboxes of the same agency.",
    },
)
describe(
    MailPart,
    "A mailbox's part in an e-mail.",
    {
        MailPart.SENDING: "It sent the e-mail: the decisive moment is that of writing.",
        MailPart.RECEIVING: "It received the e-mail: the decisive moment is that of the first reading.",
    },
)
describe(
    MailProtocol,
    "What a mail program speaks with a server.",
    {
        MailProtocol.IMAP: "Reads mail that stays on the server (RFC 9051).",
        MailProtocol.POP3: "Fetches mail (RFC 1939).",
        MailProtocol.SMTP: "Hands in mail to be sent, as submission (RFC 6409).",
    },
)
describe(
    ConnectionSecurity,
    "How the connection with a mail server is kept from others.",
    {
        ConnectionSecurity.TLS: "TLS from the first byte.",
        ConnectionSecurity.STARTTLS: "It begins in the clear, and TLS follows before anything is told.",
        ConnectionSecurity.UNENCRYPTED: "None: whoever is on the way reads the password.",
    },
)
describe(
    CredentialContent,
    "How a letter brings a mailbox's password.",
    {
        CredentialContent.ONE_TIME_LINK: "Server data, user name, and a link that shows the password once.",
        CredentialContent.PASSWORD: "Server data, user name and the password itself.",
    },
)
describe(
    DeliveryState,
    "What became of a letter; SENT and FAILED are final.",
    {
        DeliveryState.QUEUED: "It waits to be sent, perhaps after attempts that failed.",
        DeliveryState.SENT: "The mail server took it.",
        DeliveryState.FAILED: "It was refused for good or given up; failure says why.",
    },
)
describe(
    SessionKind,
    "Where a client keeps its tokens.",
    {
        SessionKind.BEARER: "Tokens in the payload, for the Authorization header.",
        SessionKind.COOKIE: "Tokens in cookies that scripts cannot read; null in the payload.",
    },
)
describe(
    ErrorCode,
    "Names a condition that the caller can act on.",
    {
        ErrorCode.UNAUTHENTICATED: "Nobody is signed in, or the sign-in failed.",
        ErrorCode.FORBIDDEN: "The viewer can read it, but may not do this.",
        ErrorCode.NOT_FOUND: "Absent, or not for the viewer's eyes: the two cannot be told apart.",
        ErrorCode.INVALID_INPUT: "An argument is not what the field takes; the path says which.",
        ErrorCode.CONFLICT: "It can't be done as things stand.",
        ErrorCode.MODULE_NOT_ENABLED: "The agency lacks the module; the account manager can switch it on.",
        ErrorCode.CONFIRMATION_REQUIRED: "It opens entries: ask, and call again with confirm.",
        ErrorCode.WRONG_PASSWORD: "The viewer's own password was wrong.",
        ErrorCode.PASSWORD_CHANGE_REQUIRED: (
            "The password was set by somebody else: sign in with newPassword."
        ),
        ErrorCode.RATE_LIMITED: "Too often; it may work after retryAfter seconds.",
    },
)
