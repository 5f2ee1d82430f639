"""How values become answers, all values of one level of an operation at once.

A shape is made of a type and what is selected of it. `complete` takes values and returns what the answer holds of each, in
their order. Where something is not as in an answer without errors it raises: GraphQL's own executor then says what.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLAbstractType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
)
from graphql.execution.execute import default_type_resolver

from execution.fields import Field, attribute_of
from execution.generated import Entry, builder
from execution.leaves import Leaf, leaf_of
from execution.members import Member, put
from execution.trouble import NotCompilableError, TroubleError
from execution.waiting import all_of
from execution.written import SHAPE, TYPENAME, Chosen, Written, WrittenList, as_fragments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execution.plan import Plan
    from execution.running import Run
    from execution.selections import Selected


class Shape(ABC):
    """What a type and a selection make of values. `is_async` says which of the two ways there is."""

    is_async: bool = False

    def objects_of(self, kind: str | None) -> Objects | None:  # noqa: ARG002 (of shapes of several types)
        """Return the shape of the objects of a type that are in it; without `kind` of the only type."""
        return None

    @abstractmethod
    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        """Return what the answer holds of each value."""

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        """Do the same where something has to be waited for."""
        return self.complete(run, values)

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        """Do the same, None where something has to be waited for."""
        return None if self.is_async else self.complete(run, values)

    def clear(self) -> None:  # noqa: B027 (most have nothing)
        """Let go of what leads back here: nobody needs the shape any more."""


def shape_of(plan: Plan, kind: GraphQLOutputType, field: Field) -> Shape:
    """Return the shape of a field's type."""
    if isinstance(kind, GraphQLNonNull):
        return _Required(_bare(plan, kind.of_type, field))
    return _Optional(_bare(plan, kind, field))


def _bare(plan: Plan, kind: GraphQLOutputType, field: Field) -> Shape:
    if isinstance(kind, GraphQLList):
        return _List(shape_of(plan, kind.of_type, field))
    if is_leaf_type(kind):
        return _Leaf(kind)
    if is_object_type(kind):
        return Objects(plan, kind, plan.selections.of_object(field.selected, kind), field)
    if is_abstract_type(kind):
        return _Abstract(plan, kind, field)
    raise NotCompilableError(f"the type {kind}")


class _Leaf(Shape):
    def __init__(self, kind: GraphQLLeafType) -> None:
        leaf = Leaf.of(kind, nullable=False)
        self._coerce, self._direct = leaf.coerce, leaf.direct

    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:  # noqa: ARG002 (every shape's signature)
        coerce, direct = self._coerce, self._direct
        return [value if value.__class__ is direct else coerce(value) for value in values]


class _Wrapping(Shape):
    def __init__(self, inner: Shape) -> None:
        self._inner = inner
        self.is_async = inner.is_async

    def clear(self) -> None:
        self._inner.clear()

    def objects_of(self, kind: str | None) -> Objects | None:
        return self._inner.objects_of(kind)


class _Required(_Wrapping):
    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        return self._inner.complete(run, _present(values))

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        return await self._inner.complete_async(run, _present(values))

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        return self._inner.complete_at_hand(run, _present(values))


def _present(values: Sequence[Any]) -> Sequence[Any]:
    for value in values:
        if value is None:
            raise TroubleError("null")
    return values


class _Optional(_Wrapping):
    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        there = [value for value in values if value is not None]
        if not there:
            return [None] * len(values)
        return _spread(values, self._inner.complete(run, there))

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        there = [value for value in values if value is not None]
        if not there:
            return [None] * len(values)
        return _spread(values, await self._inner.complete_async(run, there))

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        there = [value for value in values if value is not None]
        if not there:
            return [None] * len(values)
        done = self._inner.complete_at_hand(run, there)
        return None if done is None else _spread(values, done)


def _spread(values: Sequence[Any], done: list[Any]) -> list[Any]:
    """Return `done` with None at the places where a value is None."""
    if len(done) == len(values):
        return done
    following = iter(done)
    return [None if value is None else next(following) for value in values]


class _List(_Wrapping):
    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        if values and values[0].__class__ is WrittenList:
            return as_fragments(values, self.objects_of(None), WrittenList)
        return _regroup(values, self._inner.complete(run, _flat(values)))

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        if values and values[0].__class__ is WrittenList:
            return as_fragments(values, self.objects_of(None), WrittenList)
        return _regroup(values, await self._inner.complete_async(run, _flat(values)))

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        if values and values[0].__class__ is WrittenList:
            return as_fragments(values, self.objects_of(None), WrittenList)
        done = self._inner.complete_at_hand(run, _flat(values))
        return None if done is None else _regroup(values, done)


def _flat(values: Sequence[Any]) -> Sequence[Any]:
    for value in values:
        # Any other iterable could be used up by looking at it, and would be empty for the executor.
        if value.__class__ is not list and value.__class__ is not tuple:
            raise TroubleError("no list")
    return values[0] if len(values) == 1 else [item for value in values for item in value]


def _regroup(values: Sequence[Any], done: list[Any]) -> list[Any]:
    if len(values) == 1:
        return [done]
    result, start = [], 0
    for value in values:
        end = start + len(value)
        result.append(done[start:end])
        start = end
    return result


class _Abstract(Shape):
    """An interface or a union: the objects of each type together, each in its place."""

    is_async = True

    def __init__(self, plan: Plan, kind: GraphQLAbstractType, field: Field) -> None:
        self._plan = plan
        self._kind = kind
        self._field = field
        self._type_of = kind.resolve_type or default_type_resolver
        self._shapes: dict[str, Objects] = {}

    def objects_of(self, kind: str | None) -> Objects | None:
        return None if kind is None else self._shape(kind)

    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        raise AssertionError(run, values)

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        if not values:
            return []
        if len(values) == 1:
            return await self._shape(self._name(run, values[0])).complete_async(run, values)
        groups = self._groups(run, values)
        results = await all_of(
            [shape.complete_async(run, [values[place] for place in places]) for shape, places in groups]
        )
        return _placed(groups, results, len(values))

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        groups = self._groups(run, values)
        results = []
        for shape, places in groups:
            answers = shape.complete_at_hand(run, [values[place] for place in places])
            if answers is None:
                return None
            results.append(answers)
        return _placed(groups, results, len(values))

    def _groups(self, run: Run, values: Sequence[Any]) -> list[tuple[Objects, list[int]]]:
        """Return the shape of each type, and the places at which its objects are."""
        groups: dict[str, list[int]] = {}
        for place, value in enumerate(values):
            groups.setdefault(self._name(run, value), []).append(place)
        return [(self._shape(name), places) for name, places in groups.items()]

    def clear(self) -> None:
        for shape in self._shapes.values():
            shape.clear()
        self._shapes.clear()

    def _name(self, run: Run, value: Any) -> str:
        """Return the name of an object's type."""
        if value.__class__ is Written:
            return str(value.shape.kind.name)
        name = self._type_of(value, run.asked(self._field).info, self._kind)
        if not isinstance(name, str):
            raise TroubleError("no type")
        return name

    def _shape(self, name: str) -> Objects:
        """Return the shape for objects of a type, made when the first of them comes."""
        shape = self._shapes.get(name)
        if shape is None:
            kind = self._plan.schema.get_type(name)
            if not is_object_type(kind) or not self._plan.schema.is_sub_type(self._kind, kind):
                raise TroubleError("not a possible type")
            selected = self._plan.selections.of_object(self._field.selected, kind)
            shape = self._shapes[name] = Objects(self._plan, kind, selected, self._field)
        return shape


def _placed(
    groups: Sequence[tuple[Objects, list[int]]], results: Sequence[list[Any]], number: int
) -> list[Any]:
    done: list[Any] = [None] * number
    for (_, places), answers in zip(groups, results, strict=True):
        for place, answer in zip(places, answers, strict=True):
            done[place] = answer
    return done


class Objects(Shape):
    """Objects of one type: attributes by generated code, everything else field by field, for all objects at once."""

    def __init__(
        self, plan: Plan, kind: GraphQLObjectType, selected: Sequence[Selected], below: Field | None
    ) -> None:
        self.kind = kind
        self.chosen: list[Chosen] = []
        self.notes: dict[Any, Any] = {}
        """What those who write its objects have worked out for it."""
        self._below = below
        path = None if below is None else below.path
        entries: list[Entry] = []
        self._called: list[Field] = []
        plan.fields += len(selected)
        self.members: list[Member] = []
        for each in selected:
            if each.name == TYPENAME:
                entries.append(Entry(each.key, TYPENAME))
                self.chosen.append(Chosen(each.key, TYPENAME))
                continue
            definition = kind.fields.get(each.name)
            if definition is None or each.name.startswith("__"):
                raise NotCompilableError(f"the field {each.name}")
            attribute = attribute_of(definition)
            leaf = None if attribute is None else leaf_of(definition.type)
            if attribute is not None and leaf is not None:
                entries.append(Entry(each.key, attribute, leaf))
                self.chosen.append(Chosen(each.key, attribute))
                continue
            field = Field(kind, each, definition, path)
            called = None if below is None else leaf_of(definition.type)
            if called is not None and field.takes_info is not None:
                entries.append(Entry(each.key, None, called, field.takes_info))
                self._called.append(field)
                self.chosen.append(Chosen(each.key, field.python_name, field))
                continue
            entries.append(Entry(each.key))
            member = Member(field, shape_of(plan, definition.type, field))
            field.extras = {SHAPE: member.shape}
            self.members.append(member)
            self.chosen.append(Chosen(each.key, field.python_name, field, member.shape.objects_of(None)))
        self._build = builder(kind.name, entries)
        self._now = [each for each in self.members if not each.is_async]
        self._later = [each for each in self.members if each.is_async]
        self.is_async = bool(self._later)
        self._may_be_at_hand = all(each.may_be_at_hand for each in self._later)
        firsts = {each.field.first for each in self._later}
        self._first = firsts.pop() if len(firsts) == 1 else None

    def objects_of(self, kind: str | None) -> Objects | None:
        """Return itself, where it is of that type."""
        return self if kind is None or kind == self.kind.name else None

    def clear(self) -> None:
        """Let go of what leads back here: nobody needs the shape any more."""
        for member in self.members:
            member.shape.clear()
            member.field.extras = {}
        for each in (self.members, self._called, self._now, self._later, self.chosen):
            each.clear()
        self.notes.clear()

    def complete(self, run: Run, values: Sequence[Any]) -> list[Any]:
        """Return the answers, where nothing has to be waited for."""
        if values and values[0].__class__ is Written:
            return as_fragments(values, self)
        answers = self.begin(run, values)
        if answers:
            for member in self._now:
                member.fill(run, values, answers)
        return answers

    async def complete_async(self, run: Run, values: Sequence[Any]) -> list[Any]:
        """Return the answers; the fields that have to be waited for are asked side by side."""
        answers = self.complete(run, values)
        if answers and self._later and answers[0].__class__ is dict:
            if self._first is not None:
                await self._first(values)
            waiting = [each for each in self._later if not each.fill_at_hand(run, values, answers)]
            if waiting:
                await all_of([each.fill_async(run, values, answers) for each in waiting])
        return answers

    def complete_at_hand(self, run: Run, values: Sequence[Any]) -> list[Any] | None:
        """Return the answers where nothing has to be waited for."""
        is_written = bool(values) and values[0].__class__ is Written
        if not self._may_be_at_hand and not is_written:
            return None
        found: list[list[Any]] = []
        # What may not be at hand comes first: the rest would be done for nothing.
        for member in () if is_written or not values else self._later:
            done = member.at_hand(run, values)
            if done is None:
                return None
            found.append(done)
        answers = self.complete(run, values)
        for member, done in zip(self._later, found, strict=False):
            put(answers, member.field.key, done)
        return answers

    def begin(self, run: Run, values: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the answers with their attributes and what functions make of each object, every other key null."""
        if not values:
            return []
        is_type_of = self.kind.is_type_of
        if is_type_of is not None and self._below is not None:
            info = run.asked(self._below).info
            for value in values:
                if is_type_of(value, info) is not True:
                    raise TroubleError("another type")
        return self._build(values, [field.called(run.asked(field)) for field in self._called])
