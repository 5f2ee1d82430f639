"""The rule as ranges: what somebody may see of a list, as pieces of indexes that are in its order already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.kept_texts import Slot
from models.lateral import Parameters, contains, each_with
from models.tables import ReadLevel
from models.visibility import rule
from models.visibility.stretches import FOREVER, LOWEST_ID, START

if TYPE_CHECKING:
    from models.tables import ActivityKind
    from models.visibility.rule import Reader
    from models.visibility.stretches import Filter, Position, Stretch

PLACE = "a.occurred_at, a.id"
"""Where entry `a` stands in a list."""
_BESIDE_PLACE = (
    "mail_id",
    "mailbox_id",
    "agency_id",
    "kind",
    "direction",
    "guarded",
    "contact_reference",
    "property_reference",
)
"""What else may be read of one."""


@dataclass(slots=True)
class Listing:
    """Builds the statement that yields `occurred_at, id` of the entries of one list, or of one list for each mailbox.

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

    def _open_in_order(self, kind: ActivityKind, columns: str) -> str:
        """Return `columns` of every entry of a kind that is not guarded, at a mailbox only those with one booking."""
        single = "".join(f" AND a.mailbox_id = {mailbox}" for mailbox in self._mailboxes())
        return (
            f"SELECT {columns} FROM activities a WHERE a.agency_id = {self.agency} AND NOT a.guarded AND a.kind = '{kind}'"
            f"{single}{self._narrow()} AND {self._between('a.occurred_at', 'a.id')}{self._cut('a.occurred_at', 'a.id')}"
        )

    def _open_with_several(self, kind: ActivityKind, mailbox: str) -> str:
        """Return the entries of a kind with several bookings, one at a mailbox, that are not guarded."""
        return (
            f"SELECT w.occurred_at, w.activity_id AS id FROM activity_mailboxes w WHERE w.mailbox_id = {mailbox} "
            f"AND w.guarded = false AND w.kind = '{kind}'{self._narrow_several('w')} "
            f"AND {self._between('w.occurred_at', 'w.activity_id')}{self._cut('w.occurred_at', 'w.activity_id')}"
        )

    def _group_stored(self, kind: ActivityKind) -> str:
        """Return the open entries with several bookings whose audience holds the user or a mate, each once."""
        scan = self._stored("q.user_id", kind, "false")
        found = each_with(f"({self._mates()}) q", scan, "f", is_sqlite=self.is_sqlite)
        return f"SELECT DISTINCT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"

    def streams(self) -> list[str]:
        """Return selections whose union is what the reader may see of this list.

        No entry is in two of them.
        """
        return self._in_pieces() + self._in_order(PLACE)

    def _in_order(self, columns: str) -> list[str]:
        """Return those of the streams that are a piece of one index of entries: such a piece gives whole entries as they come."""
        levels = [(each, self.reader.level(each)) for each in self.narrowed.kinds]
        return [self._open_in_order(each, columns) for each, level in levels if level is ReadLevel.ALL]

    def _in_pieces(self) -> list[str]:
        """Return the others."""
        narrowed = self.narrowed
        kind = "" if narrowed.kind is None else f" AND a.kind = '{narrowed.kind}'"
        found = [self._in_ranges(self._own_periods(), f"a.guarded{kind}")]
        found += [self._stored(self.viewer, each, "true") for each in narrowed.kinds]
        for each in narrowed.kinds:
            open_ = f"NOT a.guarded AND a.kind = '{each}'"
            match self.reader.level(each):
                case ReadLevel.ALL:
                    found += [self._open_with_several(each, mailbox) for mailbox in self._mailboxes()[:1]]
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

    def filtered(self, columns: str = PLACE) -> str:
        """Return the same by asking the rule of each entry that the filter finds."""
        mails = " JOIN mails m ON m.id = a.mail_id" if self.narrowed.words else ""
        return (
            f"SELECT {columns} FROM activities a JOIN users u ON u.id = {self.viewer}{mails} "
            f"WHERE a.agency_id = {self.agency}{self.conditions()} AND {self._between('a.occurred_at', 'a.id')} "
            f"AND {rule.permits()}{self._cut('a.occurred_at', 'a.id')}"
        )

    def among(self, *, is_single: bool, has_instants: bool, rights_known: bool) -> str:
        """Return the condition that an entry `a` with its e-mail `m` is one of these, and that rule and filter let it through.

        These are the slot `ids`, the only one the slot `id`. Unless the reader's rights are known, the statement has any user
        `u`; the condition makes it the reader.
        """
        # Of a single entry PostgreSQL keeps the plan: whichever it is, there is one row.
        add = self.parameters.add
        chosen = add(Slot("id"), "uuid") if is_single else f"ANY({add(Slot('ids'), 'uuid[]')})"
        between = f" AND {self._between('a.occurred_at', 'a.id')}" if has_instants else ""
        if rights_known:
            permitted = rule.permits_reader(self.reader, self.viewer, self.agency)
        else:
            permitted = f"u.id = {self.viewer} AND {rule.permits()}"
        return f"a.id = {chosen}{self.conditions()}{between} AND {permitted}"

    def selection(self) -> str:
        """Return the whole selection: in order and cut where the stretch has a limit."""
        if self.narrowed.is_selective:
            return self.filtered()
        return self._united(self.streams())

    def entries(self, wanted: str) -> str:
        """Return the same as entries `a`, of which `wanted` is read, in an order in which they can be read on as they come.

        What an index gives in the list's order is read with its entry at once, and only as far as the page goes. Of the other
        streams the places are put in order first, and their entries are looked up.
        """
        # No column that nothing reads: to leave one out again is a step of its own for each row.
        beside = "".join(f", a.{each}" for each in _BESIDE_PLACE if f"a.{each}" in wanted)
        if self.narrowed.is_selective:
            return self.filtered(PLACE + beside)
        looked_up = (
            f"SELECT k.occurred_at, k.id{beside} FROM ({self._united(self._in_pieces())}) k "
            f"JOIN activities a ON a.id = k.id ORDER BY {self.stretch.order('k')}"
        )
        in_order = self._in_order(PLACE + beside)
        return self._united([looked_up, *in_order], "*") if in_order else looked_up

    def _united(self, streams: list[str], columns: str = "occurred_at, id") -> str:
        union = " UNION ALL ".join(f"SELECT {columns} FROM ({stream}) x" for stream in streams)
        return f"SELECT y.* FROM ({union}) y{self._cut('y.occurred_at', 'y.id')}"
