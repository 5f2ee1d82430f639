"""Errors on their way out: a code each, nothing of a crash, no value in a message or a log."""

import logging
import time

import pytest
from graphql import GraphQLError

from models.database import Database
from models.tables.agencies import ModuleName
from models.tables.users import User
from resolvers import user_rights, users
from resolvers.errors import (
    AccountManagerContact,
    CallerError,
    ConfirmationRequiredError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    ModuleNotEnabledError,
    NotFoundError,
    PasswordChangeRequiredError,
    RateLimitedError,
    UnauthenticatedError,
    WrongPasswordError,
)
from resolvers.node_ids import NodeKind, encode
from schema.failures import presented
from tests import storage
from tests.schema.asking import Asking

pytestmark = pytest.mark.asyncio

SECRET = "hunter2-hunter2"


async def anybody() -> User:
    return await storage.user(await storage.agency("nord"), "anna")


@pytest.mark.parametrize(
    "query,codes",
    [
        ("{", ["GRAPHQL_PARSE_FAILED"]),
        ("{ nothing }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("{ viewer { logn } }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("{ node }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("{ users(state: ACTVE) { totalCount } }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("{ users(frist: 1) { totalCount } }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("query ($x: Strin) { node(id: $x) { id } }", ["GRAPHQL_VALIDATION_FAILED"]),
        ("{ users(first: 0) { totalCount } }", ["INVALID_INPUT"]),
    ],
)
async def test_documents_that_are_wrong(asking: Asking, query: str, codes: list[str]) -> None:
    who = await anybody()
    answer = await asking.execute(who, query)
    assert answer.data is None
    assert answer.codes[: len(codes)] == codes
    assert not any("Did you mean" in error["message"] for error in answer.errors)


@pytest.mark.parametrize(
    "declared,argument,value",
    [
        ("$x: Int", "first: $x", SECRET),
        ("$x: Int", "first: $x", 2**31),
        ("$x: String", "after: $x", 4711),
        ("$x: UserState", "state: $x", SECRET),
        ("$x: UserState", "state: $x", {SECRET: SECRET}),
    ],
)
async def test_a_variable_of_the_wrong_kind_is_not_repeated(
    asking: Asking, caplog: pytest.LogCaptureFixture, declared: str, argument: str, value: object
) -> None:
    query = f"query ({declared}) {{ users({argument}) {{ totalCount }} }}"
    answer = await asking.execute(await anybody(), query, x=value)
    assert (answer.data, answer.codes) == (None, ["INVALID_INPUT"])
    message = answer.errors[0]["message"]
    assert message.startswith("Variable '$x' has invalid value")
    assert not any(part in message for part in (SECRET, "4711", str(2**31), "Did you mean"))
    assert caplog.records == []


async def test_an_instant_without_an_offset_is_invalid_input(asking: Asking) -> None:
    who, value = await anybody(), "2024-03-01T09:30:00"
    by_variable = await asking.execute(
        who,
        "query ($f: ActivityFilter) { activities(filter: $f) { totalCount } }",
        f={"occurredFrom": value},
    )
    by_literal = await asking.execute(
        who, f'{{ activities(filter: {{occurredFrom: "{value}"}}) {{ totalCount }} }}'
    )
    assert by_variable.codes == by_literal.codes == ["INVALID_INPUT"]
    assert "RFC 3339 with an offset" in by_variable.errors[0]["message"]
    assert "RFC 3339 with an offset" in by_literal.errors[0]["message"]


async def test_an_unknown_input_field_is_named_and_its_value_is_not(asking: Asking) -> None:
    answer = await asking.execute(
        await anybody(),
        "mutation ($i: CreateUserInput!) { createUser(input: $i) { errors { code } } }",
        i={"login": "a@nord.example", "firstName": "A", "lastName": "B", "passwrd": SECRET},
    )
    assert set(answer.codes) == {"INVALID_INPUT"}
    text = " ".join(error["message"] for error in answer.errors)
    assert "'passwrd'" in text
    assert "'password'" in text
    assert SECRET not in text


@pytest.mark.parametrize("pattern", [" Did you mean x", "Value 'x", "cannot represent x"])
async def test_what_a_client_sent_is_told_in_short_and_keeps_nobody_busy(
    asking: Asking, pattern: str
) -> None:
    # Names of input fields are repeated: looking for these patterns in a megabyte of them took minutes.
    query = "query ($f: ActivityFilter) { activities(filter: $f) { totalCount } }"
    who, began = await anybody(), time.perf_counter()
    answer = await asking.execute(who, query, f={pattern * 60_000: 1})
    assert (answer.data, answer.codes) == (None, ["INVALID_INPUT"])
    assert len(answer.errors[0]["message"]) < 2_000
    assert time.perf_counter() - began < 10


async def test_the_path_of_an_argument_goes_with_the_error(asking: Asking) -> None:
    answer = await asking.execute(await anybody(), "{ users(first: 1, last: 1) { totalCount } }")
    assert answer.errors == [
        {
            "message": "Either first or last, not both.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["users"],
            "extensions": {"code": "INVALID_INPUT", "path": ["last"]},
        }
    ]


async def test_a_crash_tells_nothing_and_is_logged_by_its_reference(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: object) -> None:
        raise LookupError(SECRET)

    who = await anybody()
    monkeypatch.setattr(users, "list_all", crash)
    answer = await asking.execute(
        who, "query ($s: String) { users(search: $s) { totalCount } viewer { login } }", s=SECRET
    )
    (error,) = answer.errors
    reference = error["extensions"].pop("reference")
    assert error == {
        "message": "Internal error.",
        "locations": [{"line": 1, "column": 22}],
        "path": ["users"],
        "extensions": {"code": "INTERNAL"},
    }
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("postfach.graphql", logging.ERROR)
    text = record.getMessage()
    assert f"crash {reference}: builtins.LookupError at users in crash (" in text
    assert SECRET not in text
    assert record.exc_info is None


async def test_what_a_caller_can_act_on_is_not_logged(
    asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    who = await anybody()
    await asking.execute(None, "{ users { totalCount } }")
    await asking.execute(who, "{ users(first: -1) { totalCount } }")
    await asking.execute(who, "{ nothing }")
    await asking.execute(who, "{")
    assert caplog.records == []


async def test_errors_present_themselves_once(database: Database) -> None:
    for original in (
        GraphQLError("x", original_error=ConflictError("It is so.", ["input"])),
        GraphQLError("Cannot query field 'x'. Did you mean 'y'?"),
        GraphQLError("x", original_error=LookupError("y")),
        GraphQLError("x", original_error=GraphQLError("y", original_error=InvalidInputError("z"))),
    ):
        first = presented(original)
        assert presented(first).formatted == first.formatted
    assert presented(GraphQLError("x", original_error=ConflictError("It is so.", ["input"]))).formatted == {
        "message": "It is so.",
        "extensions": {"code": "CONFLICT", "path": ["input"]},
    }
    assert database.observer is None


# ---------------------------------------------------------------- errors in payloads

ERRORS = """
errors {
  __typename code message path
  ... on ModuleNotEnabledError { module accountManager { name email phone } }
  ... on ConfirmationRequiredError { entriesOpened }
  ... on RateLimitedError { retryAfter }
}
"""
CONTACT = AccountManagerContact("Jo Kern", "kern@provider.example", None)


@pytest.mark.parametrize(
    "error,answered",
    [
        (UnauthenticatedError(), {"code": "UNAUTHENTICATED", "message": "Sign in first."}),
        (ForbiddenError("f"), {"code": "FORBIDDEN", "message": "f"}),
        (NotFoundError("n", ["userId"]), {"code": "NOT_FOUND", "message": "n", "path": ["userId"]}),
        (
            InvalidInputError("i", ["input", "x"]),
            {"code": "INVALID_INPUT", "message": "i", "path": ["input", "x"]},
        ),
        (ConflictError("c"), {"code": "CONFLICT", "message": "c"}),
        (WrongPasswordError("w"), {"code": "WRONG_PASSWORD", "message": "w"}),
        (PasswordChangeRequiredError("p"), {"code": "PASSWORD_CHANGE_REQUIRED", "message": "p"}),
        (
            ModuleNotEnabledError("m", ModuleName.VIP_MAILBOXES, CONTACT),
            {
                "code": "MODULE_NOT_ENABLED",
                "message": "m",
                "module": "VIP_MAILBOXES",
                "accountManager": {"name": "Jo Kern", "email": "kern@provider.example", "phone": None},
            },
        ),
        (
            ModuleNotEnabledError("m", ModuleName.AUTOMATIC_BOOKING, None),
            {
                "code": "MODULE_NOT_ENABLED",
                "message": "m",
                "module": "AUTOMATIC_BOOKING",
                "accountManager": None,
            },
        ),
        (
            ConfirmationRequiredError("a", 7),
            {"code": "CONFIRMATION_REQUIRED", "message": "a", "path": ["confirm"], "entriesOpened": 7},
        ),
        (RateLimitedError("r", 60), {"code": "RATE_LIMITED", "message": "r", "retryAfter": 60}),
    ],
)
async def test_a_payload_carries_each_error_as_its_type(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, error: CallerError, answered: dict[str, object]
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    who = await anybody()
    monkeypatch.setattr(user_rights, "set_state", fail)
    payload = await asking.payload(
        who,
        f"mutation ($u: ID!) {{ setUserState(userId: $u, state: LOCKED) {{ user {{ id }} {ERRORS} }} }}",
        u=encode(NodeKind.USER, who.id),
    )
    expected = {"__typename": type(error).__name__, "path": None, **answered}
    assert payload == {"user": None, "errors": [expected]}


async def test_a_crash_in_a_mutation_is_no_error_of_the_caller(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise LookupError(SECRET)

    monkeypatch.setattr(user_rights, "set_state", crash)
    answer = await asking.execute(
        await anybody(), f'mutation {{ setUserState(userId: "x", state: LOCKED) {{ {ERRORS} }} }}'
    )
    assert (answer.data, answer.codes) == (None, ["INTERNAL"])
