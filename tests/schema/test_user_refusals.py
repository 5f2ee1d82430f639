"""Who may not change a user, whatever the mutation: the code that is answered, and that nothing changes."""

from typing import Any
from uuid import uuid4

import pytest

from models import clock
from models.tables.users import Role, User, UserState
from resolvers.node_ids import NodeKind, encode
from tests import storage
from tests.schema.asking import Asking
from tests.schema.people import (
    FORBIDDEN,
    NAME,
    NO_SUCH_USER,
    RIGHTS,
    SIGN_IN_FIRST,
    STATE,
    UPDATE,
    Cast,
    refused,
    user_id,
)
from tests.storage import contents

pytestmark = pytest.mark.asyncio

# ---------------------------------------------------------------- who may, whatever the mutation

EACH = [
    (UPDATE, {"input": {"firstName": "Eve"}}),
    (UPDATE, {"input": {"email": "eve@home.example"}}),
    (UPDATE, {"input": {}}),
    (RIGHTS, {"input": {"activityReadLevel": "ALL"}}),
    (STATE, {"state": "LOCKED"}),
    (NAME, {"name": "Eve"}),
]


@pytest.mark.parametrize("mutation,variables", EACH)
async def test_others_may_not_change_a_user(asking: Asking, mutation: str, variables: dict[str, Any]) -> None:
    cast_ = await Cast.meet()
    target = user_id(cast_.anna)
    for who, expected in (
        (None, SIGN_IN_FIRST),
        (cast_.ben, FORBIDDEN),
        (cast_.stranger, NO_SUCH_USER),
        (cast_.manager, NO_SUCH_USER),
    ):
        await refused(asking, who, mutation, expected, id=target, **variables)


@pytest.mark.parametrize("mutation,variables", EACH)
async def test_who_is_locked_or_signed_out_meanwhile_may_nothing(
    asking: Asking, mutation: str, variables: dict[str, Any]
) -> None:
    cast_ = await Cast.meet()
    for state in (UserState.LOCKED, UserState.DEACTIVATED):
        gone = await storage.user(cast_.nord, state.lower(), role=Role.ADMINISTRATOR, state=state)
        await refused(asking, gone, mutation, SIGN_IN_FIRST, id=user_id(cast_.anna), **variables)
    request = await asking.request(cast_.boss)
    await asking.database.execute("UPDATE sessions SET ended_at = $1", clock.now())
    before = await contents(asking.database)
    payload = await asking.payload(request, mutation, id=user_id(cast_.anna), **variables)
    assert payload == SIGN_IN_FIRST
    assert await contents(asking.database) == before


@pytest.mark.parametrize("mutation,variables", EACH)
async def test_who_is_demoted_meanwhile_is_no_administrator(
    asking: Asking, mutation: str, variables: dict[str, Any]
) -> None:
    cast_ = await Cast.meet()
    request = await asking.request(cast_.boss)
    await User.filter(id=cast_.boss.id).update(role=Role.USER)
    before = await contents(asking.database)
    payload = await asking.payload(request, mutation, id=user_id(cast_.anna), **variables)
    assert payload == FORBIDDEN
    assert await contents(asking.database) == before


@pytest.mark.parametrize("mutation,variables", EACH)
async def test_users_that_cannot_be_read_are_not_found(
    asking: Asking, mutation: str, variables: dict[str, Any]
) -> None:
    cast_ = await Cast.meet()
    for target in (
        "",
        "x\0",
        "\ud800",
        encode(NodeKind.USER, uuid4()),
        encode(NodeKind.MAILBOX, cast_.anna.id),
        user_id(cast_.stranger),
        user_id(cast_.manager),
    ):
        await refused(asking, cast_.boss, mutation, NO_SUCH_USER, id=target, **variables)


async def test_an_account_manager_has_no_rights_to_change(asking: Asking) -> None:
    cast_ = await Cast.meet()
    me = user_id(cast_.manager)
    await refused(asking, cast_.manager, RIGHTS, FORBIDDEN, id=me, input={"role": "USER"})
    await refused(asking, cast_.manager, STATE, FORBIDDEN, id=me, state="LOCKED")
    await refused(asking, cast_.manager, UPDATE, FORBIDDEN, id=me, input={"lastName": "X"})
