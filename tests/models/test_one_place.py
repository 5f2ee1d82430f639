"""The rule stands in one place: no other module reads the tables of e-mails, bookings and entries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOMS = ("server", "schema", "resolvers", "mail", "models", "execution")
GUARDED = ("mails", "mail_mailboxes", "bookings", "activities", "activity_readers", "activity_mailboxes")
SPEAKS = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+\"?(?:{'|'.join(GUARDED)})\b", re.IGNORECASE)
MODELS = ("Mail", "MailMailbox", "Booking", "Activity", "ActivityReader", "ActivityMailbox")
FORBIDDEN = (*MODELS, "mails", "*")

ALLOWED = {
    "models/tables/__init__.py": "says where Tortoise finds them",
    "models/visibility/rule.py": "reads, by the rule",
    "models/visibility/lists.py": "reads, by the rule",
    "models/visibility/ranges.py": "reads, by the rule",
    "models/visibility/asking.py": "reads, by the rule",
    "models/bookings.py": "writes what a booking leaves behind",
    "models/booking_at_once.py": "writes the same in one statement",
    "models/guarding.py": "writes what a VIP switch changes",
    "models/stored.py": "finds what an import would repeat",
    "models/snapshot.py": "reads what an export takes",
    "models/migrations/0006_kept_whole.py": "refuses what crosses agencies",
}


def sources() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((TOP / room).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path


def offences(source: str) -> list[str]:
    """What in this source speaks of the guarded tables: SQL in a string, or a Tortoise model that is imported."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SPEAKS.search(node.value):
            found.append(f"line {node.lineno}: SQL")
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models.tables"):
            found += [f"line {node.lineno}: {name.name}" for name in node.names if name.name in FORBIDDEN]
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith(("tables", "tables.mails")):
            found += [f"line {node.lineno}: {node.attr}"] if node.attr in FORBIDDEN else []
    return found


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(TOP)))
def test_no_other_module_reads_the_guarded_tables(path: Path) -> None:
    if str(path.relative_to(TOP)) not in ALLOWED:
        assert offences(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'x = "SELECT 1 FROM bookings b"',
        'x = f"SELECT {1} FROM x JOIN activities a"',
        'x = "update  activities set guarded = false"',
        "from models.tables.mails import Activity",
        "from models.tables.mails import *",
        "from models.tables import mails",
        "from models import tables\ntables.mails.Booking.all()",
        "import models.tables.mails\nmodels.tables.mails.Booking.all()",
    ],
)
def test_an_offence_is_found(source: str) -> None:
    assert offences(source) != []


def test_every_exception_is_still_one() -> None:
    for path in ALLOWED:
        assert offences((TOP / path).read_text("utf-8")) != []
