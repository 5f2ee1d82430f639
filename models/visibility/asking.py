"""What others ask of entries: lists, single ones, numbers, and what a booking opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.kept_texts import KeptTexts, Slot
from models.lateral import Parameters, each_with
from models.visibility import rule
from models.visibility.lists import Listing
from models.visibility.rule import BOOKING_COLUMNS, ENTRY_COLUMNS, ORDER_OF_MAIL, Reader
from models.visibility.stretches import START, Filter, Position, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from models.database import Statements


@dataclass(frozen=True, slots=True)
class Beside:
    """What is read in the same statement with entries: their bookings, as many rows of an entry as it has.

    `columns` are more of each booking `b`, its mailbox `o` and its user `p`; `values` are what `$1`, `$2` … in them stand for.
    """

    columns: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()


def _read_beside(beside: Beside | None) -> tuple[str, str, str]:
    """Return what is selected beside entries, the joins for it, and the order in which it comes."""
    if beside is None:
        return "", "", ""
    columns = "".join(f", {each}" for each in (BOOKING_COLUMNS, *beside.columns))
    joins = (
        " JOIN bookings b ON b.mail_id = a.mail_id JOIN mailboxes o ON o.id = b.mailbox_id"
        " LEFT JOIN users p ON p.id = b.user_id"
    )
    return columns, joins, ", b.decisive_at, o.address"


_texts = KeptTexts()


class _Asked:
    """A question about entries in which each value is a slot, so that the text of its statement is put together once."""

    def __init__(
        self, reader: Reader, narrowed: Filter, stretch: Stretch, beside: Beside | None, *, is_sqlite: bool
    ) -> None:
        self.has_instants = narrowed.occurred_from is not None or narrowed.occurred_until is not None
        stretch = stretch.within(narrowed)
        self._values: dict[str, Any] = {
            "viewer": reader.user_id,
            "agency": reader.agency_id,
            "lower_at": stretch.lower.occurred_at,
            "lower_id": stretch.lower.id,
            "upper_at": stretch.upper.occurred_at,
            "upper_id": stretch.upper.id,
            "mailbox": narrowed.mailbox_id,
            "contact": narrowed.contact_reference,
            "property": narrowed.property_reference,
        }
        self._beside = () if beside is None else beside.values
        self._is_sqlite = is_sqlite
        self._key = (
            reader.activity_read_level,
            reader.agents_log_read_level,
            narrowed.kind,
            narrowed.direction,
            narrowed.mailbox_id is None,
            narrowed.contact_reference is None,
            narrowed.property_reference is None,
            narrowed.words,
            stretch.oldest_first,
            stretch.limit,
            stretch.lower is START,
            self.has_instants,
            beside and beside.columns,
            is_sqlite,
        )
        self._reader, self._narrowed, self.stretch = reader, narrowed, stretch

    def parameters(self) -> Parameters:
        """Return the parameters of a new text: those of what is read besides come first."""
        return Parameters([Slot(f"beside{place}") for place in range(len(self._beside))])

    def listing(self, parameters: Parameters, *, of_each: bool = False) -> Listing:
        """Return the list with slots for its values: one list, or one of each mailbox."""
        reader, narrowed, stretch = self._reader, self._narrowed, self.stretch
        slot: Any = Slot
        return Listing(
            Reader(slot("viewer"), slot("agency"), reader.activity_read_level, reader.agents_log_read_level),
            Filter(
                narrowed.kind,
                narrowed.direction,
                None if narrowed.mailbox_id is None else slot("mailbox"),
                None if narrowed.contact_reference is None else slot("contact"),
                None if narrowed.property_reference is None else slot("property"),
                words=narrowed.words,
            ),
            Stretch(
                START if stretch.lower is START else Position(slot("lower_at"), slot("lower_id")),
                Position(slot("upper_at"), slot("upper_id")),
                stretch.oldest_first,
                stretch.limit,
            ),
            self._is_sqlite,
            parameters,
            mailbox="l.id" if of_each else None,
        )

    async def fetch(
        self,
        statements: Statements,
        what: tuple[Any, ...],
        make: Callable[[], tuple[str, list[Any]]],
        ids: Sequence[UUID],
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows of the statement that `make` puts together, or has put together for another question like this one."""
        values = self._values | {f"beside{place}": each for place, each in enumerate(self._beside)}
        values["ids"], values["id"] = ids, ids[0] if ids else None
        # Words are a part of the text: whoever looks for others would have others kept.
        texts = _texts if not self._narrowed.words else KeptTexts()
        text, parameters = texts.get((what, self._key), make, values)
        return await statements.fetch(text, *parameters)


def _pages(listing: Listing) -> str:
    """Return the statement of the ids of a list, or of one for each mailbox: then the slot `ids` is these."""
    parameters = listing.parameters
    if listing.mailbox is None:
        return f"SELECT NULL::uuid AS parent_id, z.id FROM ({listing.selection()}) z"
    chosen = parameters.add(Slot("ids"), "uuid[]")
    found = each_with(
        f"(SELECT o.id FROM mailboxes o WHERE o.id = ANY({chosen})) l",
        listing.selection(),
        "z",
        is_sqlite=listing.is_sqlite,
    )
    return f"SELECT l.id AS parent_id, {found.identifier} AS id FROM {found.source}"


Entries = "dict[UUID | None, list[Mapping[str, Any]]]"


async def entries(
    statements: Statements,
    reader: Reader,
    narrowed: Filter,
    stretch: Stretch,
    mailbox_ids: Sequence[UUID] | None = None,
    beside: Beside | None = None,
    columns: str = ENTRY_COLUMNS,
) -> dict[UUID | None, list[Mapping[str, Any]]]:
    """Return the entries (`columns`) of a stretch that the reader may see, in its order; one statement.

    With `mailbox_ids` the answer is one list for each of these mailboxes, else one list under None. With `beside` an entry has a
    row for each booking (`BOOKING_COLUMNS`), in the order of `bookings`.
    """
    of_each = mailbox_ids is not None
    asked = _Asked(reader, narrowed, stretch, beside, is_sqlite=statements.is_sqlite)

    def make() -> tuple[str, list[Any]]:
        return _text_of_entries(asked, columns, beside, of_each=of_each)

    rows = await asked.fetch(statements, ("entries", columns, of_each), make, list(mailbox_ids or ()))
    found: dict[UUID | None, list[Mapping[str, Any]]] = {key: [] for key in mailbox_ids or (None,)}
    if not of_each:
        found[None] = list(rows)
        return found
    for row in rows:
        found[row["parent_id"]].append(row)
    return found


async def entries_collected(
    statements: Statements,
    reader: Reader,
    narrowed: Filter,
    stretch: Stretch,
    columns: str,
    collect: Callable[[str], str],
) -> Mapping[str, Any]:
    """Return the only row of the statement that `collect` makes of that of `entries`.

    It makes the same of the same columns and of stretches of one size and way. The order is that of the stretch for `a`.
    """
    asked = _Asked(reader, narrowed, stretch, None, is_sqlite=statements.is_sqlite)

    def make() -> tuple[str, list[Any]]:
        text, values = _text_of_entries(asked, columns)
        return collect(text), values

    (row,) = await asked.fetch(statements, ("collected", columns), make, ())
    return row


def _text_of_entries(
    asked: _Asked, columns: str, beside: Beside | None = None, *, of_each: bool = False
) -> tuple[str, list[Any]]:
    """Return the statement of `entries` and its parameters."""
    parameters = asked.parameters()
    listing = asked.listing(parameters, of_each=of_each)
    others, joins, order = _read_beside(beside)
    if of_each or listing.is_sqlite:
        source = f"({_pages(listing)}) y JOIN activities a ON a.id = y.id"
        columns = f"y.parent_id, {columns}"
    else:
        source = f"({listing.entries(f'a.mail_id, {columns}{others}')}) a"
    text = (
        f"SELECT {columns}{others} FROM {source} JOIN mails m ON m.id = a.mail_id{joins} "
        f"ORDER BY {asked.stretch.order('a')}{order}"
    )
    return text, parameters.values


async def count(
    statements: Statements,
    reader: Reader,
    narrowed: Filter,
    mailbox_ids: Sequence[UUID] | None = None,
) -> dict[UUID | None, int]:
    """Return how many entries the reader may see, for each mailbox or under None.

    One statement, linear in the answer.
    """
    of_each = mailbox_ids is not None
    asked = _Asked(reader, narrowed, Stretch(), None, is_sqlite=statements.is_sqlite)

    def make() -> tuple[str, list[Any]]:
        parameters = asked.parameters()
        page = _pages(asked.listing(parameters, of_each=of_each))
        return (
            f"SELECT y.parent_id, count(*) AS number FROM ({page}) y GROUP BY y.parent_id",
            parameters.values,
        )

    rows = await asked.fetch(statements, ("count", of_each), make, list(mailbox_ids or ()))
    found: dict[UUID | None, int] = dict.fromkeys(mailbox_ids or (None,), 0)
    found.update({row["parent_id"]: row["number"] for row in rows})
    return found


async def visible(
    statements: Statements,
    reader: Reader,
    ids: Sequence[UUID],
    narrowed: Filter | None = None,
    beside: Beside | None = None,
    columns: str = ENTRY_COLUMNS,
    *,
    rights_known: bool = False,
) -> list[Mapping[str, Any]]:
    """Return those of these entries (`columns`) that the reader may see and the filter lets through, in no order.

    With `beside` as in `entries`. Unless the reader's state and read levels are known, as an operation knows them of its viewer,
    they are asked for at once.
    """
    asked = _Asked(reader, narrowed or Filter(), Stretch(), beside, is_sqlite=statements.is_sqlite)
    is_single = len(ids) == 1

    def make() -> tuple[str, list[Any]]:
        parameters = asked.parameters()
        listing = asked.listing(parameters)
        among = listing.among(is_single=is_single, has_instants=asked.has_instants, rights_known=rights_known)
        others, joins, order = _read_beside(beside)
        reader = "" if rights_known else " JOIN users u ON u.agency_id = a.agency_id"
        text = (
            f"SELECT {columns}{others} FROM activities a JOIN mails m ON m.id = a.mail_id{reader}{joins} "
            f"WHERE {among}{order and f' ORDER BY a.id{order}'}"
        )
        return text, parameters.values

    return list(await asked.fetch(statements, ("visible", columns, is_single, rights_known), make, list(ids)))


async def visible_of_mail(statements: Statements, reader: Reader, mail_id: UUID) -> list[Mapping[str, Any]]:
    """Return the entries (`ENTRY_COLUMNS`) of an e-mail that the reader may see, activities first, each kind by reference."""
    return list(await statements.fetch(of_mail("$1", "$2"), reader.user_id, mail_id))


def of_mail(user: str, mail: str) -> str:
    """Return the statement of `visible_of_mail` for the user and the e-mail whose ids these expressions are."""
    return (
        f"SELECT {ENTRY_COLUMNS} FROM activities a JOIN mails m ON m.id = a.mail_id JOIN users u ON u.id = {user} "
        f"WHERE a.mail_id = {mail} AND {rule.permits()} "
        f"ORDER BY {ORDER_OF_MAIL}"
    )


async def opened_by_booking(
    statements: Statements, mail_id: UUID, position: int, user_ids: Sequence[UUID]
) -> list[tuple[UUID, UUID]]:
    """Return which of these users may now see which entries of an e-mail because of its booking at `position`.

    As pairs of user and entry: those that the user may see now, could see with the bookings up to that one, and could not see
    with fewer of them. The rights are today's, so each entry comes with one of the e-mail's bookings at the most.
    """
    rows = await statements.fetch(
        "SELECT u.id AS user_id, a.id AS activity_id FROM activities a JOIN users u ON u.id = ANY($3::uuid[]) "
        f"WHERE a.mail_id = $1 AND a.position <= $2 AND {rule.permits()} AND {rule.as_of('$2')} "
        "AND NOT EXISTS (SELECT 1 FROM bookings q WHERE q.mail_id = a.mail_id "
        f"AND q.position >= a.position AND q.position < $2 AND {rule.as_of('q.position')})",
        mail_id,
        position,
        list(user_ids),
    )
    return [(row["user_id"], row["activity_id"]) for row in rows]


async def texts(statements: Statements, mail_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the text of each of these e-mails. For e-mails of entries that were found visible, only."""
    rows = await statements.fetch(
        "SELECT m.id, m.remark FROM mails m WHERE m.id = ANY($1::uuid[])", list(mail_ids)
    )
    return {row["id"]: row["remark"] for row in rows}


async def bookings(statements: Statements, mail_ids: Sequence[UUID]) -> dict[UUID, list[Mapping[str, Any]]]:
    """Return the bookings of each of these e-mails by decisive moment, then address.

    For e-mails of entries that were found visible, only; and of these bookings, those up to the entry's `booked`.
    """
    rows = await statements.fetch(
        f"SELECT b.mail_id, {BOOKING_COLUMNS} FROM bookings b "
        "JOIN mailboxes o ON o.id = b.mailbox_id WHERE b.mail_id = ANY($1::uuid[]) ORDER BY b.decisive_at, o.address",
        list(mail_ids),
    )
    found: dict[UUID, list[Mapping[str, Any]]] = {mail_id: [] for mail_id in mail_ids}
    for row in rows:
        found[row["mail_id"]].append(row)
    return found
