"""Users. The objects behind these types are `resolvers.users`'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers import mailboxes, user_rights, user_settings, users
from resolvers.node_ids import NodeKind
from resolvers.user_rights import Rights
from resolvers.user_settings import NewUser
from resolvers.users import User as UserRecord
from schema.connections import After, Before, Connection, First, Last, Search, arguments, given
from schema.context import Info
from schema.enums import ReadLevel, Role, UserState
from schema.node import Node, loads
from schema.payloads import Answers, FollowedPayload, RenewPasswords, followed
from schema.permissions import AdministersAgencyOrIsThatUser, null_unless, signed_in

if TYPE_CHECKING:
    from schema.mailbox import Mailbox


async def _office_groups(root: strawberry.Parent[UserRecord], info: Info) -> list[str]:
    return await users.office_groups(info.context.request, root.id)


def _mailboxes(
    root: strawberry.Parent[UserRecord],
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
) -> Any:
    return mailboxes.of_user(info.context.request, root.id, arguments(first, after, last, before))


@strawberry.type(description="A person who signs in: somebody of an agency, or an account manager.")
class User(Node):
    """`resolvers.users.User`."""

    login: str = strawberry.field(description="An address in one of the agency's domains.")
    first_name: str = strawberry.field(description="The given name.")
    last_name: str = strawberry.field(description="The family name.")
    name: str = strawberry.field(description="First and last name.")
    email: str | None = strawberry.field(
        description="Where letters reach the person. Administrators and oneself.",
        extensions=null_unless(AdministersAgencyOrIsThatUser()),
    )
    email_name: str | None = strawberry.field(
        description="The sender name of the user's basic data (Grunddaten); null when there is none."
    )
    language: str = strawberry.field(description="BCP 47, for letters and messages.")
    role: Role = strawberry.field(description="What the user may change.")
    state: UserState = strawberry.field(description="Whether the user may come in.")
    office_groups: list[str] | None = strawberry.field(
        resolver=_office_groups,
        description="The names of the user's office groups, sorted. Administrators and oneself.",
        extensions=null_unless(AdministersAgencyOrIsThatUser()),
    )
    activity_read_level: ReadLevel | None = strawberry.field(
        description="Which activities at contacts the user reads. Administrators and oneself.",
        extensions=null_unless(AdministersAgencyOrIsThatUser()),
    )
    agents_log_read_level: ReadLevel | None = strawberry.field(
        description="Which agents-log entries at properties the user reads. Administrators and oneself.",
        extensions=null_unless(AdministersAgencyOrIsThatUser()),
    )
    mailboxes: Connection[Annotated[Mailbox, strawberry.lazy("schema.mailbox")]] | None = strawberry.field(
        resolver=_mailboxes,
        description="The mailboxes that the user is assigned to now, by address. Administrators and oneself.",
        extensions=null_unless(AdministersAgencyOrIsThatUser()),
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, UserRecord)


# ---------------------------------------------------------------- queries

State = Annotated[
    UserState | None, strawberry.argument(description="Only users in this state; all when absent.")
]


async def _viewer(info: Info) -> Any:
    return await users.viewer(info.context.request)


def _users(
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    search: Search = strawberry.UNSET,
    state: State = strawberry.UNSET,
) -> Any:
    window = arguments(first, after, last, before)
    return users.list_all(info.context.request, window, given(search), given(state))


@strawberry.type
class UserQuery:
    """Reading users."""

    viewer: User | None = strawberry.field(
        resolver=_viewer, description="Who is signed in; null when nobody is."
    )
    users: Connection[User] = strawberry.field(
        resolver=_users,
        description=(
            "The users of the viewer's agency, by last name, first name, login. "
            "The search looks in login, names and e-mail name. Empty for an account manager."
        ),
        extensions=signed_in(),
    )


# ---------------------------------------------------------------- mutations


@strawberry.input(description="A new user of the viewer's agency.")
class CreateUserInput:
    """See `resolvers.user_settings.NewUser`."""

    login: str = strawberry.field(description="An address in one of the agency's domains.")
    first_name: str = strawberry.field(description="The given name, at most 100 characters.")
    last_name: str = strawberry.field(description="The family name, at most 100 characters.")
    email: str | None = strawberry.field(
        description="Where letters reach the person.", default=strawberry.UNSET
    )
    email_name: str | None = strawberry.field(
        description="The sender name of the basic data, at most 128 characters; blank is none.",
        default=strawberry.UNSET,
    )
    language: str | None = strawberry.field(
        description="BCP 47; German when absent.", default=strawberry.UNSET
    )
    role: Role = strawberry.field(description="USER or ADMINISTRATOR.", default=Role.USER)
    password: str = strawberry.field(description="12 to 128 characters; to be changed at the first sign-in.")
    office_groups: list[str] = strawberry.field(
        description="Names, at most 100 of at most 100 characters; a new name makes a group.",
        default_factory=list,
    )
    activity_read_level: ReadLevel = strawberry.field(
        description="Which activities at contacts the user reads.", default=ReadLevel.OWN
    )
    agents_log_read_level: ReadLevel = strawberry.field(
        description="Which agents-log entries at properties the user reads.", default=ReadLevel.OWN
    )


@strawberry.input(
    description=(
        "What is absent stays as it is; null clears email and is INVALID_INPUT elsewhere. "
        "Oneself may change email and language, administrators all."
    )
)
class UpdateUserInput:
    """See `resolvers.user_settings.update_user`."""

    first_name: str | None = strawberry.field(
        description="The given name, at most 100 characters.", default=strawberry.UNSET
    )
    last_name: str | None = strawberry.field(
        description="The family name, at most 100 characters.", default=strawberry.UNSET
    )
    email: str | None = strawberry.field(
        description="Where letters reach the person; null clears it.", default=strawberry.UNSET
    )
    language: str | None = strawberry.field(description="BCP 47.", default=strawberry.UNSET)


@strawberry.input(description="What is absent stays as it is.")
class SetUserRightsInput:
    """See `resolvers.user_rights.Rights`."""

    role: Role | None = strawberry.field(description="USER or ADMINISTRATOR.", default=strawberry.UNSET)
    office_groups: list[str] | None = strawberry.field(
        description="All of the user's groups from now on: at most 100 names of at most 100 characters.",
        default=strawberry.UNSET,
    )
    activity_read_level: ReadLevel | None = strawberry.field(
        description="Which activities at contacts the user reads.", default=strawberry.UNSET
    )
    agents_log_read_level: ReadLevel | None = strawberry.field(
        description="Which agents-log entries at properties the user reads.", default=strawberry.UNSET
    )


@strawberry.type(description="A user as he or she is after the mutation.")
class UserPayload(FollowedPayload):
    """Made by `Answers`."""

    user: User | None = strawberry.field(description="The user; null when there are errors.", default=None)


UserId = Annotated[strawberry.ID, strawberry.argument(description="The user.")]


async def _create_user(
    info: Info, input: Annotated[CreateUserInput, strawberry.argument(description="The new user.")]
) -> Any:
    asked = NewUser(
        login=input.login,
        first_name=input.first_name,
        last_name=input.last_name,
        email=given(input.email),
        email_name=given(input.email_name),
        language=given(input.language),
        role=input.role,
        password=input.password,
        office_groups=input.office_groups,
        activity_read_level=input.activity_read_level,
        agents_log_read_level=input.agents_log_read_level,
    )
    return await user_settings.create_user(info.context.request, asked)


async def _update_user(
    info: Info,
    user_id: UserId,
    input: Annotated[UpdateUserInput, strawberry.argument(description="What changes.")],
) -> Any:
    changes = {name: value for name, value in vars(input).items() if value is not strawberry.UNSET}
    return await user_settings.update_user(info.context.request, user_id, changes)


async def _set_user_rights(
    info: Info,
    user_id: UserId,
    input: Annotated[SetUserRightsInput, strawberry.argument(description="What changes.")],
    renew_passwords: RenewPasswords = False,
) -> Any:
    rights = Rights(**{name: given(value) for name, value in vars(input).items()})
    found = await user_rights.set_rights(
        info.context.request, user_id, rights, renew_passwords=bool(renew_passwords)
    )
    return followed("user", found)


async def _set_user_state(
    info: Info,
    user_id: UserId,
    state: Annotated[UserState, strawberry.argument(description="The state from now on.")],
    renew_passwords: RenewPasswords = False,
) -> Any:
    found = await user_rights.set_state(
        info.context.request, user_id, state, renew_passwords=bool(renew_passwords)
    )
    return followed("user", found)


async def _set_user_email_name(
    info: Info,
    user_id: UserId,
    email_name: Annotated[
        str | None, strawberry.argument(description="At most 128 characters; blank or null clears it.")
    ] = strawberry.UNSET,
) -> Any:
    return await user_settings.set_email_name(info.context.request, user_id, given(email_name))


@strawberry.type
class UserMutation:
    """Changing users."""

    create_user: UserPayload = strawberry.field(
        resolver=_create_user,
        description="Makes a user of the viewer's agency. Administrators.",
        extensions=[*signed_in(), Answers("user")],
    )
    update_user: UserPayload = strawberry.field(
        resolver=_update_user,
        description="Changes names, address and language. Administrators; oneself email and language.",
        extensions=[*signed_in(), Answers("user")],
    )
    set_user_rights: UserPayload = strawberry.field(
        resolver=_set_user_rights,
        description=(
            "Changes role, office groups and read levels. Administrators. "
            "The last active administrator can't be demoted (CONFLICT). Says which mailboxes' passwords should be renewed "
            "because the user knows and may not reveal them, or renews them."
        ),
        extensions=[*signed_in(), Answers()],
    )
    set_user_state: UserPayload = strawberry.field(
        resolver=_set_user_state,
        description=(
            "Locks, unlocks or deactivates a user. Administrators. Locking ends the sessions; "
            "deactivating is final and ends the assignments too. "
            "The last active administrator can't be locked or deactivated (CONFLICT). Says which mailboxes' passwords should "
            "be renewed because the user knows and may not reveal them, or renews them."
        ),
        extensions=[*signed_in(), Answers()],
    )
    set_user_email_name: UserPayload = strawberry.field(
        resolver=_set_user_email_name,
        description=(
            "Changes the sender name of the basic data. Administrators and oneself. A blank or null name clears it."
        ),
        extensions=[*signed_in(), Answers("user")],
    )


loads(NodeKind.USER, users.by_id)
