"""The rule: who may see an entry. It is said here and nowhere else.

An entry's *audience* is everybody who, for one of its bookings, was assigned to the booking's mailbox at its
decisive moment. A *guarded* entry (one of its mailboxes is VIP) is visible to its audience and to nobody
else. Any other follows the user's read level for its kind: ALL, OFFICE_GROUP (the audience holds the user or
a mate), OWN (the audience holds the user), NOTHING.

The rule is written down in two forms, and the tests hold each against the other and both against the rule in
plain Python.

- `_permits`, a condition on one entry: for single entries, for search and for what is asked by reference.
- `_streams`, the same set as a union of index ranges that are already in a list's order: for pages and
  counts. A page reads as many rows as it shows from each range, so what it costs does not grow with what the
  user may not see. With one booking an entry stands in the list at its decisive moment, so a period at a
  mailbox is one range. With several bookings it does not: for those entries the audience is stored
  (`activity_readers`).

A range is half open, from a row (instant, id) up to but not including another: a period's end, its begin and
a cursor all become such rows, and each scan has just one lower and one upper bound. Two upper bounds would
let it start at the wrong place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models import json_text
from models.clock import MICROSECOND
from models.kept_texts import KeptTexts, Slot
from models.lateral import Parameters, contains, each_with
from models.tables import ActivityKind, MailDirection, ReadLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from models.database import Statements

LOWEST_ID = UUID(int=0)
HIGHEST_ID = UUID(int=2**128 - 1)
FIRST = datetime(1, 1, 2, tzinfo=UTC)
FOREVER = datetime(9999, 12, 30, tzinfo=UTC)

ENTRY_COLUMNS = (
    "a.id, a.agency_id, a.mail_id, a.kind, a.direction, a.contact_reference, a.property_reference, a.occurred_at, "
    "a.guarded, m.message_id, m.sender, m.recipients, m.subject, m.preview, m.mail_date, "
    "(SELECT max(n.position) FROM bookings n WHERE n.mail_id = a.mail_id) AS booked"
)
"""What is read of an entry `a` and its e-mail `m`. `booked` is the position of the newest booking at that instant: whoever reads
the bookings later leaves out those that came since, because the reader may not see the entry with them any more."""
BOOKING_COLUMNS = "b.mailbox_id, b.part, b.decisive_at, b.user_id, b.position"


def written_bookings(one: str) -> str:
    """Return the bookings of a visible entry `a` as JSON, each by an expression of booking `b`, mailbox `o` and user `p`.

    In the statement that found the entry visible: they are of the same instant.
    """
    return (
        f"(SELECT {json_text.collected(one, 'b.decisive_at, o.address')} FROM bookings b "
        "JOIN mailboxes o ON o.id = b.mailbox_id LEFT JOIN users p ON p.id = b.user_id WHERE b.mail_id = a.mail_id)"
    )


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


@dataclass(frozen=True, slots=True)
class Reader:
    """An active user of an agency, as far as the rule looks at one."""

    user_id: UUID
    agency_id: UUID
    activity_read_level: ReadLevel
    agents_log_read_level: ReadLevel

    def level(self, kind: ActivityKind) -> ReadLevel:
        """Return the read level for a kind of entry."""
        return self.activity_read_level if kind is ActivityKind.ACTIVITY else self.agents_log_read_level


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to, besides the rule. `words` are folded (`models.folding.words`)."""

    kind: ActivityKind | None = None
    direction: MailDirection | None = None
    mailbox_id: UUID | None = None
    contact_reference: str | None = None
    property_reference: str | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    words: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[ActivityKind, ...]:
        """Return the kinds that the list may hold."""
        return tuple(ActivityKind) if self.kind is None else (self.kind,)

    @property
    def is_selective(self) -> bool:
        """Say whether something other than mailbox and time finds the few rows that matter."""
        return bool(self.words) or self.contact_reference is not None or self.property_reference is not None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of entries, good whether there is an entry or not."""

    occurred_at: datetime
    id: UUID

    def successor(self) -> Position:
        """Return the next place that comes after this one in time; the last place of all has none and stays."""
        if self.occurred_at >= FOREVER:
            return self
        if self.id == HIGHEST_ID:
            return Position(self.occurred_at + MICROSECOND, LOWEST_ID)
        return Position(self.occurred_at, UUID(int=self.id.int + 1))


START = Position(FIRST, LOWEST_ID)
END = Position(FOREVER, LOWEST_ID)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a list that a page is cut from.

    From `lower` up to but not including `upper`, newest first or oldest first.
    """

    lower: Position = START
    upper: Position = END
    oldest_first: bool = False
    limit: int | None = None

    def within(self, narrowed: Filter) -> Stretch:
        """Return the part of it in which the filter's instants lie."""
        lower, upper = self.lower, self.upper
        if narrowed.occurred_from is not None:
            lower = max(lower, Position(narrowed.occurred_from, LOWEST_ID), key=_place)
        if narrowed.occurred_until is not None:
            upper = min(upper, Position(narrowed.occurred_until, LOWEST_ID), key=_place)
        return Stretch(lower, upper, self.oldest_first, self.limit)


def _place(position: Position) -> tuple[datetime, UUID]:
    return position.occurred_at, position.id


# ---------------------------------------------------------------- the rule as a condition on one entry


def _audience(people: str, upto: str = "") -> str:
    """Return the condition that the audience of entry `a` holds one of `people`."""
    return (
        "EXISTS (SELECT 1 FROM bookings b JOIN assignments s ON s.mailbox_id = b.mailbox_id "
        f"AND s.since <= b.decisive_at AND (s.until IS NULL OR b.decisive_at < s.until) "
        f"WHERE b.mail_id = a.mail_id AND s.user_id {people}{upto})"
    )


def _level(activity: str, agents_log: str) -> str:
    """Return the read level for the kind of entry `a`."""
    return f"CASE a.kind WHEN 'ACTIVITY' THEN {activity} ELSE {agents_log} END"


def _permits(guarded: str = "a.guarded", upto: str = "") -> str:
    """Return the condition that user `u` may see entry `a`.

    `guarded` and `upto` say it for an earlier day: as if the e-mail had only its first bookings.
    """
    level = _level("u.activity_read_level", "u.agents_log_read_level")
    mates = (
        "IN (SELECT theirs.user_id FROM office_group_members mine "
        "JOIN office_group_members theirs ON theirs.group_id = mine.group_id WHERE mine.user_id = u.id)"
    )
    return (
        "(u.state = 'ACTIVE' AND u.agency_id = a.agency_id AND ("
        f"(({guarded} OR {level} <> 'NOTHING') AND {_audience('= u.id', upto)}) "
        f"OR (NOT {guarded} AND {level} = 'ALL') "
        f"OR (NOT {guarded} AND {level} = 'OFFICE_GROUP' AND {_audience(mates, upto)})))"
    )


# ---------------------------------------------------------------- the rule as ranges in a list's order


@dataclass(slots=True)
class _Listing:
    """Builds the statement that yields `occurred_at, id` of the entries of one list, or of one list for each mailbox.

    `mailbox` is an expression: the one mailbox the list is about, if it is about one.
    """

    reader: Reader
    narrowed: Filter
    stretch: Stretch
    is_sqlite: bool
    parameters: Parameters
    mailbox: str | None = None
    _ends: tuple[tuple[str, str], tuple[str, str]] | None = field(default=None, init=False)

    # PostgreSQL wants no parameter that the statement does not use, so these are added when they are wanted.

    @property
    def upper(self) -> tuple[str, str]:
        return self._bounds()[1]

    @property
    def lower(self) -> tuple[str, str]:
        return self._bounds()[0]

    def _bounds(self) -> tuple[tuple[str, str], tuple[str, str]]:
        if self._ends is None:
            stretch = self.stretch.within(self.narrowed)
            self._ends = self._place(stretch.lower), self._place(stretch.upper)
        return self._ends

    def _place(self, position: Position) -> tuple[str, str]:
        add = self.parameters.add
        return add(position.occurred_at, "timestamptz"), add(position.id, "uuid")

    @property
    def viewer(self) -> str:
        return self.parameters.add(self.reader.user_id, "uuid")

    @property
    def agency(self) -> str:
        return self.parameters.add(self.reader.agency_id, "uuid")

    # What each scan ends with.

    def _cut(self, moment: str, identifier: str) -> str:
        if self.stretch.limit is None:
            return ""
        way = "ASC" if self.stretch.oldest_first else "DESC"
        return f" ORDER BY {moment} {way}, {identifier} {way} LIMIT {self.stretch.limit}"

    def _between(self, moment: str, identifier: str, *, of_range: bool = False) -> str:
        upper = ("r.upper_at", "r.upper_id") if of_range else self.upper
        lower = ("r.lower_at", "r.lower_id") if of_range else self.lower
        return (
            f"({moment}, {identifier}) < ({upper[0]}, {upper[1]}) "
            f"AND ({moment}, {identifier}) >= ({lower[0]}, {lower[1]})"
        )

    # Narrowing by what is not in the index.

    def _narrow(self, alias: str = "a") -> str:
        """Return further conditions on entry `alias`."""
        add, narrowed = self.parameters.add, self.narrowed
        conditions = []
        if narrowed.direction is not None:
            conditions.append(f"{alias}.direction = '{narrowed.direction}'")
        if narrowed.contact_reference is not None:
            conditions.append(f"{alias}.contact_reference = {add(narrowed.contact_reference)}")
        if narrowed.property_reference is not None:
            conditions.append(f"{alias}.property_reference = {add(narrowed.property_reference)}")
        return "".join(f" AND {condition}" for condition in conditions)

    def _narrow_single(self) -> str:
        """Return further conditions on an entry `a` with one booking."""
        condition = self._narrow()
        if self.narrowed.mailbox_id is not None and self.mailbox is not None:
            condition += f" AND a.mailbox_id = {self.parameters.add(self.narrowed.mailbox_id, 'uuid')}"
        return condition

    def _narrow_several(self, row: str) -> str:
        """Return further conditions on a row that stands for an entry with several bookings."""
        condition = "".join(
            " AND EXISTS (SELECT 1 FROM activity_mailboxes p "
            f"WHERE p.activity_id = {row}.activity_id AND p.mailbox_id = {mailbox})"
            for mailbox in self._mailboxes()
        )
        narrow = self._narrow("e")
        if narrow:
            condition += f" AND EXISTS (SELECT 1 FROM activities e WHERE e.id = {row}.activity_id{narrow})"
        return condition

    def _mailboxes(self) -> list[str]:
        mailboxes = [] if self.mailbox is None else [self.mailbox]
        if self.narrowed.mailbox_id is not None:
            mailboxes.append(self.parameters.add(self.narrowed.mailbox_id, "uuid"))
        return mailboxes

    # The ranges.

    def _ranges(self, periods: str) -> str:
        """Return periods as ranges `r`: the part of each that lies in the stretch."""
        (upper_at, upper_id), (lower_at, lower_id) = self.upper, self.lower
        lowest, forever = f"'{LOWEST_ID}'::uuid", self.parameters.add(FOREVER, "timestamptz")
        until = f"coalesce(t.until, {forever})"
        return (
            f"(SELECT t.mailbox_id, "
            f"CASE WHEN {until} <= {upper_at} THEN {until} ELSE {upper_at} END AS upper_at, "
            f"CASE WHEN {until} <= {upper_at} THEN {lowest} ELSE {upper_id} END AS upper_id, "
            f"CASE WHEN t.since > {lower_at} THEN t.since ELSE {lower_at} END AS lower_at, "
            f"CASE WHEN t.since > {lower_at} THEN {lowest} ELSE {lower_id} END AS lower_id "
            f"FROM ({periods}) t WHERE t.since <= {upper_at} AND {until} >= {lower_at})"
        )

    def _at_mailboxes(self) -> str:
        return "".join(f" AND s.mailbox_id = {mailbox}" for mailbox in self._mailboxes())

    def _own_periods(self) -> str:
        return f"SELECT s.mailbox_id, s.since, s.until FROM assignments s WHERE s.user_id = {self.viewer}{self._at_mailboxes()}"

    def _mates(self) -> str:
        return (
            f"SELECT theirs.user_id FROM office_group_members mine JOIN office_group_members theirs "
            f"ON theirs.group_id = mine.group_id WHERE mine.user_id = {self.viewer} UNION SELECT {self.viewer} AS user_id"
        )

    def _group_periods(self) -> str:
        """Return the periods of the user and all mates, merged at each mailbox, so that no entry comes twice."""
        forever = self.parameters.add(FOREVER, "timestamptz")
        return (
            "SELECT i.mailbox_id, min(i.since) AS since, max(i.until) AS until FROM ("
            "SELECT j.*, sum(j.opens) OVER (PARTITION BY j.mailbox_id ORDER BY j.since, j.id) AS island FROM ("
            "SELECT k.*, CASE WHEN k.since <= max(k.until) OVER (PARTITION BY k.mailbox_id ORDER BY k.since, k.id "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS opens FROM ("
            f"SELECT s.id, s.mailbox_id, s.since, coalesce(s.until, {forever}) AS until FROM assignments s "
            f"WHERE s.user_id IN ({self._mates()}){self._at_mailboxes()}"
            ") k) j) i GROUP BY i.mailbox_id, i.island"
        )

    def _in_ranges(self, periods: str, condition: str) -> str:
        """Return the entries with one booking that lie in a period and meet a condition.

        Ranges whose newest entry is too old to be on the page are left alone: looking costs one row each,
        opening a whole page.
        """
        scan = (
            f"SELECT a.occurred_at, a.id FROM activities a WHERE a.mailbox_id = r.mailbox_id AND {condition}"
            f"{self._narrow_single()} AND {self._between('a.occurred_at', 'a.id', of_range=True)}"
        )
        ranges = self._ranges(periods)
        if self.stretch.limit is not None:
            way = "ASC" if self.stretch.oldest_first else "DESC"
            newest = f"{scan} ORDER BY a.occurred_at {way}, a.id {way} LIMIT 1"
            opened = each_with(f"{ranges} r", newest, "n", is_sqlite=self.is_sqlite)
            ranges = (
                f"(SELECT r.* FROM {opened.source} ORDER BY {opened.moment} {way}, {opened.identifier} {way} "
                f"LIMIT {self.stretch.limit})"
            )
        found = each_with(
            f"{ranges} r", scan + self._cut("a.occurred_at", "a.id"), "f", is_sqlite=self.is_sqlite
        )
        return f"SELECT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"

    def _stored(self, person: str, kind: ActivityKind, guarded: str) -> str:
        """Return the entries with several bookings that `person` is in the audience of."""
        return (
            f"SELECT w.occurred_at, w.activity_id AS id FROM activity_readers w WHERE w.user_id = {person} "
            f"AND w.guarded = {guarded} AND w.kind = '{kind}'{self._narrow_several('w')} "
            f"AND {self._between('w.occurred_at', 'w.activity_id')}{self._cut('w.occurred_at', 'w.activity_id')}"
        )

    def _every_open(self, kind: ActivityKind) -> list[str]:
        """Return every entry of a kind that is not guarded."""
        open_ = f"NOT a.guarded AND a.kind = '{kind}'"
        ends = f" AND {self._between('a.occurred_at', 'a.id')}{self._cut('a.occurred_at', 'a.id')}"
        scan = "SELECT a.occurred_at, a.id FROM activities a WHERE"
        mailboxes = self._mailboxes()
        if not mailboxes:
            return [f"{scan} a.agency_id = {self.agency} AND {open_}{self._narrow()}{ends}"]
        single = "".join(f" AND a.mailbox_id = {mailbox}" for mailbox in mailboxes)
        several = (
            f"SELECT w.occurred_at, w.activity_id AS id FROM activity_mailboxes w WHERE w.mailbox_id = {mailboxes[0]} "
            f"AND w.guarded = false AND w.kind = '{kind}'{self._narrow_several('w')} "
            f"AND {self._between('w.occurred_at', 'w.activity_id')}{self._cut('w.occurred_at', 'w.activity_id')}"
        )
        return [f"{scan} a.agency_id = {self.agency} AND {open_}{single}{self._narrow()}{ends}", several]

    def _group_stored(self, kind: ActivityKind) -> str:
        """Return the open entries with several bookings whose audience holds the user or a mate, each once."""
        scan = self._stored("q.user_id", kind, "false")
        found = each_with(f"({self._mates()}) q", scan, "f", is_sqlite=self.is_sqlite)
        return f"SELECT DISTINCT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"

    def streams(self) -> list[str]:
        """Return selections whose union is what the reader may see of this list.

        No entry is in two of them.
        """
        narrowed, reader = self.narrowed, self.reader
        kind = "" if narrowed.kind is None else f" AND a.kind = '{narrowed.kind}'"
        found = [self._in_ranges(self._own_periods(), f"a.guarded{kind}")]
        found += [self._stored(self.viewer, each, "true") for each in narrowed.kinds]
        for each in narrowed.kinds:
            open_ = f"NOT a.guarded AND a.kind = '{each}'"
            match reader.level(each):
                case ReadLevel.ALL:
                    found += self._every_open(each)
                case ReadLevel.OWN:
                    found.append(self._in_ranges(self._own_periods(), open_))
                    found.append(self._stored(self.viewer, each, "false"))
                case ReadLevel.OFFICE_GROUP:
                    found.append(self._in_ranges(self._group_periods(), open_))
                    found.append(self._group_stored(each))
                case ReadLevel.NOTHING:
                    pass
        return found

    def conditions(self) -> str:
        """Return the filter's conditions but for instants: on an entry `a` and, where words are looked for, its e-mail `m`."""
        conditions = self._narrow()
        if self.narrowed.kind is not None:
            conditions += f" AND a.kind = '{self.narrowed.kind}'"
        for mailbox in self._mailboxes():
            conditions += f" AND EXISTS (SELECT 1 FROM bookings b WHERE b.mail_id = a.mail_id AND b.mailbox_id = {mailbox})"
        for word in self.narrowed.words:
            conditions += f" AND {contains('m.fold_search', word, self.parameters, is_sqlite=self.is_sqlite)}"
        return conditions

    def filtered(self) -> str:
        """Return the same by asking the rule of each entry that the filter finds."""
        mails = " JOIN mails m ON m.id = a.mail_id" if self.narrowed.words else ""
        return (
            f"SELECT a.occurred_at, a.id FROM activities a JOIN users u ON u.id = {self.viewer}{mails} "
            f"WHERE a.agency_id = {self.agency}{self.conditions()} AND {self._between('a.occurred_at', 'a.id')} "
            f"AND {_permits()}{self._cut('a.occurred_at', 'a.id')}"
        )

    def among(self, *, is_single: bool, has_instants: bool) -> str:
        """Return the condition that an entry `a` with its e-mail `m` is one of these, and that rule and filter let it through.

        These are the slot `ids`, the only one the slot `id`. The statement has any user `u`; the condition makes it the reader.
        """
        # Of a single entry PostgreSQL keeps the plan: whichever it is, there is one row.
        add = self.parameters.add
        chosen = add(Slot("id"), "uuid") if is_single else f"ANY({add(Slot('ids'), 'uuid[]')})"
        between = f" AND {self._between('a.occurred_at', 'a.id')}" if has_instants else ""
        return f"a.id = {chosen} AND u.id = {self.viewer}{self.conditions()}{between} AND {_permits()}"

    def selection(self) -> str:
        """Return the whole selection: in order and cut where the stretch has a limit."""
        if self.narrowed.is_selective:
            return self.filtered()
        union = " UNION ALL ".join(f"SELECT occurred_at, id FROM ({stream}) x" for stream in self.streams())
        return f"SELECT y.occurred_at, y.id FROM ({union}) y{self._cut('y.occurred_at', 'y.id')}"


# ---------------------------------------------------------------- what others ask

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

    It makes the same of the same columns and of stretches of one size and way.
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
    way = "ASC" if asked.stretch.oldest_first else "DESC"
    parameters = asked.parameters()
    page = _pages(asked.listing(parameters, of_each=of_each))
    others, joins, order = _read_beside(beside)
    text = (
        f"SELECT y.parent_id, {columns}{others} FROM ({page}) y JOIN activities a ON a.id = y.id "
        f"JOIN mails m ON m.id = a.mail_id{joins} ORDER BY a.occurred_at {way}, a.id {way}{order}"
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
            self.has_instants,
            beside and beside.columns,
            is_sqlite,
        )
        self._reader, self._narrowed, self.stretch = reader, narrowed, stretch

    def parameters(self) -> Parameters:
        """Return the parameters of a new text: those of what is read besides come first."""
        return Parameters([Slot(f"beside{place}") for place in range(len(self._beside))])

    def listing(self, parameters: Parameters, *, of_each: bool = False) -> _Listing:
        """Return the list with slots for its values: one list, or one of each mailbox."""
        reader, narrowed, stretch = self._reader, self._narrowed, self.stretch
        slot: Any = Slot
        return _Listing(
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
                Position(slot("lower_at"), slot("lower_id")),
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


def _pages(listing: _Listing) -> str:
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


async def visible(
    statements: Statements,
    reader: Reader,
    ids: Sequence[UUID],
    narrowed: Filter | None = None,
    beside: Beside | None = None,
    columns: str = ENTRY_COLUMNS,
) -> list[Mapping[str, Any]]:
    """Return those of these entries (`columns`) that the reader may see and the filter lets through, in no order.

    With `beside` as in `entries`.
    """
    asked = _Asked(reader, narrowed or Filter(), Stretch(), beside, is_sqlite=statements.is_sqlite)
    is_single = len(ids) == 1

    def make() -> tuple[str, list[Any]]:
        parameters = asked.parameters()
        listing = asked.listing(parameters)
        among = listing.among(is_single=is_single, has_instants=asked.has_instants)
        others, joins, order = _read_beside(beside)
        text = (
            f"SELECT {columns}{others} FROM activities a JOIN mails m ON m.id = a.mail_id "
            f"JOIN users u ON u.agency_id = a.agency_id{joins} WHERE {among}"
            f"{order and f' ORDER BY a.id{order}'}"
        )
        return text, parameters.values

    return list(await asked.fetch(statements, ("visible", columns, is_single), make, list(ids)))


async def visible_of_mail(statements: Statements, reader: Reader, mail_id: UUID) -> list[Mapping[str, Any]]:
    """Return the entries (`ENTRY_COLUMNS`) of an e-mail that the reader may see, activities first, each kind by reference."""
    return list(await statements.fetch(of_mail("$1", "$2"), reader.user_id, mail_id))


def of_mail(user: str, mail: str) -> str:
    """Return the statement of `visible_of_mail` for the user and the e-mail whose ids these expressions are."""
    return (
        f"SELECT {ENTRY_COLUMNS} FROM activities a JOIN mails m ON m.id = a.mail_id JOIN users u ON u.id = {user} "
        f"WHERE a.mail_id = {mail} AND {_permits()} "
        f"ORDER BY {ORDER_OF_MAIL}"
    )


ORDER_OF_MAIL = "a.kind, coalesce(a.contact_reference, a.property_reference, ''), a.id"


def shown_to_booker(activity_read_level: str, agents_log_read_level: str) -> str:
    """Return the condition that whoever just made an e-mail's first booking, with these read levels, may see its entry `a`.

    It is `_permits` for somebody active who is of the audience: only who is assigned to the mailbox at that moment books.
    """
    return f"(a.guarded OR {_level(activity_read_level, agents_log_read_level)} <> 'NOTHING')"


async def opened_by_booking(
    statements: Statements, mail_id: UUID, position: int, user_ids: Sequence[UUID]
) -> list[tuple[UUID, UUID]]:
    """Return which of these users may now see which entries of an e-mail because of its booking at `position`.

    As pairs of user and entry: those that the user may see now, could see with the bookings up to that one, and could not see
    with fewer of them. The rights are today's, so each entry comes with one of the e-mail's bookings at the most.
    """
    rows = await statements.fetch(
        "SELECT u.id AS user_id, a.id AS activity_id FROM activities a JOIN users u ON u.id = ANY($3::uuid[]) "
        f"WHERE a.mail_id = $1 AND a.position <= $2 AND {_permits()} AND {_as_of('$2')} "
        "AND NOT EXISTS (SELECT 1 FROM bookings q WHERE q.mail_id = a.mail_id "
        f"AND q.position >= a.position AND q.position < $2 AND {_as_of('q.position')})",
        mail_id,
        position,
        list(user_ids),
    )
    return [(row["user_id"], row["activity_id"]) for row in rows]


def _as_of(position: str) -> str:
    guarded = (
        "EXISTS (SELECT 1 FROM mail_mailboxes g JOIN mailboxes v ON v.id = g.mailbox_id "
        f"WHERE g.mail_id = a.mail_id AND g.position <= {position} AND v.vip)"
    )
    return _permits(guarded, f" AND b.position <= {position}")


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
