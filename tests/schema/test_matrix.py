"""Walks the matrix: every field and every change, by everybody, and no field without a row."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_introspection_type,
)

from resolvers import letter_requests
from resolvers.request import Request
from schema import schema
from schema.context import Context
from tests.schema import matrix_world
from tests.schema.asking import Asking
from tests.schema.matrix import COLUMNS, MUTATIONS, PROBES, QUERY, STRUCTURE, SUBSCRIPTIONS, Probe
from tests.schema.matrix_world import BOOK, MAIL, World
from tests.storage import contents

CORE = schema._schema  # noqa: SLF001 (Strawberry keeps graphql-core's schema there)


def types() -> dict[str, GraphQLObjectType]:
    """Every object type of the schema but GraphQL's own."""
    return {
        name: each
        for name, each in CORE.type_map.items()
        if isinstance(each, GraphQLObjectType) and not is_introspection_type(each)
    }


def name_of(selection: str) -> str:
    """`node` of `node(id:$ben)`."""
    return selection.partition("(")[0]


# ---------------------------------------------------------------- the matrix is whole


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    rows: dict[str, set[str]] = {name: set(fields) for name, fields in STRUCTURE.items()}
    for probe in PROBES:
        rows.setdefault(probe.type, set()).update(map(name_of, probe.rows))
    rows["Mutation"] = set(MUTATIONS)
    rows["Subscription"] = set(SUBSCRIPTIONS)
    assert {name: set(each.fields) for name, each in types().items()} == rows


def test_every_row_has_every_column() -> None:
    for probe in PROBES:
        for row in probe.rows.values():
            assert tuple(row) == COLUMNS
    for _, row in (*MUTATIONS.values(), *SUBSCRIPTIONS.values()):
        assert tuple(row) == COLUMNS


def test_every_mutation_is_what_its_row_says() -> None:
    assert all(name_of(call) == name for name, (call, _) in MUTATIONS.items())


# ---------------------------------------------------------------- fields


def selection(field: GraphQLField, text: str) -> str:
    """The field as a selection; of an object only its type."""
    return (
        f"field: {text} {{ __typename }}"
        if is_composite_type(get_named_type(field.type))
        else f"field: {text}"
    )


async def execute(world: World, request: Request, kind: str, document: str) -> tuple[Any, list[str]]:
    """The data and the codes of the errors."""
    head = matrix_world.declared(document)
    query = f"{kind} ({head}) {document}" if head else f"{kind} {document}"
    variables = {**world.ids, "refreshToken": await world.refresh_token()}
    result = await schema.execute(query, variables, Context(request))
    return result.data, [str((error.extensions or {}).get("code")) for error in result.errors or []]


async def read(world: World, probe: Probe, field: str, column: str) -> str:
    """The cell as it is."""
    request = await world.enter(await world.token(column))
    if request is None:
        return "401"
    text = selection(types()[probe.type].fields[name_of(field)], field)
    found, codes = await execute(world, request, "query", probe.query.replace("FIELD", text))
    if codes and probe is not QUERY:
        # The way there is closed already; a code from further down would be a finding.
        return "-" if codes == ["UNAUTHENTICATED"] and column == "signed out" else f"{codes}"
    if codes:
        return "/".join(codes)
    for step in probe.path:
        found = None if found is None else found[step]
    if found is None:
        return "-"
    return "null" if found["field"] is None else "value"


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_every_field_is_read_by_those_who_may(asking: Asking) -> None:
    world = await matrix_world.build(asking)
    wrong = []
    for probe in PROBES:
        for field, row in probe.rows.items():
            for column in COLUMNS:
                found = await read(world, probe, field, column)
                if found != row[column]:
                    wrong.append(
                        f"{probe.type}.{field} at {probe.query}: {column}: {found}, not {row[column]}"
                    )
    assert wrong == []


# ---------------------------------------------------------------- mutations


async def change(world: World, request: Request, call: str) -> str:
    """The cell as it is."""
    data, codes = await execute(world, request, "mutation", f"{{ payload: {call} {{ errors {{ code }} }} }}")
    assert codes == []
    errors = [error["code"] for error in data["payload"]["errors"]]
    return "/".join(errors) or "done"


@pytest.mark.asyncio
async def test_every_change_is_made_by_those_who_may(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the letter that one of them had sent would keep back the others'.
    monkeypatch.setattr(letter_requests, "AGAIN_AFTER", timedelta(0))
    world = await matrix_world.build(asking)
    wrong = []
    before = await contents(asking.database, "sessions", "audit_events")
    # Whoever may not goes first: what is done changes the world for the others.
    for is_done in (False, True):
        for name, (call, row) in MUTATIONS.items():
            for column in COLUMNS:
                if (row[column] == "done") is not is_done:
                    continue
                request = await world.enter(await world.token(column))
                found = "401" if request is None else await change(world, request, call)
                if found != row[column]:
                    wrong.append(f"{name}: {column}: {found}, not {row[column]}")
        if not is_done:
            assert await contents(asking.database, "sessions", "audit_events") == before
    assert wrong == []


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["LOCKED", "DEACTIVATED", "signed out"])
async def test_whoever_may_no_longer_come_in_changes_nothing_more(asking: Asking, state: str) -> None:
    """The door was open; meanwhile the user was locked, deactivated or signed out."""
    world = await matrix_world.build(asking)
    requests = {
        column: await world.enter(await world.token(column))
        for column in ("administrator", "account manager", "concerned")
    }
    if state == "signed out":
        await asking.database.execute("UPDATE sessions SET ended_at = opened_at")
    else:
        await asking.database.execute("UPDATE users SET state = $1 WHERE state = 'ACTIVE'", state)
    before = await contents(asking.database, "sessions", "audit_events")
    for name, (call, row) in MUTATIONS.items():
        if row["signed out"] == "done":
            continue
        column = next(each for each in requests if row[each] == "done")
        request = requests[column]
        assert request is not None
        # Each mutation begins with the viewer that the door let in.
        assert (name, await change(world, replace(request), call)) == (name, "UNAUTHENTICATED")
    assert await contents(asking.database, "sessions", "audit_events") == before


# ---------------------------------------------------------------- subscriptions


async def listen(world: World, name: str) -> dict[str, Any]:
    """The streams of all whom the door lets in."""
    selected, row = SUBSCRIPTIONS[name]
    head = matrix_world.declared(selected)
    document = f"subscription ({head}) {{ {selected} }}" if head else f"subscription {{ {selected} }}"
    streams: dict[str, Any] = {}
    for column in COLUMNS:
        request = await world.enter(await world.token(column))
        if request is None:
            assert row[column] == "401"
            continue
        streams[column] = aiter(await schema.subscribe(document, dict(world.ids), Context(request)))
    return streams


@pytest.mark.asyncio
async def test_a_letter_is_told_to_those_who_may_read_it(asking: Asking) -> None:
    world = await matrix_world.build(asking)
    row = SUBSCRIPTIONS["credentialDeliveryChanged"][1]
    for column, stream in (await listen(world, "credentialDeliveryChanged")).items():
        heard = await anext(stream)
        if row[column] == "value":
            assert heard.errors is None
            assert heard.data == {"credentialDeliveryChanged": {"id": world.ids["deskLetter"]}}
        else:
            assert [(error.extensions or {})["code"] for error in heard.errors or []] == [row[column]]
        await stream.aclose()


@pytest.mark.asyncio
async def test_everybody_hears_of_bookings_what_one_may(asking: Asking) -> None:
    world = await matrix_world.build(asking)
    row = SUBSCRIPTIONS["activityBooked"][1]
    streams = await listen(world, "activityBooked")
    waiting = {column: asyncio.ensure_future(anext(stream)) for column, stream in streams.items()}
    refused = await waiting["signed out"]
    assert [(error.extensions or {})["code"] for error in refused.errors or []] == [row["signed out"]]
    mail = {**MAIL, "mailboxId": world.ids["chef"], "messageId": "new@web.example"}
    booked = await asking.payload(world.people["concerned"], BOOK, input=mail)
    heard = await waiting["concerned"]
    assert (
        heard.errors,
        heard.data["activityBooked"]["id"] in {each["id"] for each in booked["activities"]},
    ) == (
        None,
        True,
    )
    open_mail = {**MAIL, "mailboxId": world.ids["desk"], "messageId": "open@web.example"}
    opened = await asking.payload(world.people["concerned"], BOOK, input=open_mail)
    ids = {each["id"] for each in opened["activities"]}
    for column in ("user", "administrator"):
        # The first that they hear is the later one: the earlier was not for them.
        assert row[column] == "silence"
        assert (await waiting[column]).data["activityBooked"]["id"] in ids
    for column in ("account manager", "stranger"):
        assert row[column] == "silence"
        assert not waiting[column].done()
        waiting[column].cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    for stream in streams.values():
        await stream.aclose()
