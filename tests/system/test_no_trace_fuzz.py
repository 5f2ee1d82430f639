"""What is hidden leaves no trace: whatever is asked, in whatever way, both worlds answer the same bytes.

Two worlds differ in what one viewer may not see. Their ids, tokens, secrets and moments are the same wherever they are
visible, so answers are compared as they are, headers and messages of sockets included.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.execution.test_compiled import LEFT_BEHIND
from tests.system.harness import SEED
from tests.system.no_trace import rounds
from tests.system.no_trace.coverage import Coverage
from tests.system.no_trace.fuzzer import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Migrated

SECONDS = float(os.environ.get("POSTFACH_NO_TRACE_SECONDS", "30"))
FIELDS, ARGUMENTS, DONE = 0.6, 0.5, 8
"""The share of the schema's fields and arguments that one round answers at the least, and how many mutations it does."""
CODES = {"NOT_FOUND", "FORBIDDEN", "INVALID_INPUT"}
ALWAYS = {
    "Activity.id",
    "Activity.subject",
    "ActivityConnection.nodes",
    "ActivityConnection.totalCount",
    "ActivityEdge.cursor",
    "Mailbox.activities",
    "PageInfo.hasNextPage",
    "PageInfo.hasPreviousPage",
    "Query.activities",
    "Query.mailboxes",
    "Query.node",
    "Query.nodes",
    "Query.users",
}


@pytest.mark.timeout(2 * SECONDS + 600)
@pytest.mark.filterwarnings(*LEFT_BEHIND)
def test_both_worlds_answer_the_same(
    database_kind: str, migrated: Migrated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    coverage = Coverage(SCHEMA)
    template = migrated.template(database_kind)
    done = asyncio.run(rounds.play(template, tmp_path, SEED, SECONDS, coverage))
    print(f"{done}, {len(coverage.fields)} fields, {dict(coverage.operations)}, {dict(coverage.codes)}")  # noqa: T201
    # It is not blind: what it drew was answered with something.
    fields, arguments = coverage.all_fields(), coverage.all_arguments()
    assert coverage.fields.keys() >= ALWAYS, ALWAYS - coverage.fields.keys()
    assert len(fields & coverage.fields.keys()) > FIELDS * len(fields)
    assert len(arguments & coverage.arguments.keys()) > ARGUMENTS * len(arguments)
    assert len({f"Mutation.{name}" for name in MUTATIONS} & coverage.fields.keys()) >= DONE
    assert coverage.codes.keys() >= CODES


MUTATIONS = () if SCHEMA.mutation_type is None else tuple(SCHEMA.mutation_type.fields)
