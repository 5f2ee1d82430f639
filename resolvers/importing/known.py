"""What an import knows while it runs: agencies, users, mailboxes and periods, of the file and of the database alike.

An agency that is stored already is loaded whole when it is first named, and locked against all others until the import
ends. E-mails are not kept here: there may be millions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import clock, stored
from resolvers.importing.lines import AgencyContent, MailboxContent, UserContent
from resolvers.text import domain_of, lookup_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from models.database import Unit


@dataclass(slots=True)
class Agency:
    """An agency; `groups` are the ids of its office groups by name, `added` what the import brought to it."""

    id: UUID
    key: str
    content: AgencyContent
    groups: dict[str, UUID] = field(default_factory=dict)
    users: dict[str, Person] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    added: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Person:
    """A user."""

    id: UUID
    content: UserContent


@dataclass(slots=True)
class Mailbox:
    """A mailbox; `periods` by user, oldest first. `newest` is the newest moment there, `is_ahead` of what is stored.

    The decisive moments of bookings lie from `first_booked` to `last_booked`.
    """

    id: UUID
    agency: Agency
    address: str
    content: MailboxContent
    receiving_stops_at: datetime | None
    newest: datetime = clock.BEGINNING
    is_ahead: bool = False
    first_booked: datetime | None = None
    last_booked: datetime | None = None
    periods: dict[UUID, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)

    def take_moment(self, moment: datetime) -> None:
        """Remember a moment that the import brings."""
        if moment > self.newest:
            self.newest, self.is_ahead = moment, True

    def take_booking(self, moment: datetime) -> None:
        """Remember a booking's decisive moment that the import brings."""
        self.take_moment(moment)
        if self.first_booked is None or moment < self.first_booked:
            self.first_booked = moment
        if self.last_booked is None or moment > self.last_booked:
            self.last_booked = moment

    def may_be_booked_within(self, since: datetime, until: datetime | None) -> bool:
        """Whether a decisive moment may lie in this period; no is sure."""
        if self.first_booked is None or self.last_booked is None:
            return False
        return since <= self.last_booked and (until is None or self.first_booked < until)

    def was_assigned(self, user_id: UUID, moment: datetime) -> bool:
        """Whether a period of the user holds the moment."""
        periods = self.periods.get(user_id, [])
        place = bisect_right(periods, moment, key=_since)
        if not place:
            return False
        until = periods[place - 1][1]
        return until is None or moment < until

    def audience(self, moment: datetime) -> Iterator[UUID]:
        """Return who was assigned at the moment."""
        return (user_id for user_id in self.periods if self.was_assigned(user_id, moment))


def _since(period: tuple[datetime, datetime | None]) -> datetime:
    return period[0]


class Known:
    """Finds by key, login, domain and address; what is stored is loaded when it is first asked for."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.agencies: dict[str, Agency] = {}
        self.account_managers: dict[str, Person] = {}
        self._domains: dict[str, Agency] = {}

    async def open(self) -> None:
        """Load what belongs to no agency."""
        for row in await stored.account_managers(self.unit):
            self.account_managers[row["login"]] = Person(row["id"], _user_content(row, frozenset()))

    async def agency(self, key: str) -> Agency | None:
        """Return the agency with this key."""
        if key not in self.agencies:
            agency_id = await stored.agency_id_of_key(self.unit, key)
            if agency_id is None:
                return None
            await self._load(agency_id, key)
        return self.agencies[key]

    async def agency_of_domain(self, domain: str) -> Agency | None:
        """Return the agency that a domain belongs to."""
        if domain not in self._domains:
            row = await stored.agency_of_domain(self.unit, domain)
            if row is None:
                return None
            await self._load(row["id"], row["key"])
        return self._domains[domain]

    async def mailbox(self, address: str) -> Mailbox | None:
        """Return the mailbox with this address, of whichever agency."""
        agency = await self.agency_of_domain(domain_of(lookup_address(address)))
        return None if agency is None else find_mailbox(agency, address)

    def add(self, agency: Agency) -> None:
        """Know an agency from now on."""
        self.agencies[agency.key] = agency
        self._domains.update(dict.fromkeys(agency.content.domains, agency))

    async def _load(self, agency_id: UUID, key: str) -> None:
        unit = self.unit
        await unit.lock_agency(agency_id, alone=True)
        row = await stored.agency(unit, agency_id)
        contact = row["contact_name"], row["contact_email"], row["contact_phone"]
        agency = Agency(
            agency_id,
            key,
            AgencyContent(
                row["name"],
                frozenset(await stored.domains(unit, agency_id)),
                frozenset(await stored.modules(unit, agency_id)),
                None if contact[0] is None else contact,
                row["passwords_in_letters"],
            ),
            await stored.office_groups(unit, agency_id),
        )
        members = await stored.office_group_members(unit, agency_id)
        for row in await stored.users(unit, agency_id):
            groups = frozenset(members.get(row["id"], ()))
            agency.users[row["login"]] = Person(row["id"], _user_content(row, groups))
        by_id = {}
        for row in await stored.mailboxes(unit, agency_id):
            by_id[row["id"]] = agency.mailboxes[row["address"]] = _mailbox(row, agency)
        for row in await stored.assignments(unit, agency_id):
            periods = by_id[row["mailbox_id"]].periods.setdefault(row["user_id"], [])
            periods.append((row["since"], row["until"]))
        self.add(agency)


def find_mailbox(agency: Agency, address: str) -> Mailbox | None:
    """Return the agency's mailbox with this address."""
    return agency.mailboxes.get(address) or agency.mailboxes.get(lookup_address(address))


def find_user(agency: Agency, login: str) -> Person | None:
    """Return the agency's user with this login."""
    return agency.users.get(login) or agency.users.get(lookup_address(login))


def _user_content(row: Mapping[str, Any], groups: frozenset[str]) -> UserContent:
    return UserContent(
        row["first_name"],
        row["last_name"],
        row["email"],
        row["email_name"],
        row["language"],
        row["role"],
        row["state"],
        groups,
        row["activity_read_level"],
        row["agents_log_read_level"],
    )


def _mailbox(row: Mapping[str, Any], agency: Agency) -> Mailbox:
    return Mailbox(
        row["id"],
        agency,
        row["address"],
        MailboxContent(row["email_name"], row["vip"], row["active"], row["automatic_booking"]),
        row["receiving_stops_at"],
        row["last_moment"],
        first_booked=row["first_booked_at"],
        last_booked=row["last_booked_at"],
    )
