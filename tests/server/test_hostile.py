"""Ten thousand hostile requests: each is answered, soon, by GraphQL, and none finds a fault or makes the server grow."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections import Counter
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from schema import schema
from server.answers import GRAPHQL, JSON
from tests import storage
from tests.docs.pages import PAGES, examples
from tests.server.doors import HOST, Doors, doors
from tests.server.hostile import Attack, Corpus

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]
CORE = schema._schema  # noqa: SLF001 (Strawberry keeps graphql-core's schema there)
# The same each time, unless another one is wanted.
SEED = int(os.environ.get("POSTFACH_SEED", "20"))
REQUESTS = {"sqlite": 8_000, "postgresql": 2_000}
SLOWEST_SECONDS = 5
GROWTH_BYTES = 40 * 1024 * 1024
REFUSALS = {200, 204, 400, 401, 403, 405, 406, 413, 415}


def is_answered(attack: Attack, answer: httpx.Response) -> None:
    """A GraphQL answer without a fault of the server, and without a word about how it is built."""
    text = answer.text
    assert answer.status_code in REFUSALS, (attack, answer.status_code, text)
    assert not any(word in text for word in ("Traceback", 'File "', "INTERNAL", "asyncpg", "sqlite")), (
        attack,
        text,
    )
    if attack.method == "HEAD" or answer.status_code == 204:
        assert text == ""
        return
    assert answer.headers["content-type"].startswith((JSON, GRAPHQL)), (attack, answer.headers)
    body = json.loads(text)
    assert "data" in body or [each["extensions"]["code"] for each in body["errors"]], (attack, text)
    assert not any("Did you mean" in each["message"] for each in body.get("errors", []))


async def corpus(house: Doors) -> Corpus:
    """Attacks with operations of the documentation, and with ids and cursors of another agency."""
    other = await storage.agency("sued")
    box = await storage.mailbox(other, "chef")
    entry = await storage.mail(other, box)
    token = await house.token(house.anna)
    query = "{ viewer { id } agency { id } users { nodes { id } edges { cursor } pageInfo { endCursor } } }"
    data = (await house.ask(query, token=token)).good()
    ids = [data["viewer"]["id"], data["agency"]["id"], str(box.id), str(entry.id), "x" * 23]
    cursors = [each["cursor"] for each in data["users"]["edges"]]
    documents = [each.document for page in PAGES for each in examples(page)]
    return Corpus(CORE, documents, ids, cursors, SEED)


async def test_ten_thousand_hostile_requests(
    door_database: str, database_kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    number = REQUESTS[database_kind]
    seen: Counter[tuple[str, int]] = Counter()
    process = psutil.Process()
    async with doors(door_database, tmp_path) as house:
        token = await house.token(house.anna)
        transport = httpx.ASGITransport(app=house.app, client=("192.0.2.7", 1))
        resting = 0
        async with httpx.AsyncClient(base_url=f"http://{HOST}", transport=transport) as http:
            for place, attack in enumerate((await corpus(house)).attacks(number)):
                if place == number // 2:
                    gc.collect()
                    resting = process.memory_info().rss
                # A request of its own, so that no cookie of an answer comes along.
                http.cookies.clear()
                headers = {"authorization": f"Bearer {token}"} if attack.signed_in else {}
                async with asyncio.timeout(SLOWEST_SECONDS):
                    answer = await http.request(
                        attack.method,
                        "/graphql",
                        content=attack.body,
                        headers=[
                            (name.encode(), value.encode("latin-1"))
                            for name, value in {**headers, **attack.headers}.items()
                        ],
                    )
                is_answered(attack, answer)
                seen[attack.family, answer.status_code] += 1
                if answer.status_code == 401 and "authorization" not in attack.headers:
                    # A signOut among them was right.
                    token = await house.token(house.anna)
        gc.collect()
        grown = process.memory_info().rss - resting
        assert grown < GROWTH_BYTES
        assert house.runtime.schema.documents.bytes < 64 * 1024 * 1024  # type: ignore[attr-defined]  # ours
        assert (await house.ask(token=await house.token(house.anna))).good() == {
            "viewer": {"login": "anna@nord.example"}
        }
    assert sum(seen.values()) == number
    # Every family is there, and some of it comes through to the database.
    assert len({family for family, _ in seen}) >= 17
    assert seen["arguments", 200] > number / 40
    assert [record.getMessage() for record in caplog.records] == []


# ---------------------------------------------------------------- what a scanner looks for


async def test_a_scanner_finds_nothing(door_database: str, tmp_path: Path) -> None:
    """What public scanners try, where introspection and the page are switched off."""
    async with (
        doors(door_database, tmp_path, INTROSPECTION="off", GRAPHIQL="off") as house,
        house.client() as client,
    ):
        many = "".join(f"alias{n}: __typename " for n in range(101))
        assert (await client.execute(f"query {{ {many} }}")).codes == ["LIMIT_EXCEEDED"]
        assert (await client.post(json.dumps([{"query": "{ __typename }"}] * 10).encode())).codes == [
            "BAD_REQUEST"
        ]
        directives = "query { __typename " + "@aa" * 10 + " }"
        assert (await client.execute(directives)).codes == ["LIMIT_EXCEEDED"]
        circular = "query { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
        for query in (circular, "query { __schema { types { name } } }", '{ __type(name: "User") { name } }'):
            assert "data" not in (await client.execute(query)).json
        answer = await client.execute("query { viewr { logn } __typenam }")
        assert not any("mean" in each["message"] for each in answer.errors)
        for url in ("/graphql?query=%7B__typename%7D", "/graphql?query=mutation%7B__typename%7D"):
            assert (await client.http.get(url)).status_code == 405
        form = await client.http.post("/graphql", data={"query": "{ __typename }"})
        assert form.status_code == 415
        by_url = await client.http.post("/graphql?query=%7B__typename%7D")
        assert by_url.status_code == 415
        page = await client.http.get("/graphql", headers={"accept": "text/html"})
        assert (page.status_code, "<html" in page.text) == (404, False)
        traced = await client.execute("{ __typename }", headers={"apollo-federation-include-trace": "ftv1"})
        assert traced.json == {"data": {"__typename": "Query"}}
        broken = await client.execute("queryy { __typename }")
        assert set(broken.errors[0]) == {"message", "locations", "extensions"}
        repeated = await client.execute("{ " + "viewer { id } " * 500 + "}")
        assert repeated.codes == ["LIMIT_EXCEEDED"]
