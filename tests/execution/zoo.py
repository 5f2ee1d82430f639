"""A schema with what an execution can meet: values that fail, nulls that may not be, every kind of type and resolver."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.types import Info

from execution.compiled import Compiled, Compiling
from execution.documents import Documents, Prepared
from execution.fields import together
from execution.limits import Limits


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Context:
    """What happened, in order, and who asks."""

    keeper: bool = True
    done: list[str] = field(default_factory=list)
    counter: int = 0
    limits: Limits = field(default_factory=lambda: Limits(cost=10**9, aliases=1000))
    cost: dict[str, int] | None = None


@dataclass
class Beast:
    """The object behind every animal: `kind` says of which type it is."""

    kind: str
    number: int
    name: str | None
    colour: Any = Colour.RED

    @property
    def broken(self) -> str:
        raise LookupError("broken")


def beast(number: int) -> Beast:
    kind = ("Cat", "Dog", "Ghost")[number % 3]
    colours: list[Any] = [Colour.RED, Colour.BLUE, "green", None]
    return Beast(kind, number, None if number % 5 == 4 else f"n{number}", colours[number % 4])


class IsKeeper(BasePermission):
    message = "Keepers only."

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:
        return bool(info.context.keeper) and getattr(source, "number", 0) != 3


class Shouting(FieldExtension):
    """Something before a resolver that is no permission."""

    def resolve(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        return str(next_(source, info, **kwargs)).upper()


def is_kind(name: str) -> Any:
    return classmethod(lambda _cls, value, _info: isinstance(value, Beast) and value.kind == name)


def _mates(root: strawberry.Parent[Beast], info: Info, count: int = 2) -> list[Animal | None]:
    info.context.done.append(f"mates of {root.number}")
    if count > 4:
        raise ValueError("too many")
    return [None if (root.number + each) % 7 == 6 else beast(root.number + each) for each in range(count)]  # type: ignore[misc]


async def _many_friends(info: Info, roots: Sequence[Beast]) -> list[Any]:
    await asyncio.sleep(0)
    info.context.done.append(f"friends of {len(roots)}")
    return [None if root.number % 4 == 3 else beast(root.number + 1) for root in roots]


@together(_many_friends)
async def _friend(root: strawberry.Parent[Beast], info: Info) -> Animal | None:
    await asyncio.sleep(0)
    return None if root.number % 4 == 3 else beast(root.number + 1)  # type: ignore[return-value]


@dataclass
class Herding:
    """The object behind a herd: where its beasts are is known only when they were gathered."""

    number: int
    is_gathered: bool = False

    def beasts(self) -> list[Any]:
        if not self.is_gathered:
            raise AssertionError("not gathered")
        return [beast(self.number + each) for each in range(3)]

    async def gather(self) -> None:
        await _gather([self])


async def _gather(roots: Sequence[Herding]) -> None:
    await asyncio.sleep(0)
    for root in roots:
        if root.number % 10 == 6:
            raise LookupError("scattered")
        root.is_gathered = True


async def _beasts_of_many(info: Info, roots: Sequence[Herding]) -> list[Any]:
    info.context.done.append(f"beasts of {len(roots)}")
    await _gather(roots)
    return [root.beasts() for root in roots]


def _beasts_at_hand(roots: Sequence[Herding]) -> list[Any] | None:
    # Some of them are asked for after all.
    if any(root.number % 4 == 3 for root in roots) or not all(root.is_gathered for root in roots):
        return None
    return [root.beasts() for root in roots]


@together(_beasts_of_many, at_hand=_beasts_at_hand, first=_gather)
async def _beasts(root: strawberry.Parent[Herding], info: Info) -> list[Animal]:
    await root.gather()
    return root.beasts()


async def _counts(info: Info, roots: Sequence[Herding], each: int = 1) -> list[Any]:
    info.context.done.append(f"counts of {len(roots)}")
    await asyncio.sleep(0)
    return [None if root.number == 4 else 3 * each for root in roots]


def _counts_at_hand(roots: Sequence[Herding], each: int = 1) -> list[Any]:
    return [None if root.number == 4 else 3 * each for root in roots]


@together(_counts, at_hand=_counts_at_hand, first=_gather)
async def _count(root: strawberry.Parent[Herding], each: int = 1) -> int:
    await root.gather()
    return None if root.number == 4 else 3 * each  # type: ignore[return-value]


@together(_counts, at_hand=_counts_at_hand, first=_gather)
async def _guarded_count(root: strawberry.Parent[Herding], each: int = 1) -> int:
    return None if root.number == 4 else 3 * each  # type: ignore[return-value]


async def _weight(root: strawberry.Parent[Beast], unit: str | None = "kg") -> str:
    await asyncio.sleep(0)
    if root.number % 11 == 10:
        raise LookupError("no scales")
    return f"{root.number}{unit}"


async def _secret(root: strawberry.Parent[Beast]) -> str:
    await asyncio.sleep(0)
    return f"secret {root.number}"


def _size(root: strawberry.Parent[Beast], info: Info) -> int:
    if root.number % 13 == 12:
        raise LookupError("too small")
    return root.number * (2 if info.context.keeper else 1)


def _mood(root: strawberry.Parent[Beast], info: Info, *, loud: bool = False) -> Colour | None:
    return root.colour if loud and info.context.keeper else Colour.BLUE


def _sound(info: Info, root: strawberry.Parent[Beast], word: str = "ha") -> str:
    return word * (root.number % 3 + (1 if info.context.keeper else 0))


def _steps(root: strawberry.Parent[Beast], each: int = 1) -> int:
    return None if root.number % 9 == 8 else root.number * each  # type: ignore[return-value]


def _fur(root: strawberry.Parent[Beast]) -> str | None:
    return root.name


@strawberry.interface
class Animal:
    number: int
    name: str | None
    colour: Colour | None
    broken: str | None
    mates: list[Animal | None] = strawberry.field(resolver=_mates)
    friend: Animal | None = strawberry.field(resolver=_friend)
    weight: str = strawberry.field(resolver=_weight)
    secret: str | None = strawberry.field(
        resolver=_secret, extensions=[PermissionExtension([IsKeeper()], fail_silently=True)]
    )
    guarded: str | None = strawberry.field(resolver=_secret, extensions=[PermissionExtension([IsKeeper()])])
    size: int = strawberry.field(resolver=_size)
    mood: Colour | None = strawberry.field(resolver=_mood)
    sound: str = strawberry.field(resolver=_sound)
    steps: int = strawberry.field(resolver=_steps)
    fur: str | None = strawberry.field(resolver=_fur)

    @strawberry.field(extensions=[Shouting()])
    def shout(self, word: str = "ha") -> str:
        return f"{word}{self.number}"


@strawberry.type
class Cat(Animal):
    lives: int = strawberry.field(resolver=lambda root: 9 - root.number)
    is_type_of = is_kind("Cat")


@strawberry.type
class Dog(Animal):
    name: str
    is_type_of = is_kind("Dog")


@strawberry.type
class Ghost(Animal):
    is_type_of = is_kind("Ghost")


@strawberry.type
class Stone:
    weight: int
    is_type_of = classmethod(lambda _cls, value, _info: isinstance(value, int))


Thing = Annotated[Cat | Dog | Stone, strawberry.union("Thing")]


@strawberry.input
class Wanted:
    numbers: list[int]
    colour: Colour | None = None
    inner: Wanted | None = None
    limit: int = 3


@strawberry.type
class Page:
    animals: list[Animal]
    grid: list[list[int | None]]
    total: int


@strawberry.type
class Herd:
    number: int
    beasts: list[Animal] = strawberry.field(resolver=_beasts)
    count: int = strawberry.field(resolver=_count)
    known: int | None = strawberry.field(
        resolver=_guarded_count, extensions=[PermissionExtension([IsKeeper()], fail_silently=True)]
    )

    @strawberry.field
    async def dog(self, root: strawberry.Parent[Herding]) -> str:
        return f"dog {root.number}"


@strawberry.type
class Query:
    @strawberry.field
    def herds(self, first: int = 3, start: int = 0) -> list[Herd | None]:
        return [
            None if number == 9 else Herding(number)  # type: ignore[misc]
            for number in range(start, start + first)
        ]

    @strawberry.field
    def animals(self, first: int = 3, start: int = 0) -> list[Animal | None]:
        return [beast(number) for number in range(start, start + first)]  # type: ignore[misc]

    @strawberry.field
    async def animal(self, number: int, colour: Colour | None = None) -> Animal | None:
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError("negative")
        found = beast(number)
        return found if colour is None or found.colour is colour else None  # type: ignore[return-value]

    @strawberry.field
    def cat(self, number: int = 0) -> Cat:
        return beast(number)  # type: ignore[return-value]

    @strawberry.field
    async def page(self, wanted: Wanted) -> Page:
        await asyncio.sleep(0)
        numbers = wanted.numbers[: wanted.limit]
        grid: list[list[int | None]] = [[number, None] for number in numbers]
        animals: list[Any] = [beast(number) for number in numbers]
        return Page(animals=animals, grid=grid, total=2**31 * (len(numbers) > 2))

    @strawberry.field
    def generated(self) -> list[int]:
        return (number for number in range(3))  # type: ignore[return-value]

    @strawberry.field
    def thing(self, number: int) -> Thing | None:
        return number if number % 2 else beast(number)  # type: ignore[return-value]

    @strawberry.field
    def required(self, number: int | None = None) -> str:
        return None if number == 1 else "here"  # type: ignore[return-value]

    @strawberry.field
    async def echo(
        self, text: str | None = strawberry.UNSET, ids: list[strawberry.ID] | None = None
    ) -> str | None:
        return f"{text} {ids}"


@strawberry.type
class Changed:
    step: int
    animal: Animal | None

    @strawberry.field
    async def again(self, info: Info) -> int:
        await asyncio.sleep(0)
        return int(info.context.counter)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self, info: Info, number: int = 1) -> Changed | None:
        await asyncio.sleep(0)
        info.context.counter += 1
        info.context.done.append(f"change {number}")
        if number == 0:
            raise ValueError("nothing to change")
        return Changed(step=info.context.counter, animal=beast(number))  # type: ignore[arg-type]

    @strawberry.mutation
    def fail(self, info: Info) -> str:
        info.context.counter += 1
        info.context.done.append("fail")
        raise LookupError("failed")


class Zoo(strawberry.Schema):
    """The schema, with or without compiled execution."""

    def __init__(self, compiled: Compiled | None) -> None:
        super().__init__(
            query=Query,
            mutation=Mutation,
            types=[Cat, Dog, Ghost, Stone],
            extensions=[Prepared, *([] if compiled is None else [lambda: Compiling(compiled)])],
        )
        self.documents = Documents(self._schema)
