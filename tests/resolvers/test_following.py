"""Who knows a password and should not any more: what is recommended, and what a change renews with itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from models import mailbox_passwords
from models.database import Database, Unit
from models.tables.mailboxes import Assignment, Mailbox, MailboxEventKind, MailboxPassword, SessionEnding
from models.tables.users import Role, User, UserState
from resolvers import (
    assignments,
    mailbox_settings,
    mailboxes,
    password_knowledge,
    passwords,
    rates,
    renewals,
    user_rights,
)
from resolvers.errors import ConfirmationRequiredError, ForbiddenError, RateLimitedError
from resolvers.following import Followed
from resolvers.request import Request
from resolvers.user_rights import Rights
from tests import storage
from tests.resolvers.offices import Office, audited, box_id, events, new_password, user_id
from tests.resolvers.signing_in import PASSWORD, hashed
from tests.storage import LONG_AGO, contents, statements
from tests.surroundings import HASHER, SEALS

pytestmark = pytest.mark.asyncio

RENEWED = rates.RENEWALS.action


async def know(database: Database, mailbox: Mailbox, who: User, version: int = 1) -> None:
    """Somebody was shown a mailbox's password."""

    async def work(unit: Unit) -> None:
        agency_id: UUID = mailbox.agency_id  # type: ignore[attr-defined]
        await mailbox_passwords.note_knower(
            unit, agency_id=agency_id, mailbox_id=mailbox.id, version=version, user_id=who.id
        )

    await database.transact(work)


async def is_recommended(request: Request, mailbox: Mailbox) -> bool:
    found = await mailboxes.by_address(replace(request, batches={}), mailbox.address)
    assert found is not None
    knowledge = await password_knowledge.of_mailbox(replace(request, batches={}), found)
    assert knowledge is not None
    return knowledge.is_renewal_recommended


def addresses(found: list[Any]) -> list[str]:
    return sorted(each.address.partition("@")[0] for each in found)


# ---------------------------------------------------------------- when it is recommended


async def test_it_is_recommended_while_somebody_knows_it_who_may_not_reveal_it(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    for number, (state, role, assigned, vip) in enumerate(
        product(UserState, (Role.USER, Role.ADMINISTRATOR), ("now", "formerly", "never"), (False, True))
    ):
        box = await storage.mailbox(office.agency, f"box{number}", vip=vip)
        who = await storage.user(office.agency, f"who{number}", role=role, state=state)
        if assigned != "never":
            until = None if assigned == "now" else LONG_AGO + timedelta(days=1)
            await storage.period(box, who, until=until)
        await new_password(database, SEALS, box)
        assert not await is_recommended(request, box)
        await know(database, box, who)
        viewer = await storage.viewer(who)
        record = await mailboxes.by_address(replace(request, viewer=viewer, batches={}), box.address)
        assert record is not None
        may = state is UserState.ACTIVE and mailboxes.can_reveal(viewer, record)
        assert may == (
            state is UserState.ACTIVE and (assigned == "now" or (role is Role.ADMINISTRATOR and not vip))
        )
        assert await is_recommended(request, box) is not may, (state, role, assigned, vip)
        # Who was shown the password before has nothing of the new one.
        await new_password(database, SEALS, box, version=2)
        assert not await is_recommended(request, box)


async def test_a_mailbox_without_a_password_has_nothing_to_say(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    found = await mailboxes.by_address(request, office.desk.address)
    assert found is not None
    assert await password_knowledge.of_mailbox(request, found) is None


async def test_mailboxes_of_one_level_are_looked_up_together(database: Database) -> None:
    office = await Office.open()
    request = await storage.request(database, office.boss)
    boxes = [await storage.mailbox(office.agency, f"box{number}") for number in range(5)]
    found = [await mailboxes.by_address(request, box.address) for box in boxes]
    for box in boxes[:3]:
        await new_password(database, SEALS, box)
    with statements(database) as seen:
        known = await asyncio.gather(
            *(password_knowledge.of_mailbox(request, box) for box in found if box is not None)
        )
    assert [each is None for each in known] == [False, False, False, True, True]
    assert len(seen) == 1


# ---------------------------------------------------------------- changes that take rights

SAYING, RENEWING = False, True
Change = Callable[[Request, Office, bool], Awaitable[Followed[Any]]]
CHANGES: dict[str, Change] = {
    "unassigned": lambda request, office, renew: assignments.unassign(
        request, *office.ids, renew_passwords=renew
    ),
    "locked": lambda request, office, renew: user_rights.set_state(
        request, user_id(office.anna), UserState.LOCKED, renew_passwords=renew
    ),
    "deactivated": lambda request, office, renew: user_rights.set_state(
        request, user_id(office.anna), UserState.DEACTIVATED, renew_passwords=renew
    ),
    "demoted": lambda request, office, renew: user_rights.set_rights(
        request, user_id(office.anna), Rights(role=Role.USER), renew_passwords=renew
    ),
    "VIP": lambda request, office, renew: mailbox_settings.set_vip(
        request, box_id(office.desk), vip=True, confirm=False, renew_passwords=renew
    ),
}


async def situation(database: Database, change: str) -> Office:
    """Anna was shown the desk's password, by the right that the change takes from her."""
    office = await Office.open()
    await new_password(database, SEALS, office.desk)
    await know(database, office.desk, office.anna)
    if change in {"demoted", "VIP"}:
        await User.filter(id=office.anna.id).update(role=Role.ADMINISTRATOR)
    else:
        await storage.period(office.desk, office.anna)
    if change == "unassigned":
        # Elsewhere it is recommended already: that is not for this change to say.
        elsewhere = await storage.mailbox(office.agency, "elsewhere")
        await new_password(database, SEALS, elsewhere)
        await know(database, elsewhere, office.anna)
    else:
        # What she keeps, or does not know, is not named.
        kept = await storage.mailbox(office.agency, "kept")
        await new_password(database, SEALS, kept, version=2)
        await know(database, kept, office.anna, version=1)
    return office


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_says_what_should_be_renewed(database: Database, change: str) -> None:
    office = await situation(database, change)
    request = await storage.request(database, office.boss)
    assert not await is_recommended(request, office.desk)
    before = await contents(database, "sessions")
    found = await CHANGES[change](request, office, SAYING)
    assert (addresses(found.renewal_recommended), found.passwords_renewed, found.renewals_effective) == (
        ["desk"],
        [],
        None,
    )
    assert await is_recommended(request, office.desk)
    after = await contents(database, "sessions")
    for table in ("mailbox_passwords", "mailbox_password_knowers", "session_endings"):
        assert after[table] == before[table]
    # Done again it changes nothing and says the same, until somebody renews.
    again = await CHANGES[change](request, office, SAYING)
    assert addresses(again.renewal_recommended) == ["desk"]
    await renewals.generate(request, box_id(office.desk), None)
    last = await CHANGES[change](request, office, SAYING)
    assert last.renewal_recommended == []


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_renews_in_the_same_step(database: Database, change: str) -> None:
    office = await situation(database, change)
    request = await storage.request(database, office.boss)
    found = await CHANGES[change](request, office, RENEWING)
    assert (found.renewal_recommended, addresses(found.passwords_renewed), found.renewals_effective) == (
        [],
        ["desk"],
        False,
    )
    row = await MailboxPassword.get(mailbox_id=office.desk.id)
    newest = (await Mailbox.get(id=office.desk.id)).last_moment
    assert (row.version, row.changed_at) == (2, newest)
    assert mailbox_passwords.opened(SEALS, row.sealed, office.desk.address, 2)
    assert await audited(RENEWED) == [
        {"actor": office.boss.id, "subject": ("mailbox", office.desk.id), "from": "192.0.2.7", "version": 2}
    ]
    assert (MailboxEventKind.PASSWORD_RENEWED, office.boss.id) in await events(office.desk)
    assert [row.version for row in await SessionEnding.all()] == [2]
    assert await MailboxPassword.exclude(mailbox_id=office.desk.id).filter(version=1).count() == (
        1 if change == "unassigned" else 0
    )
    # Once is enough.
    again = await CHANGES[change](request, office, RENEWING)
    assert (again.passwords_renewed, again.renewal_recommended, again.renewals_effective) == ([], [], None)
    assert (await MailboxPassword.get(mailbox_id=office.desk.id)).version == 2


@pytest.mark.parametrize("change", CHANGES)
async def test_who_may_not_change_it_renews_nothing(database: Database, change: str) -> None:
    office = await situation(database, change)
    request = await storage.request(database, await storage.user(office.agency, "ben"))
    before = await contents(database)
    with pytest.raises(ForbiddenError):
        await CHANGES[change](request, office, RENEWING)
    assert await contents(database) == before


@pytest.mark.parametrize("change", CHANGES)
async def test_too_many_renewals_refuse_the_whole_step(
    database: Database, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await situation(database, change)
    monkeypatch.setattr(rates, "RENEWALS", rates.Rate(RENEWED, 100, 1, timedelta(minutes=10)))
    request = await storage.request(database, office.boss)
    await renewals.generate(request, box_id(office.desk), None)
    await know(database, office.desk, office.anna, version=2)
    before = await contents(database)
    with pytest.raises(RateLimitedError):
        await CHANGES[change](request, office, RENEWING)
    assert await contents(database) == before
    # The right is taken all the same, without a renewal.
    found = await CHANGES[change](request, office, SAYING)
    assert addresses(found.renewal_recommended) == ["desk"]


async def test_what_deactivating_leaves_is_renewed_whatever_the_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More is known when the unit runs than when passwords were made for it: it is begun anew with enough of them."""
    office = await Office.open()
    boxes = [await storage.mailbox(office.agency, f"box{number}", vip=number % 2 == 0) for number in range(6)]
    for box in boxes:
        await new_password(database, SEALS, box)
        await storage.period(box, office.anna)
    for box in boxes[:4]:
        await know(database, box, office.anna)
    make = HASHER.new_mailbox_passwords
    asked: list[int] = []

    async def know_more_then_make(number: int) -> Any:  # noqa: ANN401 (passed on)
        if not asked:
            await know(database, boxes[4], office.anna)
        asked.append(number)
        return await make(number)

    monkeypatch.setattr(HASHER, "new_mailbox_passwords", know_more_then_make)
    request = await storage.request(database, office.boss)
    found = await user_rights.set_state(
        request, user_id(office.anna), UserState.DEACTIVATED, renew_passwords=True
    )
    assert asked == [4, 1]
    assert addresses(found.passwords_renewed) == [f"box{number}" for number in range(5)]
    versions = {str(row.mailbox_id): row.version for row in await MailboxPassword.all()}
    assert [versions[str(box.id)] for box in boxes] == [2, 2, 2, 2, 2, 1]
    assert len({row.hash for row in await MailboxPassword.all()}) == 6
    assert await Assignment.filter(until=None).count() == 0
    assert len(await audited(RENEWED)) == 5
    # Each moment at a mailbox is later than the one before.
    for box in boxes[:5]:
        ended = await Assignment.get(mailbox_id=box.id)
        assert ended.until is not None
        assert (await MailboxPassword.get(mailbox_id=box.id)).changed_at > ended.until


async def test_switching_vip_off_asks_before_it_renews(database: Database) -> None:
    office = await situation(database, "VIP")
    await Mailbox.filter(id=office.desk.id).update(vip=True)
    request = await storage.request(database, office.boss)
    before = await contents(database, "audit_events")
    with pytest.raises(ConfirmationRequiredError):
        await mailbox_settings.set_vip(
            request, box_id(office.desk), vip=False, confirm=False, renew_passwords=True
        )
    assert await contents(database, "audit_events") == before
    # Switched off, the administrator may reveal again what she knows: nothing has to be renewed.
    found = await mailbox_settings.set_vip(
        request, box_id(office.desk), vip=False, confirm=True, renew_passwords=True
    )
    assert (found.passwords_renewed, found.renewal_recommended) == ([], [])


async def test_who_demotes_oneself_is_told_of_no_passwords(database: Database) -> None:
    office = await situation(database, "demoted")
    request = await storage.request(database, office.anna)
    found = await user_rights.set_rights(
        request, user_id(office.anna), Rights(role=Role.USER), renew_passwords=True
    )
    assert (found.passwords_renewed, found.renewal_recommended) == ([], [])
    assert (await MailboxPassword.get(mailbox_id=office.desk.id)).version == 2


async def test_unassigning_and_renewing_at_once_ends_well(database: Database) -> None:
    """The two take the viewer's turn and the mailbox in the same order, and the version only grows."""
    office = await situation(database, "unassigned")
    requests = [await storage.request(database, office.boss) for _ in range(8)]
    answers = await asyncio.gather(
        *(
            CHANGES["unassigned"](each, office, RENEWING)
            if number % 2
            else renewals.generate(each, box_id(office.desk), None)
            for number, each in enumerate(requests)
        ),
        return_exceptions=True,
    )
    assert {type(each).__name__ for each in answers} <= {"Followed", "Renewed", "ConflictError"}
    version = (await MailboxPassword.get(mailbox_id=office.desk.id)).version
    assert version == 1 + len(await audited(RENEWED))
    assert not await is_recommended(requests[0], office.desk)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_shown_between_the_change_and_its_renewals(database: Database, change: str) -> None:
    """What is shown at the same instant is shown before, and renewed, or not at all."""
    office = await situation(database, change)
    await User.all().update(password_hash=hashed())
    boss = await storage.request(database, office.boss)
    annas = [await storage.request(database, office.anna) for _ in range(6)]
    shown = [passwords.reveal(each, box_id(office.desk), PASSWORD) for each in annas]
    *answers, followed = await asyncio.gather(
        *shown, CHANGES[change](boss, office, RENEWING), return_exceptions=True
    )
    assert isinstance(followed, Followed)
    assert {type(each).__name__ for each in answers} <= {"str", "ForbiddenError", "UnauthenticatedError"}
    assert not await is_recommended(boss, office.desk)
    row = await MailboxPassword.get(mailbox_id=office.desk.id)
    assert mailbox_passwords.opened(SEALS, row.sealed, office.desk.address, row.version) not in answers
    assert (row.version, len(await audited(RENEWED))) == (2, 1)


async def test_a_change_that_fails_renews_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await situation(database, "locked")
    request = await storage.request(database, office.boss)
    before = await contents(database)

    async def fail(*_: Any, **__: Any) -> None:  # noqa: ANN401 (whatever it is called with)
        raise RuntimeError

    monkeypatch.setattr(renewals, "renew_all", fail)
    with pytest.raises(RuntimeError):
        await CHANGES["locked"](request, office, RENEWING)
    assert await contents(database) == before
    assert (await User.get(id=office.anna.id)).state is UserState.ACTIVE
