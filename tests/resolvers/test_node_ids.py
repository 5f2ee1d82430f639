"""Global ids: one spelling each, and everything else names nothing."""

import base64
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.node_ids import NodeKind, decode, decode_as, encode

ONE = UUID("12345678-1234-4234-9234-123456789abc")


@given(st.sampled_from(NodeKind), st.uuids())
def test_an_id_names_its_kind_and_row(kind: NodeKind, identifier: UUID) -> None:
    text = encode(kind, identifier)
    assert len(text) == 23
    assert decode(text) == (kind, identifier)
    assert decode_as(kind, text) == identifier
    assert all(decode_as(other, text) is None for other in NodeKind if other is not kind)


def test_numbers_of_kinds_never_change() -> None:
    assert [(kind.name, int(kind)) for kind in NodeKind] == [
        ("USER", 1),
        ("AGENCY", 2),
        ("MAILBOX", 3),
        ("MAILBOX_EVENT", 4),
        ("MAILBOX_ASSIGNMENT", 5),
        ("ACTIVITY", 6),
        ("CREDENTIAL_DELIVERY", 7),
        ("AUDIT_EVENT", 8),
    ]
    assert encode(NodeKind.USER, ONE) == "ARI0VngSNEI0kjQSNFZ4mrw"


def _of(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        str(ONE),
        encode(NodeKind.USER, ONE) + "=",
        encode(NodeKind.USER, ONE) + "A",
        encode(NodeKind.USER, ONE)[:-1],
        # The last character has two bits to spare.
        encode(NodeKind.USER, ONE)[:-1] + "x",
        _of(b"\0" + ONE.bytes),
        _of(b"\x09" + ONE.bytes),
        "+" * 23,
        "é" * 23,
        "\ud800" * 23,
        "\0" * 23,
        " " + encode(NodeKind.USER, ONE)[1:],
        "A" * 100_000,
    ],
)
def test_anything_else_names_nothing(text: str) -> None:
    assert decode(text) is None
    assert decode_as(NodeKind.USER, text) is None


@given(st.text(max_size=30))
def test_no_text_makes_it_stumble(text: str) -> None:
    found = decode(text)
    assert found is None or encode(*found) == text


def test_ids_differ() -> None:
    assert len({encode(NodeKind.USER, uuid4()) for _ in range(100)}) == 100
