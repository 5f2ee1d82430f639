"""Who reads each field and who may make each change: one row a field, which `test_matrix` walks.

A new field without a row fails the walk. The columns are the eight who ask:

- `signed out`: nobody;
- `user`: somebody of the agency whom it does not concern, reading everything that is not guarded;
- `concerned`: the user himself; with a mailbox, who is assigned to it now; with an entry, who is of its audience;
- `administrator`: of the agency, reading everything that is not guarded, assigned nowhere;
- `account manager`;
- `stranger`: an administrator of another agency;
- `locked` and `deactivated`: administrators with a token from before.

A cell of a field says: `value`, `null`, `-` where what it belongs to cannot be reached, or the code of the error. A cell of a
mutation says `done` or the code in its payload. `401` is the door's answer: the token no longer holds.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = (
    "signed out",
    "user",
    "concerned",
    "administrator",
    "account manager",
    "stranger",
    "locked",
    "deactivated",
)
Row = dict[str, str]


def row(cells: str) -> Row:
    """A row from its first six cells; the last two are always the door's."""
    return dict(zip(COLUMNS, [*cells.split(), "401", "401"], strict=True))


# ---------------------------------------------------------------- patterns of rows

#                       signed out       user       concerned  administrator  account manager  stranger
OF_THE_AGENCY = row("   -                value      value      value          -                -")
ADMINISTRATORS = row("  -                null       null       value          -                -")
ALSO_CONCERNED = row("  -                null       value      value          -                -")
CONCERNED_ALONE = row(" -                null       value      null           -                -")
ADMINISTRATORS_ONLY = row("-             -          -          value          -                -")
NOT_STRANGERS = row("   -                -          value      value          -                -")
CONCERNED_ONLY = row("  -                -          value      -              -                -")
AGENCY_AND_PROVIDER = row("-             value      value      value          value            -")
GROUPS_OF_AGENCY = row("-                null       null       value          null             -")
SIGNED_IN = row("       UNAUTHENTICATED  value      value      value          value            value")
ONE_OF_THE_AGENCY = row("UNAUTHENTICATED value      value      value          null             null")

BY_ADMINISTRATORS = row("UNAUTHENTICATED FORBIDDEN  FORBIDDEN  done           NOT_FOUND        NOT_FOUND")
BY_ADMINISTRATORS_AND_ASSIGNED = row("UNAUTHENTICATED FORBIDDEN done done NOT_FOUND NOT_FOUND")
ALSO_BY_ONESELF = row(" UNAUTHENTICATED  FORBIDDEN  done       done           NOT_FOUND        NOT_FOUND")
BY_ANYBODY = row("      done             done       done       done           done             done")
BY_THE_SIGNED_IN = row("UNAUTHENTICATED  done       done       done           done             done")


def rows(names: str, pattern: Row) -> dict[str, Row]:
    """The same row for several fields."""
    return dict.fromkeys(names.split(), pattern)


# ---------------------------------------------------------------- fields


@dataclass(frozen=True)
class Probe:
    """A way to an object of a type: a query with `FIELD` in it, where the object is in the answer, and a row a field."""

    type: str
    query: str
    path: tuple[str | int, ...]
    rows: dict[str, Row]


def node(of: str, variable: str, fields: dict[str, Row]) -> Probe:
    """The node whose id is a variable."""
    return Probe(of, f"{{ node(id: ${variable}) {{ ... on {of} {{ FIELD }} }} }}", ("node",), fields)


QUERY = Probe(
    "Query",
    "{ FIELD }",
    (),
    {
        "viewer": row("null value value value value value"),
        **rows("node(id:$ben) mailbox(address:$address)", ONE_OF_THE_AGENCY),
        **rows("nodes(ids:[$ben]) mailboxes users activities", SIGNED_IN),
        "agency": row("UNAUTHENTICATED value value value null value"),
        "agencies": row("UNAUTHENTICATED null null null value null"),
        "auditEvents": row("UNAUTHENTICATED null null value null value"),
    },
)

MAILBOX_FIELDS = rows(
    "id address emailName effectiveEmailName vip active receivingStopsAt automaticBooking viewerCanAdminister "
    "viewerCanReveal viewerIsAssigned clientSettings activities",
    OF_THE_AGENCY,
)
ACTIVITY_FIELDS = (
    "id kind direction subject preview remark sender recipients messageId mailDate occurredAt vip bookings"
)

LETTERS_AND_PASSWORD = "passwordChangedAt passwordRotationRecommended deliveries suggestedRecipients"

PROBES = (
    QUERY,
    node(
        "User",
        "ben",
        {
            **rows("id login firstName lastName name emailName language role state", OF_THE_AGENCY),
            **rows("email officeGroups activityReadLevel agentsLogReadLevel mailboxes", ALSO_CONCERNED),
        },
    ),
    node(
        "Agency",
        "nord",
        {
            **rows("id name domains modules accountManager passwordsInLetters", AGENCY_AND_PROVIDER),
            "officeGroups": GROUPS_OF_AGENCY,
        },
    ),
    Probe(
        "Module",
        "{ node(id: $nord) { ... on Agency { modules { FIELD } } } }",
        ("node", "modules", 0),
        rows("name enabled", AGENCY_AND_PROVIDER),
    ),
    Probe(
        "AccountManager",
        "{ node(id: $nord) { ... on Agency { accountManager { FIELD } } } }",
        ("node", "accountManager"),
        rows("name email phone", AGENCY_AND_PROVIDER),
    ),
    # A mailbox that is not VIP: those assigned now read who else is, and not the periods.
    node(
        "Mailbox",
        "desk",
        {
            **MAILBOX_FIELDS,
            "assignedUsers": ALSO_CONCERNED,
            **rows("assignments events", ADMINISTRATORS),
            **rows(LETTERS_AND_PASSWORD, ALSO_CONCERNED),
        },
    ),
    Probe(
        "ClientSettings",
        "{ node(id: $desk) { ... on Mailbox { clientSettings { FIELD } } } }",
        ("node", "clientSettings"),
        rows("username incoming outgoing profileUrl thunderbirdCode", OF_THE_AGENCY),
    ),
    Probe(
        "MailServer",
        "{ node(id: $desk) { ... on Mailbox { clientSettings { incoming { FIELD } } } } }",
        ("node", "clientSettings", "incoming", 0),
        rows("protocol host port security", OF_THE_AGENCY),
    ),
    node("MailboxAssignment", "deskPeriod", rows("id user mailbox from until", ADMINISTRATORS_ONLY)),
    node("AuditEvent", "auditEvent", rows("id at action actor object remoteAddress", ADMINISTRATORS_ONLY)),
    node("MailboxEvent", "deskEvent", rows("id kind at user", ADMINISTRATORS_ONLY)),
    # A VIP mailbox: those assigned now read all of it, and they alone what concerns its password.
    node(
        "Mailbox",
        "chef",
        {
            **MAILBOX_FIELDS,
            **rows("assignedUsers assignments events", ALSO_CONCERNED),
            **rows(LETTERS_AND_PASSWORD, CONCERNED_ALONE),
        },
    ),
    node("MailboxAssignment", "chefPeriod", rows("id user mailbox from until", NOT_STRANGERS)),
    node("MailboxEvent", "chefEvent", rows("id kind at user", NOT_STRANGERS)),
    # Letters: for whoever asked for one and those assigned now.
    *(
        node(
            "CredentialDelivery",
            letter,
            rows(
                "id mailbox to content state attempts failure requestedBy requestedAt expiresAt sentAt openedAt",
                CONCERNED_ONLY,
            ),
        )
        for letter in ("deskLetter", "chefLetter")
    ),
    Probe(
        "SuggestedRecipient",
        "{ node(id: $desk) { ... on Mailbox { suggestedRecipients { FIELD } } } }",
        ("node", "suggestedRecipients", 0),
        rows("address user", NOT_STRANGERS),
    ),
    # Entries that are not guarded: by read level, which is ALL here.
    node("Activity", "openActivity", rows(f"{ACTIVITY_FIELDS} contactReference", OF_THE_AGENCY)),
    node("Activity", "openLog", rows(f"{ACTIVITY_FIELDS} propertyReference", OF_THE_AGENCY)),
    # Guarded entries: for their audience, and for nobody else.
    node("Activity", "guardedActivity", rows(f"{ACTIVITY_FIELDS} contactReference", CONCERNED_ONLY)),
    node("Activity", "guardedLog", rows(f"{ACTIVITY_FIELDS} propertyReference", CONCERNED_ONLY)),
    Probe(
        "Booking",
        "{ node(id: $guardedActivity) { ... on Activity { bookings { FIELD } } } }",
        ("node", "bookings", 0),
        rows("mailbox part decisiveAt user", CONCERNED_ONLY),
    ),
)

# ---------------------------------------------------------------- mutations

MUTATIONS: dict[str, tuple[str, Row]] = {
    "signIn": ("signIn(login: $login, password: $password)", BY_ANYBODY),
    "refreshSession": ("refreshSession(refreshToken: $refreshToken)", BY_ANYBODY),
    "revealMailboxPassword": (
        "revealMailboxPassword(mailboxId: $desk, currentPassword: $password)",
        BY_ADMINISTRATORS_AND_ASSIGNED,
    ),
    "sendMailboxCredentials": (
        'sendMailboxCredentials(input: {mailboxId: $desk, to: "new@home.example"})',
        BY_ADMINISTRATORS_AND_ASSIGNED,
    ),
    "signOut": ("signOut", BY_THE_SIGNED_IN),
    "changePassword": (
        'changePassword(currentPassword: $password, newPassword: "a new long password")',
        BY_THE_SIGNED_IN,
    ),
    "createUser": (
        'createUser(input: {login: "new@nord.example", firstName: "N", lastName: "N", password: $password})',
        row("UNAUTHENTICATED FORBIDDEN FORBIDDEN done NOT_FOUND INVALID_INPUT"),
    ),
    "updateUser": ('updateUser(userId: $ben, input: {email: "new@home.example"})', ALSO_BY_ONESELF),
    "setUserEmailName": ('setUserEmailName(userId: $ben, emailName: "New")', ALSO_BY_ONESELF),
    "setUserRights": ("setUserRights(userId: $ben, input: {activityReadLevel: OWN})", BY_ADMINISTRATORS),
    "createMailbox": (
        'createMailbox(input: {address: "new@nord.example"})',
        row("UNAUTHENTICATED FORBIDDEN FORBIDDEN done NOT_FOUND INVALID_INPUT"),
    ),
    "setMailboxEmailName": ('setMailboxEmailName(mailboxId: $desk, emailName: "New")', BY_ADMINISTRATORS),
    "setMailboxVip": ("setMailboxVip(mailboxId: $desk, vip: true)", BY_ADMINISTRATORS),
    "setMailboxAutomaticBooking": (
        "setMailboxAutomaticBooking(mailboxId: $desk, automaticBooking: false)",
        BY_ADMINISTRATORS,
    ),
    "setMailboxActive": ("setMailboxActive(mailboxId: $desk, active: true)", BY_ADMINISTRATORS),
    "assignUser": ("assignUser(mailboxId: $desk, userId: $anna)", BY_ADMINISTRATORS),
    "bookMail": (
        (
            'bookMail(input: {mailboxId: $desk, part: RECEIVING, messageId: "new@web.example", '
            'sender: "buyer@web.example", recipients: [], subject: "", text: ""})'
        ),
        row("UNAUTHENTICATED FORBIDDEN done FORBIDDEN NOT_FOUND NOT_FOUND"),
    ),
    "setPasswordsInLetters": (
        "setPasswordsInLetters(allowed: true)",
        row("UNAUTHENTICATED FORBIDDEN FORBIDDEN done NOT_FOUND done"),
    ),
    "generateMailboxPassword": (
        "generateMailboxPassword(mailboxId: $chef)",
        BY_ADMINISTRATORS_AND_ASSIGNED,
    ),
    "unassignUser": ("unassignUser(mailboxId: $desk, userId: $ben)", BY_ADMINISTRATORS),
    "setModule": (
        "setModule(agencyId: $nord, module: VIP_MAILBOXES, enabled: false)",
        row("UNAUTHENTICATED FORBIDDEN FORBIDDEN FORBIDDEN done NOT_FOUND"),
    ),
    "setUserState": ("setUserState(userId: $ben, state: LOCKED)", BY_ADMINISTRATORS),
}
"""In an order in which what is done leaves everything as it must be for the rest."""

# ---------------------------------------------------------------- subscriptions

SUBSCRIPTIONS: dict[str, tuple[str, Row]] = {
    # A mail to the VIP mailbox: whoever may not see it hears nothing.
    "activityBooked": (
        "activityBooked { id }",
        row("UNAUTHENTICATED silence value silence silence silence"),
    ),
    "credentialDeliveryChanged": (
        "credentialDeliveryChanged(deliveryId: $deskLetter) { id }",
        row("UNAUTHENTICATED NOT_FOUND value NOT_FOUND NOT_FOUND NOT_FOUND"),
    ),
}

# ---------------------------------------------------------------- what has no rights of its own

CONNECTION = {"edges", "nodes", "pageInfo", "totalCount"}
EDGE = {"node", "cursor"}
ERROR = {"code", "message", "path"}
FOLLOWED = {"renewalRecommended", "passwordsRenewed", "renewalsEffective", "errors"}
STRUCTURE: dict[str, set[str]] = {
    "PageInfo": {"hasNextPage", "hasPreviousPage", "startCursor", "endCursor"},
    **{
        f"{name}Connection": CONNECTION
        for name in (
            "Activity",
            "Agency",
            "AuditEvent",
            "CredentialDelivery",
            "Mailbox",
            "MailboxAssignment",
            "MailboxEvent",
            "User",
        )
    },
    **{
        f"{name}Edge": EDGE
        for name in (
            "Activity",
            "Agency",
            "AuditEvent",
            "CredentialDelivery",
            "Mailbox",
            "MailboxAssignment",
            "MailboxEvent",
            "User",
        )
    },
    **{
        f"{name}Error": ERROR
        for name in (
            "Conflict",
            "Forbidden",
            "InvalidInput",
            "NotFound",
            "PasswordChangeRequired",
            "Unauthenticated",
            "WrongPassword",
        )
    },
    "ConfirmationRequiredError": {*ERROR, "entriesOpened"},
    "ModuleNotEnabledError": {*ERROR, "module", "accountManager"},
    "RateLimitedError": {*ERROR, "retryAfter"},
    "AgencyPayload": {"agency", "errors"},
    "BookMailPayload": {"activities", "errors"},
    "GenerateMailboxPasswordPayload": {"mailbox", "effective", "errors"},
    "SendMailboxCredentialsPayload": {"delivery", "errors"},
    "RevealMailboxPasswordPayload": {"password", "errors"},
    "ChangePasswordPayload": {"errors"},
    "MailboxAssignmentPayload": {"assignment", *FOLLOWED},
    "MailboxPayload": {"mailbox", *FOLLOWED},
    "SignInPayload": {"accessToken", "refreshToken", "expiresAt", "viewer", "errors"},
    "SignOutPayload": {"errors"},
    "UserPayload": {"user", *FOLLOWED},
}
"""Pages, payloads and errors: whoever reads the field that leads there reads these, and what they hold has rows."""
