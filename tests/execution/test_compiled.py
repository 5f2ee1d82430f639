"""Whatever a schema does, the compiled way answers as GraphQL's own executor does."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
import weakref
from typing import Any

import orjson
import pytest

from execution import compiled as room
from execution.compiled import Compiled
from execution.documents import Documents
from execution.limits import Limits
from execution.plan import Operation
from tests.execution.zoo import Context, Zoo
from tests.operations import Drawn, Generator

pytestmark = pytest.mark.asyncio

LEFT_BEHIND = ("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
"""GraphQL's own executor forgets some of what it began when a field fails."""
SECONDS = float(os.environ.get("POSTFACH_COMPILED_SECONDS", "6"))
COMPILED = Compiled()
PLAIN, QUICK = Zoo(None), Zoo(COMPILED)


def known(text: str) -> Operation | None:
    document = QUICK.documents.known(text)
    return None if document is None else document.compiled.get(None)


def told(result: Any, context: Context) -> bytes:
    errors = [error.formatted for error in result.errors or []]
    return orjson.dumps({"data": result.data, "errors": errors, "changes": context.counter})


async def check(drawn: Drawn, *, keeper: bool = True) -> bytes:
    """Execute an operation in each way; the answers are equal, and so is what it did."""
    context = Context(keeper)
    expected = told(await PLAIN.execute(drawn.text, dict(drawn.variables), context), context)
    context = Context(keeper)
    first = told(await QUICK.execute(drawn.text, dict(drawn.variables), context), context)
    assert first == expected, f"{drawn.text} {drawn.variables}"
    operation = known(drawn.text)
    if operation is not None:
        context = Context(keeper)
        done = await room.execute(COMPILED, QUICK, operation, dict(drawn.variables), context)
        assert told(done, context) == expected, f"{drawn.text} {drawn.variables}"
    return expected


@pytest.mark.timeout(2 * SECONDS + 60)
@pytest.mark.filterwarnings(*LEFT_BEHIND)
@pytest.mark.usefixtures("left_behind")
async def test_random_operations(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    seed = int(os.environ.get("POSTFACH_SEED") or random.SystemRandom().randrange(2**32))
    drawing = random.Random(seed)
    values: dict[str, list[Any]] = {
        "number": [0, 1, 2, 3, 4, 5, 6, 7, 10, -1],
        "count": [0, 1, 3, 5],
        "first": [0, 1, 4],
        "start": [0, 3, 9],
        "numbers": [0, 1, 2, 3, 4, 10],
        "limit": [1, 2, 9],
    }
    generator = Generator(QUICK._schema, drawing, values, depth=4)  # noqa: SLF001 (it has no public name)
    before = dict(COMPILED.counts)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            await check(
                generator.draw(drawing.choice(["query", "query", "mutation"])), keeper=drawing.random() < 0.8
            )
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
    ran = {name: COMPILED.counts[name] - before[name] for name in before}
    assert min(ran["compiled"], ran["replayed"]) > 20, ran


@pytest.mark.parametrize(
    "text,variables,expected",
    [
        ("{ __typename animals { __typename number name } }", {}, None),
        ("{ a: cat { number } a: cat { name n: number } }", {}, {"a": {"number": 0, "name": "n0", "n": 0}}),
        (
            "query ($s: Boolean!) { cat { number @skip(if: $s) name @include(if: $s) } }",
            {"s": True},
            {"cat": {"name": "n0"}},
        ),
        ("query A { cat { number } } query B { cat { name } }", {}, None),
        ("{ cat { number } ", {}, None),
        ("{ cat { nothing } }", {}, None),
        ("query ($n: Int!) { cat(number: $n) { number } }", {}, None),
        ("query ($n: Int = 3) { cat(number: $n) { number } }", {}, {"cat": {"number": 3}}),
        ("{ generated }", {}, {"generated": [0, 1, 2]}),
        (
            "query ($n: Int = 2) { animals(first: 2) { fur size mood(loud: true) sound steps(each: 3) t: steps(each: $n) } }",
            {},
            {
                "animals": [
                    {"fur": "n0", "size": 0, "mood": "RED", "sound": "ha", "steps": 0, "t": 0},
                    {"fur": "n1", "size": 2, "mood": "BLUE", "sound": "haha", "steps": 3, "t": 2},
                ]
            },
        ),
        ("{ animals(start: 12, first: 2) { number size } }", {}, None),
        ("{ animals(start: 7, first: 2) { number steps } }", {}, None),
        ("{ __schema { queryType { name } } }", {}, None),
        ("{ page(wanted: {numbers: [1, 2, 3]}) { grid total } }", {}, None),
        (
            "mutation { a: change(number: 2) { step again } b: fail c: change { step } }",
            {},
            None,
        ),
        (
            "mutation { a: change(number: 2) { step again } c: change { step again animal { broken } } }",
            {},
            {"a": {"step": 1, "again": 1}, "c": {"step": 2, "again": 2, "animal": {"broken": None}}},
        ),
    ],
)
async def test_chosen_operations(text: str, variables: dict[str, Any], expected: Any) -> None:
    answered = orjson.loads(await check(Drawn(text, variables)))
    if expected is not None:
        assert answered["data"] == expected


async def test_a_mutation_is_made_once_whatever_becomes_of_its_answer() -> None:
    context = Context()
    text = "mutation { change(number: 10) { step animal { weight number } } b: change { step } }"
    result = await QUICK.execute(text, None, context)
    operation = known(text)
    assert operation is not None
    again = Context()
    later = await room.execute(COMPILED, QUICK, operation, None, again)

    assert context.done == again.done == ["change 10", "change 1"]
    assert result.data == later.data
    assert [error.message for error in later.errors or []] == ["no scales"]


async def test_relations_of_a_level_are_asked_for_once() -> None:
    context = Context()
    text = "{ animals(first: 3) { friend { number friend { number } } } }"
    await QUICK.execute(text, None, Context())
    operation = known(text)
    assert operation is not None
    await room.execute(COMPILED, QUICK, operation, None, context)

    # By the type of the animals, since each has the field.
    assert sorted(context.done) == ["friends of 1"] * 6


@pytest.mark.parametrize(
    "text,done,tasks",
    [
        ("{ herds { beasts { number } count } }", [], 0),
        ("{ herds { number count(each: 2) again: count } }", [], 0),
        ("{ herds(start: 1) { beasts { number } count } }", ["beasts of 3"], 0),
        ("{ herds { beasts { weight } count } }", ["beasts of 3"], 0),
        ("{ herds { beasts { number } dog } }", ["beasts of 3"], 2),
        ("{ herds { count known } }", ["counts of 3"], 0),
    ],
)
async def test_what_all_wait_for_first_is_waited_for_once_and_the_rest_is_at_hand(
    text: str, done: list[str], tasks: int
) -> None:
    await QUICK.execute(text, None, Context())
    operation = known(text)
    assert operation is not None
    begun: list[asyncio.Task[Any]] = []
    loop, context = asyncio.get_running_loop(), Context()

    def begin(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
        begun.append(asyncio.Task(work, loop=loop, **named))
        return begun[-1]

    loop.set_task_factory(begin)
    try:
        result = await room.execute(COMPILED, QUICK, operation, None, context)
    finally:
        loop.set_task_factory(None)
    assert (result.errors, context.done) == (None, done)
    of_herds = [each for each in begun if "fill_async" in repr(each.get_coro())]
    assert len(of_herds) == tasks


@pytest.mark.parametrize("below", ["number", "weight", "mates { weight }"])
async def test_a_resolver_is_called_once_whatever_is_waited_for_below_it(below: str) -> None:
    text = f"{{ cat {{ mates(count: 1) {{ {below} }} }} }}"
    await QUICK.execute(text, None, Context())
    operation, context = known(text), Context()
    assert operation is not None
    result = await room.execute(COMPILED, QUICK, operation, None, context)
    assert (result.errors, context.done[0], len(context.done)) == (None, "mates of 0", 1 + ("mates" in below))


async def test_what_is_kept_is_bounded_by_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_FIELDS", 20)
    compiled = Compiled()
    schema = Zoo(compiled)
    fields = " ".join(f"f{number}: number" for number in range(7))
    text = (
        f"query ($a: Boolean!, $b: Boolean!) {{ cat {{ name @skip(if: $a) number @skip(if: $b) {fields} }} }}"
    )
    for a in (True, False):
        for b in (True, False):
            result = await schema.execute(text, {"a": a, "b": b}, Context())
            assert result.errors is None
            assert result.data is not None
            assert len(result.data["cat"]) == 9 - a - b
    document = schema.documents.known(text)
    assert document is not None
    operation = document.compiled[None]
    assert operation is not None
    assert len(operation.plans) == 2
    assert compiled.kept_fields == 10 + 9


async def test_what_a_document_was_compiled_to_goes_with_it() -> None:
    compiled = Compiled()
    schema = Zoo(compiled)
    schema.documents = Documents(schema._schema, kept_bytes=30_000)  # noqa: SLF001 (it has no public name)
    texts = [f"query Q{number} {{ animals(first: 3) {{ ... on Cat {{ name }} }} }}" for number in range(20)]
    for text in texts:
        assert (await schema.execute(text, None, Context())).errors is None
    kept = [text for text in texts if schema.documents.known(text) is not None]
    assert 0 < len(kept) < len(texts)
    # One field each: what is added for the types of the animals that come is not counted.
    assert compiled.kept_fields == len(kept)
    for text in reversed(texts):
        assert (await schema.execute(text, None, Context())).errors is None
    assert compiled.kept_fields == sum(schema.documents.known(text) is not None for text in texts)


async def test_what_is_no_longer_kept_is_gone_at_once_and_what_runs_goes_on_to_its_end() -> None:
    compiled = Compiled()
    schema = Zoo(compiled)
    schema.documents = Documents(schema._schema, kept_bytes=1)  # noqa: SLF001 (it has no public name)
    left: list[Any] = []
    wanted: list[Operation] = []

    class Meanwhile(Context):
        """Has the operation forgotten while it runs."""

        def __getattribute__(self, name: str) -> Any:
            if not left and name == "done":
                operation = wanted[0]
                (plan,) = operation.plans.values()
                left.append(weakref.ref(plan))
                operation.forget()
                assert not operation.plans
            return super().__getattribute__(name)

    text = "{ animals(first: 3) { friend { number friend { number } } } }"
    ready = compiled.ready(schema, text, None, Limits(), None)
    assert ready is not None
    wanted.append(ready.operation)
    gc.disable()
    try:
        expected = await QUICK.execute(text, None, Context())
        result = await room.execute(compiled, schema, ready.operation, None, Meanwhile())
        assert (result.data, result.errors) == (expected.data, None)
        assert compiled.counts[room.COMPILED] == 1
        assert [each() for each in left] == [None]
        document = weakref.ref(ready.operation.document)
        wanted.clear()
        del ready
        assert document() is None
    finally:
        gc.enable()
