"""The demonstration keeps the rules of the import and shows every situation that docs/rule.md promises."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from server.demonstration import LOGINS, lines
from tests.oracle.rule import Filter, Oracle, direction, groups
from tests.oracle.world import Mail, Period, User, World
from tests.server.import_rules import Reader

NOW: Final = datetime(2026, 11, 22, 13, 5, 27, 318_204, tzinfo=UTC)
NOWS: Final = (
    NOW,
    datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 22, 23, 0, 0, 1, tzinfo=UTC),
    datetime(2028, 2, 29, 0, 0, tzinfo=timezone(timedelta(hours=14))),
    datetime(2027, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=-12))),
    datetime(2026, 3, 30, 6, 30, tzinfo=timezone(timedelta(hours=2))),
)
NORDLICHT: Final = "nordlicht"
CHEF: Final = "chef@nordlicht.example"
RULE: Final = Path(__file__).parents[2] / "docs" / "rule.md"
TRY: Final = re.compile(r"^\| (\d+) \| `([^`]+)` \| “([^”]+)” \| (sees it|does not)\b", re.MULTILINE)
TOLD: Final = [
    (int(row), login, subject, sees == "sees it")
    for row, login, subject, sees in TRY.findall(RULE.read_text(encoding="utf-8"))
]


@cache
def demonstration() -> Reader:
    return Reader.read(lines(NOW), NOW)


@cache
def oracle() -> Oracle:
    return Oracle(demonstration().world, NOW)


def mail_of(subject: str) -> Mail:
    (mail,) = [mail for mail in demonstration().mails if mail.subject == subject]
    return mail


def seen(login: str, mail: Mail, world: World | None = None) -> bool:
    rule = Oracle(world, NOW) if world else oracle()
    answers = {rule.visible(rule.user(login), entry) for entry in rule.entries() if entry.mail == mail}
    (answer,) = answers
    return answer


def found(login: str, search: str) -> set[str]:
    rule = oracle()
    return {entry.mail.subject for entry in rule.feed(rule.user(login), Filter(search=search))}


def with_vip(address: str, *, vip: bool) -> World:
    world = demonstration().world
    changed = (replace(box, vip=vip) if box.address == address else box for box in world.mailboxes)
    return replace(world, mailboxes=tuple(changed))


def periods(login: str, address: str) -> list[Period]:
    return [period for period in demonstration().periods if (period.user, period.mailbox) == (login, address)]


# ---------------------------------------------------------------- the import's rules


@pytest.mark.parametrize("now", NOWS, ids=str)
def test_every_line_keeps_the_rules_of_the_import(now: datetime) -> None:
    reader = Reader.read(lines(now), now)
    assert len(reader.mails) > 300


def test_the_same_now_gives_the_same_lines() -> None:
    assert list(lines(NOW)) == list(lines(NOW))


def test_the_same_now_in_another_offset_gives_the_same_lines() -> None:
    assert list(lines(NOW)) == list(lines(NOW.astimezone(timezone(timedelta(hours=-7)))))


def test_a_now_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a now with an offset"):
        list(lines(NOW.replace(tzinfo=None)))


def test_mailboxes_carry_no_passwords() -> None:
    rows = [json.loads(line) for line in lines(NOW)]
    assert not [row for row in rows if row["type"] == "mailbox" and any("password" in key for key in row)]


# ---------------------------------------------------------------- who can sign in


def test_everybody_named_can_sign_in() -> None:
    reader = demonstration()
    for login in LOGINS:
        assert reader.users[login.login].state == "ACTIVE"
        assert reader.passwords[login.login] == login.password
        assert reader.users[login.login].first_name in login.sees
        assert re.fullmatch(r"[^.]+\.", login.sees)
    assert len({login.login for login in LOGINS}) == len(LOGINS)
    assert LOGINS[0].login == "anna@nordlicht.example"


def test_the_boss_reads_two_of_the_three_vip_mailboxes() -> None:
    assert seen(CHEF, mail_of("Gehaltsrunde: meine Liste"))
    assert not seen(CHEF, mail_of("Bewerbung um den Ausbildungsplatz, Selin Aksoy"))


def test_level_nothing_leaves_the_vip_mail_of_the_own_time() -> None:
    rule = oracle()
    feed = rule.feed(rule.user("greta@nordlicht.example"))
    assert {entry.mail.subject for entry in feed} >= {
        "Anfrage: Stimmt das mit Hagedorn?",
        "Beurkundung Segelmacherstraße 40, UR-Nr. 1288",
    }
    assert all(rule.guarded(entry.mail) for entry in feed)


def test_levels_differ_by_kind() -> None:
    rule = oracle()
    emre, lena = rule.user("emre@nordlicht.example"), rule.user("lena@nordlicht.example")
    assert (emre.activity_level, emre.agents_log_level) == ("OWN", "ALL")
    assert {entry.kind for entry in rule.feed(lena) if not rule.guarded(entry.mail)} == {"ACTIVITY"}
    others = [entry for entry in rule.feed(emre) if emre not in rule.audience(entry.mail)]
    assert {entry.kind for entry in others} == {"AGENTS_LOG"}


def test_a_locked_colleague_still_counts_for_the_office_group() -> None:
    rule = oracle()
    rolf, svenja = rule.user("rolf@nordlicht.example"), rule.user("svenja@nordlicht.example")
    assert rolf.state == "LOCKED"
    assert not rule.feed(rolf)
    assert groups(rolf) & groups(svenja)
    of_rolf_alone = [
        entry
        for entry in rule.entries()
        if entry.mail.agency == NORDLICHT and rule.audience(entry.mail) == [rolf]
    ]
    assert any(rule.visible(svenja, entry) for entry in of_rolf_alone)


def test_somebody_deactivated_booked_and_sees_nothing() -> None:
    reader = demonstration()
    katja = reader.users["katja@nordlicht.example"]
    assert katja.state == "DEACTIVATED"
    assert any(booking.user == katja.login for mail in reader.mails for booking in mail.bookings)
    assert not oracle().feed(katja)


def test_an_account_manager_sees_no_mail() -> None:
    kern = demonstration().users["kern@provider.example"]
    assert kern.role == "ACCOUNT_MANAGER"
    assert not oracle().feed(kern)


def test_the_same_mail_reached_both_agencies_and_each_sees_its_own() -> None:
    ours, theirs = sorted(
        (mail for mail in demonstration().mails if mail.subject.startswith("Gemeinsame Messe")),
        key=lambda mail: mail.agency,
        reverse=True,
    )
    assert (ours.agency, theirs.agency) == ("nordlicht", "alster")
    assert replace(ours, agency="", bookings=()) == replace(theirs, agency="", bookings=())
    for login, mail, other in (
        ("anna@nordlicht.example", ours, theirs),
        ("paula@alster.example", theirs, ours),
    ):
        assert seen(login, mail)
        assert not seen(login, other)


# ---------------------------------------------------------------- a world worth looking at


def test_mails_are_many_and_varied() -> None:
    mails = demonstration().mails
    assert 300 <= len(mails) <= 450
    assert len({mail.text for mail in mails}) >= len(mails) - 4
    directions = Counter(direction(mail) for mail in mails)
    assert min(directions["INCOMING"], directions["OUTGOING"]) > 100
    assert directions["INTERNAL"] > 30
    assert sum(len(mail.bookings) > 1 for mail in mails) > 40
    assert sum(booking.user is None for mail in mails for booking in mail.bookings) > 15
    assert sum(not mail.contacts and not mail.properties for mail in mails) > 30
    assert sum("ß" in mail.text or "ü" in mail.text for mail in mails) > 250


def test_moments_are_spread_over_days_and_a_year() -> None:
    moments = [booking.at for mail in demonstration().mails for booking in mail.bookings]
    assert len({(moment.year, moment.month) for moment in moments}) >= 12
    assert len({moment.hour for moment in moments}) >= 12
    assert len({moment.date() for moment in moments}) > 180
    assert NOW - max(moments) < timedelta(hours=1)


def test_mailboxes_are_of_every_sort() -> None:
    reader = demonstration()
    assert sorted(box.address for box in reader.world.mailboxes if box.vip) == [
        "bewerbung@nordlicht.example",
        CHEF,
        "leitung@alster.example",
        "personal@nordlicht.example",
    ]
    assert [address for address, active in reader.active.items() if not active] == ["messe@nordlicht.example"]
    assert reader.agencies["alster"].modules == ()
    assert "VIP_MAILBOXES" in reader.agencies[NORDLICHT].modules
    booked = {booking.mailbox for mail in reader.mails for booking in mail.bookings}
    assert booked == set(reader.mailboxes)


# ---------------------------------------------------------------- the table of situations


@pytest.mark.parametrize("row, login, subject, sees", TOLD)
def test_what_the_document_tells_to_try_comes_true(row: int, login: str, subject: str, *, sees: bool) -> None:
    mail = mail_of(subject)
    assert SITUATIONS[row](oracle().user(login), mail), "another situation than the row's"
    assert seen(login, mail) == sees
    assert (subject in found(login, subject)) == sees
    if not sees:
        assert not found(login, subject), "the search would show something else, and puzzle the reader"


def test_the_document_has_every_row_of_the_table() -> None:
    assert sorted({row for row, *_ in TOLD}) == sorted(SITUATIONS)


def test_everybody_to_try_is_among_the_logins() -> None:
    assert {login for _, login, *_ in TOLD} <= {login.login for login in LOGINS}
    for login in {login.login for login in LOGINS}:
        assert f"`{login}`" in RULE.read_text(encoding="utf-8")
    assert LOGINS[0].password in RULE.read_text(encoding="utf-8")


def _only(mail: Mail) -> tuple[str, datetime]:
    (booking,) = mail.bookings
    assert oracle().mailbox(booking.mailbox).vip
    return booking.mailbox, booking.at


def _assigned_before(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    return [period.begin < at and period.end is None for period in periods(user.login, address)] == [True]


def _assigned_later(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    return [at < period.begin for period in periods(user.login, address)] == [True]


def _assigned_once(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    (period,) = periods(user.login, address)
    return period.end is not None and period.begin < at < period.end < NOW


def _assigned_until_that_moment(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    return [period.end for period in periods(user.login, address)] == [at]


def _assigned_from_that_moment(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    return [period.begin for period in periods(user.login, address)] == [at]


def _assigned_between_arrival_and_reading(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    (period,) = periods(user.login, address)
    return mail.mail_date is not None and mail.mail_date < period.begin < at


def _left_and_came_back(user: User, mail: Mail) -> bool:
    address, at = _only(mail)
    earlier, later = periods(user.login, address)
    return earlier.end is not None and earlier.end < at < later.begin


def _administrator_never_assigned(user: User, mail: Mail) -> bool:
    address, _ = _only(mail)
    return user.role == "ADMINISTRATOR" and user.activity_level == "ALL" and not periods(user.login, address)


def _internal(user: User, mail: Mail) -> tuple[bool, bool]:
    """Whether the user was on N when V wrote, and when N read."""
    wrote, read = mail.bookings
    rule = oracle()
    assert (wrote.part, rule.mailbox(wrote.mailbox).vip) == ("SENDING", True)
    assert (read.part, rule.mailbox(read.mailbox).vip) == ("RECEIVING", False)
    assert wrote.at < read.at
    assert not periods(user.login, wrote.mailbox)
    there = periods(user.login, read.mailbox)
    return any(period.holds(wrote.at) for period in there), any(period.holds(read.at) for period in there)


def _read_on_the_other_only(user: User, mail: Mail) -> bool:
    (booking,) = mail.bookings
    assert set(mail.recipients) == {CHEF, booking.mailbox}
    never = not periods(user.login, CHEF) and not periods(user.login, booking.mailbox)
    return booking.mailbox != CHEF and user.activity_level == "ALL" and never


def _switched_later(user: User, mail: Mail) -> bool:
    (booking,) = mail.bookings
    assert not oracle().guarded(mail)
    assert not seen(user.login, mail, with_vip(booking.mailbox, vip=True))
    return user.activity_level == "ALL" and not periods(user.login, booking.mailbox)


def _guarded_without_the_module(user: User, mail: Mail) -> bool:
    address, _ = _only(mail)
    assert seen(user.login, mail, with_vip(address, vip=False))
    return not periods(user.login, address)


SITUATIONS: Final[dict[int, Callable[[User, Mail], bool]]] = {
    1: _assigned_before,
    2: _assigned_later,
    3: _assigned_once,
    4: _assigned_until_that_moment,
    5: _assigned_from_that_moment,
    6: _assigned_between_arrival_and_reading,
    7: _left_and_came_back,
    8: _administrator_never_assigned,
    9: lambda user, mail: _internal(user, mail)[1],
    10: lambda user, mail: _internal(user, mail) == (True, False),
    11: _read_on_the_other_only,
    12: _switched_later,
    13: _guarded_without_the_module,
}
