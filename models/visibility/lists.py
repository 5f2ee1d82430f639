"""The rule as ranges: what somebody may see of a list, as pieces of indexes that are in its order already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.kept_texts import Slot
from models.lateral import contains, each_with
from models.tables.users import ReadLevel
from models.visibility import rule
from models.visibility.ranges import Ranges

if TYPE_CHECKING:
    from models.tables.mails import ActivityKind

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


class Listing(Ranges):
    """Builds the statement that yields `occurred_at, id` of the entries of one list, or of one list for each mailbox."""

    def _stored(self, person: str, kind: ActivityKind, guarded: str, condition: str = "") -> str:
        """Return the entries with several bookings that `person` is in the audience of."""
        return (
            f"SELECT w.occurred_at, w.activity_id AS id FROM activity_readers w WHERE w.user_id = {person} "
            f"AND w.guarded = {guarded} AND w.kind = '{kind}'{condition}{self._narrow_several('w')} "
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

    def _group_stored(self, kind: ActivityKind, condition: str = "") -> str:
        """Return the open entries with several bookings whose audience holds the user or a mate, each once."""
        scan = self._stored("q.user_id", kind, "false", condition)
        found = each_with(f"({self._mates()}) q", scan, "f", is_sqlite=self.is_sqlite)
        return f"SELECT DISTINCT {found.moment} AS occurred_at, {found.identifier} AS id FROM {found.source}"

    def _of_group(self, kinds: list[ActivityKind]) -> list[str]:
        """Return the open entries of these kinds whose audience holds the user or a mate."""
        limit = self.stretch.limit
        ranges = self._ranges(self._group_periods())
        if limit is None or self._mailboxes():
            found = [self._in_ranges(ranges, f"NOT a.guarded AND a.kind = '{each}'") for each in kinds]
            return found + [self._group_stored(each) for each in kinds]
        parts, streams = [f"ranges AS MATERIALIZED {ranges}"], []
        for number, kind in enumerate(kinds):
            newest, single = f"newest{number}", f"single{number}"
            parts.append(f"{newest} AS MATERIALIZED ({self._newest_of_group(kind)})")
            is_filled = f"(SELECT count(*) FROM {newest}) = {limit}"
            rest = self._in_ranges(
                f"(SELECT * FROM ranges WHERE NOT {is_filled})", f"NOT a.guarded AND a.kind = '{kind}'"
            )
            parts.append(
                f"{single} AS MATERIALIZED (SELECT occurred_at, id FROM {newest} WHERE {is_filled} "
                f"UNION ALL SELECT occurred_at, id FROM ({rest}) z)"
            )
            end = self._end(f"SELECT occurred_at FROM {single}", "occurred_at", limit)
            several = self._group_stored(kind, f" AND w.occurred_at {self._no_later} {end}")
            streams += [f"SELECT occurred_at, id FROM {each}" for each in (single, f"({several}) z")]
        return [f"WITH {', '.join(parts)} {' UNION ALL '.join(streams)}"]

    def _newest_of_group(self, kind: ActivityKind) -> str:
        """Return those of the agency's first open entries of a kind that lie in one of the many `ranges` of a group.

        A large group reads much of what there is. Then these fill a page, and no range is to be looked at.
        """
        limit = self.stretch.limit or 0
        (upper_at, upper_id), (lower_at, lower_id) = self.upper, self.lower if self._has_lower else ("", "")
        # Of values that it does not know PostgreSQL thinks the same each time, and so keeps the plan.
        between = f"(a.occurred_at, a.id) < ((SELECT {upper_at}), (SELECT {upper_id}))"
        if self._has_lower:
            between += f" AND (a.occurred_at, a.id) >= ((SELECT {lower_at}), (SELECT {lower_id}))"
        way = "ASC" if self.stretch.oldest_first else "DESC"
        first = (
            "SELECT a.mailbox_id, a.direction, a.occurred_at, a.id FROM activities a "
            f"WHERE a.agency_id = (SELECT {self.agency}) AND NOT a.guarded AND a.kind = '{kind}' AND {between} "
            f"ORDER BY a.occurred_at {way}, a.id {way} LIMIT {4 * limit}"
        )
        return (
            f"SELECT p.occurred_at, p.id FROM ({first}) p WHERE (SELECT count(*) FROM ranges) > {limit}{self._narrow('p')} "
            "AND EXISTS (SELECT 1 FROM ranges r WHERE r.mailbox_id = p.mailbox_id "
            f"AND {self._between('p.occurred_at', 'p.id', of_range=True)}){self._cut('p.occurred_at', 'p.id')}"
        )

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
        own = self._ranges(self._own_periods())
        found = [self._in_ranges(own, f"a.guarded{kind}")]
        found += [self._stored(self.viewer, each, "true") for each in narrowed.kinds]
        for each in narrowed.kinds:
            open_ = f"NOT a.guarded AND a.kind = '{each}'"
            match self.reader.level(each):
                case ReadLevel.ALL:
                    found += [self._open_with_several(each, mailbox) for mailbox in self._mailboxes()[:1]]
                case ReadLevel.OWN:
                    found.append(self._in_ranges(own, open_))
                    found.append(self._stored(self.viewer, each, "false"))
                case ReadLevel.OFFICE_GROUP | ReadLevel.NOTHING:
                    pass
        of_group = [each for each in narrowed.kinds if self.reader.level(each) is ReadLevel.OFFICE_GROUP]
        if of_group:
            found += self._of_group(of_group)
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
