"""Agencies, users, mailboxes and periods: what a line may say beside what is known, and the rows that it adds."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import bulk, stored
from models.derived import agency_order, mailbox_search, user_order, user_search
from resolvers.importing import passwords
from resolvers.importing.errors import LineRefusedError
from resolvers.importing.known import Agency, Known, Mailbox, Person, find_user
from resolvers.text import domain_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from models.database import Unit
    from models.seals import Seals
    from resolvers.hashing import Hasher
    from resolvers.importing.addressees import Addressees
    from resolvers.importing.lines import AgencyLine, AssignmentLine, MailboxLine, UserLine

ROWS = 1_000
"""So many rows wait to be written together."""

HASHED_AT_ONCE = 2
"""Passwords; each takes 64 MiB while it is hashed."""

OTHER_CONTENT = "It is stored already, with other content."
TABLES = (
    "office_groups",
    "users",
    "office_group_members",
    "mailboxes",
    "mailbox_passwords",
    "mailbox_password_knowers",
    "assignments",
)
"""In the order in which they refer to each other."""
HASHED = ("users", "mailbox_passwords")
"""Those with values that threads make."""


class Directory:
    """Takes lines one by one; what they add is written later, together, in `write` at the latest.

    Each `take_…` returns whether the line adds anything, and raises `LineRefusedError`. What an agency was given is counted
    there, and here what belongs to none.
    """

    def __init__(
        self,
        unit: Unit,
        known: Known,
        hasher: Hasher,
        seals: Seals,
        now: datetime,
        addressees: Addressees,
    ) -> None:
        self._unit = unit
        self._known = known
        self._hasher = hasher
        self._seals = seals
        self._now = now
        self._addressees = addressees
        self._threads = ThreadPoolExecutor(HASHED_AT_ONCE, thread_name_prefix="import")
        self.account_managers: Counter[str] = Counter()
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}

    # ---------------------------------------------------------------- agencies

    async def take_agency(self, line: AgencyLine) -> bool:
        """Add an agency with its domains and modules."""
        content = line.content
        if (known := await self._known.agency(line.key)) is not None:
            return _adds(known.content, content)
        for domain in content.domains:
            if await self._known.agency_of_domain(domain) is not None:
                raise LineRefusedError("domains: A domain belongs to one agency.")
        if any(domain_of(login) in content.domains for login in self._known.account_managers):
            raise LineRefusedError("domains: An account manager's login is in one of them.")
        agency = Agency(uuid4(), line.key, content)
        await self._insert_agency(agency)
        self._known.add(agency)
        agency.added["agency"] += 1
        return True

    async def _insert_agency(self, agency: Agency) -> None:
        content = agency.content
        await self._unit.execute(
            "INSERT INTO agencies (id, key, name, fold_name, contact_name, contact_email, contact_phone, "
            "passwords_in_letters) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            agency.id,
            agency.key,
            content.name,
            agency_order(content.name),
            *(content.contact or (None, None, None)),
            content.passwords_in_letters,
        )
        for domain in sorted(content.domains):
            await self._unit.execute(
                "INSERT INTO domains (name, agency_id) VALUES ($1, $2)", domain, agency.id
            )
        for module in sorted(content.modules):
            await self._unit.execute(
                "INSERT INTO modules (id, agency_id, name, enabled) VALUES ($1, $2, $3, $4)",
                uuid4(),
                agency.id,
                module,
                True,  # noqa: FBT003 (a parameter of the statement)
            )

    # ---------------------------------------------------------------- users

    async def take_user(self, line: UserLine) -> bool:
        """Add a user to an agency, or an account manager."""
        if line.agency is None:
            if await self._known.agency_of_domain(domain_of(line.login)) is not None:
                raise LineRefusedError("login: An account manager's is in no agency's domain.")
            added = await self._add_user(line, None, self._known.account_managers)
            self.account_managers["user"] += added
            return added
        agency = await self.agency(line.agency)
        if domain_of(line.login) not in agency.content.domains:
            raise LineRefusedError("login: A login is in one of the agency's domains.")
        added = await self._add_user(line, agency, agency.users)
        agency.added["user"] += added
        return added

    async def _add_user(self, line: UserLine, agency: Agency | None, users: dict[str, Person]) -> bool:
        content = line.content
        if line.login in users:
            return _adds(users[line.login].content, content)
        user_id, agency_id = uuid4(), None if agency is None else agency.id
        self._rows["users"].append(
            (
                user_id,
                agency_id,
                line.login,
                content.first_name,
                content.last_name,
                user_order(content.last_name, content.first_name),
                user_search(line.login, content.first_name, content.last_name, content.email_name),
                content.email,
                content.email_name,
                content.language,
                content.role,
                content.state,
                content.activity_read_level,
                content.agents_log_read_level,
                self._hash(line),
                line.password_change_required,
            )
        )
        users[line.login] = Person(user_id, content)
        if agency is not None:
            for name in sorted(content.office_groups):
                group = self._group(agency, name)
                self._rows["office_group_members"].append((uuid4(), agency.id, group, user_id))
        await self._write_many()
        return True

    def _group(self, agency: Agency, name: str) -> UUID:
        if name not in agency.groups:
            agency.groups[name] = uuid4()
            self._rows["office_groups"].append((agency.groups[name], agency.id, name))
        return agency.groups[name]

    def _hash(self, line: UserLine) -> str | Future[str]:
        """Return the hash, or the promise of one: the next lines need not wait for it."""
        if line.password_hash is not None:
            return line.password_hash
        return self._threads.submit(self._hasher.hash_now, line.password or "")

    # ---------------------------------------------------------------- mailboxes and periods

    async def take_mailbox(self, line: MailboxLine, number: int) -> bool:
        """Add a mailbox with nobody assigned and with its password, which a thread makes or checks."""
        agency = await self.agency(line.agency)
        if domain_of(line.address) not in agency.content.domains:
            raise LineRefusedError("address: A mailbox is in one of the agency's domains.")
        stops_at, content = line.receiving_stops_at, line.content
        if (known := agency.mailboxes.get(line.address)) is not None:
            given = content, stops_at or known.receiving_stops_at
            return _adds((known.content, known.receiving_stops_at), given)
        if (earlier := self._addressees.line_that_names(line.address)) is not None:
            raise LineRefusedError(
                f"address: The e-mail of line {earlier} names it already: mailboxes stand before e-mails."
            )
        knowers = [self._knower(agency, login, place) for place, login in enumerate(line.password_known_by)]
        make = passwords.made(self._seals, line.address, line.password, number, self._now)
        if not content.active and stops_at is None:
            stops_at = self._now
        mailbox = Mailbox(uuid4(), agency, line.address, content, stops_at)
        agency.mailboxes[line.address] = mailbox
        agency.added["mailbox"] += 1
        self._rows["mailboxes"].append(
            (
                mailbox.id,
                agency.id,
                mailbox.address,
                content.email_name,
                mailbox_search(mailbox.address, content.email_name),
                content.vip,
                content.active,
                stops_at,
                content.automatic_booking,
                mailbox.newest,
            )
        )
        self._rows["mailbox_passwords"].append((mailbox.id, agency.id, self._threads.submit(make)))
        version = passwords.version_of(line.password)
        self._rows["mailbox_password_knowers"].extend(
            (uuid4(), agency.id, mailbox.id, version, user_id) for user_id in dict.fromkeys(knowers)
        )
        await self._write_many()
        return True

    def _knower(self, agency: Agency, login: str, place: int) -> UUID:
        person = find_user(agency, login)
        if person is None:
            raise LineRefusedError(f"passwordKnownBy.{place}: The agency has no user with this login.")
        return person.id

    async def take_assignment(self, line: AssignmentLine, write_mails: Callable[[], Awaitable[None]]) -> bool:
        """Add a period. `write_mails` makes sure that every e-mail of the lines before is stored."""
        mailbox = await self._known.mailbox(line.mailbox)
        if mailbox is None:
            raise LineRefusedError("mailbox: There is no mailbox with this address.")
        person = find_user(mailbox.agency, line.user)
        if person is None:
            raise LineRefusedError("user: The mailbox's agency has no user with this login.")
        since, until = line.since, line.until
        periods = mailbox.periods.setdefault(person.id, [])
        place = bisect_left(periods, since, key=lambda period: period[0])
        if place < len(periods) and periods[place][0] == since:
            return _adds(periods[place][1], until)
        is_apart_before = place == 0 or _ends_by(periods[place - 1][1], since)
        is_apart_after = place == len(periods) or _ends_by(until, periods[place][0])
        if not (is_apart_before and is_apart_after):
            raise LineRefusedError("from: Periods of a user at a mailbox never overlap.")
        if mailbox.may_be_booked_within(since, until):
            await write_mails()
            if await stored.is_booked_within(self._unit, mailbox.id, since, until):
                raise LineRefusedError("from: An e-mail was booked within this period before.")
        periods.insert(place, (since, until))
        mailbox.take_moment(until or since)
        mailbox.agency.added["assignment"] += 1
        self._rows["assignments"].append((uuid4(), mailbox.agency.id, mailbox.id, person.id, since, until))
        await self._write_many()
        return True

    # ---------------------------------------------------------------- writing

    async def write(self) -> None:
        """Write every row that waits. Raises `LineRefusedError` where a thread refused a password."""
        await self.settle()
        for table, rows in self._rows.items():
            await bulk.insert(self._unit, table, rows)
            rows.clear()

    async def settle(self) -> None:
        """Wait for the threads. Raises `LineRefusedError` for the first line whose password one of them refused."""
        for table in HASHED:
            rows = self._rows[table]
            rows[:] = [tuple([each for value in row for each in await _settled(value)]) for row in rows]

    async def write_moments(self) -> None:
        """Store the newest moment of each mailbox to which the import brought a newer one."""
        for agency in self._known.agencies.values():
            for mailbox in agency.mailboxes.values():
                if mailbox.is_ahead:
                    await stored.take_moment(self._unit, mailbox.id, mailbox.newest)

    def close(self) -> None:
        """Forget the passwords that still wait to be hashed."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _write_many(self) -> None:
        if sum(map(len, self._rows.values())) >= ROWS:
            await self.write()

    async def agency(self, key: str) -> Agency:
        """Return the agency that a line names."""
        agency = await self._known.agency(key.strip())
        if agency is None:
            raise LineRefusedError("agency: There is no agency with this key.")
        return agency


def _adds(known: object, given: object) -> bool:
    """Return that a line whose key is known adds nothing, provided that its content is known as well."""
    if known != given:
        raise LineRefusedError(OTHER_CONTENT)
    return False


def _ends_by(until: datetime | None, moment: datetime) -> bool:
    return until is not None and until <= moment


async def _settled(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 (any column)
    """Return the columns that stand for a value, those of a password once a thread has made it."""
    made = await asyncio.wrap_future(value) if isinstance(value, Future) else value
    if isinstance(made, passwords.Sealed):
        return made.version, made.sealed, made.hash, made.changed_at
    return (made,)
