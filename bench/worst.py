"""The worst that one viewer can ask for within the limits, each of another kind.

A document with `NUMBER` in it is another one at each request, so that it is parsed, validated and compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.askers import NUMBER
from bench.booking import BOOK, Writer, mail
from bench.contestants import Postfach
from bench.load import Asked
from bench.operations import ENTRY, Question
from resolvers import node_ids
from resolvers.node_ids import NodeKind
from tests.client import SIGN_IN
from tests.oracle.world import PASSWORD

ADMINISTRATOR = "user0@agency{}.example"


@dataclass(frozen=True, slots=True)
class Culprit:
    """Who asks: with a login, one of his entries, and what he may book."""

    login: str
    one: Question
    writer: Writer


Requests = Callable[[Postfach, Culprit], list[Asked]]


@dataclass(frozen=True, slots=True)
class Worst:
    """What is asked, in words, and as requests; some ask only an administrator's."""

    words: str
    requests: Requests
    by_administrator: bool = False


def _document(text: str) -> Requests:
    def requests(server: Postfach, culprit: Culprit) -> list[Asked]:
        return [server.operation(culprit.login, text, {})]

    return requests


def _aliased(number: int, field: str, name: str = "W") -> str:
    """Return a query of so many times a root field."""
    fields = " ".join(f"a{place}: {field.replace('%', str(place))}" for place in range(number))
    return f"query {name} {{ {fields} }}"


PAGES = _aliased(13, "activities(first: 100, after: null) { nodes { " + ENTRY + " remark } }")
COUNTS = _aliased(20, 'activities(filter: { search: "e n% a" }) { totalCount }')
ONE_COUNT = 'query W { activities(filter: { search: "a e n" }) { totalCount } }'
NOTHING = _aliased(20, 'activities(first: 100, filter: { search: "xyzxyz%" }) { nodes { id } }')
MAILBOX_COUNTS = "query W { mailboxes(first: 100) { nodes { id activities { totalCount } } } }"
MAILBOX_SEARCHES = "query W {{ mailboxes(first: 100) {{ nodes {{ {} }} }} }}".format(
    " ".join(
        f'a{place}: activities(first: 1, filter: {{ search: "xyz{place}" }}) {{ totalCount nodes {{ id }} }}'
        for place in range(30)
    )
)
NESTED = "query W { mailboxes(first: 100) { nodes { activities(first: 100) { nodes { id subject preview sender } } } } }"
PEOPLE = (
    "query W { users(first: 100) { nodes { mailboxes(first: 100) { nodes { id address vip active } } } } }"
)
_MANY = " ".join(f"a{place}: id kind direction subject preview sender messageId" for place in range(30))
NEVER_SEEN = (
    f"query W{NUMBER} {{ activities(first: 1) {{ nodes {{ {_MANY} {'id kind subject ' * 220} }} }} }}"
)
NEVER_SEEN_DEEP = "query W{} {{ {} }}".format(
    NUMBER,
    " ".join(
        f"a{place}: activities(first: 1) {{ nodes {{ {ENTRY} remark recipients }} pageInfo {{ endCursor }} }}"
        for place in range(20)
    ),
)
WRONG = f"query W{NUMBER} {{ viewer {{ {' '.join(f'nothing{place}' for place in range(900))} }} }}"
UNPARSABLE = f"query W{NUMBER} {{ viewer {{ {'id ' * 1_980}"
TOO_DEAR = f"query W{NUMBER} {{ activities(first: 100) {{ nodes {{ {'id kind subject ' * 320} }} }} }}"
ERRORS = "query W {{ mailboxes(first: 100) {{ nodes {{ {} }} }} }}".format(
    " ".join(
        f'a{place}: activities(filter: {{ mailboxId: "x{place}" }}) {{ totalCount }}' for place in range(30)
    )
)
CREATE_USER = """mutation W($input: CreateUserInput!) { createUser(input: $input) { errors { code } } }"""


def _bodies(server: Postfach, culprit: Culprit) -> list[Asked]:
    """Return a body of a megabyte for a field: undeclared variables are ignored, once they were read."""
    return [server.operation(culprit.login, "query W { viewer { id } }", {"x": [[1, 2]] * 130_000})]


def _reading(server: Postfach, culprit: Culprit) -> list[Asked]:
    return [server.asked(culprit.one)]


def _signing_in(server: Postfach, culprit: Culprit) -> list[Asked]:
    return [server.operation(culprit.login, SIGN_IN, {"login": culprit.login, "password": PASSWORD})]


def _guessing(server: Postfach, culprit: Culprit) -> list[Asked]:
    return [server.operation(culprit.login, SIGN_IN, {"login": culprit.login, "password": "wrong"})]


def _making_users(server: Postfach, culprit: Culprit) -> list[Asked]:
    given = {
        "login": f"new{NUMBER}@{culprit.login.partition('@')[2]}",
        "firstName": "A",
        "lastName": "B",
        "password": "a password that is long enough",
    }
    return [server.operation(culprit.login, CREATE_USER, {"input": given})]


def _booking(server: Postfach, culprit: Culprit) -> list[Asked]:
    writer = culprit.writer
    given = {
        "mailboxId": node_ids.encode(NodeKind.MAILBOX, writer.mailbox_id),
        "part": "RECEIVING",
        **mail(writer, NUMBER),
        "contactReferences": [f"K-{place}" for place in range(100)],
        "propertyReferences": [f"P-{place}" for place in range(100)],
    }
    return [server.operation(writer.login, BOOK, {"input": given})]


WORST = {
    "pages": Worst("13 pages of 100 entries with everything", _document(PAGES)),
    "counts": Worst("20 counts of what a text is in", _document(COUNTS)),
    "one count": Worst("one count of what a text is in", _document(ONE_COUNT)),
    "nothing": Worst("20 searches for what is not there", _document(NOTHING)),
    "mailbox counts": Worst("a count for each of 100 mailboxes", _document(MAILBOX_COUNTS)),
    "mailbox searches": Worst("30 searches in each of 100 mailboxes", _document(MAILBOX_SEARCHES)),
    "nested": Worst("100 entries of each of 100 mailboxes", _document(NESTED)),
    "people": Worst("100 users with 100 mailboxes each", _document(PEOPLE), by_administrator=True),
    "never seen": Worst("a document of 2,000 tokens, never the same", _document(NEVER_SEEN)),
    "never seen deep": Worst("20 lists, never the same document", _document(NEVER_SEEN_DEEP)),
    "wrong": Worst("900 fields that do not exist, never the same document", _document(WRONG)),
    "unparsable": Worst("2,000 tokens that do not parse, never the same", _document(UNPARSABLE)),
    "too dear": Worst("what is refused by the limits, never the same", _document(TOO_DEAR)),
    "errors": Worst("3,000 fields with an error", _document(ERRORS)),
    "bodies": Worst("bodies of a megabyte for one field", _bodies),
    "one field": Worst("one field without the database", _document("query W { __typename }")),
    "one entry": Worst("one entry", _reading),
    "signing in": Worst("signing in with the right password", _signing_in),
    "guessing": Worst("signing in with a wrong password", _guessing),
    "making users": Worst("new users, each with a password to hash", _making_users, by_administrator=True),
    "booking": Worst("e-mails with 200 entries", _booking),
}
CHANGING = frozenset({"making users", "booking"})
"""What leaves something behind."""
