"""A record that was made quickly is the same record."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, astuple, replace
from uuid import uuid4

import pytest

from resolvers.mailboxes import Mailbox
from resolvers.records import maker


def test_it_is_what_its_class_would_have_made() -> None:
    values = (uuid4(), uuid4(), "desk@nord.example", None, True, False, None, True, False)
    quick, slow = maker(Mailbox)(*values), Mailbox(*values)
    assert type(quick) is Mailbox
    assert quick == slow
    assert hash(quick) == hash(slow)
    assert repr(quick) == repr(slow)
    assert quick.node_id == slow.node_id
    assert astuple(quick) == values
    assert replace(quick, vip=False) == replace(slow, vip=False)


def test_it_is_frozen() -> None:
    made = maker(Mailbox)(*range(9))
    with pytest.raises(FrozenInstanceError):
        made.vip = False  # type: ignore[misc]  # what is tried
    assert made.vip == 4


def test_it_has_every_field() -> None:
    for count in (8, 10):
        with pytest.raises(TypeError):
            maker(Mailbox)(*range(count))
