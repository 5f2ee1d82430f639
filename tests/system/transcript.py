"""Everything that a viewer can ask without changing anything, and the very bytes of the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.client import Client, Json
from tests.oracle.generator import SEARCHES
from tests.oracle.world import Mail
from tests.system import documents
from tests.system.viewpoint import Known

SIZES = (1, 3, 50)
POSITIONS = 10


@dataclass(frozen=True)
class Question:
    """One operation with its variables."""

    document: str
    variables: Json


@dataclass(frozen=True)
class Line:
    """A question with the status and the bytes that answered it."""

    question: Question
    status: int
    body: bytes


async def transcript(client: Client, questions: Sequence[Question]) -> list[Line]:
    """Asks everything in order."""
    lines = []
    for question in questions:
        answer = await client.execute(question.document, question.variables)
        lines.append(Line(question, answer.status, answer.body))
    return lines


def questions(known: Known, hidden: Sequence[Mail] = ()) -> list[Question]:
    """Reads of every kind, and changes that are refused whatever is stored.

    `known` is what anyone of the world knows: foreign ids and cursors are asked for too. `hidden` are e-mails
    whose Message-ID and content the viewer tries to profit from.
    """
    return [*_feeds(known), *_nodes(known), *_directory(known), *_wrong(known), *_refused(known, hidden)]


def _feeds(known: Known) -> Iterator[Question]:
    for size in SIZES:
        yield Question(documents.FEED, {"first": size})
        yield Question(documents.FEED, {"last": size})
    cursors = list(known.cursors.values())
    for cursor in cursors[:: len(cursors) // POSITIONS + 1]:
        yield Question(documents.SHORT_FEED, {"first": 2, "after": cursor})
        yield Question(documents.SHORT_FEED, {"last": 2, "before": cursor})
    for search in SEARCHES:
        yield Question(documents.SHORT_FEED, {"filter": {"search": search}})
    for name in known.mailboxes.values():
        yield Question(documents.SHORT_FEED, {"filter": {"mailboxId": name}})
        yield Question(documents.MAILBOX_FEED, {"id": name, "first": 2})
        yield Question(documents.MAILBOX_FEED, {"id": name, "last": 2, "filter": {"kind": "ACTIVITY"}})
    for part in ({"kind": "AGENTS_LOG"}, {"direction": "INTERNAL"}, {"contactReference": "K-1"}):
        yield Question(documents.SHORT_FEED, {"filter": part, "first": 2})
    for moment in sorted({entry.occurred_at for entry in known.entries.values()})[::5]:
        yield Question(documents.SHORT_FEED, {"filter": {"occurredFrom": moment.isoformat()}})
        yield Question(documents.SHORT_FEED, {"filter": {"occurredUntil": moment.isoformat()}})


def _nodes(known: Known) -> Iterator[Question]:
    names = [*known.entries, *known.mailboxes.values()]
    for start in range(0, len(names), 50):
        yield Question(documents.NODES, {"ids": names[start : start + 50]})
    for name in names[:5]:
        yield Question(documents.NODE, {"id": name})


def _directory(known: Known) -> Iterator[Question]:
    yield Question(documents.MAILBOXES, {"first": 100})
    yield Question(documents.USERS, {"first": 100})
    yield Question(documents.AGENCY, {})
    for address in known.mailboxes:
        yield Question("query ($a: String!) { mailbox(address: $a) { id address } }", {"a": address})


def _wrong(known: Known) -> Iterator[Question]:
    yield Question(documents.SHORT_FEED, {"first": 0})
    yield Question(documents.SHORT_FEED, {"first": 1, "last": 1})
    yield Question(documents.SHORT_FEED, {"first": 101})
    yield Question(documents.SHORT_FEED, {"first": 1, "after": "no cursor"})
    yield Question(documents.NODE, {"id": "no id"})
    for name in list(known.entries)[:3]:
        yield Question(documents.SHORT_FEED, {"filter": {"mailboxId": name}})
        yield Question(documents.SHORT_FEED, {"first": 1, "after": name})
        yield Question(documents.ASSIGN, {"mailbox": name, "user": name})


def _refused(known: Known, hidden: Sequence[Mail]) -> Iterator[Question]:
    """Bookings that nobody may make: at something that is no mailbox, with the content of what is hidden."""
    for mail in hidden:
        for name in list(known.entries)[:2]:
            yield Question(documents.BOOK, {"input": booking_input(name, mail)})


def booking_input(mailbox: str, mail: Mail, part: str = "RECEIVING") -> Json:
    """The input that books this e-mail at the mailbox with this id."""
    return {
        "mailboxId": mailbox,
        "part": part,
        "messageId": mail.message_id,
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "subject": mail.subject,
        "text": mail.text,
        "mailDate": None if mail.mail_date is None else mail.mail_date.isoformat(),
        "contactReferences": list(mail.contacts),
        "propertyReferences": list(mail.properties),
    }
