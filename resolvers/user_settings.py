"""What a user is called and reached by: making one, and changing names, address and language."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from tortoise.exceptions import IntegrityError

from models import audit, derived
from models.tables.users import ReadLevel, Role, UserState
from resolvers import office_groups, text, users
from resolvers.acting import acting_user
from resolvers.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from resolvers.users import User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.database import Unit
    from resolvers.request import Request, Viewer

DEFAULT_LANGUAGE = "de"
_OWN_FIELDS = frozenset({"email", "language"})
_INPUT_NAMES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "language": "language",
}


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an administrator says of a new user; None is absent. The password is never shown."""

    login: str
    first_name: str
    last_name: str
    email: str | None
    email_name: str | None
    language: str | None
    role: Role
    password: str
    office_groups: list[str]
    activity_read_level: ReadLevel
    agents_log_read_level: ReadLevel

    def __repr__(self) -> str:
        return f"NewUser(login={self.login!r})"


async def create_user(request: Request, asked: NewUser) -> User:
    """Make a user of the viewer's agency, whose password has to be changed at the first sign-in.

    Raises `ForbiddenError` for all but administrators (`NotFoundError` for those of no agency),
    `InvalidInputError` for what can't be a user, an address outside of the agency's domains among it, and
    `ConflictError` for a login that is taken.
    """
    if request.member() is None:
        raise NotFoundError("There is no agency to add a user to.")
    agency_id = _administered(request.signed_in())

    async def check(unit: Unit) -> tuple[Viewer, User]:
        await unit.lock_agency(agency_id, alone=True)
        acting = await acting_user(unit, request)
        _administered(acting)
        new = _checked(asked, agency_id)
        await _check_login(unit, agency_id, new.login)
        return acting, new

    # Hashing takes long: nothing is locked meanwhile, and nothing is hashed for those who may not.
    await request.database.transact(check)
    password_hash = await request.services.hasher.hash(asked.password)
    groups = text.office_groups(asked.office_groups, ["input", "officeGroups"])

    async def work(unit: Unit) -> User:
        acting, new = await check(unit)
        await _insert(unit, new, password_hash)
        await office_groups.join(unit, agency_id, new.id, groups)
        details: dict[str, audit.Detail] = {
            "login": new.login,
            "role": new.role.value,
            "officeGroups": groups,
            "activityReadLevel": new.activity_read_level.value,
            "agentsLogReadLevel": new.agents_log_read_level.value,
        }
        await _record(unit, request, acting, "user.create", new, details)
        return new

    return await request.database.transact(work)


async def update_user(request: Request, user_id: str, given: Mapping[str, str | None]) -> User:
    """Change names, address or language: of anybody as an administrator, the last two also of oneself.

    `given` holds only what is to change, by the names of `User`; null clears the address. Raises
    `InvalidInputError` for null elsewhere. What is equal already changes nothing.
    """

    def settle(acting: Viewer, user: User) -> tuple[User, dict[str, audit.Detail]]:
        if not acting.administers and (acting.id != user.id or not set(given) <= _OWN_FIELDS):
            raise ForbiddenError("Administrators change users; oneself, one's own address and language.")
        changed = replace(user, **_checked_changes(given))
        fields = [
            name for field, name in _INPUT_NAMES.items() if getattr(changed, field) != getattr(user, field)
        ]
        return changed, {"fields": fields}

    return await _change(request, user_id, "user.update", settle)


async def set_email_name(request: Request, user_id: str, email_name: str | None) -> User:
    """Change or clear the sender name of a user's basic data: as an administrator, or one's own."""

    def settle(acting: Viewer, user: User) -> tuple[User, dict[str, audit.Detail]]:
        if not acting.administers and acting.id != user.id:
            raise ForbiddenError("Administrators change users; oneself, one's own e-mail name.")
        changed = replace(user, email_name=text.display_name(email_name, ["emailName"]))
        return changed, {"emailName": changed.email_name}

    return await _change(request, user_id, "user.email_name", settle)


# ---------------------------------------------------------------- input


def _administered(viewer: Viewer) -> UUID:
    if not viewer.administers or viewer.agency_id is None:
        raise ForbiddenError("Only administrators make users.")
    return viewer.agency_id


def _checked(asked: NewUser, agency_id: UUID) -> User:
    login = text.own_address(asked.login, ["input", "login"], plus=True)
    changes = _checked_changes(
        {
            "first_name": asked.first_name,
            "last_name": asked.last_name,
            "email": asked.email,
            "language": DEFAULT_LANGUAGE if asked.language is None else asked.language,
        }
    )
    email_name = text.display_name(asked.email_name, ["input", "emailName"])
    if asked.role is Role.ACCOUNT_MANAGER:
        raise InvalidInputError("Account managers belong to no agency.", ["input", "role"])
    text.password(asked.password, ["input", "password"])
    text.office_groups(asked.office_groups, ["input", "officeGroups"])
    return User(
        id=uuid4(),
        agency_id=agency_id,
        login=login,
        email_name=email_name,
        role=asked.role,
        state=UserState.ACTIVE,
        activity_read_level=asked.activity_read_level,
        agents_log_read_level=asked.agents_log_read_level,
        **changes,
    )


def _checked_changes(given: Mapping[str, str | None]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for field, value in given.items():
        path = ["input", _INPUT_NAMES[field]]
        if field == "email":
            checked[field] = None if value is None else text.email(value, path)
        elif value is None:
            raise InvalidInputError("It can't be cleared.", path)
        elif field == "language":
            checked[field] = text.language(value, path)
        else:
            checked[field] = text.line(value, path)
    return checked


# ---------------------------------------------------------------- units of work


async def _change(
    request: Request,
    user_id: str,
    action: str,
    settle: Callable[[Viewer, User], tuple[User, dict[str, audit.Detail]]],
) -> User:
    viewer = request.signed_in()

    async def work(unit: Unit) -> User:
        if viewer.agency_id is not None:
            await unit.lock_agency(viewer.agency_id, alone=True)
        acting = await acting_user(unit, request)
        user = await users.hold(unit, acting, user_id)
        changed, details = settle(acting, user)
        if changed == user:
            return user
        await unit.execute(
            "UPDATE users SET first_name = $2, last_name = $3, email = $4, email_name = $5, language = $6, "
            "fold_name = $7, fold_search = $8 WHERE id = $1",
            changed.id,
            changed.first_name,
            changed.last_name,
            changed.email,
            changed.email_name,
            changed.language,
            derived.user_order(changed.last_name, changed.first_name),
            derived.user_search(changed.login, changed.first_name, changed.last_name, changed.email_name),
        )
        await _record(unit, request, acting, action, changed, details)
        return changed

    return await request.database.transact(work)


async def _check_login(unit: Unit, agency_id: UUID, login: str) -> None:
    domain = await unit.fetch_one(
        "SELECT name FROM domains WHERE name = $1 AND agency_id = $2", text.domain_of(login), agency_id
    )
    if domain is None:
        raise InvalidInputError("A login is an address in one of the agency's domains.", ["input", "login"])
    if await unit.fetch_one("SELECT id FROM users WHERE lower(login) = $1", login) is not None:
        raise _login_taken()


def _login_taken() -> ConflictError:
    return ConflictError("This login is taken.", ["input", "login"])


async def _insert(unit: Unit, new: User, password_hash: str) -> None:
    values = {
        "id": new.id,
        "agency_id": new.agency_id,
        "login": new.login,
        "first_name": new.first_name,
        "last_name": new.last_name,
        "fold_name": derived.user_order(new.last_name, new.first_name),
        "fold_search": derived.user_search(new.login, new.first_name, new.last_name, new.email_name),
        "email": new.email,
        "email_name": new.email_name,
        "language": new.language,
        "role": new.role.value,
        "state": new.state.value,
        "activity_read_level": new.activity_read_level.value,
        "agents_log_read_level": new.agents_log_read_level.value,
        "password_hash": password_hash,
        "password_change_required": True,
    }
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    try:
        await unit.execute(f"INSERT INTO users ({', '.join(values)}) VALUES ({places})", *values.values())
    except IntegrityError as error:
        # An import may have brought the login since it was looked for.
        raise _login_taken() from error


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
