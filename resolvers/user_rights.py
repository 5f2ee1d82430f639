"""What a user may do: role, groups, read levels and state, changed by administrators.

An agency always keeps one active administrator. What a change takes away is gone at once: every unit of work
and every read decides by the rows as they are, and whoever is locked or deactivated loses the sessions that
are open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from models import audit
from models.tables.users import ReadLevel, Role, UserState
from resolvers import assignments, following, office_groups, password_knowledge, sessions, text, users
from resolvers.acting import acting_user
from resolvers.errors import ConflictError, ForbiddenError, InvalidInputError
from resolvers.node_ids import NodeKind, decode_as

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from models.database import Unit
    from resolvers.following import Followed
    from resolvers.mailboxes import Mailbox
    from resolvers.request import Request, Viewer
    from resolvers.users import User


@dataclass(frozen=True, slots=True)
class Rights:
    """What is to change; None stays as it is."""

    role: Role | None = None
    office_groups: list[str] | None = None
    activity_read_level: ReadLevel | None = None
    agents_log_read_level: ReadLevel | None = None


async def set_rights(
    request: Request, user_id: str, rights: Rights, *, renew_passwords: bool = False
) -> Followed[User]:
    """Change a user's role, office groups and read levels, as an administrator.

    Says which mailboxes' passwords should be renewed because the user knows and may not reveal them, or renews them.

    Raises `ForbiddenError` for all others, `InvalidInputError` for what can't be, and `ConflictError` where
    the agency's last active administrator would be none any more. What is equal already changes nothing.
    """

    async def work(unit: Unit, acting: Viewer, user: User, agency_id: UUID) -> User:
        if rights.role is Role.ACCOUNT_MANAGER:
            raise InvalidInputError("Account managers belong to no agency.", ["input", "role"])
        names = None
        if rights.office_groups is not None:
            names = text.office_groups(rights.office_groups, ["input", "officeGroups"])
        changed = replace(
            user,
            role=rights.role or user.role,
            activity_read_level=rights.activity_read_level or user.activity_read_level,
            agents_log_read_level=rights.agents_log_read_level or user.agents_log_read_level,
        )
        details = _differences(user, changed)
        if changed != user:
            await _keep_an_administrator(unit, agency_id, user, changed)
            await unit.execute(
                "UPDATE users SET role = $2, activity_read_level = $3, agents_log_read_level = $4 WHERE id = $1",
                user.id,
                changed.role.value,
                changed.activity_read_level.value,
                changed.agents_log_read_level.value,
            )
        if names is not None and names != await office_groups.of_user(unit, user.id):
            await office_groups.join(unit, agency_id, user.id, names)
            details["officeGroups"] = names
        if details:
            await _record(unit, request, acting, "user.rights", changed, details)
        return changed

    async def expected(wanted: UUID) -> int:
        # Who was an administrator keeps the passwords of mailboxes to which he or she is assigned.
        demotes = rights.role is Role.USER
        return await password_knowledge.count_known(request, wanted, but_assigned=True) if demotes else 0

    return await _change(request, user_id, work, renew=renew_passwords, expected=expected)


async def set_state(
    request: Request, user_id: str, state: UserState, *, renew_passwords: bool = False
) -> Followed[User]:
    """Lock, unlock or deactivate a user, as an administrator. The same state again changes nothing.

    Says which mailboxes' passwords should be renewed because the user knows and may not reveal them, or renews them.
    Locking and deactivating end the user's sessions at once; deactivating ends every assignment and is final.
    Raises `ForbiddenError` for all others, and `ConflictError` for a deactivated user and for the agency's
    last active administrator.
    """

    async def work(unit: Unit, acting: Viewer, user: User, agency_id: UUID) -> User:
        if state is user.state:
            return user
        if user.state is UserState.DEACTIVATED:
            raise ConflictError("Deactivated is final.", ["state"])
        changed = replace(user, state=state)
        await _keep_an_administrator(unit, agency_id, user, changed)
        await unit.execute("UPDATE users SET state = $2 WHERE id = $1", user.id, state.value)
        await _record(unit, request, acting, "user.state", changed, {"state": state.value})
        if state is UserState.DEACTIVATED:
            await assignments.end_all(
                unit,
                agency_id=agency_id,
                user_id=user.id,
                actor_id=acting.id,
                remote_address=request.remote_address,
            )
        if state is not UserState.ACTIVE:
            await sessions.end_sessions(unit, request.services, user.id)
        return changed

    async def expected(wanted: UUID) -> int:
        return 0 if state is UserState.ACTIVE else await password_knowledge.count_known(request, wanted)

    return await _change(request, user_id, work, renew=renew_passwords, expected=expected)


async def _change(
    request: Request,
    user_id: str,
    work: Callable[[Unit, Viewer, User, UUID], Awaitable[User]],
    *,
    renew: bool,
    expected: Callable[[UUID], Awaitable[int]],
) -> Followed[User]:
    viewer = request.signed_in()
    wanted = decode_as(NodeKind.USER, user_id)

    async def whole(unit: Unit) -> tuple[User, Viewer, list[Mailbox]]:
        if viewer.agency_id is not None:
            await unit.lock_agency(viewer.agency_id, alone=True)
        acting = await acting_user(unit, request)
        user = await users.hold(unit, acting, user_id)
        if not acting.administers or user.agency_id is None:
            raise ForbiddenError("Only administrators change rights and states.")
        if renew:
            await unit.lock_turn(acting.id)
        changed = await work(unit, acting, user, user.agency_id)
        return changed, acting, await password_knowledge.known_by_former(unit, acting, user.id)

    number = await expected(wanted) if renew and viewer.administers and wanted is not None else 0
    followed = await following.change(request, whole, renew=renew, expected=number)
    changed = followed.changed
    if changed.id == viewer.id:
        # What the rest of the operation shows follows the rights as they are now.
        request.viewer = None
        if changed.state is UserState.ACTIVE:
            request.viewer = replace(
                viewer,
                role=changed.role,
                activity_read_level=changed.activity_read_level,
                agents_log_read_level=changed.agents_log_read_level,
            )
        if request.viewer is None or not request.viewer.administers:
            followed = replace(followed, renewal_recommended=[], passwords_renewed=[])
    return followed


async def _keep_an_administrator(unit: Unit, agency_id: UUID, before: User, after: User) -> None:
    """Raise `ConflictError` where nobody else could administer the agency after the change."""
    if not _is_active_administrator(before) or _is_active_administrator(after):
        return
    other = await unit.fetch_one(
        "SELECT id FROM users WHERE agency_id = $1 AND role = 'ADMINISTRATOR' AND state = 'ACTIVE' AND id <> $2 LIMIT 1",
        agency_id,
        before.id,
    )
    if other is None:
        raise ConflictError("The agency's last active administrator has to stay one.")


def _is_active_administrator(user: User) -> bool:
    return user.role is Role.ADMINISTRATOR and user.state is UserState.ACTIVE


def _differences(before: User, after: User) -> dict[str, audit.Detail]:
    found: dict[str, audit.Detail] = {}
    if after.role is not before.role:
        found["role"] = after.role.value
    if after.activity_read_level is not before.activity_read_level:
        found["activityReadLevel"] = after.activity_read_level.value
    if after.agents_log_read_level is not before.agents_log_read_level:
        found["agentsLogReadLevel"] = after.agents_log_read_level.value
    return found


async def _record(
    unit: Unit, request: Request, acting: Viewer, action: str, user: User, details: dict[str, audit.Detail]
) -> None:
    await audit.record(
        unit,
        action,
        agency_id=user.agency_id,
        actor_id=acting.id,
        remote_address=request.remote_address,
        subject=("user", user.id),
        details=details,
    )
