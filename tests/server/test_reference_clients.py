"""The server against those who wrote the protocols: the audits of GraphQL over HTTP, and the client of graphql-transport-ws.

Both are npm packages (`tests/npm`), installed by `make setup`.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from schema import schema as postfach
from tests import peers
from tests.contract.copies import ROOT
from tests.server.test_websocket import OWN, served

pytestmark = pytest.mark.asyncio
NPM = ROOT / "tests" / "npm"
NODE = ROOT / ".venv" / "bin" / "node"
ONLY_POST = {
    "5A70": "MAY accept application/x-www-form-urlencoded formatted GET requests",
    "D6D5": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting "
    "application/graphql-response+json",
    "6A70": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json",
}
"""What a server may do and this one does not: a GET is what any page can have a browser send."""


@pytest.fixture
def database_kind() -> str:
    """The door is the same on both."""
    return "sqlite"


async def run(script: str, *arguments: str, **environment: str) -> str:
    """What a script of `tests/npm` prints; it must end well."""
    if not NODE.exists() or not (NPM / "node_modules").is_dir():
        peers.missing(
            "the npm packages of tests/npm are missing, run make setup where npm's registry is there"
        )
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(NPM / script),
        *arguments,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_every_audit_of_graphql_over_http_is_passed(door_database: str, tmp_path: Path) -> None:
    async with served(door_database, tmp_path, postfach) as house:
        lines = (await run("audits.mjs", f"{house.url}/graphql")).splitlines()
    audits = {each["id"]: each for each in map(json.loads, lines)}
    assert len(audits) == len(lines) == 61
    assert {name: each["name"] for name, each in audits.items() if each["status"] != "ok"} == ONLY_POST
    assert {audits[name]["status"] for name in ONLY_POST} == {"notice"}


async def test_the_reference_client_finds_its_protocol(door_database: str, tmp_path: Path) -> None:
    async with served(door_database, tmp_path, OWN) as house:
        token = await house.token(house.anna)
        heard: dict[str, Any] = json.loads(await run("socket.mjs", house.socket_url, TOKEN=token))
    assert heard["query"] == [{"data": {"who": "anna@nord.example ADMINISTRATOR"}}]
    assert heard["together"] == [[{"data": {"count": number}} for number in range(to)] for to in (1, 2, 3)]
    assert [each["refused"][0]["extensions"] for each in heard["invalid"]] == [
        {"code": "GRAPHQL_VALIDATION_FAILED"}
    ]
    assert [each["refused"][0]["extensions"] for each in heard["unparsed"]] == [
        {"code": "GRAPHQL_PARSE_FAILED"}
    ]
    (failed,) = heard["failed"]
    assert (failed["data"], failed["errors"][0]["extensions"]["code"]) == (None, "INTERNAL")
    assert heard["left"] == [{"data": {"count": 0}}, {"data": {"count": 1}}]
    assert heard["mutation"] == [{"data": {"signOut": True}}]
    assert heard["events"][0] == "connected"
    assert heard["events"][-1] == "closed 4401"
    assert "pong" in heard["events"]
