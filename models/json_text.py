"""Expressions by which a database writes JSON, to the byte as orjson does: no blanks, instants as answers have them.

What an expression gives of null is null, unless it says otherwise. Joined texts are null as soon as one of them is, so
whoever reads one knows that something was not there.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from binascii import b2a_base64, unhexlify
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]

_KEY = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_BETWEEN_LITERALS = "' || '"
WRITTEN = "written"
"""The column of a row that holds an object's JSON."""
Json: TypeAlias = "str | bytes"


@dataclass(frozen=True, slots=True)
class Page:
    """The objects of a page in one list, the keys of its first and its last one, and whether there are more.

    The list is None when an object is.
    """

    written: Json | None
    ends: Sequence[Row]
    more: bool


class JsonText(ABC):
    """What both databases say alike, and what each says in its own words."""

    @abstractmethod
    def text(self, column: str) -> str:
        """Return a text, escaped where JSON wants it."""

    def line(self, column: str) -> str:
        """Return a text that never holds a control character, which the database itself refuses there."""
        return self.text(column)

    @staticmethod
    def word(column: str) -> str:
        """Return a text in which nothing is ever to be escaped."""
        return f"'\"' || {column} || '\"'"

    @abstractmethod
    def boolean(self, condition: str) -> str:
        """Return `true` or `false`."""

    @abstractmethod
    def instant(self, column: str) -> str:
        """Return an instant in UTC, microseconds only where they are not zero."""

    @abstractmethod
    def global_id(self, kind: int, column: str) -> str:
        """Return the global id of a UUID (`resolvers.node_ids`)."""

    @abstractmethod
    def lines(self, column: str) -> str:
        """Return the lines of a text as a list; of an empty text an empty list."""

    @staticmethod
    def optional(value: str) -> str:
        """Return `null` where there is nothing."""
        return f"coalesce({value}, 'null')"

    @classmethod
    def made(cls, pairs: Sequence[tuple[str, str]]) -> str:
        """Return an object of keys, which are names as GraphQL has them, and the expressions of their values."""
        if not all(_KEY.fullmatch(key) for key, _ in pairs):
            raise ValueError("no name")
        if not pairs:
            return "'{}'"
        first, *others = pairs
        members = [f"'{{\"{first[0]}\":' || {first[1]}"]
        members += [f"',\"{key}\":' || {value}" for key, value in others]
        return cls._joined([*members, "'}'"])

    @staticmethod
    def _joined(pieces: Sequence[str]) -> str:
        """Return texts one after the other."""
        return f"({' || '.join(pieces)})"

    @abstractmethod
    def collected(self, value: str, source: str, order: str, *, is_sorted: bool = False) -> str:
        """Return a list of what an expression is of each row of a source, in an order; of nothing an empty one.

        `is_sorted`: the source is a subquery that gives its rows in this order already.
        """

    @abstractmethod
    def page(self, statement: str, keys: Sequence[str], size: int, *, backwards: bool) -> str:
        """Return the statement of the one row that holds a page: its objects in one list, and where it begins and ends.

        `statement` gives the rows of the page in the order in which they are read, with one row more where there is more, and
        each with these keys and its object as `on_page` has it.
        """

    @abstractmethod
    def on_page(self, value: str, order: str, size: int) -> str:
        """Return the object of a row as `page` wants it: what an expression is, of the first `size` at the least."""

    @abstractmethod
    def read_page(self, row: Row, keys: Sequence[str], size: int, *, backwards: bool) -> Page:
        """Return the page in a row of the statement that `page` returns of the same."""

    @staticmethod
    def finished(written: Json | None) -> Json | None:
        """Return what the database wrote, as JSON."""
        return written


class _PostgresText(JsonText):
    """PostgreSQL's words."""

    def text(self, column: str) -> str:
        return f"to_json({column})::text"

    def line(self, column: str) -> str:
        # Beside control characters JSON escapes these two alone. Two replacements take half the time of `to_json`.
        return self.word(rf"""replace(replace({column}, '\', '\\'), '"', '\"')""")

    def boolean(self, condition: str) -> str:
        return f"({condition})::text"

    def instant(self, column: str) -> str:
        """Return a `timestamptz`; null of an infinite one, which nobody stores."""
        written = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return self.word(f"replace({written}, '.000000', '')")

    def global_id(self, kind: int, column: str) -> str:
        # Two replacements, that mostly find nothing, take a third of the time of `translate`, which looks at each character.
        encoded = f"encode('\\x{kind:02x}'::bytea || uuid_send({column}), 'base64')"
        return self.word(f"left(replace(replace({encoded}, '+', '-'), '/', '_'), 23)")

    @staticmethod
    def _joined(pieces: Sequence[str]) -> str:
        """Join them, literals that meet as one: PostgreSQL would join them anew for each row."""
        return f"({' || '.join(pieces).replace(_BETWEEN_LITERALS, '')})"

    def lines(self, column: str) -> str:
        return f"to_json(string_to_array({column}, E'\\n'))::text"

    def collected(self, value: str, source: str, order: str, *, is_sorted: bool = False) -> str:
        # An aggregate takes its rows as they come. To sort even one costs more than to write it.
        sorted_by = "" if is_sorted else f" ORDER BY {order}"
        return f"(SELECT coalesce('[' || string_agg({value}, ','{sorted_by}) || ']', '[]') FROM {source})"

    def on_page(self, value: str, order: str, size: int) -> str:
        return f"CASE WHEN row_number() OVER (ORDER BY {order}) <= {size} THEN {value} END"

    def page(self, statement: str, keys: Sequence[str], size: int, *, backwards: bool) -> str:
        # Aggregates take the rows as the subquery gives them; only a page that is to be turned round is sorted again.
        source, order, near, far = f"({statement}) q", "", "first", "last"
        if backwards:
            source = f"(SELECT p.*, row_number() OVER () AS place FROM ({statement}) p) q"
            order, near, far = " ORDER BY q.place DESC", "last", "first"
        number = f"least(count(*), {size})"
        ends = "".join(
            f", (array_agg(q.{key}))[1] AS {near}_{key}, (array_agg(q.{key}))[{number}] AS {far}_{key}"
            for key in keys
        )
        return (
            f"SELECT count(*) AS number, CASE WHEN count(q.{WRITTEN}) = {number} "
            f"THEN '[' || coalesce(string_agg(q.{WRITTEN}, ','{order}), '') || ']' END AS {WRITTEN}{ends} FROM {source}"
        )

    def read_page(self, row: Row, keys: Sequence[str], size: int, *, backwards: bool) -> Page:  # noqa: ARG002
        number = row["number"]
        ends = [{key: row[f"{end}_{key}"] for key in keys} for end in ("first", "last")] if number else []
        return Page(row[WRITTEN], ends, more=number > size)


class _SqliteText(JsonText):
    """SQLite's words. It has none for a global id: it writes its digits behind a mark, and they are to be `finished`.

    The mark is a control character, and so is what stands between the objects of a page. JSON never holds one: in every text
    it is escaped. Aggregates take rows in the order of a subquery, since releases before 3.44 know no order of their own.
    """

    MARK: ClassVar = b"\x01"
    NEXT: ClassVar = b"\x1e"
    _URL_SAFE: ClassVar = bytes.maketrans(b"+/", b"-_")
    _split: ClassVar = re.compile(MARK + rb"(.{38})", re.DOTALL).split
    """At the digits of the kind and of the UUID."""
    _each: ClassVar = re.compile(rb"(.{23})A").findall
    """The ids in a row of them, each with what the zero behind it became."""

    def text(self, column: str) -> str:
        """Return a text; `null` of null."""
        return f"json_quote({column})"

    def boolean(self, condition: str) -> str:
        return f"CASE WHEN {condition} THEN 'true' WHEN NOT ({condition}) THEN 'false' END"

    def instant(self, column: str) -> str:
        """Return an instant as it is stored (`models.fields`)."""
        return self.word(f"replace({column}, '.000000', '')")

    def global_id(self, kind: int, column: str) -> str:
        return self.word(f"char({self.MARK[0]}) || '{kind:02x}' || {column}")

    def lines(self, column: str) -> str:
        # Two backslashes are one of the text, so that whatever follows one that is left is what it escapes.
        text, aside = f"json_quote({column})", "char(2)"
        split = rf"""replace(replace(replace({text}, '\\', {aside}), '\n', '","'), {aside}, '\\')"""
        return f"CASE WHEN {column} = '' THEN '[]' ELSE '[' || {split} || ']' END"

    @staticmethod
    def _joined(pieces: Sequence[str]) -> str:
        """Join them by halves: SQLite goes only so deep into an expression."""
        while len(pieces) > 1:
            pieces = [
                pieces[place] if place + 1 == len(pieces) else f"({pieces[place]} || {pieces[place + 1]})"
                for place in range(0, len(pieces), 2)
            ]
        return pieces[0]

    def collected(self, value: str, source: str, order: str, *, is_sorted: bool = False) -> str:  # noqa: ARG002
        return (
            f"(SELECT coalesce('[' || group_concat(g.one, ',') || ']', '[]') "
            f"FROM (SELECT {value} AS one FROM {source} ORDER BY {order}) g)"
        )

    def on_page(self, value: str, order: str, size: int) -> str:  # noqa: ARG002
        return value

    def page(self, statement: str, keys: Sequence[str], size: int, *, backwards: bool) -> str:  # noqa: ARG002
        # All rows as they come, in texts: to number them would cost as much as to find them.
        found = f"CASE WHEN count(q.{WRITTEN}) = count(*) THEN CAST(group_concat(q.{WRITTEN}, char({self.NEXT[0]})) AS BLOB) END"
        lists = "".join(f", json_group_array(q.{key}) AS {key}_all" for key in keys)
        return f"SELECT count(*) AS number, {found} AS {WRITTEN}{lists} FROM ({statement}) q"

    def read_page(self, row: Row, keys: Sequence[str], size: int, *, backwards: bool) -> Page:
        number, written = row["number"], row[WRITTEN]
        if not number:
            return Page(b"[]", [], more=False)
        more = number > size
        found = {key: orjson.loads(row[f"{key}_all"]) for key in keys}
        places = (0, min(number, size) - 1)
        ends = [
            {key: found[key][place] for key in keys} for place in (reversed(places) if backwards else places)
        ]
        if written is None:
            return Page(None, ends, more=more)
        if more:
            written = written.rpartition(self.NEXT)[0]
        listed = (
            b",".join(reversed(written.split(self.NEXT))) if backwards else written.replace(self.NEXT, b",")
        )
        return Page(self.finished(b"[%b]" % listed), ends, more=more)

    @classmethod
    def finished(cls, written: Json | None) -> bytes | None:
        """Return what was written with its global ids. Raises `ValueError` where one is none."""
        if written is None:
            return None
        parts = cls._split(written.encode() if isinstance(written, str) else written)
        if len(parts) == 1:
            return parts[0]
        # All of them at once: each with a zero behind it, so that in base64 it ends where a character does.
        digits = b"00".join([*parts[1::2], b""])
        ids = b2a_base64(unhexlify(digits.replace(b"-", b"")), newline=False).translate(cls._URL_SAFE)
        parts[1::2] = cls._each(ids)
        return b"".join(parts)


POSTGRESQL, SQLITE = _PostgresText(), _SqliteText()
