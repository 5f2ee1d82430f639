"""The fuzzer's own tools: what is equal, what is made smaller, what counts as seen, what must not be done."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from graphql import parse, validate

from resolvers.node_ids import NodeKind
from tests.oracle.world import PASSWORD, Mailbox
from tests.system.no_trace.comparing import difference, without_places
from tests.system.no_trace.coverage import Coverage
from tests.system.no_trace.door import Answered, Asked
from tests.system.no_trace.drawing import Drawing, Pools
from tests.system.no_trace.fuzzer import SCHEMA
from tests.system.no_trace.hidden import Hidden, booked_now, identity_of
from tests.system.no_trace.openings import Openings
from tests.system.no_trace.shrinking import shrink

BOX = "AwAAAAAAAAAAAAAAAAAAAAA"
SELF = "AQAAAAAAAAAAAAAAAAAAAAA"
HIDDEN = booked_now(None, Mailbox("a", "chef@a.example"))


def answered(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Answered:
    length = (b"content-length", str(len(body)).encode())
    return Answered(status, (length, *headers), body)


class TestComparing:
    def test_every_byte_counts(self) -> None:
        one = answered(b'{"data":{"a":1}}', (b"vary", b"Origin"))
        assert difference(one, one) is None
        assert "status" in (difference(one, answered(one.body, (b"vary", b"Origin"), status=400)) or "")
        assert "x-more" in (
            difference(one, answered(one.body, (b"vary", b"Origin"), (b"x-more", b"1"))) or ""
        )
        assert "byte 14" in (difference(one, answered(b'{"data":{"a":12}}', (b"vary", b"Origin"))) or "")

    @pytest.mark.parametrize(
        "one,other",
        [
            (b'{"reference":"0123456789abcdef"}', b'{"reference":"fedcba9876543210"}'),
            (b'{"entriesOpened":9}', b'{"entriesOpened":10}'),
        ],
    )
    def test_but_for_what_the_rule_excepts(self, one: bytes, other: bytes) -> None:
        assert (
            difference(answered(one, (b"x-request-id", b"1")), answered(other, (b"x-request-id", b"2")))
            is None
        )

    def test_which_of_several_errors_came_first_is_chance(self) -> None:
        one = answered(b'{"data":null,"errors":[{"message":"a","path":["x",0]}]}')
        other = answered(b'{"data":null,"errors":[{"message":"a","path":["x",1]}]}')
        assert difference(one, other) is not None
        assert without_places(one) == without_places(other)
        assert without_places(one) != without_places(answered(other.body.replace(b'"a"', b'"b"')))

    def test_a_body_is_as_long_as_its_header_says(self) -> None:
        wrong = Answered(200, ((b"content-length", b"1"),), b"{}")
        with pytest.raises(AssertionError):
            difference(wrong, wrong)


def test_a_document_is_shrunk_to_what_shows_it() -> None:
    document = """query ($one: Int, $two: String) { viewer { id ...F }
      activities(first: $one, after: $two) @include(if: true) { nodes { ...G } totalCount } }
      fragment F on User { name login } fragment G on Activity { id subject }"""

    async def shows(smaller: str) -> bool:
        assert validate(SCHEMA, parse(smaller)) == []
        return "totalCount" in smaller

    found = asyncio.run(shrink(document, shows))
    assert found.split() == ["{", "activities", "{", "totalCount", "}", "}"]


def test_what_was_answered_is_counted_by_the_type_that_it_has() -> None:
    coverage = Coverage(SCHEMA)
    document = """query { node(id: "x") { __typename id ... on User { name email } ...F } users(last: 1) { nodes { id } } }
      fragment F on Mailbox { name: address }"""
    data: dict[str, Any] = {
        "node": {"__typename": "User", "id": "x", "name": "Kim", "email": None},
        "users": None,
    }
    coverage.note(document, data)
    assert set(coverage.fields) == {"Query.node", "User.id", "User.name"}
    assert set(coverage.arguments) == {"Query.node(id)"}


def test_a_mutation_that_was_refused_is_not_done() -> None:
    coverage = Coverage(SCHEMA)
    document = "mutation { a: signOut { errors { code __typename } } b: signOut { errors { code } } }"
    error = {"code": "FORBIDDEN", "__typename": "ForbiddenError"}
    coverage.note(document, {"a": {"errors": [error]}, "b": {"errors": []}})
    assert coverage.fields["Mutation.signOut"] == 1
    assert coverage.fields["Mutation.signOut refused"] == 1
    assert coverage.codes == {"FORBIDDEN": 1}


@pytest.mark.parametrize(
    "field,opens",
    [
        (f'setMailboxVip(mailboxId: "{BOX}", vip: false, confirm: true)', True),
        (f'setMailboxVip(mailboxId: "{BOX}", vip: false)', False),
        (f'setMailboxVip(mailboxId: "{BOX}", vip: true, confirm: true)', False),
        (f'setMailboxVip(mailboxId: "{SELF}", vip: false, confirm: true)', False),
        (f'setUserRights(userId: "{SELF}", input: {{ activityReadLevel: ALL }})', True),
        (f'setUserState(userId: "{BOX}", state: LOCKED)', False),
        (f'assignUser(mailboxId: "{BOX}", userId: "{SELF}")', True),
        (f'assignUser(mailboxId: "{BOX}", userId: "{BOX}")', False),
        (f'signIn(login: "Other@a.example", password: "{PASSWORD}")', True),
        (f'signIn(login: "ME@a.example", password: "{PASSWORD}")', False),
        ('signIn(login: "other@a.example", password: "wrong")', False),
    ],
)
def test_what_opens_something_is_known(field: str, opens: bool) -> None:  # noqa: FBT001 (a parameter)
    openings = Openings(SCHEMA, SELF, "me@a.example", Hidden(), frozenset({BOX}))
    assert (
        openings.are_in(
            Asked(f"mutation {{ signOut {{ errors {{ code }} }} {field} {{ errors {{ code }} }} }}")
        )
        is opens
    )


def test_a_copy_of_a_hidden_mail_is_known() -> None:
    openings = Openings(SCHEMA, SELF, "me@a.example", Hidden(identities={identity_of(HIDDEN)}), frozenset())
    document = "mutation ($input: BookMailInput!) { bookMail(input: $input) { errors { code } } }"
    given = {
        "mailboxId": BOX,
        "part": "RECEIVING",
        "messageId": HIDDEN.message_id,
        "sender": HIDDEN.sender.upper(),
        "recipients": list(HIDDEN.recipients),
        "subject": HIDDEN.subject,
        "text": HIDDEN.text,
    }
    assert openings.are_in(Asked(document, {"input": given}))
    assert not openings.are_in(Asked(document, {"input": {**given, "text": "another"}}))


def test_what_is_drawn_is_valid_most_of_the_time() -> None:
    pools = Pools(ids={kind: [BOX] for kind in NodeKind}, values={"recipients": ["a@web.example"]})
    drawing = Drawing(SCHEMA, Random(1), pools, Coverage(SCHEMA))
    valid = 0
    for _ in range(100):
        asked = drawing.asked()
        valid += validate(SCHEMA, parse(asked.document)) == []
        again = drawing.again(asked)
        assert again.document == asked.document
        assert again.variables.keys() == asked.variables.keys()
        parse(drawing.subscription("").text)
    assert valid > 80
