"""What happened, as the API tells it afterwards, put together to a world that the oracle can judge."""

from dataclasses import dataclass, replace
from datetime import datetime

from tests.client import Client, Json, nodes
from tests.oracle.rule import fold, identity
from tests.oracle.world import Agency, Booking, Mail, Mailbox, Period, User, World
from tests.system import documents


@dataclass(frozen=True)
class Booked:
    """A call of bookMail that was answered without an error: by whom, where, with what, and when."""

    booker: str
    address: str
    wanted: Json
    entries: list[Json]
    begin: datetime
    end: datetime

    def made(self, booking: Booking) -> bool:
        """Whether this call made the booking, and did not find it."""
        return (booking.user, booking.mailbox) == (
            self.booker,
            self.address,
        ) and self.begin <= booking.at <= self.end


async def ids_by_name(client: Client) -> dict[str, str]:
    """The id of each mailbox by address and of each user by login."""
    boxes = (await client.data(documents.MAILBOXES, {"first": 100}))["mailboxes"]["nodes"]
    users = (await client.data(documents.USERS, {"first": 100}))["users"]["nodes"]
    return {box["address"]: box["id"] for box in boxes} | {user["login"]: user["id"] for user in users}


async def read_history(administrator: Client, agency: Agency, booked: list[Booked]) -> World:
    """The agency as it is now: periods, VIP and rights as an administrator reads them, mails as answered."""
    boxes = (await administrator.data(documents.MAILBOXES, {"first": 100}))["mailboxes"]["nodes"]
    users = (await administrator.data(documents.USERS, {"first": 100}))["users"]["nodes"]
    periods: list[Period] = []
    for box in boxes:
        pages = await administrator.walk(documents.PERIODS, "node.assignments", {"id": box["id"]}, size=100)
        found = nodes(pages)
        assert len(found) == pages[0]["totalCount"]
        periods += [_period(box["address"], each) for each in found]
    return World(
        agencies=(agency,),
        users=tuple(_user(agency, user) for user in users),
        mailboxes=tuple(
            Mailbox(agency.key, box["address"], box["emailName"], vip=box["vip"]) for box in boxes
        ),
        periods=tuple(periods),
        mails=tuple(mails_of(agency, booked)),
    )


def mails_of(agency: Agency, booked: list[Booked]) -> list[Mail]:
    """The e-mails of these bookings, each with all of its bookings and references."""
    found: dict[object, Mail] = {}
    for call in booked:
        if not call.entries:
            continue
        # Every entry of an e-mail tells all of its bookings.
        assert len({str(entry["bookings"]) for entry in call.entries}) == 1
        mail = mail_of(agency, call.entries[0])
        if any(call.made(booking) for booking in mail.bookings):
            # What finds its earlier booking adds nothing.
            mail = replace(
                mail,
                contacts=tuple(call.wanted["contactReferences"]),
                properties=tuple(call.wanted["propertyReferences"]),
            )
        known = found.setdefault(identity(mail), mail)
        bookings = {booking.mailbox: booking for booking in known.bookings}
        for booking in mail.bookings:
            # What was answered once about a mailbox is never answered otherwise.
            assert bookings.setdefault(booking.mailbox, booking) == booking
        found[identity(mail)] = replace(
            known,
            bookings=tuple(bookings.values()),
            contacts=tuple(sorted({*known.contacts, *mail.contacts}, key=str)),
            properties=tuple(sorted({*known.properties, *mail.properties})),
        )
    return list(found.values())


def mail_of(agency: Agency, entry: Json) -> Mail:
    """What an entry tells of its e-mail; every booking has its user here."""
    return Mail(
        agency=agency.key,
        message_id=entry["messageId"],
        sender=entry["sender"],
        recipients=tuple(entry["recipients"]),
        subject=entry["subject"],
        text=entry["remark"],
        bookings=tuple(
            Booking(
                fold(each["mailbox"]["address"]),
                each["part"],
                instant(each["decisiveAt"]),
                each["user"]["login"],
            )
            for each in entry["bookings"]
        ),
    )


def instant(text: str) -> datetime:
    """An instant of the API."""
    return datetime.fromisoformat(text)


def _period(address: str, told: Json) -> Period:
    end = told["until"]
    return Period(address, told["user"]["login"], instant(told["from"]), end and instant(end))


def _user(agency: Agency, told: Json) -> User:
    return User(
        agency=agency.key,
        login=told["login"],
        first_name=told["firstName"],
        last_name=told["lastName"],
        email=told["email"],
        email_name=told["emailName"],
        language=told["language"],
        role=told["role"],
        state=told["state"],
        office_groups=tuple(told["officeGroups"]),
        activity_level=told["activityReadLevel"],
        agents_log_level=told["agentsLogReadLevel"],
    )
