"""Who is who in the demonstration: short names, addresses, and who was assigned where at a moment."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from server.demonstration import texts
from server.demonstration.clock import Clock
from server.demonstration.people import BOXES, NORDLICHT, PEOPLE, STAYS, Box, Person


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody outside: a customer, a tenant, an owner."""

    reference: str
    title: str
    first: str
    last: str
    address: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Period:
    """A resolved assignment: whole address and login, moments instead of days."""

    box: str
    login: str
    since: datetime
    until: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Tell whether the period holds the moment: `since` is in it, `until` is not."""
        return self.since <= moment and (self.until is None or moment < self.until)


def _contacts() -> dict[str, Contact]:
    return {row[0]: Contact(*row) for row in texts.table("contacts.txt")}


@dataclass(frozen=True, slots=True)
class Roster:
    """The demonstration's people, mailboxes and periods at one now."""

    clock: Clock
    contacts: dict[str, Contact] = field(default_factory=_contacts)
    people: dict[str, Person] = field(init=False)
    boxes: dict[str, tuple[str, Box]] = field(init=False)
    periods: tuple[Period, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Resolve the short names once; an unknown one is a mistake in the data and raises KeyError."""
        everybody = [person for people in PEOPLE.values() for person in people]
        object.__setattr__(self, "people", {person.login: person for person in everybody})
        boxes = {box.address: (agency, box) for agency, some in BOXES.items() for box in some}
        object.__setattr__(self, "boxes", boxes)
        periods = (
            Period(
                self.address(stay.box),
                self.login(stay.person),
                self.clock.read(stay.since),
                self.clock.read(stay.until) if stay.until else None,
            )
            for stay in STAYS
        )
        object.__setattr__(self, "periods", tuple(periods))

    def login(self, short: str) -> str:
        """Give the login that starts with this name and the @."""
        return _BY_NAME[short]

    def address(self, short: str) -> str:
        """Give the address that "chef@" (a mailbox of Nordlicht) or "K-1001" (a contact) stands for."""
        if short in self.contacts:
            return self.contacts[short].address
        return _BY_BOX[short] if short.endswith("@") else short

    def is_ours(self, address: str, agency: str) -> bool:
        """Tell whether the address is a mailbox of that agency."""
        return address in self.boxes and self.boxes[address][0] == agency

    def at_work(self, address: str, moment: datetime) -> list[str]:
        """Give the logins of those assigned to the mailbox at the moment and not locked out by then."""
        return [
            period.login
            for period in self.periods
            if period.box == address and period.holds(moment) and not self._is_absent(period.login, moment)
        ]

    def _is_absent(self, login: str, moment: datetime) -> bool:
        days = self.people[login].absent
        return days > 0 and moment >= self.clock.at(days, "08:00")


_BY_NAME: Final = {
    person.login.split("@")[0]: person.login for people in PEOPLE.values() for person in people
}
_BY_BOX: Final = {box.address.split("@")[0] + "@": box.address for box in BOXES[NORDLICHT]}
