"""Ranges: the parts of periods that a list is about, and what of an index lies in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.lateral import Parameters, each_with
from models.visibility.stretches import FIRST, FOREVER, LOWEST_ID, START

if TYPE_CHECKING:
    from models.visibility.rule import Reader
    from models.visibility.stretches import Filter, Position, Stretch


@dataclass(slots=True)
class Ranges:
    """Builds the scans that the statement of one list, or of one list for each mailbox, is put together from.

    `mailbox` is an expression: the one mailbox the list is about, if it is about one.
    """

    reader: Reader
    narrowed: Filter
    stretch: Stretch
    is_sqlite: bool
    parameters: Parameters
    mailbox: str | None = None

    # PostgreSQL wants no parameter that the statement does not use, so these are added when they are wanted.

    @property
    def upper(self) -> tuple[str, str]:
        """The row up to which it goes, as expressions of its instant and its id."""
        return self._place(self.stretch.within(self.narrowed).upper)

    @property
    def lower(self) -> tuple[str, str]:
        """The row from which on it goes."""
        return self._place(self.stretch.within(self.narrowed).lower)

    def _place(self, position: Position) -> tuple[str, str]:
        add = self.parameters.add
        return add(position.occurred_at, "timestamptz"), add(position.id, "uuid")

    @property
    def viewer(self) -> str:
        """The reader's id."""
        return self.parameters.add(self.reader.user_id, "uuid")

    @property
    def agency(self) -> str:
        """The id of the reader's agency."""
        return self.parameters.add(self.reader.agency_id, "uuid")

    # What each scan ends with.

    def _cut(self, moment: str, identifier: str) -> str:
        if self.stretch.limit is None:
            return ""
        way = "ASC" if self.stretch.oldest_first else "DESC"
        return f" ORDER BY {moment} {way}, {identifier} {way} LIMIT {self.stretch.limit}"

    def _between(self, moment: str, identifier: str, *, of_range: bool = False) -> str:
        place = f"({moment}, {identifier})"
        upper_at, upper_id = ("r.upper_at", "r.upper_id") if of_range else self.upper
        condition = f"{place} < ({upper_at}, {upper_id})"
        if of_range and not self._has_lower:
            # A period begins with whatever is at its first instant.
            return f"{condition} AND {moment} >= r.lower_at"
        if self._has_lower:
            lower_at, lower_id = ("r.lower_at", "r.lower_id") if of_range else self.lower
            condition += f" AND {place} >= ({lower_at}, {lower_id})"
        return condition

    @property
    def _has_lower(self) -> bool:
        """Whether it ends before the oldest entry. Each entry that is read would be compared with the end that it has not."""
        return self.stretch.within(self.narrowed).lower is not START

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
        upper_at, upper_id = self.upper
        lowest, forever = f"'{LOWEST_ID}'::uuid", self.parameters.add(FOREVER, "timestamptz")
        until = f"coalesce(t.until, {forever})"
        columns = (
            f"CASE WHEN {until} <= {upper_at} THEN {until} ELSE {upper_at} END AS upper_at, "
            f"CASE WHEN {until} <= {upper_at} THEN {lowest} ELSE {upper_id} END AS upper_id"
        )
        if not self._has_lower:
            return f"(SELECT t.mailbox_id, {columns}, t.since AS lower_at FROM ({periods}) t WHERE t.since <= {upper_at})"
        lower_at, lower_id = self.lower
        return (
            f"(SELECT t.mailbox_id, {columns}, "
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

    def _in_ranges(self, ranges: str, condition: str) -> str:
        """Return the entries with one booking that lie in one of the ranges and meet a condition.

        Of each range that is looked at, one entry is read at first, and more only of those whose first one may be on the page.
        """
        scan = (
            f"SELECT a.occurred_at, a.id FROM activities a WHERE a.mailbox_id = r.mailbox_id AND {condition}"
            f"{self._narrow_single()} AND {self._between('a.occurred_at', 'a.id', of_range=True)}"
        )
        limit = self.stretch.limit
        if limit is None:
            found = each_with(f"{ranges} r", scan, "f", is_sqlite=self.is_sqlite)
            return f"SELECT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"
        way = "ASC" if self.stretch.oldest_first else "DESC"
        first = f"{scan} ORDER BY a.occurred_at {way}, a.id {way} LIMIT 1"
        begin = "lower_at" if self.stretch.oldest_first else "upper_at"

        def looked_at(part: str) -> str:
            looked = each_with(f"{part} r", first, "n", is_sqlite=self.is_sqlite)
            return f"SELECT r.*, {looked.moment} AS first_at, {looked.identifier} AS first_id FROM {looked.source}"

        cut = self._cut("a.occurred_at", "a.id")
        if self._mailboxes():
            # There are few at a mailbox, and this may be asked of many mailboxes.
            opened, beside = f"({looked_at(ranges)})", ""
        else:
            # The first entries of some that begin first may fill a page: it ends there at the latest.
            some = (
                f"{begin} {self._no_later} {self._end(f'SELECT {begin} FROM all_ranges', begin, 2 * limit)}"
            )
            end = self._end("SELECT first_at FROM begun", "first_at", limit)
            others = f"(SELECT * FROM all_ranges WHERE NOT {some} AND {begin} {self._no_later} {end})"
            opened = f"(SELECT * FROM begun UNION ALL {looked_at(others)})"
            beside = (
                f"WITH all_ranges AS MATERIALIZED {ranges}, "
                f"begun AS MATERIALIZED ({looked_at(f'(SELECT * FROM all_ranges WHERE {some})')}) "
            )
            cut = f" AND a.occurred_at {self._no_later} {end}{cut}"
        chosen = f"(SELECT * FROM {opened} o ORDER BY o.first_at {way}, o.first_id {way} LIMIT {limit}) r"
        found = each_with(chosen, scan + cut, "f", is_sqlite=self.is_sqlite)
        return f"{beside}SELECT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"

    @property
    def _no_later(self) -> str:
        """The comparison of an instant with that of another place of the list, if it may be on the page that ends there."""
        return "<=" if self.stretch.oldest_first else ">="

    def _end(self, instants: str, instant: str, number: int) -> str:
        """Return the last of the first `number` of some instants; of fewer, when the list ends."""
        way, last = ("ASC", FOREVER) if self.stretch.oldest_first else ("DESC", FIRST)
        chosen = f"({instants} ORDER BY {instant} {way} LIMIT 1 OFFSET {number - 1})"
        return f"coalesce({chosen}, {self.parameters.add(last, 'timestamptz')})"
