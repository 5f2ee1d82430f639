"""Passwords of mailboxes over the schema: each payload whole, and each error with what helps."""

from datetime import timedelta

import pytest

from models import clock
from models.tables.mailboxes import Mailbox, MailboxPassword
from models.tables.users import Role, User, UserState
from resolvers import rates
from tests import storage
from tests.resolvers.offices import Office, box_id, new_password, user_id
from tests.resolvers.signing_in import PASSWORD, hashed
from tests.schema.asking import Asking, Json
from tests.storage import contents, statements

pytestmark = pytest.mark.asyncio

ERRORS = "errors { __typename code path ... on RateLimitedError { retryAfter } }"
REVEAL = f"""mutation ($box: ID!, $own: String!) {{
  revealMailboxPassword(mailboxId: $box, currentPassword: $own) {{ password {ERRORS} }}
}}"""
GENERATE = f"""mutation ($box: ID!, $request: String) {{
  generateMailboxPassword(mailboxId: $box, requestId: $request) {{
    mailbox {{ address passwordChangedAt passwordRotationRecommended }} effective {ERRORS}
  }}
}}"""
FOLLOWS = (
    "renewalRecommended { address viewerCanReveal passwordRotationRecommended } "
    "passwordsRenewed { address passwordRotationRecommended } renewalsEffective errors { code }"
)
UNASSIGN = f"""mutation ($box: ID!, $user: ID!, $renew: Boolean) {{
  unassignUser(mailboxId: $box, userId: $user, renewPasswords: $renew) {{ assignment {{ user {{ login }} }} {FOLLOWS} }}
}}"""
STATE = f"""mutation ($user: ID!, $state: UserState!, $renew: Boolean) {{
  setUserState(userId: $user, state: $state, renewPasswords: $renew) {{ user {{ state }} {FOLLOWS} }}
}}"""
RIGHTS = f"""mutation ($user: ID!, $renew: Boolean) {{
  setUserRights(userId: $user, input: {{role: USER}}, renewPasswords: $renew) {{ user {{ role }} {FOLLOWS} }}
}}"""
VIP = f"""mutation ($box: ID!, $renew: Boolean) {{
  setMailboxVip(mailboxId: $box, vip: true, renewPasswords: $renew) {{ mailbox {{ vip }} {FOLLOWS} }}
}}"""
KNOWN = "{ mailboxes { nodes { address passwordChangedAt passwordRotationRecommended } } }"


async def open_office(asking: Asking) -> tuple[Office, str]:
    """Anna is assigned to the desk; and the desk's password."""
    office = await Office.open()
    await User.all().update(password_hash=hashed())
    await storage.period(office.desk, office.anna)
    return office, await new_password(asking.database, asking.services.seals, office.desk)


def refusal(kind: str, code: str, *path: str, **more: object) -> Json:
    return [{"__typename": kind, "code": code, "path": list(path) or None, **more}]


async def test_a_password_is_shown(asking: Asking) -> None:
    office, secret = await open_office(asking)
    box = box_id(office.desk)
    assert await asking.payload(office.anna, REVEAL, box=box, own=PASSWORD) == {
        "password": secret,
        "errors": [],
    }
    assert await asking.payload(office.anna, REVEAL, box=box, own="wrong") == {
        "password": None,
        "errors": refusal("WrongPasswordError", "WRONG_PASSWORD", "currentPassword"),
    }


async def test_showing_too_often_says_for_how_long_to_wait(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, _ = await open_office(asking)
    monkeypatch.setattr(rates, "REVEALS", rates.Rate(rates.REVEALS.action, 1, 20, timedelta(seconds=90)))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    await asking.payload(office.anna, REVEAL, box=box_id(office.desk), own=PASSWORD)
    assert await asking.payload(office.anna, REVEAL, box=box_id(office.desk), own=PASSWORD) == {
        "password": None,
        "errors": refusal("RateLimitedError", "RATE_LIMITED", retryAfter=90),
    }


async def test_a_password_is_renewed(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    office, secret = await open_office(asking)
    box = box_id(office.desk)
    before = clock.now()
    monkeypatch.setattr(clock, "now", lambda: before + timedelta(days=1))
    answer = await asking.payload(office.anna, GENERATE, box=box, request="one")
    changed_at = (await MailboxPassword.get(mailbox_id=office.desk.id)).changed_at
    assert answer == {
        "mailbox": {
            "address": "desk@nord.example",
            "passwordChangedAt": changed_at.isoformat().replace("+00:00", "Z"),
            "passwordRotationRecommended": False,
        },
        "effective": False,
        "errors": [],
    }
    assert await asking.payload(office.anna, GENERATE, box=box, request="one") == answer
    shown = await asking.payload(office.anna, REVEAL, box=box, own=PASSWORD)
    assert shown["password"] not in (None, secret)
    assert await asking.payload(office.anna, GENERATE, box=box, request="") == {
        "mailbox": None,
        "effective": None,
        "errors": refusal("InvalidInputError", "INVALID_INPUT", "requestId"),
    }


async def test_an_administrator_renews_the_password_of_a_vip_mailbox_and_is_shown_nothing(
    asking: Asking,
) -> None:
    office, _ = await open_office(asking)
    await Mailbox.all().update(vip=True)
    box = box_id(office.desk)
    assert await asking.payload(office.boss, GENERATE, box=box) == {
        "mailbox": {
            "address": "desk@nord.example",
            "passwordChangedAt": None,
            "passwordRotationRecommended": None,
        },
        "effective": False,
        "errors": [],
    }
    assert await asking.payload(office.boss, REVEAL, box=box, own=PASSWORD) == {
        "password": None,
        "errors": refusal("ForbiddenError", "FORBIDDEN"),
    }


async def test_a_list_costs_the_same_however_long_it_is(asking: Asking) -> None:
    office, _ = await open_office(asking)
    request = await asking.request(office.boss)
    with statements(asking.database) as first:
        found = await asking.data(request, KNOWN)
    assert [each["passwordRotationRecommended"] for each in found["mailboxes"]["nodes"]] == [False]
    for number in range(20):
        box = await storage.mailbox(office.agency, f"box{number:02}", vip=number == 0)
        await new_password(asking.database, asking.services.seals, box)
    request = await asking.request(office.boss)
    with statements(asking.database) as second:
        found = (await asking.data(request, KNOWN))["mailboxes"]["nodes"]
    assert len(first) == len(second) == 2
    assert [each["passwordRotationRecommended"] for each in found] == [None, *[False] * 20]
    assert [each["passwordChangedAt"] is None for each in found] == [True, *[False] * 20]


@pytest.mark.parametrize("change", ["unassigned", "locked", "demoted", "VIP"])
async def test_what_takes_a_right_says_what_to_renew_or_renews_it(asking: Asking, change: str) -> None:
    office, _ = await open_office(asking)
    who = office.anna
    if change in {"demoted", "VIP"}:
        who = await storage.user(office.agency, "lea", role=Role.ADMINISTRATOR, password_hash=hashed())
    box = box_id(office.desk)
    await asking.payload(who, REVEAL, box=box, own=PASSWORD)
    changes: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
        "unassigned": (
            UNASSIGN,
            {"box": box, "user": user_id(who)},
            {"assignment": {"user": {"login": who.login}}},
        ),
        "locked": (STATE, {"user": user_id(who), "state": "LOCKED"}, {"user": {"state": "LOCKED"}}),
        "demoted": (RIGHTS, {"user": user_id(who)}, {"user": {"role": "USER"}}),
        "VIP": (VIP, {"box": box}, {"mailbox": {"vip": True}}),
    }
    mutation, variables, changed = changes[change]
    may_reveal = change != "VIP"
    desk = {
        "address": "desk@nord.example",
        "viewerCanReveal": may_reveal,
        # Of a VIP mailbox the field itself stays for those who may reveal.
        "passwordRotationRecommended": True if may_reveal else None,
    }
    assert await asking.payload(office.boss, mutation, **variables) == {
        **changed,
        "renewalRecommended": [desk],
        "passwordsRenewed": [],
        "renewalsEffective": None,
        "errors": [],
    }
    renewed = {
        "address": "desk@nord.example",
        "passwordRotationRecommended": False if may_reveal else None,
    }
    assert await asking.payload(office.boss, mutation, **variables, renew=True) == {
        **changed,
        "renewalRecommended": [],
        "passwordsRenewed": [renewed],
        "renewalsEffective": False,
        "errors": [],
    }


async def test_who_locks_oneself_out_gets_a_payload_without_passwords(asking: Asking) -> None:
    office, _ = await open_office(asking)
    await storage.user(office.agency, "lea", role=Role.ADMINISTRATOR)
    await asking.payload(office.boss, REVEAL, box=box_id(office.desk), own=PASSWORD)
    answer = await asking.payload(
        office.boss, STATE, user=user_id(office.boss), state=UserState.LOCKED.value, renew=True
    )
    assert (answer["renewalRecommended"], answer["passwordsRenewed"], answer["errors"]) == ([], [], [])
    assert (await MailboxPassword.get(mailbox_id=office.desk.id)).version == 2


async def test_a_refused_change_renews_nothing(asking: Asking) -> None:
    office, _ = await open_office(asking)
    request = await asking.request(office.anna)
    before = await contents(asking.database)
    for mutation, variables in (
        (UNASSIGN, {"box": box_id(office.desk), "user": user_id(office.anna)}),
        (STATE, {"user": user_id(office.anna), "state": "LOCKED"}),
        (RIGHTS, {"user": user_id(office.boss)}),
        (VIP, {"box": box_id(office.desk)}),
    ):
        answer = await asking.payload(request, mutation, **variables, renew=True)
        assert answer["errors"] == [{"code": "FORBIDDEN"}]
        assert (answer["renewalRecommended"], answer["passwordsRenewed"]) == ([], [])
    assert await contents(asking.database) == before
