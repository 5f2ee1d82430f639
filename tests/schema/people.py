"""People whose users are changed, the mutations that do it, and what these answer."""

from dataclasses import dataclass

from models.tables.agencies import Agency
from models.tables.users import OfficeGroup, Role, User
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.schema.asking import Asking, Json
from tests.storage import contents

USER = """user { login firstName lastName name email emailName language role state officeGroups
    activityReadLevel agentsLogReadLevel } errors { __typename code path }"""
CREATE = f"mutation ($input: CreateUserInput!) {{ createUser(input: $input) {{ {USER} }} }}"
UPDATE = (
    f"mutation ($id: ID!, $input: UpdateUserInput!) {{ updateUser(userId: $id, input: $input) {{ {USER} }} }}"
)
RIGHTS = f"mutation ($id: ID!, $input: SetUserRightsInput!) {{ setUserRights(userId: $id, input: $input) {{ {USER} }} }}"
STATE = f"mutation ($id: ID!, $state: UserState!) {{ setUserState(userId: $id, state: $state) {{ {USER} }} }}"
NAME = (
    f"mutation ($id: ID!, $name: String) {{ setUserEmailName(userId: $id, emailName: $name) {{ {USER} }} }}"
)

NEW = {
    "login": "new@nord.example",
    "firstName": "Neu",
    "lastName": "Mann",
    "password": "correct horse battery",
}
FULL: Json = {
    "login": "anna@nord.example",
    "firstName": "Kim",
    "lastName": "Anna",
    "name": "Kim Anna",
    "email": None,
    "emailName": None,
    "language": "de",
    "role": "USER",
    "state": "ACTIVE",
    "officeGroups": [],
    "activityReadLevel": "OWN",
    "agentsLogReadLevel": "OWN",
}


def user_id(who: User) -> str:
    return encode(NodeKind.USER, who.id)


@dataclass(frozen=True)
class Cast:
    """An agency with an administrator and two users; somebody of another, and an account manager."""

    nord: Agency
    boss: User
    anna: User
    ben: User
    stranger: User
    manager: User

    @classmethod
    async def meet(cls) -> "Cast":
        nord, sued = await storage.agency("nord"), await storage.agency("sued")
        return cls(
            nord,
            await storage.user(nord, "boss", role=Role.ADMINISTRATOR),
            await storage.user(nord, "anna"),
            await storage.user(nord, "ben"),
            await storage.user(sued, "boss", role=Role.ADMINISTRATOR),
            await storage.user(None, "manager"),
        )


def refusal(kind: str, code: str, *path: str) -> Json:
    return {"user": None, "errors": [{"__typename": kind, "code": code, "path": list(path) or None}]}


SIGN_IN_FIRST = refusal("UnauthenticatedError", "UNAUTHENTICATED")
FORBIDDEN = refusal("ForbiddenError", "FORBIDDEN")
NO_SUCH_USER = refusal("NotFoundError", "NOT_FOUND", "userId")
CONFLICT = refusal("ConflictError", "CONFLICT")


def invalid(*path: str) -> Json:
    return refusal("InvalidInputError", "INVALID_INPUT", *path)


def done(**changes: object) -> Json:
    return {"user": {**FULL, **changes}, "errors": []}


async def refused(
    asking: Asking, who: User | None, mutation: str, expected: Json, **variables: object
) -> None:
    """The mutation answers this payload and changes nothing."""
    request = await asking.request(who)
    before = await contents(asking.database)
    assert await asking.payload(request, mutation, **variables) == expected
    assert await contents(asking.database) == before


async def groups(agency: Agency) -> list[str]:
    return [row.name for row in await OfficeGroup.filter(agency_id=agency.id).order_by("name")]
