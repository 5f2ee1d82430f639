"""What can't stand beside what is known, whether that came with the same file or was stored before; nothing changes."""

from typing import Any

import pytest

from models.database import Database
from resolvers.importing import LineRefusedError
from tests.oracle.world import CHEAP_HASH
from tests.resolvers.arrivals import WORLD, Line, agency, assignment, at, booking, mail, mailbox, take, user
from tests.storage import contents

pytestmark = pytest.mark.asyncio

OTHER = "It is stored already, with other content."
FIRST_MAIL: dict[str, Any] = {"bookings": [booking(user="bert@nord.example")], "contactReferences": ["K-1"]}
"""What the mail of the world says besides its identity."""


def first_mail(**changes: object) -> Line:
    return mail(**{**FIRST_MAIL, **changes})


def manager(**changes: object) -> Line:
    return user("kern@provider.example", agency=None, role="ACCOUNT_MANAGER", **changes)


LAST_REFUSED: dict[str, tuple[list[Line], str]] = {
    # References to nothing, and to another agency's.
    "user of no agency": ([user(agency="south")], "agency: There is no agency with this key."),
    "agency by another case": ([user(agency="Nord")], "agency: There is no agency with this key."),
    "mailbox of no agency": ([mailbox(agency="south")], "agency: There is no agency with this key."),
    "mail of no agency": ([mail(agency="south")], "agency: There is no agency with this key."),
    "period at no mailbox": (
        [assignment(mailbox="gone@nord.example")],
        "mailbox: There is no mailbox with this address.",
    ),
    "period at no domain": (
        [assignment(mailbox="info@south.example")],
        "mailbox: There is no mailbox with this address.",
    ),
    "period at no address": ([assignment(mailbox="info")], "mailbox: There is no mailbox with this address."),
    "period of nobody": (
        [assignment(user="gone@nord.example")],
        "user: The mailbox's agency has no user with this login.",
    ),
    "period of somebody else's": (
        [assignment(user="wanda@west.example")],
        "user: The mailbox's agency has no user with this login.",
    ),
    "period of an account manager": (
        [assignment(user="kern@provider.example")],
        "user: The mailbox's agency has no user with this login.",
    ),
    "booking at no mailbox": (
        [mail(booking(), booking(mailbox="gone@nord.example"))],
        "bookings.1.mailbox: The agency has no mailbox with this address.",
    ),
    "booking at somebody else's mailbox": (
        [mail(booking(mailbox="box@west.example"))],
        "bookings.0.mailbox: The agency has no mailbox with this address.",
    ),
    "booking by nobody": (
        [mail(booking(user="gone@nord.example"))],
        "bookings.0.user: The agency has no user with this login.",
    ),
    "booking by somebody else's": (
        [mail(booking(user="wanda@west.example"))],
        "bookings.0.user: The agency has no user with this login.",
    ),
    # Domains.
    "login elsewhere": (
        [user("new@south.example")],
        "login: A login is in one of the agency's domains.",
    ),
    "login in another agency's domain": (
        [user("new@west.example")],
        "login: A login is in one of the agency's domains.",
    ),
    "address elsewhere": (
        [mailbox("new@west.example")],
        "address: A mailbox is in one of the agency's domains.",
    ),
    "domain of another agency": (
        [agency(key="south", domains=["south.example", "NORD.example"])],
        "domains: A domain belongs to one agency.",
    ),
    "account manager in a domain": (
        [user("new@nord.example", agency=None, role="ACCOUNT_MANAGER")],
        "login: An account manager's is in no agency's domain.",
    ),
    "domain of an account manager": (
        [agency(key="south", domains=["provider.example"])],
        "domains: An account manager's login is in one of them.",
    ),
    # Who was there.
    "booking by somebody never assigned": (
        [mail(booking(user="anna@nord.example"))],
        "bookings.0.user: The user was not assigned to the mailbox at this moment.",
    ),
    "booking before the period": (
        [mail(booking(user="bert@nord.example", decisiveAt=at(0, -1)))],
        "bookings.0.user: The user was not assigned to the mailbox at this moment.",
    ),
    "booking at the period's end": (
        [mail(booking(mailbox="chef@nord.example", user="anna@nord.example", decisiveAt=at(2)))],
        "bookings.0.user: The user was not assigned to the mailbox at this moment.",
    ),
    # Periods.
    "period around another": (
        [assignment(mailbox="chef@nord.example", **{"from": at(-1)})],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period within another": (
        [assignment(mailbox="chef@nord.example", **{"from": at(1), "until": at(1, 1)})],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period into another": (
        [assignment(mailbox="chef@nord.example", **{"from": at(-1), "until": at(0, 1)})],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period out of another": (
        [assignment(mailbox="chef@nord.example", **{"from": at(2, -1), "until": at(3)})],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period after an open one": (
        [assignment(user="bert@nord.example", **{"from": at(5), "until": at(6)})],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period over two": (
        [
            assignment(mailbox="chef@nord.example", **{"from": at(4)}),
            assignment(mailbox="chef@nord.example", **{"from": at(2), "until": at(4, 1)}),
        ],
        "from: Periods of a user at a mailbox never overlap.",
    ),
    "period that covers a booking": ([assignment()], "from: An e-mail was booked within this period before."),
    "period that begins with a booking": (
        [assignment(**{"from": at(1), "until": at(1, 1)})],
        "from: An e-mail was booked within this period before.",
    ),
    "period that covers a booking of the same import": (
        [
            mail(booking(decisiveAt=at(7)), messageId="m2@web.example"),
            assignment(**{"from": at(6)}),
        ],
        "from: An e-mail was booked within this period before.",
    ),
    # Later mailboxes.
    "later mailbox elsewhere": (
        [mail(laterMailboxes=["chef@nord.example"])],
        "laterMailboxes: They are among sender and recipients and have no booking.",
    ),
    "later mailbox that is booked": (
        [mail(laterMailboxes=["info@nord.example"])],
        "laterMailboxes: They are among sender and recipients and have no booking.",
    ),
    # Keys that exist.
    "agency with another name": ([agency(modules=["VIP_MAILBOXES"], name="South")], OTHER),
    "agency with another domain": ([agency(modules=["VIP_MAILBOXES"], domains=["n.example"])], OTHER),
    "agency without its module": ([agency()], OTHER),
    "agency with a contact": (
        [agency(modules=["VIP_MAILBOXES"], accountManager={"name": "Jo", "email": "jo@provider.example"})],
        OTHER,
    ),
    "mailbox with another name": ([mailbox("info@nord.example", emailName="Info")], OTHER),
    "mailbox that is VIP": ([mailbox("info@nord.example", vip=True)], OTHER),
    "mailbox that is off": ([mailbox("info@nord.example", active=False)], OTHER),
    "mailbox that books by itself": ([mailbox("info@nord.example", automaticBooking=True)], OTHER),
    "mailbox that stops at another moment": (
        [
            mailbox(active=False, receivingStopsAt=at(1)),
            mailbox(active=False, receivingStopsAt=at(2)),
        ],
        OTHER,
    ),
    "period with another end": ([assignment(mailbox="chef@nord.example", until=at(3))], OTHER),
    "period that is open again": ([assignment(mailbox="chef@nord.example")], OTHER),
    "period that has ended": ([assignment(user="bert@nord.example", until=at(9))], OTHER),
    "account manager with another name": ([manager(firstName="Jo")], OTHER),
    **{
        f"user with another {key}": ([user("bert@nord.example", **{key: value})], OTHER)
        for key, value in {
            "firstName": "Bert",
            "lastName": "Bert",
            "email": "bert@home.example",
            "emailName": "Bert",
            "language": "en",
            "role": "ADMINISTRATOR",
            "state": "LOCKED",
            "officeGroups": ["sales"],
            "activityReadLevel": "ALL",
            "agentsLogReadLevel": "ALL",
        }.items()
    },
    **{
        f"mail with another {key}": ([first_mail(**{key: value})], OTHER)
        for key, value in {
            "mailDate": at(0),
            "contactReferences": ["K-1", "K-2"],
            "propertyReferences": ["K-1"],
            "activityWithoutContact": True,
        }.items()
    },
    "mail without its reference": ([first_mail(contactReferences=[])], OTHER),
    "mail booked by nobody": ([first_mail(bookings=[booking()])], OTHER),
    "mail booked at another moment": (
        [first_mail(bookings=[booking(user="bert@nord.example", decisiveAt=at(1, 1))])],
        OTHER,
    ),
    "mail booked elsewhere": ([first_mail(bookings=[booking(mailbox="chef@nord.example")])], OTHER),
    "mail booked twice": (
        [first_mail(bookings=[*FIRST_MAIL["bookings"], booking(mailbox="chef@nord.example")])],
        OTHER,
    ),
    "mail sent instead": (
        [
            mail(booking(part="SENDING"), sender="info@nord.example", recipients=["a@web.example"]),
            mail(booking(), sender="info@nord.example", recipients=["a@web.example"]),
        ],
        OTHER,
    ),
}


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored before", "same file"])
@pytest.mark.parametrize("case", LAST_REFUSED)
async def test_the_last_line_is_refused(database: Database, case: str, *, is_stored: bool) -> None:
    lines, reason = LAST_REFUSED[case]
    if is_stored:
        await take(database, *WORLD)
    else:
        lines = [*WORLD, *lines]
    before = await contents(database)
    with pytest.raises(LineRefusedError) as refused:
        await take(database, *lines)
    assert (refused.value.number, refused.value.reason) == (len(lines), reason)
    assert await contents(database) == before


async def test_what_only_reading_refuses_changes_nothing_either(database: Database) -> None:
    line = {**user(), "password": CHEAP_HASH}
    before = await contents(database)
    with pytest.raises(LineRefusedError) as refused:
        await take(database, *WORLD, line)
    assert str(refused.value) == "line 14: passwordHash: Either this or password is there, not both."
    assert await contents(database) == before


# ---------------------------------------------------------------- mailboxes after e-mails


NAMING: dict[str, Line] = {
    "to": {"recipients": ["new@nord.example"]},
    "from": {"sender": "New@NORD.example"},
    "to a tag of": {"recipients": ["buyer@web.example", "new+sale@nord.example"]},
    "in quotes": {"recipients": ['"new"@nord.example']},
    "in wide letters": {"recipients": ["\uff4e\uff45\uff57@nord.example"]},
}


@pytest.mark.parametrize("vip", [True, False])
@pytest.mark.parametrize("spelling", NAMING)
async def test_no_mailbox_comes_after_an_email_that_names_it(
    database: Database, spelling: str, *, vip: bool
) -> None:
    """The e-mail would stay open although the mailbox is VIP, or is switched to be later."""
    early = mail(messageId="m2@web.example", **NAMING[spelling])
    other = mail(messageId="m3@web.example", recipients=["new@nord.example"])
    before = await contents(database)
    with pytest.raises(LineRefusedError) as refused:
        await take(database, *WORLD, early, other, mailbox("new@nord.example", vip=vip))
    assert str(refused.value) == (
        f"line {len(WORLD) + 3}: address: The e-mail of line {len(WORLD) + 1} names it already: "
        "mailboxes stand before e-mails."
    )
    assert await contents(database) == before


async def test_an_email_that_is_stored_already_names_a_mailbox_too(database: Database) -> None:
    """The file is wrong whatever of it adds something."""
    early = mail(messageId="m2@web.example", recipients=["new@nord.example"])
    await take(database, *WORLD, early)
    before = await contents(database)
    with pytest.raises(LineRefusedError) as refused:
        await take(database, early, mailbox("new@nord.example"))
    assert refused.value.number == 2
    assert await contents(database) == before


async def test_a_mailbox_may_come_after_emails_that_do_not_name_it(database: Database) -> None:
    """Those to others, and those that say themselves that it came later."""
    summary = await take(
        database,
        *WORLD,
        mail(
            messageId="m2@web.example",
            recipients=["renew@nord.example", "new@west.example", "new@web.example"],
        ),
        mail(
            messageId="m3@web.example", recipients=["new@nord.example"], laterMailboxes=["New@nord.example"]
        ),
        mail(messageId="m4@web.example", text="An new@nord.example"),
        mailbox("new@nord.example", vip=True),
        mail(messageId="m5@web.example", recipients=["new@nord.example"]),
        mailbox("new@nord.example", vip=True),
    )
    assert (summary.added["mailbox"], summary.skipped["mailbox"]) == (4, 1)
    rows = await database.fetch(
        "SELECT m.message_id FROM mail_mailboxes g JOIN mails m ON m.id = g.mail_id JOIN mailboxes o ON o.id = g.mailbox_id "
        "WHERE o.address = 'new@nord.example'"
    )
    assert [row["message_id"] for row in rows] == ["m5@web.example"]
