"""Statements in SQLite's words, and values as it keeps them."""

from datetime import UTC, datetime

from models.fields import instant_to_text
from models.sqlite_dialect import translate


def test_a_statement_is_turned_into_sqlite_s_words() -> None:
    assert (
        translate("SELECT x::text FROM t WHERE id = ANY($2::uuid[]) AND a = $1::uuid FOR NO KEY UPDATE")
        == "SELECT x FROM t WHERE id IN (SELECT value FROM json_each($2)) AND a = $1 "
    )


def test_text_order_of_instants_is_their_order() -> None:
    moments = [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    ]
    assert sorted(map(instant_to_text, reversed(moments))) == list(map(instant_to_text, moments))
