"""An e-mail of the demonstration and its bookings, as the import takes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

SENDING: Final = "SENDING"
RECEIVING: Final = "RECEIVING"


@dataclass(frozen=True, slots=True)
class Booking:
    """A mailbox's part in an e-mail; a user of None is an automatic booking."""

    box: str
    part: str
    moment: datetime
    login: str | None


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail of an agency with all of its bookings."""

    agency: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    date: datetime
    bookings: tuple[Booking, ...]
    contacts: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    @property
    def occurred(self) -> datetime:
        """The earliest decisive moment."""
        return min(booking.moment for booking in self.bookings)

    def line(self) -> dict[str, object]:
        """Give the object that stands in the mail's line of the import format."""
        return {
            "type": "mail",
            "agency": self.agency,
            "messageId": self.message_id,
            "sender": self.sender,
            "recipients": list(self.recipients),
            "subject": self.subject,
            "text": self.text,
            "mailDate": self.date.isoformat(),
            "bookings": [
                {
                    "mailbox": booking.box,
                    "part": booking.part,
                    "decisiveAt": booking.moment.isoformat(),
                    "user": booking.login,
                }
                for booking in self.bookings
            ],
            "contactReferences": list(self.contacts),
            "propertyReferences": list(self.properties),
        }


def message_id(sender: str, subject: str, written: datetime) -> str:
    """Give the Message-ID that the sender's server would make; the same e-mail always gets the same one."""
    digest = sha256(f"{sender}\n{subject}\n{written.isoformat()}".encode()).hexdigest()[:20]
    return f"{written:%Y%m%d}.{digest}@{sender.split('@')[1]}"


def split_references(references: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the references of contacts (K-…) from those of properties (P-…)."""
    known = tuple(references)
    return (
        tuple(reference for reference in known if reference.startswith("K-")),
        tuple(reference for reference in known if reference.startswith("P-")),
    )
